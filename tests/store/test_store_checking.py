"""`check_memory` finds every kind of damage and changes nothing; `repair_memory` mends, sets aside, and loses nothing else."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from loci.store import Store, StoreError
from loci.store.checking import check_memory, repair_memory

N = 60


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed memory of N episodes with texts, some with images, and a vector index."""
    path = tmp_path / "home"
    with Store.open(path) as store:
        for i in range(N):
            blobs = [store.put_blob(f"image {i}".encode() * 50)] if i % 3 == 0 else []
            store.put("episode", store.new_id("episode"), {"text": f"the kettle number{i} is hot"}, blobs=blobs)
        ids = "\n".join(r.id for r in store.records("episode")).encode()
        store.commit()
        store.save_index("text", {"ids": np.frombuffer(ids, np.uint8), "lists": np.arange(N, dtype=np.int32)})
    return path


def edit(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path / "memory.sqlite", isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def flip(file: Path, needle: bytes) -> None:
    data = bytearray(file.read_bytes())
    data[data.index(needle)] ^= 1
    file.write_bytes(data)


def first_blob(path: Path) -> Path:
    return sorted((path / "blobs").glob("*/*"))[0]


def index_file(path: Path) -> Path:
    return path / "index" / "text.safetensors"


#: What is done to a memory, and the part in which it is found.
DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a record": (lambda p: edit(p, 'UPDATE record SET fields = \'{"text":"else"}\' WHERE seq = 7'), "records"),
    "a lost image": (lambda p: first_blob(p).unlink(), "images"),
    "a changed image": (lambda p: flip(first_blob(p), b"image"), "images"),
    "a lost reference": (lambda p: edit(p, "DELETE FROM reference WHERE seq = 1"), "records"),
    "a text missing in the index": (lambda p: edit(p, "DELETE FROM words WHERE rowid = 5"), "words"),
    "a text too many in the index": (
        lambda p: edit(p, "INSERT INTO words (rowid, text) VALUES (999, 'ghost')"),
        "words",
    ),
    "no index of words": (lambda p: edit(p, "DROP TABLE words"), "words"),
    "a vector index": (lambda p: flip(index_file(p), b"episode/3"), "index"),
    "a truncated vector index": (lambda p: index_file(p).write_bytes(index_file(p).read_bytes()[:100]), "index"),
    "no manifest": (lambda p: (p / "manifest.json").unlink(), "manifest"),
    "a manifest of garbage": (lambda p: (p / "manifest.json").write_bytes(b"{"), "manifest"),
    "no ids": (lambda p: (p / "ids.json").unlink(), "ids"),
    "ids that would return": (lambda p: (p / "ids.json").write_text('{"episode": 3}'), "ids"),
    "no database": (lambda p: (p / "memory.sqlite").unlink(), "database"),
    "a truncated database": (
        lambda p: (p / "memory.sqlite").write_bytes((p / "memory.sqlite").read_bytes()[:20_000]),
        "database",
    ),
    "a log of garbage": (lambda p: (p / "memory.sqlite-wal").write_bytes(b"not a log" * 1000), "database"),
}


def contents(path: Path) -> dict[str, bytes]:
    return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file() and "-shm" not in p.name}


def test_a_whole_memory_is_whole_and_there_is_nothing_to_repair(path: Path) -> None:
    assert check_memory(path) == []
    assert repair_memory(path) == []
    assert check_memory(path) == []


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_damage_is_found_without_a_change_and_gone_after_the_repair(path: Path, damage: str) -> None:
    spoil, part = DAMAGES[damage]
    spoil(path)
    before = contents(path)
    found = check_memory(path)
    assert part in {f.part for f in found if f.is_damage}
    after = contents(path)
    assert {k: v for k, v in after.items() if v or k in before} == before
    done = repair_memory(path)
    assert done
    assert [f for f in check_memory(path) if f.is_damage] == []
    with Store.open(path) as store:
        kept = {r.id for r in store.records("episode")}
        assert int(store.new_id("episode").split("/")[1]) > N
    if part not in ("database", "records"):
        assert len(kept) == N
    assert repair_memory(path) == [], "the second repair finds nothing to do"


def test_what_a_repair_takes_out_is_kept_aside_as_it_was(path: Path) -> None:
    edit(path, 'UPDATE record SET fields = \'{"text":"else"}\' WHERE seq = 7')
    image = first_blob(path)
    flip(image, b"image")
    damaged, stray = image.read_bytes(), path / "blobs" / "ab" / ("ab" * 32)
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"of nobody")
    repair_memory(path)
    aside = {p.name: p.read_bytes() for p in (path / "damaged").rglob("*") if p.is_file()}
    (record,) = [json.loads(line) for line in aside["records.jsonl"].splitlines()]
    assert (record["id"], record["fields"]) == ("episode/7", '{"text":"else"}')
    assert aside[image.name] == damaged
    assert aside[stray.name] == b"of nobody"
    with Store.open(path) as store:
        assert store.get("episode", "episode/7") is None
        assert len(list(store.records("episode"))) == N - 1
    assert {f.part for f in check_memory(path)} == {"images", "earlier damage"}  # notes: what is lost stays lost


def test_a_memory_is_checked_while_another_store_writes_to_it(path: Path) -> None:
    with Store.open(path) as store:
        for i in range(200):
            store.put("episode", store.new_id("episode"), {"text": f"late {i}"}, blobs=[store.put_blob(b"%d" % i)])
            if i % 50 == 0:
                store.commit()
                assert check_memory(path) == []
        with pytest.raises(StoreError, match="in use: pid"):
            repair_memory(path)
        assert check_memory(path) == []


def test_what_is_no_memory_is_refused(tmp_path: Path) -> None:
    for call in (check_memory, repair_memory):
        with pytest.raises(StoreError, match="there is no memory"):
            call(tmp_path)
    assert list(tmp_path.iterdir()) == []
