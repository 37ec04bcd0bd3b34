"""What is learnt from the example sentences is kept on disk: encoding thousands of them takes a robot's processor many seconds, reading them none.

Files lie in $XDG_CACHE_HOME/loci/language, usually ~/.cache/loci/language. They can be deleted at any time; where none can be written, all is made anew.
What has changed replaces what was kept under the same name, so nothing stale is left.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from loci.perception.text import TextEncoder


#: What a file that is broken, or of another kind, can raise.
_BROKEN = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile)
_EARLIER = re.compile(r"[0-9a-f]{24}\.npy|\w+-[0-9a-f]{24}\.json")


def folder() -> Path:
    """Where it is kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "loci" / "language"


def kept_rows(name: str, encoder: TextEncoder, texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Unit rows (N, D) of texts, rounded to half precision; only texts that are new under this name are encoded."""
    keys = [hashlib.sha256(text.encode()).hexdigest()[:24] for text in texts]
    path = folder() / f"rows-{name}-{encoder.name}.npz"
    known: dict[str, npt.NDArray[np.float16]] = {}
    with contextlib.suppress(*_BROKEN), np.load(path) as kept:
        rows = kept["rows"]
        if rows.shape == (len(kept["keys"]), encoder.dimension):
            known = dict(zip(kept["keys"].tolist(), rows, strict=True))
    new = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
    if new:
        known.update(zip(new, encoder.encode(list(new.values())).astype(np.float16), strict=True))
    used = {key: known[key] for key in keys}
    if new or len(used) < len(known):
        _save(path, keys=np.array(list(used)), rows=np.stack(list(used.values())))
    return np.stack([used[key] for key in keys]).astype(np.float32)


def kept_solution(
    name: str, encoder: TextEncoder | None, make: Callable[[], npt.NDArray[np.float32]]
) -> npt.NDArray[np.float32]:
    """What solves a regression by a name; made if it is not kept, or the package has changed."""
    path = folder() / f"solution-{name}-{encoder.name if encoder is not None else 'words'}.npz"
    with contextlib.suppress(*_BROKEN), np.load(path) as kept:
        if str(kept["of"]) == _fingerprint():
            return np.asarray(kept["solution"], dtype=np.float32)
    solution = make()
    _save(path, of=np.array(_fingerprint()), solution=solution)
    return solution


def kept_weights(name: str, make: Callable[[], dict[str, float]]) -> dict[str, float]:
    """Weights of features by a name; made if they are not kept, or the package has changed."""
    path = folder() / f"weights-{name}.json"
    with contextlib.suppress(OSError, ValueError):
        kept = json.loads(path.read_text())
        if isinstance(kept, dict) and kept.get("of") == _fingerprint() and isinstance(kept.get("weights"), dict):
            return cast("dict[str, float]", kept["weights"])
    weights = make()
    _write(path, lambda file: Path(file).write_text(json.dumps({"of": _fingerprint(), "weights": weights})))
    return weights


def remove_stale() -> None:
    """Remove the files that earlier versions kept under names of what they were made of."""
    with contextlib.suppress(OSError):
        for path in folder().iterdir():
            if _EARLIER.fullmatch(path.name):
                path.unlink(missing_ok=True)


def _save(path: Path, **arrays: npt.NDArray[np.generic]) -> None:
    _write(path, lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]


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
