"""What is learnt from the example sentences is kept on disk: encoding thousands of them takes a robot's processor many seconds, reading them none.

Files lie in $XDG_CACHE_HOME/loci/language, usually ~/.cache/loci/language. They can be deleted at any time; where none can be written, all is made anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from loci.perception.text import TextEncoder


def folder() -> Path:
    """Where it is kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "loci" / "language"


def kept_rows(encoder: TextEncoder, texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Unit rows (N, D) of texts, rounded to half precision."""
    key = hashlib.sha256("\0".join((encoder.name, *texts)).encode()).hexdigest()[:24]
    path = folder() / f"{key}.npy"
    with contextlib.suppress(OSError, ValueError, EOFError):
        rows: npt.NDArray[np.float16] = np.load(path)
        if rows.shape == (len(texts), encoder.dimension):
            return rows.astype(np.float32)
    rows = encoder.encode(texts).astype(np.float16)
    _write(path, lambda file: np.save(file, rows))
    return rows.astype(np.float32)


def kept_weights(name: str, make: Callable[[], dict[str, float]]) -> dict[str, float]:
    """Weights of features by a name; made if they are not kept, or the package has changed."""
    path = folder() / f"{name}-{_fingerprint()}.json"
    with contextlib.suppress(OSError, ValueError):
        weights = json.loads(path.read_text())
        if isinstance(weights, dict) and weights:
            return weights
    weights = make()
    _write(path, lambda file: Path(file).write_text(json.dumps(weights)))
    return weights


def _write(path: Path, save: Callable[[str], object]) -> None:
    """Whole files or none: others may read at the same time."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as place:
            new = Path(place) / path.name
            save(str(new))
            new.replace(path)


@cache
def _fingerprint() -> str:
    """Of this package: its code and its sentences."""
    here = Path(__file__).parent
    files = sorted([*here.glob("*.py"), *here.glob("sentences/*.json")])
    return hashlib.sha256(b"\0".join(f.read_bytes() for f in files)).hexdigest()[:24]
