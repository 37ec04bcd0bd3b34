"""Pictures of keyframes for planners: scaled copies, crops of objects, and how like these are to what is asked; bounded caches."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from loci.geometry import invert_pose, project, transform_points
from loci.keyframes import Keyframes
from loci.perception.matching import LocalFeatures, PicturePose, local_features, picture_pose
from loci.perception.protocols import ImageEncoder
from loci.scene.tracks import SceneObject
from loci.store.errors import StoreError

Vector = npt.NDArray[np.float32]
K = TypeVar("K")
T = TypeVar("T")

#: Height of the images that a planner looks at (3D-Mem) [px].
PLANNER_HEIGHT = 360
_MAX_SCALED, _MAX_CROPS = 256, 20_000
#: Features of an image take about 400 kB.
_MAX_FEATURES, _MAX_POSES = 256, 20_000
_JPEG_QUALITY = 85
#: A point is hidden by what is nearer by more than this [m]; fewer points that are not hidden show nothing.
_HIDDEN, _MIN_SHOWN = 0.1, 4


class Pictures:
    """Scaled images and embeddings of crops, made when asked for and kept for the next question. Any thread may ask."""

    def __init__(self, keyframes: Keyframes, encoder: ImageEncoder) -> None:
        self._keyframes = keyframes
        self._encoder = encoder
        self._scaled: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._crops: OrderedDict[tuple[str, tuple[int, int, int, int]], Vector] = OrderedDict()
        self._features: OrderedDict[str, LocalFeatures] = OrderedDict()  # by keyframe, or by a picture's digest
        self._poses: OrderedDict[tuple[str, str], PicturePose | None] = OrderedDict()
        self._lock = threading.Lock()

    def scaled(self, keyframe_id: str, max_height: int) -> bytes:
        """JPEG of a keyframe, at most so high [px]; the original where that is no higher.

        Raises:
            KeyError: no such keyframe.
            StoreError: its file is missing or damaged.
            ValueError: a height that is not >= 16 px.
        """
        if max_height < 16:
            raise ValueError(f"expected a height >= 16 px, got {max_height}")
        keyframe = self._keyframes.get(keyframe_id)
        if keyframe.camera.height <= max_height:
            return self._keyframes.color_jpeg(keyframe_id)
        return self._kept(
            self._scaled, (keyframe_id, max_height), _MAX_SCALED, lambda: self._scale(keyframe_id, max_height)
        )

    def _scale(self, keyframe_id: str, max_height: int) -> bytes:
        color = self._decode(keyframe_id)
        size = (max(1, round(color.shape[1] * max_height / color.shape[0])), max_height)
        small = cv2.resize(color, size, interpolation=cv2.INTER_AREA)
        return bytes(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].tobytes())

    def cut(self, keyframe_id: str, box: tuple[int, int, int, int]) -> bytes | None:
        """JPEG of a part of a keyframe, (x0, y0, x1, y1) [px]; None: all of it lies outside of the image.

        Raises:
            KeyError: no such keyframe.
            StoreError: its file is missing or damaged.
        """
        x0, y0, x1, y1 = (max(0, value) for value in box)
        part = self._decode(keyframe_id)[y0:y1, x0:x1]
        return cv2.imencode(".jpg", part, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].tobytes() if part.size else None

    def crop_likeness(self, objects: Iterable[SceneObject], vector: Vector) -> dict[str, float]:
        """{object id: cosine of its best view with a vector of the encoder}; objects whose image is damaged are left out.

        The images of objects that were asked for before are not read again.
        """
        by_keyframe: dict[str, list[SceneObject]] = {}
        for o in objects:
            by_keyframe.setdefault(o.keyframe_id, []).append(o)
        found: dict[str, float] = {}
        for keyframe_id, shown in by_keyframe.items():
            image: list[npt.NDArray[np.uint8]] = []
            for o in shown:
                try:
                    crop = self._kept(
                        self._crops,
                        (keyframe_id, o.image_box),
                        _MAX_CROPS,
                        lambda o=o, image=image: self._encode(o, image),  # type: ignore[misc]
                    )
                except (KeyError, StoreError):
                    continue  # forgotten or damaged since: it is ranked by the whole image alone
                found[o.id] = float(crop @ vector)
        return found

    def taken_from(self, picture: npt.NDArray[np.uint8], keyframe_id: str) -> PicturePose | None:
        """From where a picture (H, W, 3) RGB was taken, as a keyframe tells by what both show; None: it does not tell.

        Raises:
            KeyError: no such keyframe.
            StoreError: its files are missing or damaged.
        """
        digest = hashlib.sha256(picture.tobytes() + repr(picture.shape).encode()).hexdigest()
        shown = self._kept(self._features, digest, _MAX_FEATURES, lambda: local_features(picture))
        return self._kept(self._poses, (digest, keyframe_id), _MAX_POSES, lambda: self._pose_of(shown, keyframe_id))

    def _pose_of(self, shown: LocalFeatures, keyframe_id: str) -> PicturePose | None:
        remembered = self._kept(
            self._features,
            keyframe_id,
            _MAX_FEATURES,
            lambda: local_features(np.ascontiguousarray(self._decode(keyframe_id)[..., ::-1])),
        )
        return picture_pose(
            shown, remembered, self._keyframes.depth(keyframe_id), self._keyframes.get(keyframe_id).camera
        )

    def clear(self) -> None:
        """Let go of everything: what was forgotten must not lie about here."""
        with self._lock:
            self._scaled.clear()
            self._crops.clear()
            self._features.clear()
            self._poses.clear()

    def _encode(self, o: SceneObject, image: list[npt.NDArray[np.uint8]]) -> Vector:
        if not image:  # decoded once for all objects of a keyframe
            image.append(np.ascontiguousarray(self._decode(o.keyframe_id)[..., ::-1]))
        x0, y0, x1, y1 = o.image_box
        height, width = image[0].shape[:2]
        crop = image[0][max(0, y0) : min(height, y1), max(0, x0) : min(width, x1)]
        if not crop.size:
            raise StoreError(f"the box {o.image_box} of {o.id} lies outside of its image")
        return self._encoder.encode(np.ascontiguousarray(crop))

    def _decode(self, keyframe_id: str) -> npt.NDArray[np.uint8]:
        """(H, W, 3) uint8 BGR."""
        color = cv2.imdecode(np.frombuffer(self._keyframes.color_jpeg(keyframe_id), dtype=np.uint8), cv2.IMREAD_COLOR)
        if color is None:
            raise StoreError(f"the image of {keyframe_id} cannot be decoded")
        return np.asarray(color, dtype=np.uint8)

    def _kept(self, kept: OrderedDict[K, T], key: K, limit: int, make: Callable[[], T]) -> T:
        with self._lock:
            if key in kept:
                kept.move_to_end(key)
                return kept[key]
        value = make()
        with self._lock:
            kept[key] = value
            while len(kept) > limit:
                kept.popitem(last=False)
        return value


def shown_box(keyframes: Keyframes, o: SceneObject, keyframe_id: str) -> tuple[int, int, int, int] | None:
    """Where an object is seen in a keyframe's image, (x0, y0, x1, y1) [px]: around its points that nothing hides; None: nowhere.

    Raises:
        KeyError: no such keyframe.
    """
    keyframe = keyframes.get(keyframe_id)
    camera = keyframe.camera
    if keyframe_id == o.keyframe_id:
        return o.image_box
    pixels, z = project(transform_points(invert_pose(keyframe.T_map_camera), o.points), camera)  # (M, 2), (M,)
    inside = (z > 0.05) & np.all(pixels >= 0, axis=1) & (pixels[:, 0] < camera.width) & (pixels[:, 1] < camera.height)
    u, v = pixels[inside].astype(np.int64).T
    try:
        measured = keyframes.depth(keyframe_id)[v, u]
    except StoreError:
        measured = np.zeros(len(u), dtype=np.float32)  # the depth is damaged: nothing is known to be hidden
    seen = (measured == 0.0) | (measured > z[inside] - _HIDDEN)
    u, v = u[seen], v[seen]
    if len(u) < _MIN_SHOWN:
        return None
    (x0, x1), (y0, y1) = np.quantile(u, (0.02, 0.98)), np.quantile(v, (0.02, 0.98))
    return int(x0), int(y0), min(camera.width, int(x1) + 1), min(camera.height, int(y1) + 1)
