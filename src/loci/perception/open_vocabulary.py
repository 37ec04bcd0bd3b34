"""Things by any words: OWLv2 (Minderer et al. 2023, arXiv 2306.09683) through the transformers library.

The words go through the text model once, when they are set, so that a frame costs the image model alone; an image is
compared with as many labels as one likes. Masks come from depth or from a Segment Anything model, embeddings of what was found from
CLIP or SigLIP.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from loci.observation import Detection, Frame
from loci.perception.clip import ClipEncoder
from loci.perception.masks import Box, SamMasks, depth_mask
from loci.perception.pretrained import device_of, dtype_of, load, pooled, transformers

#: Apache-2.0.
DEFAULT_MODEL = "google/owlv2-base-patch16-ensemble"
#: More labels than this are a mistake, not a vocabulary.
MAX_LABELS = 10_000
DEFAULT_LABELS = (
    "armchair", "backpack", "bag", "ball", "basket", "bathtub", "bed", "bench", "bicycle", "blanket", "book", "bookshelf", "bottle", "bowl", "box",
    "cabinet", "chair", "clock", "computer", "cup", "curtain", "desk", "dishwasher", "door", "drawer", "fan", "fridge", "jacket", "kettle", "keyboard",
    "lamp", "laptop", "microwave", "mirror", "monitor", "mug", "nightstand", "oven", "pan", "person", "phone", "picture", "pillow", "plant", "plate", "pot",
    "printer", "radiator", "remote control", "rug", "shelf", "shoe", "shower", "sink", "sofa", "stool", "suitcase", "table", "toaster", "toilet", "towel",
    "toy", "trash can", "tv", "vacuum cleaner", "vase", "wardrobe", "washing machine", "window",
)  # fmt: skip
_TEXT_BATCH, _LABEL_BATCH = 64, 512


def parse_labels(text: str) -> tuple[str, ...]:
    """Labels of a text with commas, semicolons or line ends between them, in lower case, each once; empty: `DEFAULT_LABELS`."""
    found = (re.sub(r"\s+", " ", part).strip().lower() for part in re.split(r"[,;\n]", text))
    return check_labels(tuple(dict.fromkeys(label for label in found if label)) or DEFAULT_LABELS)


def check_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """Labels that a detector takes.

    Raises:
        ValueError: none, more than `MAX_LABELS`, an empty one, or one of more than 100 characters.
    """
    if not 1 <= len(labels) <= MAX_LABELS:
        raise ValueError(f"expected 1 to {MAX_LABELS} labels, got {len(labels)}")
    wrong = [label for label in labels if not label.strip() or len(label) > 100]
    if wrong:
        raise ValueError(f"expected labels of 1 to 100 characters, got {wrong[0][:120]!r}")
    return tuple(labels)


@dataclass(frozen=True)
class OpenVocabularyParameters:
    """Settings of the open-vocabulary detector.

    Attributes:
        labels: what is looked for; changed at run time by `OpenVocabularyDetector.set_labels`.
        model: OWLv2 on the Hugging Face hub, or a folder.
        mask_model: Segment Anything, the same; empty: masks by depth.
        embedding_model: CLIP or SigLIP, the same, for embeddings of what was found; empty: none.
        min_score: detections with a lower score are left out, [0, 1].
        nms_iou: of two boxes that overlap more, the one with the lower score is left out.
        max_detections: of an image; the best are kept.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``; half precision on CUDA.
    """

    labels: tuple[str, ...] = DEFAULT_LABELS
    model: str = DEFAULT_MODEL
    mask_model: str = ""
    embedding_model: str = ""
    min_score: float = 0.2
    nms_iou: float = 0.6
    max_detections: int = 64
    device: str = "auto"

    def __post_init__(self) -> None:
        check_labels(self.labels)
        for name in ("min_score", "nms_iou"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"expected {name} in [0, 1], got {getattr(self, name)}")
        if self.max_detections < 1:
            raise ValueError(f"expected max_detections >= 1, got {self.max_detections}")


class OpenVocabularyDetector:
    """Finds what its labels name. Loaded when first used; one thread detects, any thread may set the labels."""

    name = "open_vocabulary"
    #: It may be slower than the camera: images that wait are worth nothing but the newest.
    newest_only = True

    def __init__(self, parameters: OpenVocabularyParameters | None = None) -> None:
        self.parameters = p = parameters or OpenVocabularyParameters()
        self._device = device_of(p.device)
        self._masks = SamMasks(p.mask_model, p.device) if p.mask_model else None
        self._encoder = ClipEncoder(p.embedding_model, p.device) if p.embedding_model else None
        self._loaded: tuple[Any, Any, Any] | None = None
        self._lock = threading.Lock()
        self._labels = p.labels
        self._queries: tuple[tuple[str, ...], Any] | None = None  # labels, and their embeddings (Q, D) on the device

    @property
    def labels(self) -> tuple[str, ...]:
        """What is looked for in the next image."""
        with self._lock:
            return self._labels

    def set_labels(self, labels: Sequence[str]) -> None:
        """Look for other things from the next image on.

        Raises:
            ValueError: see `check_labels`; the labels stay as they were.
        """
        checked = check_labels(labels)
        with self._lock:
            self._labels = checked

    def detect(self, frame: Frame) -> tuple[Detection, ...]:
        """What was found in a frame, best first.

        Raises:
            OSError: a model cannot be loaded.
            ModuleNotFoundError: transformers is not installed.
        """
        return self.detect_batch([frame])[0]

    def detect_batch(self, frames: Sequence[Frame]) -> list[tuple[Detection, ...]]:
        """What was found in each of several frames; they go through the image model together."""
        import torch

        if not frames:
            return []
        labels, queries = self._query_embeddings()
        model, processor, _ = self._model()
        with torch.inference_mode():
            pixels = processor(images=[f.color for f in frames], return_tensors="pt")["pixel_values"]
            grid, _ = model.image_embedder(pixels.to(self._device, model.dtype))  # (B, h, w, D)
            patches = grid.reshape(grid.shape[0], -1, grid.shape[-1])  # (B, P, D)
            boxes = model.box_predictor(patches, grid).float().cpu().numpy()  # (B, P, 4) center and size, [0, 1]
            scores, numbers = self._scores(model, patches, queries)
        return [self._detections(frame, boxes[i], scores[i], numbers[i], labels) for i, frame in enumerate(frames)]

    def _scores(self, model: Any, patches: Any, queries: Any) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Best score (B, P) [0, 1] of each patch and the number (B, P) of its label; labels in batches, so that memory is bounded."""
        import torch

        best = torch.full(patches.shape[:2], -torch.inf, device=patches.device)
        number = torch.zeros(patches.shape[:2], dtype=torch.int64, device=patches.device)
        for first in range(0, len(queries), _LABEL_BATCH):
            some = queries[first : first + _LABEL_BATCH].expand(patches.shape[0], -1, -1)  # (B, Q, D)
            given = torch.ones(some.shape[:2], dtype=torch.bool, device=patches.device)
            logits, _ = model.class_predictor(patches, some, given)  # (B, P, Q)
            value, index = logits.float().max(dim=-1)
            better = value > best
            best, number = torch.where(better, value, best), torch.where(better, first + index, number)
        return torch.sigmoid(best).cpu().numpy(), number.cpu().numpy()

    def _detections(
        self,
        frame: Frame,
        boxes: npt.NDArray[np.float32],
        scores: npt.NDArray[np.float32],
        numbers: npt.NDArray[np.int64],
        labels: tuple[str, ...],
    ) -> tuple[Detection, ...]:
        p = self.parameters
        height, width = frame.depth.shape
        side = max(height, width)  # the image was padded to a square at its right and lower side
        kept = np.flatnonzero(scores >= p.min_score)
        centers, sizes = boxes[kept, :2] * side, boxes[kept, 2:] * side
        corners = np.concatenate([centers - sizes / 2, centers + sizes / 2], axis=1)
        corners = np.clip(corners, 0.0, [width, height, width, height])
        real = np.all(corners[:, 2:] - corners[:, :2] >= 2.0, axis=1)
        kept, corners = kept[real], corners[real]
        chosen = suppress(corners, scores[kept], p.nms_iou)[: p.max_detections]
        found: list[tuple[Box, float, str]] = []
        for i in chosen:
            x0, y0 = np.floor(corners[i, :2]).astype(int).tolist()
            x1, y1 = np.ceil(corners[i, 2:]).astype(int).tolist()
            found.append(((x0, y0, min(x1, width), min(y1, height)), float(scores[kept[i]]), labels[numbers[kept[i]]]))
        masks = self._box_masks(frame, [box for box, _, _ in found])
        embeddings = self._embeddings(frame, [box for box, _, _ in found])
        return tuple(
            Detection(label, min(1.0, score), box, mask if mask.any() else None, embedding)
            for (box, score, label), mask, embedding in zip(found, masks, embeddings, strict=True)
        )

    def _box_masks(self, frame: Frame, boxes: list[Box]) -> list[npt.NDArray[np.bool_]]:
        if self._masks is not None:
            return self._masks.masks(frame.color, boxes)
        return [depth_mask(frame.depth, box, frame.camera.fx) for box in boxes]

    def _embeddings(self, frame: Frame, boxes: list[Box]) -> Sequence[npt.NDArray[np.float32] | None]:
        if self._encoder is None or not boxes:
            return [None] * len(boxes)
        return list(self._encoder.encode_batch([frame.color[y0:y1, x0:x1] for x0, y0, x1, y1 in boxes]))

    def _query_embeddings(self) -> tuple[tuple[str, ...], Any]:
        """The labels of the next image and their embeddings (Q, D), made anew when the labels were changed."""
        import torch

        labels = self.labels
        if self._queries is None or self._queries[0] != labels:
            model, _, tokenizer = self._model()
            length = int(model.config.text_config.max_position_embeddings)
            rows = []
            with torch.inference_mode():
                for i in range(0, len(labels), _TEXT_BATCH):
                    texts = [f"a photo of a {label}" for label in labels[i : i + _TEXT_BATCH]]
                    tokens = tokenizer(
                        texts, padding="max_length", truncation=True, max_length=length, return_tensors="pt"
                    )
                    given = {k: v.to(self._device) for k, v in tokens.items() if k in ("input_ids", "attention_mask")}
                    rows.append(pooled(model.owlv2.get_text_features(**given)))
            queries = torch.cat(rows)
            self._queries = (labels, queries / queries.norm(dim=-1, keepdim=True).clamp_min(1e-6))
        return self._queries

    def _model(self) -> tuple[Any, Any, Any]:
        """(model, image processor, tokenizer), loaded once."""
        if self._loaded is None:
            library = transformers()

            def make(name: str) -> tuple[Any, Any, Any]:
                model = library.Owlv2ForObjectDetection.from_pretrained(name)
                return (
                    model.to(self._device, dtype_of(self._device)).eval(),
                    library.AutoImageProcessor.from_pretrained(name),
                    library.AutoTokenizer.from_pretrained(name),
                )

            self._loaded = load("detector model", self.parameters.model, make)
        return self._loaded


def suppress(corners: npt.NDArray[np.floating], scores: npt.NDArray[np.floating], iou: float) -> list[int]:
    """Numbers of the boxes (N, 4) that stay, best first: none overlaps a better one by more than ``iou``, whatever their labels."""
    order = np.argsort(-scores, kind="stable")
    area = np.prod(corners[:, 2:] - corners[:, :2], axis=1)
    kept: list[int] = []
    while len(order):
        best, order = int(order[0]), order[1:]
        kept.append(best)
        low, high = np.maximum(corners[best, :2], corners[order, :2]), np.minimum(corners[best, 2:], corners[order, 2:])
        common = np.prod(np.maximum(high - low, 0.0), axis=1)
        order = order[common <= iou * (area[best] + area[order] - common)]
    return kept
