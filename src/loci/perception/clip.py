"""Images and texts in one space, by CLIP or SigLIP (transformers): what makes "something to drink from" find a mug by its looks."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from loci.perception.pretrained import device_of, dtype_of, load, pooled, transformers

#: MIT licence; 512-d, 600 MB.
DEFAULT_MODEL = "openai/clip-vit-base-patch32"
#: Cosines of a text and an image that have nothing to do with each other, and of one that names it: typical ones, by kind of model.
#: SigLIP's pairs are far less alike than CLIP's.
_MATCH_RANGES = {"clip": (0.18, 0.32), "siglip": (0.0, 0.15), "siglip2": (0.0, 0.15)}
_CACHED_TEXTS = 4096


class ClipEncoder:
    """A CLIP or SigLIP model as image encoder whose vectors compare with texts. Loaded when first used. Thread-safe.

    Args:
        model: name on the Hugging Face hub, or a folder.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``; half precision on CUDA.
        batch_size: images or texts that go through the model at once.
    """

    name = "clip"

    def __init__(self, model: str = DEFAULT_MODEL, device: str = "auto", batch_size: int = 32) -> None:
        if batch_size < 1:
            raise ValueError(f"expected a batch size >= 1, got {batch_size}")
        self.model_name = model
        self.batch_size = batch_size
        self._device = device_of(device)
        self._lock = threading.Lock()
        self._loaded: tuple[Any, Any, Any] | None = None
        self._texts: OrderedDict[str, npt.NDArray[np.float32]] = OrderedDict()

    @property
    def dimension(self) -> int:
        """Length of the vectors; loads the model's configuration."""
        config = self._model()[0].config
        return int(getattr(config, "projection_dim", None) or config.vision_config.hidden_size)

    @property
    def match_range(self) -> tuple[float, float]:
        """See `ImageTextEncoder`."""
        return _MATCH_RANGES.get(str(self._model()[0].config.model_type), (0.0, 1.0))

    def encode(self, color: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Vector (D,) float32 of unit length of an RGB image (H, W, 3) uint8.

        Raises:
            ValueError: the image has another shape or type.
            OSError: the model cannot be loaded.
        """
        return np.asarray(self.encode_batch([color])[0], dtype=np.float32)

    def encode_batch(self, images: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
        """Vectors (N, D) of N RGB images (H, W, 3) uint8 of any sizes."""
        import torch

        for image in images:
            if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
                raise ValueError(f"expected an image (H, W, 3) uint8, got {image.shape} {image.dtype}")
        model, processor, _ = self._model()
        rows = [np.zeros((0, self.dimension), dtype=np.float32)]
        with self._lock, torch.inference_mode():
            for i in range(0, len(images), self.batch_size):
                batch = [_square(image) for image in images[i : i + self.batch_size]]
                pixels = processor(images=batch, return_tensors="pt")["pixel_values"]
                features = pooled(model.get_image_features(pixel_values=pixels.to(self._device, model.dtype)))
                rows.append(_unit(features.float().cpu().numpy()))
        return np.concatenate(rows)

    def encode_text(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Unit vectors (N, D) of N texts; those of texts that were asked for before are kept."""
        import torch

        if isinstance(texts, str):
            raise TypeError(f"expected a sequence of texts, got one text {texts!r}")
        model, _, tokenizer = self._model()
        with self._lock, torch.inference_mode():
            found = {text: self._texts[text] for text in texts if text in self._texts}
            new = [text for text in dict.fromkeys(texts) if text not in found]
            for i in range(0, len(new), self.batch_size):
                batch = new[i : i + self.batch_size]
                # SigLIP was trained on texts that are padded to its length; CLIP does not care.
                tokens = tokenizer(
                    batch, padding="max_length", truncation=True, max_length=_max_tokens(model), return_tensors="pt"
                )
                given = {k: v.to(self._device) for k, v in tokens.items() if k in ("input_ids", "attention_mask")}
                vectors = _unit(pooled(model.get_text_features(**given)).float().cpu().numpy())
                found |= dict(zip(batch, vectors, strict=True))
            for text in texts:
                self._texts[text] = found[text]
                self._texts.move_to_end(text)
            while len(self._texts) > _CACHED_TEXTS:
                self._texts.popitem(last=False)
        return np.stack([found[text] for text in texts]) if texts else np.zeros((0, self.dimension), np.float32)

    def _model(self) -> tuple[Any, Any, Any]:
        """(model, image processor, tokenizer), loaded once."""
        with self._lock:
            if self._loaded is None:
                library = transformers()
                dtype = dtype_of(self._device)

                def make(name: str) -> tuple[Any, Any, Any]:
                    model = library.AutoModel.from_pretrained(name).to(self._device, dtype).eval()
                    return (
                        model,
                        library.AutoImageProcessor.from_pretrained(name),
                        library.AutoTokenizer.from_pretrained(name),
                    )

                self._loaded = load("image-text model", self.model_name, make)
            return self._loaded


def _max_tokens(model: Any) -> int:
    return int(model.config.text_config.max_position_embeddings)


def _square(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The image in the middle of a gray square: CLIP would cut its ends off."""
    height, width = image.shape[:2]
    side = max(height, width)
    square = np.full((side, side, 3), 127, dtype=np.uint8)
    y, x = (side - height) // 2, (side - width) // 2
    square[y : y + height, x : x + width] = image
    return square


def _unit(rows: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12), dtype=np.float32)
