"""The store: what is put is there, ids never return, readers never wait, one process writes."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loci.store import Record, Store, StoreError, memory_path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_a_record_comes_back_as_it_was_put_before_and_after_commit_and_reopening(path: Path) -> None:
    embedding = np.arange(4, dtype=np.float32)
    with Store.open(path) as store:
        digest = store.put_blob(b"an image")
        store.put(
            "object",
            "object/1",
            {"label": "mug", "pose": [[1.5, 0.1], [0.0, 1e-17]]},
            stamp_ns=2**62,
            session="s1",
            map_id="home",
            arrays={"embedding": embedding},
            blobs=[digest],
        )
        noted = store.get("object", "object/1")
        store.commit()
        committed = store.get("object", "object/1")
    with Store.open(path) as store:
        reopened = store.get("object", "object/1")
        assert store.blob(digest) == b"an image"
    for record in (noted, committed, reopened):
        assert record is not None
        assert record.fields == {"label": "mug", "pose": [[1.5, 0.1], [0.0, 1e-17]]}
        assert (record.stamp_ns, record.session, record.map_id, record.blobs) == (2**62, "s1", "home", (digest,))
        np.testing.assert_array_equal(record.arrays["embedding"], embedding)


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["put", "delete", "commit", "reopen"]), st.integers(0, 5), st.integers()), max_size=40
)


@settings(max_examples=25, deadline=None)
@given(OPERATIONS)
def test_the_store_behaves_like_a_dictionary_in_order_of_insertion(
    tmp_path_factory: pytest.TempPathFactory, operations: list[tuple[str, int, int]]
) -> None:
    path, expected = tmp_path_factory.mktemp("store") / "m", {}
    store = Store.open(path)
    for operation, key, value in operations:
        if operation == "put":
            store.put("object", str(key), {"value": value})
            expected[str(key)] = value
        elif operation == "delete":
            store.delete("object", str(key))
            expected.pop(str(key), None)
            store.commit()  # a key that comes back before the commit keeps its place
        elif operation == "commit":
            store.commit()
        else:
            store.close()
            store = Store.open(path)
        assert {r.id: r.fields["value"] for r in store.records("object")} == expected
        assert [r.id for r in store.records("object")] == list(expected)
        found = store.get("object", str(key))
        assert (None if found is None else found.fields["value"]) == expected.get(str(key))
    store.close()


def test_many_records_are_read_in_pages_in_order(path: Path) -> None:
    with Store.open(path) as store:
        for i in range(1500):
            store.put("episode", f"episode/{i}", {"i": i})
            if i == 1200:
                store.commit()
        store.put("episode", "episode/3", {"i": -3})
        store.delete("episode", "episode/1400")
        values = [r.fields["i"] for r in store.records("episode")]
    assert values == [-3 if i == 3 else i for i in range(1500) if i != 1400]


def test_sessions_come_in_the_order_in_which_they_began(path: Path) -> None:
    with Store.open(path) as store:
        store.put("episode", "b", {}, session="second of the alphabet, first in time")
        store.commit()
        store.put("episode", "a", {}, session="another")
        store.put("episode", "c", {})
        assert store.sessions() == ("second of the alphabet, first in time", "another")


@pytest.mark.parametrize("fields", [{"x": float("nan")}, {"x": object()}, {"x": b"bytes"}, {"x": float("inf")}])
def test_fields_that_are_not_json_are_refused_and_change_nothing(path: Path, fields: dict[str, object]) -> None:
    with Store.open(path) as store:
        store.put("object", "object/1", {"x": 1})
        with pytest.raises(ValueError, match="expected fields of object/1 that are JSON"):
            store.put("object", "object/1", fields)
        assert store.get("object", "object/1") == Record("object", "object/1", {"x": 1})


# ---- ids ----------------------------------------------------------------------------------------------------------


def test_ids_are_never_given_twice_not_after_clear_nor_reopening(path: Path) -> None:
    given: list[str] = []
    for _ in range(3):
        with Store.open(path) as store:
            given += [store.new_id("object") for _ in range(300)]
            store.put("object", given[-1], {})
            store.clear()
            given += [store.new_id("object")]
    assert len(set(given)) == len(given) == 903
    assert given[:3] == ["object/1", "object/2", "object/3"]
    assert given[-1] == "object/903"  # a clean close wastes none


def test_ids_of_kinds_are_counted_apart_and_threads_get_different_ones(path: Path) -> None:
    with Store.open(path) as store:
        ids: list[str] = []
        threads = [
            threading.Thread(target=lambda: ids.extend(store.new_id("place") for _ in range(500))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(ids, key=lambda id: int(id.split("/")[1])) == [f"place/{i}" for i in range(1, 2001)]
        assert store.new_id("room") == "room/1"
        with pytest.raises(ValueError, match=r"expected a kind among object, .*got 'thing'"):
            store.new_id("thing")


# ---- blobs --------------------------------------------------------------------------------------------------------


def blob_files(path: Path) -> list[str]:
    return sorted(p.name for p in (path / "blobs").glob("*/*"))


def test_a_blob_lives_as_long_as_a_record_names_it(path: Path) -> None:
    with Store.open(path) as store:
        digest = store.put_blob(b"shared")
        store.put("keyframe", "a", {}, blobs=[digest])
        store.put("keyframe", "b", {}, blobs=[digest])
        store.commit()
        store.delete("keyframe", "a")
        store.commit()
        assert store.blob(digest) == b"shared"
        other = store.put_blob(b"other")
        store.put("keyframe", "b", {}, blobs=[other])
        store.commit()
        assert blob_files(path) == [other]


def test_a_blob_named_again_before_the_commit_survives_the_deletion_of_its_record(path: Path) -> None:
    with Store.open(path) as store:
        digest = store.put_blob(b"image")
        store.put("keyframe", "a", {}, blobs=[digest])
        store.commit()
        store.delete("keyframe", "a")
        assert store.put_blob(b"image") == digest
        store.commit()  # deletes a; the blob was put again and waits for its record
        store.put("keyframe", "b", {}, blobs=[digest])
        store.commit()
        assert store.blob(digest) == b"image"


def test_blobs_that_no_record_came_to_name_do_not_stay(path: Path) -> None:
    with Store.open(path) as store:
        store.put_blob(b"never named")
        store.put("keyframe", "a", {}, blobs=[store.put_blob(b"named by a state that was replaced before the commit")])
        kept = store.put_blob(b"kept")
        store.put("keyframe", "a", {}, blobs=[kept])
    assert blob_files(path) == [kept]


def test_a_record_cannot_name_a_blob_that_is_not_there(path: Path) -> None:
    with Store.open(path) as store:
        with pytest.raises(StoreError, match="is missing"):
            store.put("keyframe", "a", {}, blobs=["0" * 64])
        assert store.get("keyframe", "a") is None
        with pytest.raises(ValueError, match="expected a SHA-256"):
            store.blob("../../etc/passwd")


def test_size_counts_database_and_blobs(path: Path) -> None:
    with Store.open(path) as store:
        for i in range(10):
            store.put("keyframe", str(i), {}, blobs=[store.put_blob(bytes([i]) * 100_000)])
        store.commit()
        full = store.size_bytes()
        on_disk = sum(p.stat().st_size for p in path.rglob("*") if p.is_file() and not p.name.endswith("-shm"))
        assert full == pytest.approx(on_disk, rel=0.02)
        store.delete("keyframe", "3")
        store.commit()
        assert full - store.size_bytes() == pytest.approx(100_000, abs=60_000)  # the log grew meanwhile
    with Store.open(path, read_only=True) as reader:
        assert reader.size_bytes() == pytest.approx(full - 100_000, rel=0.1)


# ---- threads and processes ----------------------------------------------------------------------------------------


def test_readers_do_not_wait_while_a_commit_is_under_way(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store.open(path) as store:
        store.put("object", "old", {"v": 1})
        store.commit()
        store.put("object", "new", {"v": 2})
        started, go_on = threading.Event(), threading.Event()
        sync = store._blobs.sync

        def slow_disk() -> None:
            started.set()
            assert go_on.wait(30)
            sync()

        monkeypatch.setattr(store._blobs, "sync", slow_disk)
        writer = threading.Thread(target=store.commit)
        writer.start()
        assert started.wait(30)
        # Were any of these to wait for the commit, it could not end: `go_on` is set below.
        store.put("object", "newest", {"v": 3})
        assert [r.fields["v"] for r in store.records("object")] == [1, 2, 3]
        assert store.get("object", "new") is not None
        assert store.new_id("object") == "object/1"
        go_on.set()
        writer.join()
        assert [r.fields["v"] for r in store.records("object")] == [1, 2, 3]


def test_readers_see_every_record_at_every_moment_while_another_thread_writes(path: Path) -> None:
    with Store.open(path) as store:
        n_put, failures, done = 0, [], threading.Event()

        def read() -> None:
            while not done.is_set():
                at_least = n_put
                ids = [int(r.id) for r in store.records("episode")]
                if ids != list(range(len(ids))) or len(ids) < at_least:
                    failures.append((at_least, ids))
                if at_least and store.get("episode", str(at_least - 1)) is None:
                    failures.append((at_least, "get"))

        readers = [threading.Thread(target=read) for _ in range(2)]
        for reader in readers:
            reader.start()
        for i in range(400):
            store.put("episode", str(i), {"i": i})
            n_put = i + 1
            if i % 7 == 0:
                store.commit()
            if i % 31 == 0:
                store.commit_soon()
        done.set()
        for reader in readers:
            reader.join()
    assert not failures


def test_commit_soon_is_durable_soon(path: Path) -> None:
    with Store.open(path) as store:
        store.put("object", "object/1", {})
        store.commit_soon()
        end = time.monotonic() + 30
        with Store.open(path, read_only=True) as other:
            while other.get("object", "object/1") is None:
                assert time.monotonic() < end
                time.sleep(0.01)


def test_a_second_writer_is_refused_and_told_who_writes(path: Path) -> None:
    script = (
        "import sys, pathlib; from loci.store import Store; "
        f"s = Store.open(pathlib.Path({str(path)!r})); print('open', flush=True); sys.stdin.read(); s.close()"
    )
    child = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    try:
        assert child.stdout.readline().strip() == "open"
        with pytest.raises(StoreError, match=f"in use: pid {child.pid} "):
            Store.open(path)
        with Store.open(path, read_only=True) as reader:
            assert list(reader.records("object")) == []
    finally:
        child.communicate("")
    with Store.open(path), pytest.raises(StoreError, match="in use"):
        Store.open(path)


def test_a_read_only_store_refuses_to_write_and_sees_what_the_writer_commits(path: Path) -> None:
    with Store.open(path) as writer, Store.open(path, read_only=True) as reader:
        assert reader.uuid == writer.uuid
        writer.put("object", "object/1", {"v": 1})
        assert reader.get("object", "object/1") is None
        writer.commit()
        assert reader.get("object", "object/1") is not None
        for call in (
            lambda: reader.put("object", "x", {}),
            reader.commit,
            reader.clear,
            lambda: reader.new_id("object"),
        ):
            with pytest.raises(StoreError, match="opened read-only"):
                call()


def test_a_closed_store_says_so(path: Path) -> None:
    store = Store.open(path)
    store.close()
    store.close()
    with pytest.raises(StoreError, match="is closed"):
        store.get("object", "object/1")


# ---- copies and names ---------------------------------------------------------------------------------------------


def test_a_backup_made_while_another_thread_writes_is_whole(path: Path, tmp_path: Path) -> None:
    with Store.open(path) as store:
        done = threading.Event()

        def write() -> None:
            i = 0
            while not done.is_set() and i < 3000:
                for kind in ("object", "episode"):  # two records that belong together
                    store.put(kind, str(i), {}, blobs=[store.put_blob(f"{kind} {i}".encode())])
                if i > 20:
                    store.delete("object", str(i - 20))
                    store.delete("episode", str(i - 20))
                if i % 5 == 0:
                    store.commit()
                i += 1

        writer = threading.Thread(target=write)
        writer.start()
        time.sleep(0.1)
        store.backup(tmp_path / "copy")
        done.set()
        writer.join()
        uuid = store.uuid
        highest = store.new_id("object")
    with Store.open(tmp_path / "copy") as copy:
        assert copy.warnings == ()
        assert copy.uuid == uuid
        assert copy.name == "copy"
        for kind in ("object", "episode"):
            for record in copy.records(kind):
                assert copy.blob(record.blobs[0]) == f"{kind} {record.id}".encode()
        assert int(copy.new_id("object").split("/")[1]) <= int(highest.split("/")[1])


def test_a_copy_that_goes_its_own_way_has_its_own_uuid(path: Path, tmp_path: Path) -> None:
    with Store.open(path) as store:
        store.backup(tmp_path / "other", new_uuid=True)
        with Store.open(tmp_path / "other") as other:
            assert other.uuid != store.uuid
            assert other.warnings == ()
        with pytest.raises(StoreError, match="expected a folder that is new or empty"):
            store.backup(tmp_path / "other")


def test_the_manifest_says_what_the_folder_is(path: Path) -> None:
    with Store.open(path) as store:
        manifest = json.loads((path / "manifest.json").read_text())
        assert manifest["uuid"] == store.uuid
        assert manifest["name"] == store.name == "home"
        assert manifest["format"] == "loci-memory"
        assert manifest["schema"] >= 1
        assert "T" in manifest["created"]


@pytest.mark.parametrize("name", ["../other", "a/b", "", ".hidden", "..", "/etc", "a" * 101])
def test_a_memory_has_a_name_not_a_path(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a memory name"):
        memory_path(name, tmp_path)
    assert memory_path("kitchen-2", tmp_path) == tmp_path / "kitchen-2"


def test_words_weigh_by_how_rare_they_are_committed_or_not(path: Path) -> None:
    with Store.open(path) as store:
        for i in range(40):
            store.put(
                "episode", f"episode/{i}", {"text": f"the {'red' if i % 2 else 'blue'} mug {'broke' if i == 7 else ''}"}
            )
            if i == 30:
                store.commit()
        shares = store.word_shares(["red", "mugs", "broken", "nowhere"], n_records=40)
        assert set(shares) == {f"episode/{i}" for i in range(40)}
        assert shares["episode/9"] == pytest.approx(shares["episode/35"]), "committed or not makes no difference"
        assert shares["episode/9"] > shares["episode/8"]
        assert max(shares.values()) < 0.5, "a word that nobody has counts, too"
        assert store.word_shares(["broke"], n_records=40) == {"episode/7": 1.0}
        store.delete("episode", "episode/7")
        assert store.word_shares(["broke"], n_records=40) == {}
        assert store.word_shares(["mug"], n_records=40, limit=10) == {}, "so many have it that it tells nothing"
        best = store.word_shares(["red", "broke"], n_records=40, n_best=3)
        assert len([id for id in best if int(id.split("/")[1]) <= 30]) <= 3
        with pytest.raises(ValueError, match="expected single words"):
            store.word_shares(['mug" OR "x'], n_records=40)
