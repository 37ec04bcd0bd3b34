"""A broken write-ahead log is told from one that a crash left: by what SQLite itself makes of both."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loci.store.write_ahead_log import _sums, find_log_damage

PAGE = 4096


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(tmp_path / "db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("CREATE TABLE t (x INTEGER PRIMARY KEY, data BLOB)")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    yield connection
    connection.close()


def write(connection: sqlite3.Connection, n_transactions: int, n_rows: int = 20, end: str = "COMMIT") -> None:
    for _ in range(n_transactions):
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO t (data) VALUES (?)", [(random.randbytes(500),) for _ in range(n_rows)])
        connection.execute(end)


def copied(path: Path, name: str = "copy") -> Path:
    """The files as they are, as a process that is killed leaves them."""
    (path / name).mkdir()
    for file in ("db", "db-wal"):
        shutil.copyfile(path / file, path / name / file)
    return path / name


def n_rows(folder: Path) -> int:
    """As SQLite finds them."""
    connection = sqlite3.connect(folder / "db")
    try:
        return int(connection.execute("SELECT count(*) FROM t").fetchone()[0])
    finally:
        connection.close()


@given(st.integers(0, 2**32 - 1), st.lists(st.binary(min_size=24, max_size=24), min_size=1, max_size=5), st.sampled_from("<>"))  # fmt: skip
def test_sums_are_those_of_the_file_format(first: int, blocks: list[bytes], order: str) -> None:
    s, t, expected = first, first ^ 0x5A5A5A5A, []
    for block in blocks:
        numbers = np.frombuffer(block, f"{order}u4").tolist()
        for x, y in zip(numbers[::2], numbers[1::2], strict=True):
            s = (s + x + t) % 2**32
            t = (t + y + s) % 2**32
        expected.append([s, t])
    pairs = np.frombuffer(b"".join(blocks), f"{order}u4").reshape(len(blocks), 3, 2)
    assert _sums(pairs, np.array([first, first ^ 0x5A5A5A5A], np.uint64)).tolist() == expected


@pytest.mark.parametrize("seed", range(12))
def test_a_flipped_bit_in_a_committed_page_is_told_and_where(
    database: sqlite3.Connection, tmp_path: Path, seed: int
) -> None:
    write(database, 30, n_rows=200)
    rng = random.Random(seed)
    folder = copied(tmp_path)
    log = folder / "db-wal"
    assert find_log_damage(log) == ""
    data = bytearray(log.read_bytes())
    n_frames = (len(data) - 32) // (PAGE + 24)
    assert n_frames > 600, "more than is read at once"
    frame = rng.randrange(n_frames - 1)
    data[32 + frame * (PAGE + 24) + rng.randrange(PAGE + 24)] ^= 1 << rng.randrange(8)
    log.write_bytes(data)
    assert f"is broken after {frame} of {n_frames} pages" in find_log_damage(log)
    assert n_rows(folder) < 6000


def test_what_a_killed_process_leaves_is_no_damage(database: sqlite3.Connection, tmp_path: Path) -> None:
    assert find_log_damage(tmp_path / "none") == ""
    assert find_log_damage(tmp_path / "db-wal") == "", "an empty log"
    write(database, 5)
    data = (tmp_path / "db-wal").read_bytes()
    for n_bytes in (len(data), len(data) - 1, len(data) - PAGE, len(data) - 2 * PAGE - 100, 40, 32):
        folder = copied(tmp_path, f"copy-{n_bytes}")
        (folder / "db-wal").write_bytes(data[:n_bytes])
        assert find_log_damage(folder / "db-wal") == "", n_bytes


def test_what_is_left_of_earlier_logs_and_of_transactions_that_were_taken_back_is_no_damage(
    database: sqlite3.Connection, tmp_path: Path
) -> None:
    write(database, 10)
    database.execute("PRAGMA wal_checkpoint(RESTART)")
    write(database, 2)  # over the beginning of the old log
    assert find_log_damage(tmp_path / "db-wal") == ""
    assert n_rows(copied(tmp_path, "restarted")) == 240
    database.execute("PRAGMA cache_size = 5")  # pages of a transaction go to the log before it ends
    write(database, 1, n_rows=500, end="ROLLBACK")
    write(database, 1, n_rows=1)
    assert find_log_damage(tmp_path / "db-wal") == ""
    assert n_rows(copied(tmp_path, "taken-back")) == 241


@pytest.mark.parametrize(("at", "told"), [(0, "is not one"), (9, "header"), (17, "header"), (30, "header")])
def test_a_broken_header_is_told(database: sqlite3.Connection, tmp_path: Path, at: int, told: str) -> None:
    write(database, 3)
    log = copied(tmp_path) / "db-wal"
    data = bytearray(log.read_bytes())
    data[at] ^= 0xFF
    log.write_bytes(data)
    assert told in find_log_damage(log)
