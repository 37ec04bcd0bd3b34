"""Which remembered objects a picture shows, by what a detector saw in it: joins the object map with the octree, which knows what walls hide.

Weakly textured rooms leave local features little to hold on to; what stands beside what is still there (`loci.scene.constellation`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from loci.geometry import Array, Camera
from loci.keyframes import Keyframes
from loci.observation import Detection
from loci.scene.colors import object_colors, white_level
from loci.scene.constellation import Landmarks, Seen, fit, sampled_points, weight_of
from loci.scene.objects import SceneObject
from loci.spatial.memory import SpatialMemory
from loci.words import canonical

#: A picture is about what lies in its middle column and takes this share of it; so many detections are taken for it.
_LEAST_SHARE, _N_MEANT = 0.01, 2
#: Likeness of things of one kind whose colours differ: colours are told wrongly in the shade, and of what is small.
_OTHER_COLOR = 0.8
#: What a ray hits so shortly before a point does not hide it: voxels are coarse [m]; rays end here [m].
_BEFORE, _RAY = 0.2, 8.0


@dataclass(frozen=True)
class ShownObject:
    """An object that a picture may show: how well what is around it agrees, [0, 1], and from where (4, 4) the picture shows it."""

    score: float
    T_map_camera: Array = field(repr=False)


def objects_shown(
    objects: Sequence[SceneObject],
    keyframes: Keyframes,
    spatial: SpatialMemory,
    map_id: str,
    image: npt.NDArray[np.uint8],
    detections: Sequence[Detection],
) -> dict[str, ShownObject]:
    """{object id: how well it fits} of the objects that a picture may be about; what is gone, or of another map, is none.

    The picture's field of view is taken to be that of the camera that saw an object, and the picture to be upright.

    Args:
        objects: remembered ones.
        keyframes: that the objects hang on.
        spatial: the octree that they lie in.
        map_id: of the octree.
        image: (H, W, 3) uint8 RGB.
        detections: what a detector saw in it.
    """
    known = [o for o in objects if o.is_there and o.map_id == map_id and o.label]
    if not detections or not known:
        return {}
    height, width = image.shape[:2]
    likeness = _likeness(image, detections, known)
    areas = np.array([np.count_nonzero(d.full_mask) for d in detections]) / (height * width)
    boxes = np.array([d.box for d in detections], dtype=np.float64) / width
    landmarks = Landmarks(likeness, np.stack([sampled_points(o.points) for o in known]))

    def sees(origins: Array, targets: Array) -> npt.NDArray[np.bool_]:
        rays = targets - origins
        lengths = np.maximum(np.linalg.norm(rays, axis=1), 1e-6)
        hits = spatial.cast_rays(origins, rays / lengths[:, None], _RAY)
        return np.asarray(~hits.hits | (hits.ranges >= lengths - _BEFORE))

    found: dict[str, ShownObject] = {}
    meant = meant_by(boxes, areas)
    for rank, row in enumerate(meant):
        for i in np.flatnonzero(likeness[row]).tolist():
            keyframe = keyframes.get(known[i].keyframe_id)
            seen = Seen(boxes, weight_of(areas), _as_large(keyframe.camera, width, height))
            fitted = fit(seen, row, landmarks, i, float(keyframe.T_map_camera[2, 3]), sees)
            # From one place the picture is about one thing: the middle one, as far as it is known.
            first = fitted.match[meant[0]] if rank else -1
            about = known[first if first >= 0 else i].id
            if fitted.score > 0.0 and (about not in found or found[about].score < fitted.score):
                found[about] = ShownObject(fitted.score, fitted.T_map_camera)
    return found


def meant_by(boxes: Array, areas: Array) -> list[int]:
    """The detections that a picture is likely about: those nearest to its middle column that are not tiny, or the largest one.

    Args:
        boxes: (D, 4) x0, y0, x1, y1 [share of the image's width].
        areas: (D,) of the masks [share of the image].
    """
    beside = np.abs(boxes[:, 0] + boxes[:, 2] - 1.0)
    order = [int(i) for i in np.argsort(beside, kind="stable") if areas[i] >= _LEAST_SHARE]
    return order[:_N_MEANT] or [int(areas.argmax())]


def _likeness(image: npt.NDArray[np.uint8], detections: Sequence[Detection], objects: Sequence[SceneObject]) -> Array:
    """(D, N) of detections to objects: 0 for other kinds, less than 1 for other colours."""
    names = np.array([canonical(o.label) for o in objects])
    white = white_level(image)
    likeness = np.zeros((len(detections), len(objects)))
    for row, d in enumerate(detections):
        x0, y0, x1, y1 = d.box
        colors = object_colors(np.ascontiguousarray(image[y0:y1, x0:x1][d.full_mask]), white)
        for i in np.flatnonzero(names == canonical(d.label)).tolist():
            told = objects[i].colors
            agrees = not told or bool(set(colors[:1]) & set(told) or set(colors) & set(told[:1]))
            likeness[row, i] = 1.0 if agrees else _OTHER_COLOR
    return likeness


def _as_large(camera: Camera, width: int, height: int) -> Camera:
    """A camera of the same horizontal field of view whose images have another size."""
    focal = camera.fx * width / camera.width
    return replace(
        camera,
        width=width,
        height=height,
        fx=focal,
        fy=focal * camera.fy / camera.fx,
        cx=(width - 1) / 2,
        cy=(height - 1) / 2,
    )
