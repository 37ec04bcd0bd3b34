"""Ten minutes of writing, asking and forgetting at once: memory stays flat, and no file or thread is left behind."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from loci.episodic.filters import EpisodeFilter
from loci.episodic.long_term import LongTermMemory
from loci.episodic.records import Episode
from loci.store import Store
from loci.store.checking import check_memory

KEPT = 3000


@pytest.mark.parametrize(
    "seconds", [3.0, pytest.param(600.0, marks=[pytest.mark.long, pytest.mark.timeout(1200)])], ids=["short", "long"]
)
def test_a_memory_that_forgets_as_much_as_it_learns_does_not_grow(tmp_path: Path, seconds: float) -> None:
    process, rng = psutil.Process(), np.random.default_rng(0)
    errors: list[BaseException] = []
    done = threading.Event()
    with Store.open(tmp_path / "home") as store:
        memory = LongTermMemory(store, None, max_exact=1000)

        def ask() -> None:
            own = np.random.default_rng(1)
            while not done.is_set():
                try:
                    query = own.normal(size=64)
                    text = f"number {own.integers(10**4)}"
                    found, _ = memory.search(EpisodeFilter(after_ns=5), text_embedding=query, text=text)
                    assert [s for _, s in found] == sorted((s for _, s in found), reverse=True)
                except BaseException as error:
                    errors.append(error)
                    return
                time.sleep(0.002)

        asker = threading.Thread(target=ask)
        asker.start()
        resident: list[int] = []
        open_files: list[int] = []
        threads: list[int] = []
        started, i = time.monotonic(), 0
        while time.monotonic() - started < seconds and not errors:
            for _ in range(100):
                i += 1
                episode = Episode(store.new_id("episode"), "episode", f"event number {i}", stamp_ns=i, session="s")
                memory.add(episode, rng.normal(size=64))
                memory.remove(f"episode/{i - KEPT}")
            store.commit()
            if i % 20_000 == 0:
                store.purge()
            if i > 4 * KEPT and i % 1000 == 0:
                resident.append(process.memory_info().rss)
                open_files.append(process.num_fds())
                threads.append(threading.active_count())
        done.set()
        asker.join()
        assert not errors
        assert memory.finish_indexing()  # as long as it takes on a busy machine: the test has a limit of its own
        if len(resident) >= 8:
            third = len(resident) // 3
            growth = np.median(resident[-third:]) - np.median(resident[:third])
            assert growth < 30 << 20, f"{growth / 2**20:.1f} MiB more in {i} records"
            assert max(open_files[third:]) <= max(open_files[:third]) + 3
            assert max(threads) <= min(threads) + 2  # the thread that makes the index comes and goes
        assert i > KEPT or seconds < 10
    assert threading.active_count() <= (threads[0] if threads else 50)
    assert check_memory(tmp_path / "home") == []
    assert not any(str(tmp_path) in p for p in _open_paths())


def _open_paths() -> list[str]:
    return [os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
