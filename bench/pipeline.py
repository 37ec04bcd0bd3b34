"""The whole pipeline on real kitchen frames and on the demo's apartment: stages, frames dropped, memory, answers under load.

    make bench NAME=pipeline        (or: python bench/pipeline.py --seconds 20)

Part 1 runs the library in one process and times every stage. Part 2 runs the nodes over DDS: as fast as nothing is dropped,
then at 10 frames/s while a client asks. Written to out/bench/pipeline.json.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

for _name in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
    os.environ.setdefault(f"{_name}_NUM_THREADS", "1")

import cv2  # noqa: E402

from apartment import RATE, Shot, drive  # noqa: E402
from asker import QUERIES, ask  # noqa: E402
from common import MemoryCurve, machine, quantiles, table, write_result  # noqa: E402
from loci.readers import ReaderOptions, open_recording  # noqa: E402

#: Stages in the order in which a frame goes through them.
STAGES = ("decode", "detect", "encode", "keyframe", "octree", "scene", "episodic", "refresh", "commit")


def kitchen_shots(folder: Path, n: int) -> list[Shot]:
    """Real frames without detections."""
    return [Shot(frame, ()) for frame in open_recording(folder, ReaderOptions(limit=n)).frames()]


# --- part 1: stages in one process ----------------------------------------------------------------------------------------


def library(shots: list[Shot], detect: bool) -> dict[str, Any]:
    """Time every stage of every frame with nothing between them but function calls."""
    from loci.memory import RobotMemory
    from loci.observation import Frame, Observation, clean_depth
    from loci.perception.registry import make_detector

    cv2.setNumThreads(1)
    detector = make_detector("geometric") if detect else None
    laps: dict[str, list[float]] = {}
    whole: list[float] = []
    folder = Path(tempfile.mkdtemp(prefix="loci-bench-"))
    try:
        with RobotMemory.open(folder / "memory", map_id="bench") as memory:
            for shot in shots:
                began = time.perf_counter()
                raw = shot.frame
                frame = Frame(
                    raw.color_array(),
                    clean_depth(raw.depth_array(), raw.depth_unit),
                    raw.camera,
                    raw.T_map_camera,
                    raw.stamp_ns,
                )
                decoded = time.perf_counter()
                detections = detector.detect(frame) if detector is not None else shot.detections
                detected = time.perf_counter()
                jpeg = raw.color if isinstance(raw.color, bytes) else None
                result = memory.observe(Observation(frame, detections, color_jpeg=jpeg))
                done = time.perf_counter()
                whole.append((done - began) * 1e3)
                laps.setdefault("decode", []).append((decoded - began) * 1e3)
                if detector is not None:
                    laps.setdefault("detect", []).append((detected - decoded) * 1e3)
                for name, milliseconds in result.timings_ms.items():
                    laps.setdefault(name, []).append(milliseconds)
            statistics = {k: v for k, v in memory.statistics().items() if isinstance(v, int)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    order = [*[s for s in STAGES if s in laps], *sorted(set(laps) - set(STAGES))]
    # The first frames compile kernels and load models: they say nothing about a robot that runs.
    stages = {name: quantiles(laps[name][3:] or laps[name], 50, 95) for name in order}
    return {"stages_ms": stages, "frame_ms": quantiles(whole[3:], 50, 95), "statistics": statistics}


def print_library(name: str, result: dict[str, Any]) -> None:
    """Stages as a table."""
    rows = [[stage, q.get("p50", ""), q.get("p95", ""), q["n"]] for stage, q in result["stages_ms"].items()]
    q = result["frame_ms"]
    rows.append(["whole frame", q["p50"], q["p95"], q["n"]])
    print(
        f"\n{name}: library in one process\n" + table(("stage", "median [ms]", "p95 [ms]", "times"), rows), flush=True
    )


# --- part 2: processes over DDS -------------------------------------------------------------------------------------------


def nodes(shots: list[Shot], detector: str, seconds: float) -> dict[str, Any]:
    """Stream through the processes, first at full speed, then at `RATE` while a client asks."""
    from loci.nodes.client import MemoryClient
    from loci.nodes.frame_publisher import FramePublisher, perception_parameters
    from loci.replay import PATIENT, arrives, node_processes, wait_until_ready
    from loci.session import Session
    from loci.up import Process

    folder = Path(tempfile.mkdtemp(prefix="loci-bench-"))
    external = detector == "external"
    parameters = {**perception_parameters(shots[0].frame), **PATIENT, "detector": detector, "map_id": "bench"}
    processes = [
        node_processes(folder, "memory", "bench")[0],
        Process("perception", "loci.nodes.perception", parameters=parameters),
    ]
    stream = endless(shots)
    try:
        with (
            Session(processes, folder / "logs", retry="make bench NAME=pipeline") as session,
            MemoryClient(timeout=60.0) as client,
            FramePublisher(shots[0].frame) as publisher,
        ):
            wait_until_ready(session, client)
            session.wait_for(publisher.is_heard, "waiting for perception", 60.0, "perception")
            with MemoryCurve({**session.pids, "bench": os.getpid()}) as curve:

                def publish() -> int:
                    shot = next(stream)
                    publisher.publish(shot.frame, shot.detections if external else None)
                    return shot.frame.stamp_ns

                def warm_up() -> bool:
                    return arrives(client, publish())

                session.wait_for(warm_up, "the first frame", 60.0, "perception")
                full = full_speed(publish, client, session.check, len(shots))
                asked = under_load(publish, client, session.check, seconds)
            statistics = {k: v for k, v in client.statistics().items() if not k.endswith("[1/s]")}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {"full_speed": full, "at_10_hz": asked, "resident_memory": curve.as_dict(), "statistics": statistics}


def endless(shots: list[Shot]) -> Iterator[Shot]:
    """The frames over and over, forwards and backwards, with stamps that go on."""
    from dataclasses import replace

    step_ns = round(1e9 / RATE)
    for i, shot in enumerate(itertools.cycle([*shots, *shots[-2:0:-1]])):
        yield Shot(replace(shot.frame, stamp_ns=1_000_000_000 + i * step_ns), shot.detections)


def full_speed(publish: Callable[[], int], client: Any, check: Callable[[], None], n: int) -> dict[str, Any]:
    """Frames per second with three frames on their way, and the ones lost."""
    from loci.replay import n_taken_in, wait_for_stamp

    stamps: list[int] = []
    before = n_taken_in(client)
    began = time.perf_counter()
    for _ in range(n):
        check()
        stamps.append(publish())
        if len(stamps) > 3:
            wait_for_stamp(client, stamps[-4])
    wait_for_stamp(client, stamps[-1])
    seconds = time.perf_counter() - began
    return {"frames": n, "lost": max(0, n - (n_taken_in(client) - before)), "frames_per_s": round(n / seconds, 2)}


def under_load(publish: Callable[[], int], client: Any, check: Callable[[], None], seconds: float) -> dict[str, Any]:
    """Stream at `RATE` for some time while a process asks; what was dropped, how late frames arrive, how long answers take."""
    from loci.replay import n_taken_in

    before = n_taken_in(client)
    # As a planner does, from a process of its own: streaming and asking do not wait for one another's interpreter.
    spawn = multiprocessing.get_context("spawn")
    stop, asking = spawn.Event(), spawn.Event()
    answers = spawn.Queue()
    asker = spawn.Process(target=ask, args=(asking, stop, answers), name="asker")
    asker.start()
    n, behind, last = 0, 0.0, 0
    while not asking.wait(0.1):
        check()
        if not asker.is_alive():
            raise RuntimeError("the process that asks has died: see above")
    began = time.perf_counter()
    try:
        while time.perf_counter() - began < seconds:
            check()
            due = began + n / RATE
            time.sleep(max(0.0, due - time.perf_counter()))
            behind = max(behind, time.perf_counter() - due)
            last = publish()
            n += 1
    finally:
        stop.set()
    took = answers.get(timeout=60.0)
    asker.join()
    began_wait = time.perf_counter()
    client.statistics(min_stamp_ns=last)
    backlog = time.perf_counter() - began_wait
    taken = n_taken_in(client) - before
    return {
        "seconds": seconds,
        "published": n,
        "taken_in": taken,
        "dropped": max(0, n - taken),
        "publisher_latest_s": round(behind, 3),
        "backlog_at_end_s": round(backlog, 3),
        "round_trip_ms": {name: quantiles(took.get(name, []), 50, 99) for name in QUERIES},
    }


def print_nodes(name: str, result: dict[str, Any]) -> None:
    """What the processes did, as tables."""
    full, load = result["full_speed"], result["at_10_hz"]
    print(
        f"\n{name}: processes over DDS\n  full speed: {full['frames_per_s']} frames/s over {full['frames']} frames, {full['lost']} lost"
    )
    print(
        f"  at {RATE:g} frames/s for {load['seconds']:g} s: {load['published']} published, {load['dropped']} dropped, "
        f"backlog at the end {load['backlog_at_end_s']:.2f} s"
    )
    rows = [[kind, q.get("p50", ""), q.get("p99", ""), q["n"]] for kind, q in load["round_trip_ms"].items()]
    print(table(("round trip meanwhile", "p50 [ms]", "p99 [ms]", "times"), rows))
    mib = result["resident_memory"]["mib"]
    rows = [[process, values[0], values[len(values) // 2], values[-1], max(values)] for process, values in mib.items()]
    print(table(("resident memory [MiB]", "start", "middle", "end", "most"), rows), flush=True)


def main() -> int:
    """Run all parts, or those chosen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--kitchen", type=Path, default=Path(os.environ.get("LOCI_DATA", "../shared/data")) / "kitchen_rgbd"
    )
    parser.add_argument("--frames", type=int, default=150, help="frames of each data set (default 150)")
    parser.add_argument("--seconds", type=float, default=60.0, help="of streaming at 10 frames/s (default 60)")
    parser.add_argument("--only", choices=("library", "nodes"))
    a = parser.parse_args()
    from loci.environment import ensure_ros_environment

    if a.only != "library":
        ensure_ros_environment()
    here = machine()
    print(
        f"{here['cpu']}, {here['cores']} cores, load {here['load']:.1f}, Python {here['python']}, commit {here['commit'] or '-'}"
    )
    result: dict[str, Any] = {}
    sets: dict[str, tuple[Callable[[], list[Shot]], str]] = {"apartment": (lambda: drive(a.frames), "external")}
    if a.kitchen.is_dir():
        sets = {"kitchen": (lambda: kitchen_shots(a.kitchen, a.frames), "geometric"), **sets}
    else:
        print(
            f"no kitchen frames at {a.kitchen}: set LOCI_DATA or --kitchen; only the apartment is measured",
            file=sys.stderr,
        )
    for name, (make, detector) in sets.items():
        shots = make()
        result[name] = {"frames": len(shots), "detector": detector}
        if a.only != "nodes":
            result[name]["library"] = library(shots, detect=detector != "external")
            print_library(name, result[name]["library"])
        if a.only != "library":
            result[name]["nodes"] = nodes(shots, detector, a.seconds)
            print_nodes(name, result[name]["nodes"])
    print(f"\nwritten to {write_result('pipeline', result)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
