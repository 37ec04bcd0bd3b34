"""The simulators: images per second, latency of a step, cost of moving a thing, memory, and whether two runs are alike.

`make bench NAME=sim` prints a table and writes out/bench/sim.json. Labels and instances come from the same rays as colour and
depth in the embedded simulator: all its images are always made, so that `rgbd_fps` and `rgbd_labels_fps` are the same measurement.
Habitat is measured where LOCI_HABITAT_PYTHON names an interpreter with habitat_sim.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from common import quantiles, resident_mib, table, write_result
from loci.geometry import look_at
from loci.planning.protocols import ACTIONS
from loci_sim.cameras import CameraMount
from loci_sim.embedded import EmbeddedSimulator, RobotParameters
from loci_sim.habitat.axes import camera_to_habitat
from loci_sim.habitat.process import PYTHON_VARIABLE
from loci_sim.habitat.simulator import HabitatSimulator
from loci_sim.meshes import planar_pose
from loci_sim.noise import NoiseParameters
from loci_sim.person import plan_day
from loci_sim.scenes import ScenePath, generate_apartment, resolve_scene
from loci_sim.simulators import AnySimulator

N_STEPS = 60


def timed(work: Callable[[], Any]) -> float:
    """Wall time of a call [ms]."""
    begin = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - begin)


def random_steps(simulator: AnySimulator, n: int, look: Callable[[], Any]) -> dict[str, float]:
    """Quantiles of the time [ms] that a random action and ``look`` take together, at places all over the scene."""
    rng = np.random.default_rng(0)
    look()  # compiles
    times, spent = [], 0.0
    for i in range(n):
        if i % 10 == 0:
            simulator.reset(i)
        action = ACTIONS[int(rng.integers(len(ACTIONS)))]
        begin = time.process_time()
        times.append(timed(lambda action=action: (simulator.step(action), look())))
        spent += time.process_time() - begin
    # On a busy machine the processor's time says more than the clock; all threads together.
    return {**quantiles(times, 50, 95), "cpu_mean": round(1e3 * spent / n, 3)}


def images(files: ScenePath, threads: int, n: int) -> dict[str, dict[str, float]]:
    """Time of a step with what is then observed [ms], by set of sensors."""
    simulator = EmbeddedSimulator(files, threads=threads)
    noisy = EmbeddedSimulator(files, noise=NoiseParameters(depth=1.0, color=1.0), threads=threads)
    camera = RobotParameters(width=320, height=240).camera
    mounts = [
        CameraMount(f"camera_{i}", camera, look_at((0.0, 0.0, 1.0), (np.cos(yaw), np.sin(yaw), 0.8)))
        for i, yaw in enumerate((0.0, 2.1, -2.1))
    ]
    return {
        "RGB-D + labels 640x480": random_steps(simulator, n, simulator.observe),
        "the same with Kinect and colour noise": random_steps(noisy, n // 2, noisy.observe),
        "three cameras 320x240": random_steps(simulator, n // 2, lambda: simulator.observe_cameras(mounts)),
        "panorama 1024x512": random_steps(simulator, n // 4, simulator.panorama),
        "step without images": random_steps(simulator, n, lambda: None),
    }


def moves(files: ScenePath) -> dict[str, float]:
    """Quantiles of what one moved thing costs [ms]: finding its place, moving it, and what the next image takes longer."""
    simulator = EmbeddedSimulator(files, RobotParameters(width=64, height=48))
    events = plan_day(simulator.scene, 0, 1000.0, 20)
    simulator.add_person(events)
    simulator.observe()
    times = []
    while len(simulator.deeds) < len(events):
        n = len(simulator.deeds)
        spent = timed(lambda: (simulator.advance(5.0), simulator.observe()))
        done = len(simulator.deeds) - n
        if done == 1 and not simulator.deeds[-1].reason:
            simulator.advance(0.0)
            times.append(spent - timed(simulator.observe))
    return quantiles(times, 50, 95)


def run_hash(scene: Path) -> str:
    """Hash of a run with everything that draws: steps, drives, noise, drift and a person."""
    noise = NoiseParameters(1.0, 1.0, 0.05, 0.02, seed=3)
    simulator = EmbeddedSimulator(scene, RobotParameters(width=160, height=120), noise=noise, threads=0)
    simulator.add_person(plan_day(simulator.scene, 1, 40.0))
    simulator.reset(4)
    rng, digest = np.random.default_rng(1), hashlib.sha256()
    for _ in range(40):
        if rng.random() < 0.5:
            simulator.step(ACTIONS[int(rng.integers(len(ACTIONS)))])
        else:
            simulator.drive(float(rng.uniform(0.0, 0.6)), float(rng.normal()), 0.7)
        o = simulator.observe()
        for array in (o.color, o.depth, o.semantic, o.instances, o.T_map_camera, o.T_map_camera_true):
            digest.update(np.ascontiguousarray(array).tobytes())
    digest.update(repr(simulator.ground_truth()).encode())
    return digest.hexdigest()


def in_another_process(scene: Path) -> str:
    """The same run's hash in a fresh interpreter."""
    command = [sys.executable, __file__, "--hash", str(scene)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def habitat(scene: Path, cache: Path, n: int) -> dict[str, Any]:
    """The same scene in Habitat: starting it, and quantiles [ms] of steps with what is then observed."""
    # The first one also exports the scene.
    export = timed(lambda: HabitatSimulator(str(scene), cache=cache).close())
    begin = time.perf_counter()
    simulator = HabitatSimulator(str(scene), cache=cache)
    simulator.observe()
    start = time.perf_counter() - begin
    try:
        found = {
            "RGB-D + labels 640x480": random_steps(simulator, n, simulator.observe),
            "RGB-D 640x480": random_steps(simulator, n, lambda: rgbd(simulator)),
            "step without images": random_steps(simulator, n, lambda: None),
        }
        assert simulator.client.worker is not None
        return {
            "rgbd_fps": round(1e3 / found["RGB-D 640x480"]["p50"], 2),
            "rgbd_labels_fps": round(1e3 / found["RGB-D + labels 640x480"]["p50"], 2),
            "step_ms": found["step without images"],
            "start_s": round(start, 2),
            "first_start_s": round(export / 1e3, 2),
            "worker_mib": round(resident_mib(simulator.client.worker.pid), 1),
            "habitat_sim": simulator.client.worker.found["habitat_sim"],
            "milliseconds": found,
        }
    finally:
        simulator.close()


def rgbd(simulator: HabitatSimulator) -> None:
    """Colour and depth alone, as a planner's camera has them."""
    T_map_camera = planar_pose(*simulator.position(), simulator.heading()) @ simulator.parameters.T_base_camera
    simulator.client.render({"camera": camera_to_habitat(T_map_camera)}, ("color", "depth"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of the apartment")
    parser.add_argument("--scene", default="", help="another scene, as the simulator takes it, instead of an apartment")
    parser.add_argument("--steps", type=int, default=N_STEPS)
    parser.add_argument("--hash", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.hash is not None:
        print(run_hash(arguments.hash))
        return
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        named, cache = arguments.scene, Path(folder)
        files = resolve_scene(named, cache) if named else generate_apartment(arguments.seed, cache)
        generation = time.perf_counter() - begin
        begin = time.perf_counter()
        simulator = EmbeddedSimulator(files)
        loading = time.perf_counter() - begin
        n_triangles = sum(len(m.triangles) for node in simulator.scene.nodes for m in node.meshes)
        n_objects, n_rooms = len(simulator.scene.objects), len(simulator.scene.rooms)
        cores = len(os.sched_getaffinity(0))
        by_threads = {threads: images(files, threads, arguments.steps) for threads in sorted({1, cores})}
        moved = moves(files)
        memory = resident_mib(os.getpid())
        hashes = [in_another_process(files.glb) for _ in range(2)]
        in_habitat = habitat(files.glb, cache, arguments.steps) if os.environ.get(PYTHON_VARIABLE) else {}
    rows = [
        [name, threads, q["p50"], q["p95"], q["cpu_mean"], 1e3 / q["p50"], q["n"]]
        for threads, found in by_threads.items()
        for name, q in found.items()
    ]
    rows.append(["moving one thing", 1, moved["p50"], moved["p95"], "", 1e3 / moved["p50"], moved["n"]])
    print(f"{simulator.map_id}: {n_rooms} rooms, {n_objects} objects, {n_triangles} triangles")
    print(table(("a step and", "threads", "p50 [ms]", "p95 [ms]", "CPU [ms]", "1/s", "n"), rows))
    print(f"generated in {generation:.2f} s, loaded in {loading:.2f} s, {memory:.0f} MiB resident")
    print(
        f"two runs in processes of their own are {'alike' if hashes[0] == hashes[1] else 'DIFFERENT'}: {hashes[0][:16]}"
    )
    if in_habitat:
        print(f"Habitat {in_habitat['habitat_sim']}")
        found = in_habitat["milliseconds"].items()
        header = ("a step and", "p50 [ms]", "p95 [ms]", "1/s", "n")
        print(table(header, [[name, q["p50"], q["p95"], 1e3 / q["p50"], q["n"]] for name, q in found]))
        print(
            f"started in {in_habitat['start_s']:.2f} s ({in_habitat['first_start_s']:.2f} s with the export), "
            f"worker {in_habitat['worker_mib']:.0f} MiB resident"
        )
    else:
        print(f"Habitat is not measured: {PYTHON_VARIABLE} names no interpreter")
    fps = 1e3 / by_threads[cores]["RGB-D + labels 640x480"]["p50"]
    result = {
        "embedded": {"rgbd_fps": round(fps, 2), "rgbd_labels_fps": round(fps, 2)},
        **({"habitat": in_habitat} if in_habitat else {}),
        "scene": {"map_id": simulator.map_id, "rooms": n_rooms, "objects": n_objects, "triangles": n_triangles},
        "milliseconds": {f"{threads} threads": found for threads, found in by_threads.items()},
        "move_ms": moved,
        "generation_s": round(generation, 2),
        "loading_s": round(loading, 2),
        "resident_mib": round(memory, 1),
        "hashes": hashes,
    }
    print(write_result("sim", result))
    if hashes[0] != hashes[1]:
        raise SystemExit("expected the same images from the same seeds, got different ones")


if __name__ == "__main__":
    main()
