"""What is learnt from sentences is kept on disk, and which words fill a blank is told by the words around them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from loci.planning.language.filling import fit, score
from loci.planning.language.kept import folder, kept_rows, kept_solution, kept_weights, remove_stale
from loci.planning.language.reading import Reader, trimmed
from loci.planning.language.wordings import command_wordings


class Counting:
    """An encoder that counts what it encodes."""

    name, dimension = "counting", 2

    def __init__(self) -> None:
        self.n_encoded = 0

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        self.n_encoded += len(texts)
        return np.tile(np.array([0.6, 0.8], dtype=np.float32), (len(texts), 1))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_texts_are_encoded_once_on_a_computer() -> None:
    encoder = Counting()
    first = kept_rows("x", encoder, ["a", "b"])
    assert np.array_equal(kept_rows("x", encoder, ["a", "b"]), first)
    assert encoder.n_encoded == 2
    kept_rows("x", encoder, ["a", "c"])
    assert encoder.n_encoded == 3  # what is known stays
    assert len(list(folder().iterdir())) == 1  # and nothing stale is left


def test_what_is_kept_may_be_broken() -> None:
    encoder = Counting()
    rows = kept_rows("x", encoder, ["a"])
    assert np.array_equal(kept_solution("x", None, lambda: rows), rows)
    for file in folder().glob("*.npz"):
        file.write_bytes(b"no array")
    assert np.array_equal(kept_rows("x", encoder, ["a"]), rows)
    assert np.array_equal(kept_solution("x", None, lambda: 2 * rows), 2 * rows)
    assert np.array_equal(kept_solution("x", None, lambda: rows), 2 * rows)
    assert kept_weights("x", lambda: {"f": 1.0}) == {"f": 1.0}
    for file in folder().glob("*.json"):
        file.write_text("{")
    assert kept_weights("x", lambda: {"f": 2.0}) == {"f": 2.0}


def test_files_of_earlier_versions_are_removed() -> None:
    kept_weights("x", lambda: {"f": 1.0})
    for name in ("0123456789abcdef01234567.npy", "commands-0123456789abcdef01234567.json"):
        (folder() / name).write_bytes(b"")
    remove_stale()
    assert [f.name for f in folder().iterdir()] == ["weights-x.json"]


def test_where_nothing_can_be_kept_it_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert kept_rows("x", Counting(), ["a"]).shape == (1, 2)


def test_weights_prefer_the_way_that_was_right() -> None:
    ways = [["after to", "short"], ["after from", "short"]]
    weights = fit([(ways, 0), (ways[::-1], 1)])
    assert score(weights, ways[0]) > score(weights, ways[1])


def test_a_name_that_is_not_meant_is_told_from_the_one_that_is() -> None:
    told = {
        "clean": ["wipe the {thing}", "clean the {thing} please", "there is juice on the {thing}, wipe it", "scrub the {thing} before lunch"],
        "open": ["open the {thing}", "pull the {thing} open"],
        "other": ["sing a song", "tell me a joke", "eat the {thing}"],
    }  # fmt: skip
    reader = Reader(told, command_wordings, None)
    (reading,) = reader.read([trimmed("Scrub the round table before the dinner, please!")], [False])
    assert reading is not None
    assert (reading.meaning, dict(reading.slots)) == ("clean", {"thing": "round table"})
    assert reader.read([trimmed("Sing me a song.")], [False]) == [None]
