"""Pictures for a model: scaled down to a budget of pixels and bytes."""

from __future__ import annotations

import cv2
import numpy as np

#: Qualities that are tried until a picture is small enough.
_QUALITIES = (85, 70, 50, 30)


def scaled_jpeg(jpeg: bytes, max_side: int, max_bytes: int) -> bytes | None:
    """A picture with at most so many pixels on its longer side and so many bytes.

    Args:
        jpeg: of any size.
        max_side: [px].
        max_bytes: [bytes].

    Returns:
        A JPEG; None if it cannot be decoded, or does not fit at the lowest quality.
    """
    if not jpeg:
        return None
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        return None
    height, width = image.shape[:2]
    longer = max(height, width)
    if longer > max_side:
        size = (max(1, round(width * max_side / longer)), max(1, round(height * max_side / longer)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    elif len(jpeg) <= max_bytes:
        return jpeg
    for quality in _QUALITIES:
        done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if done and len(data) <= max_bytes:
            return bytes(data.tobytes())
    return None
