"""Damage and crashes: each is reported, nothing damaged is replaced in silence, nothing committed is lost to a kill."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from loci.store import Store, StoreError, schema
from loci.store.checking import check_memory, repair_memory
from loci.store.store import Record

N = 400


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed memory with N objects of about 1 kB, and a blob."""
    path = tmp_path / "home"
    with Store.open(path) as store:
        for i in range(N):
            record_id = store.new_id("object")
            blobs = [store.put_blob(b"image")] if i == 0 else []
            store.put("object", record_id, {"i": i, "text": f"thing {i} " * 100}, session="s", blobs=blobs)
    return path


def contents(store: Store) -> dict[str, Record]:
    return {record.id: record for record in store.records("object")}


def uuid_of(path: Path) -> str:
    return str(json.loads((path / "manifest.json").read_text())["uuid"])


def test_a_database_with_garbage_in_the_middle_is_set_aside_and_what_can_be_read_is_taken_over(path: Path) -> None:
    database, uuid = path / "memory.sqlite", uuid_of(path)
    data = bytearray(database.read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    data[middle : middle + 3 * 4096] = random.Random(0).randbytes(3 * 4096)
    database.write_bytes(data)
    with Store.open(path) as store:
        (warning,) = store.warnings
        assert "memory.sqlite is damaged" in warning
        assert "set aside in" in warning
        records = contents(store)
        assert 0.8 * N < len(records) < N
        assert f"{len(records)} records could be read" in warning
        for record in records.values():
            assert record.fields["text"] == f"thing {record.fields['i']} " * 100
        assert store.uuid == uuid
        assert store.new_id("object") == f"object/{N + 1}"
    assert (path / "damaged" / "1" / "memory.sqlite").read_bytes() == data
    with Store.open(path) as store:
        assert store.warnings == ()
        assert contents(store).keys() == records.keys()


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9])
def test_a_truncated_database_is_set_aside_and_reported(path: Path, share: float) -> None:
    database, uuid = path / "memory.sqlite", uuid_of(path)
    os.truncate(database, int(database.stat().st_size * share))
    with Store.open(path) as store:
        assert "memory.sqlite is damaged" in store.warnings[0]
        assert all(r.fields["text"] == f"thing {r.fields['i']} " * 100 for r in contents(store).values())
        assert store.uuid == uuid
        assert int(store.new_id("object").split("/")[1]) > N
        store.put("object", "object/new", {})
        store.commit()
    assert (path / "damaged" / "1" / "memory.sqlite").exists()


def test_a_database_of_garbage_is_set_aside_untouched(path: Path) -> None:
    garbage = random.Random(1).randbytes(50_000)
    (path / "memory.sqlite").write_bytes(garbage)
    with pytest.raises(StoreError, match="damaged: file is not a database"):
        Store.open(path, read_only=True)
    with Store.open(path) as store:
        assert "file is not a database" in store.warnings[0]
        assert ", 0 records could be read" in store.warnings[0]
    assert (path / "damaged" / "1" / "memory.sqlite").read_bytes() == garbage


def test_a_flipped_bit_in_a_record_is_noticed(path: Path) -> None:
    data = bytearray((path / "memory.sqlite").read_bytes())
    position = data.find(b"thing 200 thing 200")
    data[position] ^= 1
    (path / "memory.sqlite").write_bytes(data)
    with Store.open(path) as store:
        with pytest.raises(StoreError, match="record object object/201 is damaged"):
            store.get("object", "object/201")
        assert len(contents(store)) == N - 1
        assert any("object/201 is damaged" in w for w in store.warnings)


def test_a_missing_database_is_reported_and_its_ids_do_not_return(path: Path) -> None:
    (path / "memory.sqlite").unlink()
    with pytest.raises(StoreError, match=r"memory\.sqlite is missing"):
        Store.open(path, read_only=True)
    with Store.open(path) as store:
        assert "memory.sqlite is missing" in store.warnings[0]
        assert store.new_id("object") == f"object/{N + 1}"


def test_a_missing_manifest_is_restored_from_the_database(path: Path) -> None:
    uuid = uuid_of(path)
    (path / "manifest.json").unlink()
    with pytest.raises(StoreError, match="there is no memory in"):
        Store.open(path, read_only=True)
    with Store.open(path) as store:
        assert "manifest.json was missing: restored" in store.warnings[0]
        assert store.uuid == uuid
        assert len(contents(store)) == N
    with Store.open(path) as store:
        assert store.warnings == ()
        assert store.uuid == uuid


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"format": "loci-memory"}', b"\xff\x00", b'{"format": "else"}']
)
def test_a_damaged_manifest_is_set_aside_and_restored(path: Path, content: bytes) -> None:
    uuid = uuid_of(path)
    (path / "manifest.json").write_bytes(content)
    with pytest.raises(StoreError, match=r"manifest\.json is damaged"):
        Store.open(path, read_only=True)
    with Store.open(path) as store:
        assert "manifest.json is damaged" in store.warnings[0]
        assert store.uuid == uuid
    assert (path / "damaged" / "1" / "manifest.json").read_bytes() == content


@pytest.mark.parametrize("content", [None, b"", b"[1]", b'{"object": "x"}'])
def test_ids_do_not_return_when_their_counter_is_lost(path: Path, content: bytes | None) -> None:
    (path / "ids.json").unlink()
    if content is not None:
        (path / "ids.json").write_bytes(content)
    with Store.open(path) as store:
        assert "ids.json" in store.warnings[0]
        assert int(store.new_id("object").split("/")[1]) > N


def test_a_log_of_garbage_is_reported(path: Path) -> None:
    (path / "memory.sqlite-wal").write_bytes(b"not a log" * 1000)
    with Store.open(path) as store:
        assert "write-ahead log is not one" in store.warnings[0]
        assert len(contents(store)) == N


def test_a_damaged_blob_is_set_aside_and_a_missing_one_reported(path: Path) -> None:
    with Store.open(path) as store:
        (digest,) = contents(store)["object/1"].blobs
        file = path / "blobs" / digest[:2] / digest
        file.write_bytes(b"imagE")
        with pytest.raises(StoreError, match=f"blob {digest} is damaged"):
            store.blob(digest)
        assert (path / "damaged" / "1" / digest).read_bytes() == b"imagE"
        with pytest.raises(StoreError, match=f"blob {digest} is missing"):
            store.blob(digest)
        assert store.put_blob(b"image") == digest
        assert store.blob(digest) == b"image"


def test_a_newer_schema_is_refused_and_nothing_is_changed(path: Path) -> None:
    with sqlite3.connect(path / "memory.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = {p.name: p.read_bytes() for p in path.iterdir() if p.suffix in (".json", ".sqlite")}
    for read_only in (False, True):
        with pytest.raises(StoreError, match="schema version 99, this Loci knows up to"):
            Store.open(path, read_only=read_only)
    assert {name: (path / name).read_bytes() for name in before} == before
    assert len(before) == 3
    assert not (path / "damaged").exists()


def test_a_newer_manifest_is_refused(path: Path) -> None:
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps({**manifest, "schema": 99}))
    with pytest.raises(StoreError, match="schema version 99"):
        Store.open(path)


def test_an_older_schema_is_migrated_all_or_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    older = schema.MIGRATIONS
    broken = (*older, ("CREATE TABLE extra (id TEXT)", "CREATE TABLE extra (id TEXT)"))
    monkeypatch.setattr(schema, "MIGRATIONS", broken)
    with pytest.raises(StoreError, match="already exists"):
        Store.open(path)
    monkeypatch.setattr(schema, "MIGRATIONS", (*older, ("CREATE TABLE extra (id TEXT)",)))
    with Store.open(path) as store:
        assert len(contents(store)) == N
        assert store.warnings == ()
    with sqlite3.connect(path / "memory.sqlite") as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(older) + 1,)
        assert connection.execute("SELECT count(*) FROM extra").fetchone() == (0,)
    connection.close()


def test_another_programs_files_are_refused_and_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "letter.txt").write_text("dear")
    with pytest.raises(StoreError, match="is not a memory"):
        Store.open(folder)
    assert [p.name for p in folder.iterdir()] == ["letter.txt"]
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    with sqlite3.connect(foreign / "memory.sqlite") as connection:
        connection.execute("CREATE TABLE mail (id)")
    connection.close()
    before = (foreign / "memory.sqlite").read_bytes()
    with pytest.raises(StoreError, match="another program"):
        Store.open(foreign)
    assert (foreign / "memory.sqlite").read_bytes() == before
    with pytest.raises(StoreError, match="expected a folder, got a file"):
        Store.open(folder / "letter.txt")
    with pytest.raises(StoreError, match="there is no memory"):
        Store.open(tmp_path / "nothing", read_only=True)
    assert not (tmp_path / "nothing").exists()


def test_a_folder_without_write_permission_can_be_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = sorted(p.name for p in path.iterdir())
    monkeypatch.setattr(os, "access", lambda file, mode: False)  # root may write anywhere
    with Store.open(path, read_only=True) as store:
        assert len(contents(store)) == N
    assert sorted(p.name for p in path.iterdir()) == before


def test_a_database_that_breaks_while_it_is_open_is_a_store_error(path: Path) -> None:
    with Store.open(path, read_only=True) as store:
        os.truncate(path / "memory.sqlite", 8192)
        with pytest.raises(StoreError, match="cannot be read"):
            contents(store)


def test_a_full_disk_loses_nothing_that_is_in_memory(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store.open(path) as store:
        store._writer.execute(f"PRAGMA max_page_count = {store._writer.execute('PRAGMA page_count').fetchone()[0]}")
        store.put("object", "object/big", {"text": "x" * 100_000})
        with pytest.raises(StoreError, match="could not be written: database or disk is full"):
            store.commit()
        assert store.get("object", "object/big") is not None
        store._writer.execute("PRAGMA max_page_count = 1073741823")
        store.commit()
    with Store.open(path) as store:
        assert store.get("object", "object/big") is not None


FULL_DISK = """
import pathlib, resource, signal, sys
from loci.store import Store, StoreError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then a write beyond the limit fails, as on a full disk
path = pathlib.Path(sys.argv[1])
with Store.open(path) as store:
    size = (path / "memory.sqlite").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 40_000, resource.RLIM_INFINITY))
    kept, failed = 0, ""
    try:
        for i in range(2000):
            store.put("episode", store.new_id("episode"), {"text": f"late{i} " * 50})
            store.commit()
            kept += 1
    except StoreError as error:
        failed = str(error)
    print("failed", failed)
    print("kept", kept)
    print("read", store.get("object", "object/7").fields["i"], len(list(store.records("object"))))
    print("found", *store.find_words([f"late{kept - 1}"])[f"late{kept - 1}"])
    try:
        store.put_blob(b"x" * (size + 100_000))
        print("blob was kept")
    except StoreError as error:
        print("blob", error, len(list((path / "blobs").glob("*.new"))))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    store.commit()
    print("after", len(list(store.records("episode"))), store.get("episode", f"episode/{kept + 1}") is not None)
"""


def test_a_full_disk_is_a_clear_error_reads_go_on_and_space_brings_recovery(path: Path) -> None:
    run = subprocess.run([sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, timeout=100)
    assert run.returncode == 0, run.stderr
    said = dict(line.split(" ", 1) for line in run.stdout.splitlines())
    kept = int(said["kept"])
    assert f"memory {path} could not be written: " in said["failed"]
    assert "disk" in said["failed"]
    assert kept > 0
    assert said["read"] == f"6 {N}"
    assert said["found"] == f"episode/{kept}"
    assert "could not be written" in said["blob"]
    assert said["blob"].endswith(" 0"), "no unfinished file is left"
    assert said["after"] == f"{kept + 1} True"
    assert check_memory(path) == []
    with Store.open(path) as store:
        assert store.warnings == ()
        assert len(list(store.records("episode"))) == kept + 1


@pytest.mark.parametrize("place", ["database", "log", "image", "index"])
@pytest.mark.parametrize("seed", range(3))
def test_a_flipped_or_cut_file_is_told_and_the_rest_is_read(path: Path, place: str, seed: int) -> None:
    rng = random.Random(seed)
    with Store.open(path) as store:
        if place == "log":  # a copy of the files as they are while the memory is open: with a log
            for i in range(50):
                store.put("episode", store.new_id("episode"), {"text": f"thing {i}"})
            store.commit()
            shutil.copytree(path, path.parent / "copy")
        store.save_index("text", {"lists": np.arange(1000)})
    if place == "log":
        path = path.parent / "copy"
    file = {
        "database": path / "memory.sqlite",
        "log": path / "memory.sqlite-wal",
        "image": next((path / "blobs").glob("*/*")),
        "index": path / "index" / "text.safetensors",
    }[place]
    data = bytearray(file.read_bytes())
    if seed == 0:
        data = data[: len(data) * 2 // 3]
    else:
        for _ in range(1 if place in ("image", "index") else 40):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    file.write_bytes(data)
    found = check_memory(path)
    assert not any(f.is_damage for f in found) or (place, seed) != ("log", 0)
    if (place, seed) != ("log", 0):  # what was cut off the end of a log leaves no trace, as after a crash
        assert any(f.is_damage for f in found)
        assert repair_memory(path)
        assert list((path / "damaged").rglob("*"))
    with Store.open(path) as store:
        records = contents(store)
        assert len(records) >= (N if place != "database" else 0.5 * N)
        for record in records.values():
            assert record.fields["text"] == f"thing {record.fields['i']} " * 100
    assert not any(f.is_damage for f in check_memory(path))


def test_a_clock_that_jumps_back_harms_no_order_and_no_id(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store.open(path) as store:
        first = store.new_id("episode")
        store.put("episode", first, {"text": "before"}, session="a")
        store.commit()
        monkeypatch.setattr(time, "time", lambda: 0.0)
        monkeypatch.setattr(time, "time_ns", lambda: 0)
        second = store.new_id("episode")
        store.put("episode", second, {"text": "after"}, session="b")
        store.commit()
        assert second != first
    with Store.open(path) as store:
        assert [r.fields["text"] for r in store.records("episode")] == ["before", "after"]
        assert store.sessions()[-2:] == ("a", "b")
        assert store.new_id("episode") not in (first, second)


# ---- kill -9 ------------------------------------------------------------------------------------------------------

WRITER = """
import hashlib, pathlib, sys
from loci.store import Store
store = Store.open(pathlib.Path(sys.argv[1]))
print("open", len(list(store.records("object"))), *store.warnings, flush=True)
n = 0
while True:
    for _ in range(1 + n % 7):
        record_id = store.new_id("object")
        data = (record_id * 2000).encode()
        store.put("object", record_id, {"text": record_id * 20}, blobs=[store.put_blob(data)])
        store.put("episode", record_id, {"about": record_id, "text": f"about {record_id.replace('/', '')}"})
        print("id", record_id, flush=True)
        n += 1
    if n % 3 == 0:
        victim = f"object/{n // 2 + 1}"
        store.delete("object", victim)
        print("delete", victim, flush=True)
    store.commit()
    print("committed", flush=True)
"""


@pytest.mark.parametrize("n_kills", [5, pytest.param(200, marks=[pytest.mark.long, pytest.mark.timeout(1800)])])
def test_kill_9_at_any_moment_loses_nothing_committed_and_no_id_returns(tmp_path: Path, n_kills: int) -> None:
    path, rng = tmp_path / "home", random.Random(0)
    given: set[str] = set()
    committed: set[str] = set()
    for _ in range(n_kills):
        child = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        assert child.stdout.readline().startswith("open")
        time.sleep(rng.uniform(0.02, 0.4))
        child.send_signal(signal.SIGKILL)
        lines = child.stdout.read().split("\n")[:-1]  # the last line may be cut
        child.wait()
        noted: set[str] = set()
        deleted: set[str] = set()
        for line in lines:
            word, _, value = line.partition(" ")
            if word == "id":
                assert value not in given, "an id came back"
                given.add(value)
                noted.add(value)
            elif word == "delete":
                deleted.add(value)
            elif word == "committed":
                committed = (committed | noted) - deleted
                noted, deleted = set(), set()
        with Store.open(path) as store:
            assert store.warnings == ()
            records = {record.id: record for record in store.records("object")}
            assert committed - deleted <= records.keys()
            assert records.keys() - committed <= noted
            # The group that was under way is there as a whole or not at all.
            assert noted - deleted <= records.keys() or not noted & records.keys()
            assert noted <= {record.id for record in store.records("episode")} or not noted & records.keys()
            for record in records.values():
                assert store.blob(record.blobs[0]) == (record.id * 2000).encode()
            # The full text was committed with the records: it has these and no others.
            told = {record.id for record in store.records("episode")}
            some = sorted(told)[-50:] + sorted(noted)
            found = store.find_words([id.replace("/", "") for id in some]) if some else {}
            assert found == {id.replace("/", ""): [id] if id in told else [] for id in some}
            referenced = {record.blobs[0] for record in records.values()}
            assert {p.name for p in (path / "blobs").glob("*/*")} == referenced
            committed = set(records)
    assert given, "no writer came to write"
    assert check_memory(path) == []


def test_a_memory_copied_while_its_writer_was_killed_opens(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path / "home")], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    for line in child.stdout:
        if line.strip() == "committed":
            break
    child.send_signal(signal.SIGKILL)
    child.stdout.close()
    child.wait()
    shutil.copytree(tmp_path / "home", tmp_path / "moved")
    with Store.open(tmp_path / "moved") as store:
        assert store.warnings == ()
        assert contents(store)
