"""What a detector and an image encoder are: the two things that a robot may want to replace.

Implementations are found by name in `loci.perception.registry`; text encoders are in `loci.perception.text`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from loci.observation import Detection, Frame


@runtime_checkable
class Detector(Protocol):
    """Finds things in one frame. It need not be deterministic in their order, and gives no identities."""

    @property
    def name(self) -> str:
        """Name in the registry, recorded as the source of what is seen."""
        ...

    def detect(self, frame: Frame) -> tuple[Detection, ...]:
        """Detections with boxes inside the image, in any order."""
        ...


@runtime_checkable
class ImageTextEncoder(Protocol):
    """An image encoder whose vectors can be compared with those of texts (CLIP, SigLIP)."""

    @property
    def match_range(self) -> tuple[float, float]:
        """Cosines of a text and an image that have nothing to do with each other, and of a text and what it names."""
        ...

    def encode_text(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Unit vectors (N, D) of texts, comparable with those of images."""
        ...


@runtime_checkable
class ImageEncoder(Protocol):
    """Turns one image into one vector, so that images of the same place are near in cosine."""

    @property
    def name(self) -> str:
        """Name in the registry; vectors of different encoders are never compared."""
        ...

    @property
    def dimension(self) -> int:
        """Length D of the vectors."""
        ...

    def encode(self, color: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Vector (D,) float32 of unit length of an RGB image (H, W, 3) uint8."""
        ...
