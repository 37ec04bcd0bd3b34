"""Minutes of frames through all processes: nothing is lost, answers keep coming, memory grows with what is kept and no more."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from loci.readers import ReaderOptions, open_recording
from loci.readers.base import RawFrame

pytestmark = [pytest.mark.ros, pytest.mark.long, pytest.mark.timeout(1200)]

N_FRAMES, RATE = 3000, 10.0
#: What a kept keyframe may cost in a process that holds neither images nor depth of it [bytes].
BYTES_PER_KEYFRAME = 200_000


class BackAndForth:
    """A recording over and over, forwards and backwards, with stamps that go on, and a look at a process on the way."""

    name = "back-and-forth"
    kind = "numbered"

    def __init__(self, frames: list[RawFrame], process: psutil.Process) -> None:
        self._frames = frames
        self._process = process
        self.resident: list[int] = []

    def __len__(self) -> int:
        return N_FRAMES

    def frames(self) -> Iterator[RawFrame]:
        """The frames; after each third the process's resident memory is noted [bytes]."""
        around = itertools.cycle([*self._frames, *self._frames[-2:0:-1]])
        for i, frame in enumerate(itertools.islice(around, N_FRAMES)):
            if i and i % (N_FRAMES // 3) == 0:
                self.resident.append(self._process.memory_info().rss)
            yield replace(frame, stamp_ns=1_000_000_000 + round(i * 1e9 / RATE))
        self.resident.append(self._process.memory_info().rss)


def test_a_long_run_loses_nothing_answers_all_along_and_grows_only_by_what_it_keeps(
    kitchen: Path, tmp_path: Path
) -> None:
    from loci.nodes.client import MemoryClient
    from loci.nodes.frame_publisher import FramePublisher, perception_parameters
    from loci.query import Query
    from loci.replay import PATIENT, node_processes, stream, wait_until_ready
    from loci.session import Session
    from loci.up import Process

    frames = list(open_recording(kitchen, ReaderOptions(limit=150)).frames())
    parameters = {**perception_parameters(frames[0]), **PATIENT, "detector": "geometric", "map_id": "soak"}
    processes = [
        node_processes(tmp_path, "memory", "soak")[0],
        Process("perception", "loci.nodes.perception", parameters=parameters),
    ]
    stop, answered, failures = threading.Event(), [0], []

    with (
        Session(processes, tmp_path / "logs") as session,
        MemoryClient(timeout=60.0) as client,
        FramePublisher(frames[0]) as publisher,
    ):

        def ask() -> None:
            try:
                while not stop.wait(0.2):
                    answered[0] += len(client.recall(Query(text=f"thing {answered[0]}", limit=5)).evidence)
            except Exception as error:
                failures.append(error)

        wait_until_ready(session, client)
        session.wait_for(publisher.is_heard, "waiting for perception", 60.0, "perception")
        asker = threading.Thread(target=ask)
        recording = BackAndForth(frames, psutil.Process(session.pids["memory"]))
        asker.start()
        try:
            streamed = stream(recording, publisher, client, session.check, quiet=True)
        finally:
            stop.set()
            asker.join()
        statistics = client.statistics()
    assert not failures
    assert streamed.n_lost == 0
    assert answered[0] > 500
    n_keyframes = int(statistics["keyframes"])
    assert n_keyframes > 300
    _, middle, end = recording.resident
    assert end - middle < BYTES_PER_KEYFRAME * n_keyframes / 3
