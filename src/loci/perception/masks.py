"""Masks inside of boxes: by depth, which every RGB-D image has, or by a Segment Anything model (transformers)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from loci.perception.pretrained import device_of, dtype_of, load, transformers

Box = tuple[int, int, int, int]
Mask = npt.NDArray[np.bool_]

#: Smallest step in depth that ends a thing, beside the noise of the sensor: relative to the range, and at least so much [m].
_STEP, _MIN_STEP = 0.025, 0.03


def depth_mask(depth: npt.NDArray[np.float32], box: Box, focal: float) -> Mask:
    """The part of a box (x0, y0, x1, y1) that lies at the depth of its middle and hangs together, (y1 - y0, x1 - x0) bool.

    Where the middle has no depth (glass, too near), the whole box. A floor that a thing stands on is not told from it: that
    takes a model of masks.

    Args:
        depth: (H, W) [m], 0: no measurement.
        focal: of the camera [px]: what is further behind the middle than the box is wide is no part of the thing.
    """
    x0, y0, x1, y1 = box
    inside = depth[y0:y1, x0:x1]
    height, width = inside.shape
    middle = inside[
        height // 4 : max(height - height // 4, height // 4 + 1), width // 4 : max(width - width // 4, width // 4 + 1)
    ]
    measured = middle[middle > 0]
    if len(measured) < 8:
        return np.ones(inside.shape, dtype=np.bool_)
    center = float(np.median(measured))
    step = max(_MIN_STEP, _STEP * center)
    edge = np.zeros(inside.shape, dtype=np.bool_)
    edge[:, 1:] |= np.abs(inside[:, 1:] - inside[:, :-1]) > step
    edge[1:] |= np.abs(inside[1:] - inside[:-1]) > step
    reach = step + max(width, height) * center / focal
    part_of_it = (inside > 0) & ~edge & (np.abs(inside - center) < reach)
    _, labels = cv2.connectedComponents(part_of_it.astype(np.uint8), connectivity=4)
    near = labels[height // 4 : height // 4 + middle.shape[0], width // 4 : width // 4 + middle.shape[1]]
    counts = np.bincount(near[(near > 0) & (np.abs(middle - center) < 4 * step)], minlength=1)
    if len(counts) < 2 or counts[1:].max() < 4:
        return np.ones(inside.shape, dtype=np.bool_)
    part = (labels == 1 + int(np.argmax(counts[1:]))).astype(np.uint8)
    closed = cv2.morphologyEx(part, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)).astype(np.bool_)
    return np.asarray(closed & ((inside == 0) | (np.abs(inside - center) < reach)))


class SamMasks:
    """A Segment Anything model that is given boxes. Loaded when first used. Thread-safe.

    Args:
        model: name on the Hugging Face hub, or a folder, of a SAM (e.g. ``facebook/sam-vit-base``, Apache-2.0).
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``; half precision on CUDA.
        batch_size: boxes that go through the mask decoder at once.
    """

    def __init__(self, model: str, device: str = "auto", batch_size: int = 64) -> None:
        self.model_name = model
        self.batch_size = batch_size
        self._device = device_of(device)
        self._lock = threading.Lock()
        self._loaded: tuple[Any, Any] | None = None

    def masks(self, color: npt.NDArray[np.uint8], boxes: Sequence[Box]) -> list[Mask]:
        """The mask of each box (x0, y0, x1, y1) of an RGB image (H, W, 3) uint8, of the box's size (y1 - y0, x1 - x0).

        The image goes through the model once; boxes go through its decoder in batches.
        """
        import torch

        if not boxes:
            return []
        model, processor = self._model()
        found: list[Mask] = []
        with self._lock, torch.inference_mode():
            image = processor(images=color, return_tensors="pt")
            pixels = image["pixel_values"].to(self._device, model.dtype)
            embedding = model.get_image_embeddings(pixels)
            for i in range(0, len(boxes), self.batch_size):
                some = boxes[i : i + self.batch_size]
                given = processor(
                    images=color, input_boxes=[[[float(v) for v in b] for b in some]], return_tensors="pt"
                )
                output = model(
                    image_embeddings=embedding,
                    input_boxes=given["input_boxes"].to(self._device, model.dtype),
                    multimask_output=False,
                )
                full = processor.post_process_masks(
                    output.pred_masks.float().cpu(), image["original_sizes"], image["reshaped_input_sizes"]
                )[0]  # (N, 1, H, W)
                for mask, (x0, y0, x1, y1) in zip(np.asarray(full[:, 0]), some, strict=True):
                    found.append(np.ascontiguousarray(mask[y0:y1, x0:x1]).astype(np.bool_))
        return found

    def _model(self) -> tuple[Any, Any]:
        with self._lock:
            if self._loaded is None:
                library = transformers()

                def make(name: str) -> tuple[Any, Any]:
                    model = library.SamModel.from_pretrained(name).to(self._device, dtype_of(self._device)).eval()
                    return model, library.SamProcessor.from_pretrained(name)

                self._loaded = load("mask model", self.model_name, make)
            return self._loaded
