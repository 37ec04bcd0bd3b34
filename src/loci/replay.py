"""`loci replay`: streams a recording through the same nodes as a live camera, over DDS, and ends with the demo's report.

At full speed, frames wait until the memory has taken in those before them, so that nothing is dropped and the result does
not depend on how fast the machine is. At the recorded speed nobody waits, as with a camera.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from loci.errors import UserError
from loci.observation import check_name
from loci.readers import RawFrame, ReaderOptions, Recording, RecordingError, open_recording
from loci.saved import memories_home
from loci.session import Session
from loci.up import Process, Value

if TYPE_CHECKING:
    from loci.nodes.client import MemoryClient
    from loci.nodes.frame_publisher import FramePublisher
    from loci.report import ReportAnswer

QUESTIONS = ("What did you see first?", "What did you see last?", "How many things have you seen?")
#: Frames on their way at full speed: enough to keep all processes busy, fewer than any queue holds.
IN_FLIGHT = 3
#: Perception that waits for what belongs to an image instead of going on without it: nothing is lost on a busy machine.
PATIENT = {"max_rate": 120.0, "pose_timeout": 10.0, "detections_timeout": 10.0, "silence_timeout": 3600.0}
#: Longest wait for an observation that is on its way, and for an answer [s].
MIN_STAMP_TIMEOUT, ANSWER_TIMEOUT = 20.0, 60.0
#: So many frames in a row that never arrive end a replay.
MAX_LOST = 5


@dataclass(frozen=True)
class ReplayOptions:
    """How to replay.

    Attributes:
        speed: factor of the recorded speed; 0: as fast as nothing is dropped.
        detector: of the perception node.
        out: folder of report, logs and (unless ``memory`` is given) the memory.
        memory: name of a memory to keep and add to; empty: a fresh one in ``out``.
        map_id: map that the poses refer to; empty: follows from the recording's name.
        questions: to ask at the end, after `QUESTIONS`.
    """

    speed: float = 0.0
    detector: str = "geometric"
    out: Path = Path("out/replay")
    memory: str = ""
    map_id: str = ""
    questions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Streamed:
    """What became of a stream: frames published, those that the memory never took in, and how long it took [s]."""

    n_published: int
    n_lost: int
    seconds: float


def run_replay(path: Path, reading: ReaderOptions, options: ReplayOptions) -> int:
    """Replay a recording and write its report; returns the exit status.

    Raises:
        UserError: the recording cannot be read, a process died, or nothing arrived.
    """
    try:
        recording = open_recording(path, reading)
        first = next(recording.frames(), None)
        if first is None:
            raise RecordingError(f"no frames in {path}")
        map_id = check_name(options.map_id or _as_name(f"{recording.kind}-{recording.name}"), "map id")
        if options.memory:
            check_name(options.memory, "memory name")
    except ValueError as error:  # a RecordingError is one
        raise UserError(str(error), "loci replay --help") from error
    from loci.environment import ensure_ros_environment

    ensure_ros_environment()
    directory, name = (memories_home(), options.memory) if options.memory else (options.out, "memory")
    if not options.memory:
        remove_memory(directory / name)
    from loci.nodes.frame_publisher import perception_parameters

    processes = node_processes(directory, name, map_id)
    processes.append(
        Process(
            "perception",
            "loci.nodes.perception",
            parameters={
                **perception_parameters(first),
                "detector": options.detector,
                "map_id": map_id,
                **PATIENT,
            },
        )
    )
    retry = f"loci replay {path}"
    with Session(processes, options.out / "logs", retry=retry) as session:
        streamed, answers = _replay(session, recording, first, options)
    from loci.report import collect, write_report
    from loci.saved import open_saved

    with open_saved(str(directory / name), map_id) as memory:
        data = collect(
            memory,
            title=f"Loci: {recording.name}",
            subtitle=f"{streamed.n_published} recorded RGB-D frames ({recording.kind}), detector: {options.detector}",
            answers=answers,
            figures=(
                ("frames", str(streamed.n_published)),
                ("frames lost", str(streamed.n_lost)),
                ("frames/s", f"{streamed.n_published / max(streamed.seconds, 1e-9):.1f}"),
            ),
            commands=(
                ("ask it something", f'loci query {directory / name} "what did you see first?"'),
                ("what it holds", f"loci info {directory / name}"),
            ),
        )
        page = write_report(data, options.out)
    print(
        f"\n{len(data.objects)} objects in {len(data.snapshots)} snapshots, {len(data.rooms)} room{'s' * (len(data.rooms) != 1)}, path {data.figures[4][1]}"
    )
    print(f"memory  {directory / name}\nreport  {page}")
    return 0


def _replay(
    session: Session, recording: Recording, first: RawFrame, options: ReplayOptions
) -> tuple[Streamed, list[ReportAnswer]]:
    """Stream, save and ask, while the processes run."""
    from loci.nodes.client import MemoryClient
    from loci.nodes.frame_publisher import FramePublisher

    with MemoryClient(timeout=ANSWER_TIMEOUT) as client, FramePublisher(first) as publisher:
        wait_until_ready(session, client)
        session.wait_for(publisher.is_heard, "waiting for the perception node", 60.0, "perception")
        publisher.announce(first)
        time.sleep(0.5)
        try:
            streamed = stream(recording, publisher, client, session.check, options.speed)
        except RecordingError as error:
            client.save()
            raise UserError(f"{error} (what came before it is saved)", "loci replay --help") from error
        if streamed.n_lost == streamed.n_published:
            raise session.failure("no frame arrived in the memory: the log of perception tells why", "perception")
        answers = ask_all(client, (*QUESTIONS, *options.questions))
        client.save()
    return streamed, answers


def node_processes(directory: Path, name: str, map_id: str, **parameters: Value) -> list[Process]:
    """Memory and planner, as `loci replay` and `loci demo` start them; ``parameters`` are further ones of the memory."""
    memory: dict[str, Value] = {
        "storage_directory": str(directory.resolve()),
        "memory_name": name,
        "map_id": map_id,
        "silence_timeout": 3600.0,
        "min_stamp_timeout": MIN_STAMP_TIMEOUT,
        **parameters,
    }
    return [
        Process("memory", "loci.nodes.memory", parameters=memory),
        Process("planner", "loci.nodes.planner"),
    ]


def wait_until_ready(session: Session, client: MemoryClient) -> None:
    """Wait until the memory answers.

    Raises:
        UserError: a process died, or it took too long.
    """

    def ready() -> bool:
        client.wait_until_ready(0.5)
        return True

    session.wait_for(ready, "opening the memory", 120.0, "memory")


#: How often the first frame is sent, every two seconds, until it arrives.
FIRST_FRAME_TRIES = 15


def stream(
    recording: Recording,
    publisher: FramePublisher,
    client: MemoryClient,
    check: Callable[[], None],
    speed: float = 0.0,
    *,
    in_flight: int = IN_FLIGHT,
    quiet: bool = False,
) -> Streamed:
    """Publish all frames.

    Args:
        recording: to stream.
        publisher: for its frames.
        client: of the memory that takes them in.
        check: raises if the nodes are not well; called often.
        speed: factor of the recorded speed; 0: every frame waits until at most ``in_flight`` are on their way.
        in_flight: see ``speed``.
        quiet: no progress bar.

    Raises:
        RecordingError: a frame cannot be read.
        UserError: from ``check``, or no frame arrives any more.
    """
    from tqdm import tqdm

    began = first_arrived = time.monotonic()
    stamps: list[int] = []
    n_lost_in_a_row = 0
    n_before = n_taken_in(client)
    with tqdm(total=len(recording), unit="frame", desc="replay", file=sys.stderr, disable=quiet or None) as bar:
        for frame in recording.frames():
            check()
            if stamps and speed > 0.0:
                due = first_arrived + (frame.stamp_ns - stamps[0]) * 1e-9 / speed
                time.sleep(max(0.0, due - time.monotonic()))
            publisher.publish(frame)
            # Discovery tells that somebody listens before all of its parts do: what is sent until then is lost.
            for _ in range(0 if stamps else FIRST_FRAME_TRIES):
                if arrives(client, frame.stamp_ns):
                    break
                check()
                publisher.publish(frame)
            if not stamps:
                # The clock of a recorded speed starts now: with what the first frame took, the next would come in a burst.
                first_arrived = time.monotonic()
            stamps.append(frame.stamp_ns)
            bar.update()
            if speed > 0.0 or len(stamps) <= in_flight:
                continue
            arrived = wait_for_stamp(client, stamps[-1 - in_flight])
            n_lost_in_a_row = 0 if arrived else n_lost_in_a_row + 1
            if n_lost_in_a_row >= MAX_LOST:
                break
        if stamps:
            wait_for_stamp(client, stamps[-1])
    # A frame that never came does not show in the stamps: a later one stands for it.
    n_lost = max(0, len(stamps) - (n_taken_in(client) - n_before))
    return Streamed(len(stamps), n_lost, time.monotonic() - began)


def n_taken_in(client: MemoryClient) -> int:
    """Observations that the memory has taken in since it runs."""
    return int(client.statistics().get("observe", 0))


def arrives(client: MemoryClient, stamp_ns: int, seconds: float = 2.0) -> bool:
    """Whether an observation of that stamp is taken in within so many seconds."""
    deadline = time.monotonic() + seconds
    while client.newest_stamp_ns < stamp_ns:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.03)
    return True


def wait_for_stamp(client: MemoryClient, stamp_ns: int) -> bool:
    """Wait until the memory has taken in observations up to a stamp; False if that takes longer than its own limit."""
    from loci.nodes.client import MemoryServiceError
    from loci.nodes.errors import Code

    try:
        client.statistics(min_stamp_ns=stamp_ns)
    except MemoryServiceError as error:
        if error.code == Code.TIMEOUT:
            return False
        raise
    return True


def ask_all(client: MemoryClient, questions: tuple[str, ...]) -> list[ReportAnswer]:
    """Ask the planner, print its answers with their evidence, and return them for the report."""
    from loci.report import ReportAnswer
    from loci.saved import print_evidence

    answers = []
    for question in questions:
        began = time.perf_counter()
        answer = client.ask(question, with_images=True)
        took_ms = (time.perf_counter() - began) * 1e3
        answers.append(
            ReportAnswer(question, answer.answer, answer.known, answer.confidence, answer.evidence, took_ms=took_ms)
        )
        print(f"\n{question}\n  {answer.answer}  (confidence {answer.confidence:.2f}, {took_ms:.0f} ms)")
        print_evidence(answer.evidence[:5])
    return answers


def remove_memory(folder: Path) -> None:
    """Remove a memory of an earlier run, and nothing else.

    Raises:
        UserError: there is something at that place that is no memory.
    """
    if not folder.exists():
        return
    if not (folder / "manifest.json").is_file() and any(folder.iterdir()):
        raise UserError(f"{folder} is in the way and is no memory", "choose another folder with --out")
    shutil.rmtree(folder)


def _as_name(text: str) -> str:
    """The nearest allowed name."""
    name = "".join(c if (c.isalnum() and c.isascii()) or c in "._-" else "-" for c in text)
    while ".." in name:
        name = name.replace("..", ".")
    return name.lstrip("._-")[:100] or "recording"
