"""Dominant colours of a thing by the names that people use.

People name the colour of the thing, not that of the light: a white vase in the shade is white. So pixels are judged relative to
the brightest of the image (the white-patch assumption of Land's retinex, 1977, within bounds) and by the lit part of the thing.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

#: Names by index, as `color_indices` gives them.
COLOR_NAMES = (
    "black",
    "gray",
    "white",
    "red",
    "orange",
    "brown",
    "yellow",
    "green",
    "cyan",
    "blue",
    "purple",
    "pink",
    "beige",
)
_BLACK, _GRAY, _WHITE_NAME, _RED, _ORANGE, _BROWN, _YELLOW, _GREEN, _CYAN, _BLUE, _PURPLE, _PINK, _BEIGE = range(13)

#: Upper end of each hue [degrees / 2, as OpenCV] and the name of the hue.
_HUES = np.array([7, 19, 33, 80, 97, 130, 158, 172, 180])
_HUE_NAMES = np.array([_RED, _ORANGE, _YELLOW, _GREEN, _CYAN, _BLUE, _PURPLE, _PINK, _RED])
#: Dark glass and plastic is called black as long as it has no more than this tint of cyan or blue: values and saturations [0, 255].
_DARK, _MAX_TINT = 80, 120

#: The brightest part of an image is taken for nearly white, but never made brighter by more than this factor.
_WHITE, _MAX_GAIN = 250.0, 2.0
#: The darkest part of a thing's pixels: its own shadow, and what shines through at its border.
_UNLIT_SHARE = 0.25


def color_indices(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Index into `COLOR_NAMES` (N,) of each RGB colour (N, 3) uint8."""
    hsv = cv2.cvtColor(np.ascontiguousarray(rgb)[None], cv2.COLOR_RGB2HSV)[0].astype(
        np.int64
    )  # h [0, 180), s, v [0, 255]
    hue, saturation, value = hsv.T
    names = _HUE_NAMES[np.searchsorted(_HUES, hue, side="right").clip(max=len(_HUES) - 1)]
    names = np.where((names == _RED) & (saturation < 140) & (value > 170), _PINK, names)
    warm = (hue >= 5) & (hue < 30)
    names = np.where(warm & (value < 165), _BROWN, names)
    pale = (saturation < 88) & (value >= 110) | (saturation < 100) & (value >= 165)
    names = np.where(warm & pale, _BEIGE, names)
    # What has little colour is named by its lightness; the darker, the less its hue is worth.
    neutral = (saturation < 38) | (saturation * value < 38 * 90)
    names = np.where(neutral, np.where(value < 70, _BLACK, np.where(value > 172, _WHITE_NAME, _GRAY)), names)
    # A screen that is off is black, though it is a little blue; blue things keep more of their colour in the dark.
    bluish = (hue >= _HUES[3]) & (hue < _HUES[5]) & (saturation < _MAX_TINT)
    return np.asarray(np.where((value < 38) | (bluish & (value < _DARK)), _BLACK, names), dtype=np.int64)


def dominant_colors(rgb: npt.NDArray[np.uint8], limit: int = 2, min_share: float = 0.2) -> tuple[str, ...]:
    """Names of the most frequent colours of some pixels (N, 3) uint8 RGB, most frequent first.

    The first is always given (if there is a pixel), others only if they make up ``min_share`` of the pixels.
    """
    if not len(rgb):
        return ()
    shares = np.bincount(color_indices(rgb), minlength=len(COLOR_NAMES)) / len(rgb)
    order = np.argsort(-shares, kind="stable")[:limit]
    return tuple(COLOR_NAMES[i] for rank, i in enumerate(order) if rank == 0 or shares[i] >= min_share)


def object_colors(rgb: npt.NDArray[np.uint8], white: float, limit: int = 2, min_share: float = 0.2) -> tuple[str, ...]:
    """Names of the colours of a thing by its pixels (N, 3) uint8 RGB, most frequent first; see `dominant_colors`.

    Args:
        white: see `white_level`.
    """
    return dominant_colors(lit_pixels(rgb, white), limit, min_share)


def lit_pixels(rgb: npt.NDArray[np.uint8], white: float) -> npt.NDArray[np.uint8]:
    """The lit part of a thing's pixels (N, 3) uint8 RGB, (M, 3), as they would be in full light; see `white_level`."""
    if not len(rgb):
        return rgb
    value = rgb.max(axis=1)
    lit = rgb[value >= np.quantile(value, _UNLIT_SHARE)]
    gain = np.float32(min(_MAX_GAIN, max(1.0, _WHITE / max(white, 1.0))))
    return np.minimum(lit * gain, 255.0).astype(np.uint8)


def white_level(color: npt.NDArray[np.uint8]) -> float:
    """How bright the brightest part of an image (H, W, 3) uint8 RGB is, [0, 255]: its 95th percentile, on a coarse grid."""
    return float(np.percentile(color[::8, ::8].max(axis=2), 95))
