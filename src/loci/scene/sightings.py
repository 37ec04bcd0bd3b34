"""From detections to point sets: filters, back-projection, clustering (3D-Mem, section 3.1, and its reference filters).

A `Sighting` is what is left of a detection that may be fused into an object. The order of the detections has no
influence on anything here.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from loci.geometry import pixel_rays, transform_points
from loci.observation import Detection, Frame, Observation
from loci.scene import kernels
from loci.scene.clouds import Cloud, Points, cell_size, downsample, largest_clusters

#: Index of a detection, and its mask.
Masked = tuple[int, npt.NDArray[np.bool_]]

#: Labels that say nothing about what a thing is.
UNKNOWN_LABELS = frozenset({"", "segment"})

#: Fewer points outside a mask's largest cluster are noise.
MIN_STRAYS = 16


@dataclass(frozen=True)
class SightingParameters:
    """Which detections become sightings.

    Attributes:
        min_score: lower scores are left out, [0, 1].
        min_mask_share: of the image; smaller masks are left out.
        min_mask_pixels: smaller masks are left out [px].
        max_box_share: of the image; larger boxes are left out.
        duplicate_iou: of two masks that overlap more, the one with the lower score is left out.
        nested_share: a mask that lies in a larger one by this share is subtracted from it.
        background: labels that are no objects.
        max_range: what is farther is not fused [m].
        min_points: measured pixels that a detection needs.
        max_detections: of one image that are looked at, those with the highest scores.
        max_points: pixels of a mask that are back-projected at most.
        cluster_eps: reach of the clustering that removes what shines past an object's edge [m].
        rim: so wide a rim of a mask is checked for jumps in depth, behind which it belongs to something else [px].
        rim_floor, rim_quadratic: a jump is more than floor + quadratic * depth^2 [m], [1/m]; a Kinect's steps are
            0.00285 depth^2, its deviation 0.0012 + 0.0019 (depth - 0.4)^2. And it is more than from one pixel to the next on
            a surface of this slope to the image:
        rim_slope: its tangent; 4 is a surface turned by 76 degrees.
    """

    min_score: float = 0.4
    min_mask_share: float = 0.001
    min_mask_pixels: int = 25
    max_box_share: float = 0.5
    duplicate_iou: float = 0.9
    nested_share: float = 0.9
    background: frozenset[str] = frozenset({"wall", "floor", "ceiling"})
    max_range: float = 3.5
    min_points: int = 16
    max_detections: int = 500
    max_points: int = 1500
    cluster_eps: float = 0.1
    rim: int = 5
    rim_floor: float = 0.015
    rim_quadratic: float = 0.008
    rim_slope: float = 4.0


@dataclass(frozen=True)
class Sighting:
    """One detection with its points.

    Attributes:
        index: of the detection in its observation.
        label: category; empty or "segment": not known.
        score: [0, 1].
        box: (x0, y0, x1, y1) [px].
        n_pixels: of the mask.
        truncated: the mask touches the image's border.
        cloud: its points in the map frame.
        strays: (S, 3) float32, points of the mask outside its largest cluster, map frame: noise and what shines past its
            edge, or the other part of a thing that something stands in front of.
        pixels: (P,) some pixels of the mask, as flat image indices, for its colour.
        embedding: (D,) unit, or None.
    """

    index: int
    label: str
    score: float
    box: tuple[int, int, int, int]
    n_pixels: int
    truncated: bool
    cloud: Cloud
    strays: Points = field(repr=False)
    pixels: npt.NDArray[np.int64] = field(repr=False)
    embedding: npt.NDArray[np.float32] | None = field(repr=False)

    @property
    def points(self) -> Points:
        """(M, 3) float32, map frame [m]."""
        return self.cloud.points

    @property
    def is_labelled(self) -> bool:
        """Whether the detector knows what it is."""
        return self.label not in UNKNOWN_LABELS


def sightings(observation: Observation, parameters: SightingParameters) -> tuple[list[Sighting], Counter[str]]:
    """Detections of an observation that can be fused, with their points, in an order of their own; and how many cannot, by
    reason."""
    frame = observation.frame
    kept, cutters, skipped = _filter(observation.detections, frame, parameters)
    if not kept:
        return [], skipped
    indices = [i for i, _ in kept]
    masks = [
        _shrink(_trim(mask, observation.detections[i].box, frame, parameters))
        for (i, _), mask in zip(
            kept, _subtract_nested(observation.detections, kept, kept + cutters, parameters), strict=True
        )
    ]
    points, pixels, groups = _back_project(frame, [observation.detections[i].box for i in indices], masks, parameters)
    enough = np.bincount(groups, minlength=len(indices)) >= parameters.min_points
    kept_points = enough[groups]
    points, pixels, groups = points[kept_points], pixels[kept_points], groups[kept_points]
    in_cluster = largest_clusters(points, groups, parameters.cluster_eps)
    strays, stray_groups = points[~in_cluster], groups[~in_cluster]
    points, pixels, groups = points[in_cluster], pixels[in_cluster], groups[in_cluster]
    counts = np.bincount(groups, minlength=len(indices))
    starts = np.concatenate([[0], np.cumsum(counts)])
    cells = np.full(len(indices), 0.05)
    for g in np.flatnonzero(counts >= parameters.min_points).tolist():
        mine = points[starts[g] : starts[g + 1]]
        cells[g] = cell_size(mine)
    voxels, voxel_groups = downsample(points, groups, cells)
    voxel_starts = np.searchsorted(voxel_groups, np.arange(len(indices) + 1))
    stray_starts = np.searchsorted(stray_groups, np.arange(len(indices) + 1))
    width, height = frame.camera.width, frame.camera.height
    found = []
    for g, i in enumerate(indices):
        if counts[g] < parameters.min_points:
            skipped["out of range or without depth"] += 1
            continue
        detection = observation.detections[i]
        x0, y0, x1, y1 = detection.box
        found.append(
            Sighting(
                index=i,
                label=detection.label.strip().lower(),
                score=detection.score,
                box=detection.box,
                n_pixels=int(np.count_nonzero(masks[g])),
                truncated=x0 <= 1 or y0 <= 1 or x1 >= width - 1 or y1 >= height - 1,
                cloud=Cloud(voxels[voxel_starts[g] : voxel_starts[g + 1]], cell=float(cells[g])),
                strays=strays[stray_starts[g] : stray_starts[g + 1]],
                pixels=pixels[starts[g] : starts[g + 1]],
                embedding=detection.embedding,
            )
        )
    return found, skipped


def _filter(
    detections: tuple[Detection, ...], frame: Frame, p: SightingParameters
) -> tuple[list[Masked], list[Masked], Counter[str]]:
    """Detections that pass the filters, in an order that does not depend on the given one, those that are only too small,
    and how many do not pass, by reason."""
    image_pixels = frame.camera.width * frame.camera.height
    candidates: list[tuple[float, tuple[int, int, int, int], str, int, int, npt.NDArray[np.bool_]]] = []
    small: list[tuple[float, tuple[int, int, int, int], int, npt.NDArray[np.bool_]]] = []
    skipped: Counter[str] = Counter()
    for i, detection in enumerate(detections):
        x0, y0, x1, y1 = detection.box
        if detection.score < p.min_score:
            skipped["low score"] += 1
            continue
        if detection.label.strip().lower() in p.background:
            skipped["background"] += 1
            continue
        if (x1 - x0) * (y1 - y0) > p.max_box_share * image_pixels:
            skipped["too big"] += 1
            continue
        mask = detection.full_mask
        n_pixels = int(np.count_nonzero(mask))
        if n_pixels == 0:
            skipped["empty mask"] += 1
        elif n_pixels < max(p.min_mask_pixels, p.min_mask_share * image_pixels):
            skipped["too small"] += 1
            small.append((-detection.score, detection.box, i, mask))
        else:
            candidates.append((-detection.score, detection.box, detection.label, n_pixels, i, mask))
    candidates.sort(key=lambda c: c[:4])
    skipped["too many"] += max(0, len(candidates) - p.max_detections)
    del candidates[p.max_detections :]
    small.sort(key=lambda c: c[:2])
    del small[p.max_detections :]
    # Masks share no more pixels than their boxes do, so most pairs need no second look.
    boxes = np.array([c[1] for c in candidates]).reshape(-1, 4)
    sides = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:]) - np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    areas = np.array([c[3] for c in candidates])
    may_repeat = np.prod(np.maximum(sides, 0), axis=2) > p.duplicate_iou * np.maximum(areas[:, None], areas)  # (C, C)
    is_kept = np.ones(len(candidates), dtype=np.bool_)
    for row, (_, box, _, n_pixels, _, mask) in enumerate(candidates):
        for k in np.flatnonzero(may_repeat[row, :row] & is_kept[:row]).tolist():
            common = _common_pixels(box, mask, candidates[k][1], candidates[k][5])
            if common > p.duplicate_iou * (n_pixels + candidates[k][3] - common):
                is_kept[row] = False
                break
    skipped["duplicate"] += int(np.count_nonzero(~is_kept))
    kept = [(c[4], c[5]) for c, stays in zip(candidates, is_kept.tolist(), strict=True) if stays]
    return kept, [(i, mask) for _, _, i, mask in small], +skipped


def _common_pixels(
    box: tuple[int, int, int, int],
    mask: npt.NDArray[np.bool_],
    other_box: tuple[int, int, int, int],
    other: npt.NDArray[np.bool_],
) -> int:
    x0, y0, x1, y1 = np.maximum(box[:2], other_box[:2]).tolist() + np.minimum(box[2:], other_box[2:]).tolist()
    if x0 >= x1 or y0 >= y1:
        return 0
    mine = mask[y0 - box[1] : y1 - box[1], x0 - box[0] : x1 - box[0]]
    its = other[y0 - other_box[1] : y1 - other_box[1], x0 - other_box[0] : x1 - other_box[0]]
    return int(np.count_nonzero(mine & its))


def _subtract_nested(
    detections: tuple[Detection, ...], kept: list[Masked], cutters: list[Masked], p: SightingParameters
) -> list[npt.NDArray[np.bool_]]:
    """Masks without the smaller masks that lie in them: the cup on the table is no part of the table."""
    outer_boxes = np.array([detections[i].box for i, _ in kept])  # (K, 4)
    inner_boxes = np.array([detections[i].box for i, _ in cutters])  # (C, 4)
    outer_areas = np.array([np.count_nonzero(mask) for _, mask in kept])
    inner_areas = np.array([np.count_nonzero(mask) for _, mask in cutters])
    low = np.maximum(inner_boxes[:, None, :2], outer_boxes[None, :, :2])
    high = np.minimum(inner_boxes[:, None, 2:], outer_boxes[None, :, 2:])
    common = np.prod(np.maximum(high - low, 0), axis=2)  # (C, K) area that two boxes share
    nested = (common >= p.nested_share * inner_areas[:, None]) & (inner_areas[:, None] < 0.9 * outer_areas[None, :])
    masks = [mask for _, mask in kept]
    for c, k in zip(*(n.tolist() for n in np.nonzero(nested)), strict=True):
        inner, outer = cutters[c][1], kept[k][1]
        box, outer_box = detections[cutters[c][0]].box, detections[kept[k][0]].box
        if _common_pixels(box, inner, outer_box, outer) < p.nested_share * inner_areas[c]:
            continue
        x0, y0 = (int(v) for v in low[c, k])
        x1, y1 = (int(v) for v in high[c, k])
        if masks[k] is outer:
            masks[k] = outer.copy()
        part = inner[y0 - box[1] : y1 - box[1], x0 - box[0] : x1 - box[0]]
        masks[k][y0 - outer_box[1] : y1 - outer_box[1], x0 - outer_box[0] : x1 - outer_box[0]] &= ~part
    return masks


def _trim(
    mask: npt.NDArray[np.bool_], box: tuple[int, int, int, int], frame: Frame, p: SightingParameters
) -> npt.NDArray[np.bool_]:
    """Mask without the part of its rim that lies behind or before its inside: detectors draw outlines a few pixels off."""
    x0, y0, x1, y1 = box
    # The image's border is no edge of the thing.
    padded = np.pad(mask.view(np.uint8), 1, constant_values=0)
    if x0 == 0:
        padded[:, 0] = padded[:, 1]
    if y0 == 0:
        padded[0] = padded[1]
    if x1 == frame.camera.width:
        padded[:, -1] = padded[:, -2]
    if y1 == frame.camera.height:
        padded[-1] = padded[-2]
    distance = cv2.distanceTransform(padded, cv2.DIST_C, 3, dstType=cv2.CV_8U)[1:-1, 1:-1]
    np.minimum(distance, p.rim + 1, out=distance)
    steepest = p.rim_slope / frame.camera.fx
    return kernels.trim_rim(distance, frame.depth[y0:y1, x0:x1], p.rim, p.rim_floor, p.rim_quadratic, steepest)


def _shrink(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Mask without its rim, where depth cameras mix near and far; thin things, and thin parts of large ones, keep theirs."""
    pixels = mask.view(np.uint8)
    area = cv2.countNonZero(pixels)
    width = 2 if area > 1600 else 1 if area > 225 else 0
    if not width:
        return mask
    square = np.ones((3, 3), np.uint8)
    inner = cv2.erode(pixels, square, iterations=width, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    if cv2.countNonZero(inner) <= 0.4 * area:
        return mask
    thin = pixels & ~cv2.dilate(inner, square, iterations=width + 1)
    return (inner | (thin & 1)).view(np.bool_)


def _back_project(
    frame: Frame, boxes: list[tuple[int, int, int, int]], masks: list[npt.NDArray[np.bool_]], p: SightingParameters
) -> tuple[Points, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Points (N, 3) in the map frame, their flat pixels (N,) and groups (N,) of the measured pixels of every mask.

    Masks whose median depth is beyond the range give none.
    """
    width = frame.camera.width
    all_pixels, all_depths, counts = [], [], []
    for (x0, y0, _, _), mask in zip(boxes, masks, strict=True):
        # A grid of pixels, not all of them: what matters is the surface, and it is voxelised anyway.
        step = max(1, int(np.sqrt(np.count_nonzero(mask) / p.max_points)))
        rows, columns = np.nonzero(mask[::step, ::step])
        pixels = (rows * step + y0) * width + columns * step + x0
        depth = frame.depth.ravel()[pixels]
        measured = depth > 0
        near = measured & (depth <= p.max_range)
        usable = 2 * np.count_nonzero(near) > np.count_nonzero(measured)
        all_pixels.append(pixels[near] if usable else pixels[:0])
        all_depths.append(depth[near] if usable else depth[:0])
        counts.append(len(all_pixels[-1]))
    pixels, depth = np.concatenate(all_pixels), np.concatenate(all_depths)
    groups = np.repeat(np.arange(len(boxes)), counts)
    x, y = pixel_rays(frame.camera)
    in_camera = np.stack([x[pixels % width] * depth, y[pixels // width] * depth, depth], axis=1)  # (N, 3)
    return transform_points(frame.T_map_camera, in_camera).astype(np.float32), pixels, groups
