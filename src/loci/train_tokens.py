"""`loci train-tokens`: train the codec of memory tokens on the image embeddings of a saved memory, which is only read."""

from __future__ import annotations

import argparse
import math
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loci.arguments import positive
from loci.errors import UserError
from loci.saved import find_memory

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

#: Share of the experiences, the newest, that the codec is judged by and not trained on.
_HELD_OUT = 0.2


def add_parser(commands: Any) -> None:
    """Add the command to the parser of all commands."""
    p = commands.add_parser(
        "train-tokens",
        help="train the codec of memory tokens on a saved memory",
        description="Trains the codec on the image embeddings of a memory's keyframes, so that they are read from tokens as well as possible "
        "with residuals of one byte or none. The newest fifth is held out. The memory is only read; give the checkpoint to it with the "
        "parameter token_codec. docs/tokens.md says what tokens are worth.",
        epilog="examples:\n  loci train-tokens home\n  loci train-tokens out/demo/memory --epochs 50 --device cuda --out codec.safetensors\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("memory", help="name of a memory, or its folder")
    p.add_argument("--epochs", type=positive, default=20, help="passes over all keyframes (default 20)")
    p.add_argument("--device", default="cpu", help="torch device, e.g. cuda (default cpu)")
    p.add_argument("--batch", type=positive, default=16, help="chains at once (default 16)")
    p.add_argument("--learning-rate", type=float, default=1e-3, help="at first (default 0.001)")
    p.add_argument("--seed", type=int, default=0, help="of weights and order (default 0)")
    p.add_argument(
        "--out", type=Path, default=None, metavar="FILE", help="checkpoint (default out/tokens/NAME.safetensors)"
    )
    p.set_defaults(run=run)


def run(a: argparse.Namespace) -> int:
    """Train, say what it was good for, and write the checkpoint."""
    from tqdm import tqdm

    from loci.episodic.codec import CodecShape, TokenCodec
    from loci.episodic.token_training import LEAST_VECTORS, TrainingParameters, evaluate, train

    path = find_memory(a.memory)
    out = a.out or Path("out/tokens") / f"{path.name}.safetensors"
    if out.exists():
        raise UserError(f"{out} exists", f"loci train-tokens {a.memory} --out {out.with_stem(out.stem + '-2')}")
    vectors = _embeddings(path)
    n_held_out = int(_HELD_OUT * len(vectors))
    if len(vectors) - n_held_out < LEAST_VECTORS:
        least = math.ceil(LEAST_VECTORS / (1 - _HELD_OUT))
        raise UserError(f"expected {least} keyframes with an image embedding in {path} at least, got {len(vectors)}")
    seen, held_out = vectors[: len(vectors) - n_held_out], vectors[len(vectors) - n_held_out :]
    judged = held_out if len(held_out) >= 32 else vectors[-32:]
    try:
        parameters = TrainingParameters(a.epochs, a.batch, a.learning_rate, seed=a.seed)
        codec = TokenCodec(CodecShape(vectors.shape[1]), seed=a.seed)
        before = evaluate(codec, judged)
        with tqdm(
            total=1000, desc="training", file=sys.stderr, disable=None, bar_format="{l_bar}{bar}| {elapsed}"
        ) as bar:

            def progress(share: float, told: str) -> None:
                bar.set_description(told, refresh=False)
                bar.update(round(1000 * share) - bar.n)

            train(codec, seen, parameters, device=a.device, progress=progress)
    except ValueError as error:
        raise UserError(str(error), "loci train-tokens --help") from error
    after = evaluate(codec, judged)
    try:
        codec.save(out)
    except OSError as error:
        raise UserError(f"cannot write {out}: {error.strerror or error}", "loci train-tokens --help") from error
    print(
        f"{len(seen)} keyframes trained on, {len(judged)} newest judged; 1 - cosine of what is read with what was written:"
    )
    print(f"  int8 residuals     {before.int8:.5f} -> {after.int8:.5f}")
    print(f"  without residuals  {before.without:.3f} -> {after.without:.3f}")
    print(out)
    return 0


def _embeddings(path: Path) -> npt.NDArray[np.float32]:
    """Image embeddings (N, D) of the keyframes of a memory, in the order in which they were seen.

    Raises:
        UserError: the memory cannot be read, or it has none.
    """
    import numpy as np

    from loci.store.errors import StoreError
    from loci.store.store import Store

    try:
        with Store.open(path, read_only=True) as store:
            found = [r.arrays["embedding"] for r in store.records("keyframe") if "embedding" in r.arrays]
    except StoreError as error:
        raise UserError(f"cannot open the memory in {path}: {error}", "loci doctor") from error
    if not found:
        raise UserError(f"no keyframe in {path} has an image embedding")
    dimension = Counter(len(v) for v in found).most_common(1)[0][0]  # those of another encoder do not compare
    return np.stack([v for v in found if len(v) == dimension]).astype(np.float32)
