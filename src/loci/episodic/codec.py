"""A reversible codec: writes a vector into a token and reads it back (Mem4Nav's memory tokens, arXiv 2506.19433).

R is a chain of additive coupling blocks (Gomez et al., The Reversible Residual Network, NeurIPS 2017) with a transformer's parts:
y1 = x1 + F(LN x2) with attention, y2 = x2 + G(LN y1) with an MLP, over the parts that a vector is cut into. Its inverse is exact up to
rounding. Written out in torch; without dropout.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

Vectors = npt.NDArray[np.float32]

#: Length of the parts that a vector is cut into, about.
_PART = 64


@dataclass(frozen=True)
class CodecShape:
    """Sizes of a codec.

    Attributes:
        dimension: D of the vectors and of the token.
        n_blocks: coupling blocks.
        n_heads, head_size: of the attention.
        hidden: width of the MLP, in lengths of a part.
    """

    dimension: int
    n_blocks: int = 6
    n_heads: int = 4
    head_size: int = 16
    hidden: int = 4

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"expected {name} to be a whole number >= 1, got {value!r}")

    @property
    def n_parts(self) -> int:
        """Number of parts: the divisor of D whose parts are most nearly `_PART` long."""
        divisors = [n for n in range(1, self.dimension + 1) if self.dimension % n == 0]
        return min(divisors, key=lambda n: abs(self.dimension / n - _PART))


class _Block(nn.Module):
    """One additive coupling of two halves (B, D)."""

    def __init__(self, shape: CodecShape) -> None:
        super().__init__()
        self.shape = shape
        width, inner = shape.dimension // shape.n_parts, shape.n_heads * shape.head_size
        self.position = nn.Parameter(torch.zeros(shape.n_parts, width))
        self.norm_f, self.norm_g = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * inner), nn.Linear(inner, width)
        self.up, self.down = nn.Linear(width, shape.hidden * width), nn.Linear(shape.hidden * width, width)

    def attend(self, x: torch.Tensor) -> torch.Tensor:
        """F(LN x), (B, D)."""
        s, n = self.shape, len(x)
        parts = self.norm_f(x.view(n, s.n_parts, -1)) + self.position  # (B, P, W)
        qkv = self.qkv(parts).view(n, s.n_parts, 3, s.n_heads, s.head_size).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(qkv[0], qkv[1], qkv[2])  # (B, heads, P, head)
        return self.out(mixed.transpose(1, 2).reshape(n, s.n_parts, -1)).reshape(n, -1)

    def transform(self, x: torch.Tensor) -> torch.Tensor:
        """G(LN x), (B, D)."""
        parts = self.norm_g(x.view(len(x), self.shape.n_parts, -1)) + self.position
        return self.down(functional.gelu(self.up(parts))).reshape(len(x), -1)

    def forward(self, x1: torch.Tensor, x2: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y1 = x1 + self.attend(x2)
        return y1, x2 + self.transform(y1)

    def inverse(self, y1: torch.Tensor, y2: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x2 = y2 - self.transform(y1)
        return y1 - self.attend(x2), x2


class TokenCodec(nn.Module):
    """R and its inverse. Vectors are scaled to components of about 1 inside; tokens and residuals stay so.

    Args:
        shape: sizes.
        seed: of the weights, until they are trained or loaded.
        threads: torch threads of this process, or None to leave them alone; its products are so small that more are slower.

    Attributes:
        start: (D,) token that nothing was written to yet.
        blank: (D,) stands in for a residual that was not kept.
    """

    def __init__(self, shape: CodecShape, seed: int = 0, threads: int | None = 1) -> None:
        super().__init__()
        if threads is not None:
            torch.set_num_threads(threads)
        self.shape = shape
        self.blocks = nn.ModuleList(_Block(shape) for _ in range(shape.n_blocks))
        self.start = nn.Parameter(torch.zeros(shape.dimension))
        self.blank = nn.Parameter(torch.zeros(shape.dimension))
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                if name == "start" or name.endswith("position"):
                    parameter.copy_(torch.randn(parameter.shape, generator=generator))
                elif name.endswith("weight") and parameter.ndim == 2:
                    # The halves grow by less than their size in a block: rounding is not amplified over a segment.
                    gain = 0.5 if ".out." in name or ".down." in name else 1.0
                    parameter.copy_(
                        torch.randn(parameter.shape, generator=generator) * gain / parameter.shape[1] ** 0.5
                    )
                elif name.endswith("bias"):
                    parameter.zero_()
        self.eval()

    @property
    def dimension(self) -> int:
        """D."""
        return self.shape.dimension

    @property
    def identity(self) -> str:
        """Names the weights: what one codec wrote, only the same can read."""
        digest = hashlib.sha256(json.dumps(asdict(self.shape)).encode())
        for name, tensor in sorted(self.state_dict().items()):
            digest.update(name.encode() + np.ascontiguousarray(tensor.cpu().numpy()).tobytes())
        return digest.hexdigest()[:16]

    def write(self, token: torch.Tensor, vectors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Write vectors (B, D) into tokens (B, D): the tokens after, and the residuals (B, D)."""
        x1, x2 = token, vectors * self.dimension**0.5
        for block in self.blocks:
            x1, x2 = block(x1, x2)
        return x1, x2

    def read(self, token: torch.Tensor, residual: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Undo `write`: the tokens before (B, D), and the vectors (B, D)."""
        y1, y2 = token, residual
        for block in reversed(self.blocks):
            y1, y2 = block.inverse(y1, y2)
        return y1, y2 / self.dimension**0.5

    def write_all(self, start: torch.Tensor, vectors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Write vectors (B, N, D) one after the other: the tokens after (B, D), and all residuals (B, N, D)."""
        token, residuals = start, []
        for k in range(vectors.shape[1]):
            token, residual = self.write(token, vectors[:, k])
            residuals.append(residual)
        return token, torch.stack(residuals, dim=1) if residuals else vectors

    def read_all(self, token: torch.Tensor, residuals: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Undo `write_all`, the last first: the tokens before (B, D), and all vectors (B, N, D)."""
        vectors: list[torch.Tensor] = []
        for k in reversed(range(residuals.shape[1])):
            token, vector = self.read(token, residuals[:, k])
            vectors.append(vector)
        return token, torch.stack(vectors[::-1], dim=1) if vectors else residuals

    def encode(self, start: Vectors, vectors: Vectors) -> tuple[Vectors, Vectors]:
        """As `write_all` for one chain of arrays: start (D,), vectors (N, D); the token (D,) and residuals (N, D).

        Raises:
            ValueError: other shapes.
        """
        tokens, residuals = self.encode_all(np.asarray(start)[None], np.asarray(vectors)[None])
        return tokens[0], residuals[0]

    def encode_all(self, starts: Vectors, vectors: Vectors) -> tuple[Vectors, Vectors]:
        """As `encode` for B chains at once: starts (B, D), vectors (B, N, D); tokens (B, D) and residuals (B, N, D).

        Raises:
            ValueError: other shapes.
        """
        vectors = _checked(vectors, (-1, -1, self.dimension), "vectors")
        starts = _checked(starts, (len(vectors), self.dimension), "starts")
        with torch.inference_mode():
            tokens, residuals = self.write_all(torch.from_numpy(starts), torch.from_numpy(vectors))
        return tokens.numpy(), residuals.numpy()

    def decode(self, token: Vectors, residuals: Vectors | None, n: int) -> tuple[Vectors, Vectors]:
        """As `read_all` for one chain of arrays: the start (D,) and N vectors (N, D).

        Args:
            token: (D,).
            residuals: (N, D); None: they were not kept, and `blank` stands in for each.
            n: N.

        Raises:
            ValueError: other shapes.
        """
        token = _checked(token, (self.dimension,), "a token")
        with torch.inference_mode():
            if residuals is None:
                kept = self.blank.expand(n, -1)
            else:
                kept = torch.from_numpy(_checked(residuals, (n, self.dimension), "residuals"))
            start, vectors = self.read_all(torch.from_numpy(token)[None], kept[None])
        return start[0].numpy(), vectors[0].numpy()

    def save(self, path: Path) -> None:
        """Write the weights as safetensors, with the sizes beside them."""
        from safetensors.torch import save_file

        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in self.state_dict().items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, path, metadata={"loci_codec": json.dumps(asdict(self.shape))})

    @classmethod
    def load(cls, path: Path) -> TokenCodec:
        """A codec that `save` wrote.

        Raises:
            ValueError: no such file, or it is not a codec.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="pt") as file:
                shape = CodecShape(**json.loads((file.metadata() or {})["loci_codec"]))
                tensors: dict[str, Any] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            codec = cls(shape)
            codec.load_state_dict(tensors)
        except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ValueError(f"expected a codec that `loci train-tokens` wrote, got {path}: {error}") from error
        if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
            raise ValueError(f"expected finite weights in {path}")
        return codec


def _checked(array: npt.ArrayLike, shape: tuple[int, ...], what: str) -> Vectors:
    values = np.ascontiguousarray(array, dtype=np.float32)
    if values.ndim != len(shape) or any(n not in (-1, m) for n, m in zip(shape, values.shape, strict=True)):
        wanted = tuple("N" if n == -1 else n for n in shape)
        raise ValueError(f"expected {what} {wanted}, got {values.shape}")
    if not np.all(np.isfinite(values)):
        raise ValueError(f"expected {what} that are finite")
    return values if values.flags.writeable else values.copy()
