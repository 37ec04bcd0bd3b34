"""`purge` and `clear` really forget: no file of the memory holds the text or the bytes any more."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from loci.store import Store, StoreError


def files_with(path: Path, needle: bytes) -> list[str]:
    return [str(p.relative_to(path)) for p in path.rglob("*") if p.is_file() and needle in p.read_bytes()]


@pytest.fixture
def store(tmp_path: Path):  # type: ignore[no-untyped-def]
    with Store.open(tmp_path / "home") as store:
        yield store


def fill(store: Store, secret: str, rng: np.random.Generator) -> list[str]:
    """Many records in random order and of random size, so that pages split; every tenth holds the secret."""
    secrets = []
    for i in rng.permutation(600):
        is_secret = i % 10 == 0
        text = (secret if is_secret else "harmless") + f" number {i} " + "x" * int(rng.integers(0, 6000))
        record_id = f"episode/{i}"
        arrays = {"embedding": np.frombuffer((secret * 10).encode(), np.uint8) if is_secret else np.zeros(40, np.uint8)}
        blobs = [store.put_blob(text.encode() * 2)]
        store.put("episode", record_id, {"text": text}, arrays=arrays, blobs=blobs)
        if rng.random() < 0.3:
            store.put("episode", record_id, {"text": text, "again": True}, arrays=arrays, blobs=blobs)
        if rng.random() < 0.05:
            store.commit()
        if is_secret:
            secrets.append(record_id)
    store.commit()
    return secrets


def test_purged_text_and_bytes_are_in_no_file(store: Store, rng: np.random.Generator) -> None:
    secrets = fill(store, "the diary is under the mattress", rng)
    assert {"memory.sqlite-wal"} < set(files_with(store.path, b"the diary is under"))
    assert store.purge(("episode", record_id) for record_id in secrets) == len(secrets)
    assert files_with(store.path, b"the diary is under") == []
    assert files_with(store.path, b"diary") == []
    assert len(list(store.records("episode"))) == 600 - len(secrets)
    assert all(store.blob(record.blobs[0]) for record in store.records("episode"))


def test_what_was_deleted_long_ago_is_wiped_by_the_next_purge(store: Store, rng: np.random.Generator) -> None:
    for record_id in fill(store, "the code is 4711", rng):
        store.delete("episode", record_id)
    assert store.purge() == 0
    assert files_with(store.path, b"4711") == []


def test_a_purge_does_not_wait_for_readers_nor_disturb_them(store: Store, rng: np.random.Generator) -> None:
    secrets = fill(store, "the diary", rng)
    done, failures = threading.Event(), []

    def read() -> None:
        while not done.is_set():
            try:
                if store.get("episode", "episode/1") is None:
                    failures.append("gone")
                list(store.records("episode"))
            except Exception as error:
                failures.append(repr(error))

    reader = threading.Thread(target=read)
    reader.start()
    store.purge(("episode", record_id) for record_id in secrets)
    done.set()
    reader.join()
    assert not failures
    assert files_with(store.path, b"the diary") == []


def test_a_purge_before_any_commit_leaves_nothing(store: Store) -> None:
    store.put("episode", "episode/1", {"text": "never said"}, blobs=[store.put_blob(b"never seen")])
    assert store.purge([("episode", "episode/1"), ("episode", "episode/2")]) == 1
    assert files_with(store.path, b"never") == []


def test_a_blob_that_another_record_names_stays(store: Store) -> None:
    digest = store.put_blob(b"shared")
    for record_id in ("episode/1", "episode/2"):
        store.put("episode", record_id, {}, blobs=[digest])
    store.purge([("episode", "episode/1")])
    assert store.blob(digest) == b"shared"


def test_clear_forgets_everything_but_the_ids(store: Store, rng: np.random.Generator) -> None:
    fill(store, "harmless", rng)
    uuid, taken = store.uuid, store.new_id("episode")
    assert store.clear() == 600
    assert files_with(store.path, b"harmless") == []
    assert list(store.records("episode")) == []
    assert store.size_bytes() < 100_000
    assert store.uuid == uuid
    assert store.new_id("episode") != taken


def test_a_purge_says_that_damaged_files_may_still_hold_it(store: Store) -> None:
    (store.path / "damaged" / "1").mkdir(parents=True)
    store.purge()
    assert "may still be in" in store.warnings[-1]


def test_a_reader_of_another_process_that_holds_an_old_state_is_reported(tmp_path: Path) -> None:
    with Store.open(tmp_path / "home") as store:
        store.put("episode", "episode/1", {"text": "secret"})
        store.commit()
        with Store.open(tmp_path / "home", read_only=True) as other, other._reader() as connection:
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM record").fetchone()
            store._writer.execute("PRAGMA busy_timeout = 50")
            with pytest.raises(StoreError, match="another process reads"):
                store.purge([("episode", "episode/1")])
            connection.execute("COMMIT")
        store.purge()
        assert files_with(store.path, b"secret") == []
