"""Training of the token codec: vectors are to be read as well as possible with residuals of one byte, or without any.

With the true residuals the codec is exact whatever its weights are: a cycle loss on them is zero and trains nothing. So the loss is
what is lost when residuals are rounded to int8 (the rounding passes gradients on) and when they are dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from loci.episodic.codec import TokenCodec
from loci.episodic.tokens import SEGMENT

#: Told the share that is done, [0, 1], and what the last epoch came to.
TrainingProgress = Callable[[float, str], None]

#: Fewer vectors teach nothing.
LEAST_VECTORS = 2 * SEGMENT


@dataclass(frozen=True)
class TrainingParameters:
    """Settings of the training.

    Attributes:
        epochs: passes over all vectors.
        batch: chains at once.
        learning_rate: of AdamW, at first; it falls to zero along a cosine.
        without_weight: weight of the loss without residuals against that with int8 ones, [0, 1].
        seed: of the order and the lengths of chains.
    """

    epochs: int = 20
    batch: int = 16
    learning_rate: float = 1e-3
    without_weight: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 1:
            raise ValueError(f"expected epochs and batch >= 1, got {self.epochs} and {self.batch}")
        if not 0.0 < self.learning_rate < 1.0:
            raise ValueError(f"expected a learning rate in (0, 1), got {self.learning_rate}")
        if not 0.0 <= self.without_weight <= 1.0:
            raise ValueError(f"expected a weight in [0, 1], got {self.without_weight}")


@dataclass(frozen=True)
class Losses:
    """Mean 1 - cosine of what is read with what was written, over an epoch or a set."""

    int8: float
    without: float


def train(
    codec: TokenCodec,
    vectors: npt.ArrayLike,
    parameters: TrainingParameters | None = None,
    *,
    device: str = "cpu",
    progress: TrainingProgress | None = None,
) -> list[Losses]:
    """Train a codec in place on experiences; the losses of each epoch.

    Chains are runs of up to 32 neighbours in time; each begins with the empty token, or with that of the chain before.

    Args:
        vectors: (N, D) in order of time, of unit length, N >= 64.
        device: torch device; the codec is on the CPU before and after.

    Raises:
        ValueError: too few vectors, of another length, not finite, or a device that torch does not have.
    """
    p = parameters or TrainingParameters()
    every = np.ascontiguousarray(vectors, dtype=np.float32)
    if every.ndim != 2 or every.shape[1] != codec.dimension or not np.all(np.isfinite(every)):
        raise ValueError(f"expected finite vectors (N, {codec.dimension}), got {every.shape}")
    if len(every) < LEAST_VECTORS:
        raise ValueError(f"expected {LEAST_VECTORS} vectors at least to train on, got {len(every)}")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(f"expected a device of this machine, got {device!r}: torch finds no GPU")
    rng = np.random.default_rng(p.seed)
    codec.to(device).train()
    data = torch.from_numpy(every).to(device)
    optimizer = torch.optim.AdamW(codec.parameters(), lr=p.learning_rate, weight_decay=0.0)
    n_batches = max(1, len(every) // (SEGMENT * p.batch))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, p.epochs * n_batches)
    losses: list[Losses] = []
    try:
        for epoch in range(p.epochs):
            sums = np.zeros(2)
            for i in range(n_batches):
                # Short chains teach the single write, long ones what adds up.
                length = int(rng.integers(1, SEGMENT + 1))
                first = torch.from_numpy(rng.integers(0, len(every) - length + 1, size=p.batch)).to(device)
                chains = data[first[:, None] + torch.arange(length, device=device)]  # (B, L, D)
                start = codec.start.expand(p.batch, -1)
                if i % 2:  # as a later segment begins
                    with torch.no_grad():
                        start = codec.write_all(start, chains.flip(0))[0]
                int8, without = _chain_losses(codec, start, chains)
                loss = (1.0 - p.without_weight) * int8 + p.without_weight * without
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(codec.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                sums += (float(int8.detach()), float(without.detach()))
                if progress is not None:
                    progress((epoch + (i + 1) / n_batches) / p.epochs, _told(losses))
            losses.append(Losses(*(sums / n_batches).tolist()))
    finally:
        codec.to("cpu").eval()
    if not all(bool(torch.isfinite(w).all()) for w in codec.parameters()):
        raise ValueError(f"the training diverged: expected a smaller learning rate than {p.learning_rate}")
    return losses


def evaluate(codec: TokenCodec, vectors: npt.ArrayLike) -> Losses:
    """Losses over whole segments of N vectors (N, D) in order of time; what is left over at the end is not used.

    Raises:
        ValueError: fewer than 32 vectors.
    """
    every = np.asarray(vectors, dtype=np.float32)
    n = len(every) // SEGMENT
    if n == 0:
        raise ValueError(f"expected {SEGMENT} vectors at least, got {len(every)}")
    chains = torch.from_numpy(every[: n * SEGMENT].reshape(n, SEGMENT, -1))
    with torch.inference_mode():
        int8, without = _chain_losses(codec, codec.start.expand(n, -1), chains)
    return Losses(float(int8), float(without))


def _chain_losses(codec: TokenCodec, start: torch.Tensor, chains: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Losses with int8 residuals and without any, of chains (B, L, D)."""
    token, residuals = codec.write_all(start, chains)
    read = [codec.read_all(token, kept)[1] for kept in (_rounded(residuals), codec.blank.expand_as(residuals))]
    int8, without = (1.0 - functional.cosine_similarity(r, chains, dim=-1).mean() for r in read)
    return int8, without


def _rounded(residuals: torch.Tensor) -> torch.Tensor:
    """As int8 would keep them (`residuals.pack`); the gradient goes through as if nothing was rounded."""
    scale = residuals.detach().abs().amax(dim=-1, keepdim=True).clamp_min(1e-30) / 127.0
    return residuals + (torch.round(residuals / scale) * scale - residuals).detach()


def _told(losses: list[Losses]) -> str:
    return (
        f"1 - cosine: int8 {losses[-1].int8:.4f}, without residuals {losses[-1].without:.3f}" if losses else "training"
    )
