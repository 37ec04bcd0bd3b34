"""A simulator's ground truth as a detector: masks with labels, shuffled in every frame, and whether what opens is open.

Instance ids, positions and navigability stay with the simulator: a memory that works with this must work with a real
detector of the same quality.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from loci.observation import Detection, Frame


def detections_from_instances(
    instances: npt.NDArray[np.integer],
    labels: Mapping[int, str],
    rng: np.random.Generator,
    min_pixels: int = 25,
    attributes: Mapping[int, tuple[str, ...]] | None = None,
) -> tuple[Detection, ...]:
    """One detection for every instance in view, in random order.

    Args:
        instances: (H, W) integer instance ids; 0 and ids without a label are background.
        labels: category of every instance id.
        rng: makes the order.
        min_pixels: smaller masks are left out.
        attributes: what else is told of an instance, e.g. ("open",); None: nothing.

    Raises:
        ValueError: ``instances`` is not a 2D integer image.
    """
    if instances.ndim != 2 or instances.dtype.kind not in "iu":
        raise ValueError(f"expected instances (H, W) of integers, got {instances.shape} {instances.dtype}")
    ids, dense = instances, instances
    if instances.size and int(instances.max()) > 65535:
        ids, dense = np.unique(instances, return_inverse=True)
        dense = dense.reshape(instances.shape) + 1
        names = [labels.get(int(i), "") for i in ids]
        numbers = [int(i) for i in ids]
    else:
        dense = np.maximum(dense, 0).astype(np.int32)
        names = [labels.get(i, "") for i in range(1, int(dense.max(initial=0)) + 1)]
        numbers = list(range(1, len(names) + 1))
    found: list[Detection] = []
    for number, (region, label) in enumerate(zip(ndimage.find_objects(dense), names, strict=True), start=1):
        if region is None or not label:
            continue
        mask = dense[region] == number
        if np.count_nonzero(mask) < min_pixels:
            continue
        rows, columns = region
        told = (attributes or {}).get(numbers[number - 1], ())
        found.append(Detection(label, 1.0, (columns.start, rows.start, columns.stop, rows.stop), mask, attributes=told))
    return tuple(found[i] for i in rng.permutation(len(found)))


class SimulatedDetector:
    """Detector whose instance images come from a simulator.

    Args:
        labels: category of every instance id.
        instances: gives the instance image (H, W) of a frame; not needed where only `detect_instances` is used.
        seed: of the order in which detections come.
        min_pixels: smaller masks are left out.
        attributes: gives what can be seen of instances besides their label, e.g. ("open",), as it is now; None: nothing is told.
    """

    name = "simulated"

    def __init__(
        self,
        labels: Mapping[int, str],
        instances: Callable[[Frame], npt.NDArray[np.integer]] | None = None,
        seed: int = 0,
        min_pixels: int = 25,
        attributes: Callable[[], Mapping[int, tuple[str, ...]]] | None = None,
    ) -> None:
        self.labels = dict(labels)
        self._attributes = attributes
        self._instances = instances
        self._rng = np.random.default_rng(seed)
        self._min_pixels = min_pixels

    def detect_instances(self, instances: npt.NDArray[np.integer]) -> tuple[Detection, ...]:
        """Detections of an instance image (H, W), shuffled anew at every call."""
        attributes = self._attributes() if self._attributes is not None else None
        return detections_from_instances(instances, self.labels, self._rng, self._min_pixels, attributes)

    def detect(self, frame: Frame) -> tuple[Detection, ...]:
        """Detections of a frame of the simulator.

        Raises:
            ValueError: there is no source of instance images, or its image is not of the frame's size.
        """
        if self._instances is None:
            raise ValueError("expected a source of instance images: pass SimulatedDetector(labels, instances=...)")
        image = self._instances(frame)
        if image.shape != frame.depth.shape:
            raise ValueError(f"expected instances {frame.depth.shape} like the frame, got {image.shape}")
        return self.detect_instances(image)
