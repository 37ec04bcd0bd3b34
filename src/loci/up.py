"""`loci up`: the nodes as processes with logs and a clean stop, for people without `ros2 launch`.

`launch/memory.launch.py` starts the same nodes with the same arguments; `Processes` serves the demo and replay as well.
Standard library only: it must start at once, and it must work where a node cannot be imported.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from loci.environment import ensure_ros_environment, interfaces_prefix, ros_environment
from loci.errors import UserError

#: What a ROS parameter may hold.
Value = bool | int | float | str | Sequence[float]
#: How long a process may take to stop before the next, harder signal [s]: the memory writes what it holds.
STOP_TIMEOUTS = ((signal.SIGINT, 15.0), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0))
#: Lines of a log that are shown when its process died.
N_LAST_LINES = 20


@dataclass(frozen=True)
class Process:
    """One node process: `python -m MODULE --ros-args ...`, tied to this one (`loci.lifeline`).

    Attributes:
        name: for logs and messages.
        module: that holds `main`.
        configs: YAML files with parameters, later ones on top.
        parameters: on top of ``configs``, for all nodes in the process.
        remappings: topic to topic.
        namespace: of its nodes; empty: none.
    """

    name: str
    module: str
    configs: Sequence[Path] = ()
    parameters: Mapping[str, Value] = field(default_factory=dict)
    remappings: Mapping[str, str] = field(default_factory=dict)
    namespace: str = ""

    def command(self) -> list[str]:
        """The command line."""
        ros = []
        for path in self.configs:
            ros += ["--params-file", str(path)]
        for name, value in self.parameters.items():
            ros += ["-p", f"{name}:={json.dumps(value)}"]  # JSON is YAML: "1" stays a string, 1.0 a double
        for source, target in self.remappings.items():
            ros += ["-r", f"{source}:={target}"]
        if self.namespace:
            ros += ["-r", f"__ns:=/{self.namespace.strip('/')}"]
        return [sys.executable, "-m", "loci.lifeline", self.module, "--ros-args", *ros]


class Processes:
    """Running processes, stopped in reverse order when the block ends.

    Args:
        processes: started in this order.
        logs: folder for one NAME.log each.
        echo: also print their lines, with the name in front.
    """

    def __init__(self, processes: Sequence[Process], logs: Path, *, echo: bool = False) -> None:
        self.logs = logs
        self._echo = echo
        self._running: list[_Running] = []
        logs.mkdir(parents=True, exist_ok=True)
        width = max(len(process.name) for process in processes)
        try:
            for process in processes:
                self._running.append(
                    _Running(process, logs / f"{process.name}.log", f"[{process.name:<{width}}] " if echo else None)
                )
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by name."""
        return {running.name: running.popen.pid for running in self._running}

    def check(self) -> None:
        """Raises:
        UserError: a process has ended, with the last lines of its log.
        """
        for running in self._running:
            status = running.popen.poll()
            if status is not None:
                how = f"with status {status}" if status >= 0 else f"by {signal.Signals(-status).name}"
                raise UserError(
                    f"{running.name} ended {how}; its log is {running.log}",
                    details="" if self._echo else running.last_lines(),
                )

    def stop(self) -> list[str]:
        """Stop all of them, the last started first; returns the names of those that had to be killed."""
        killed = []
        for running in reversed(self._running):
            if running.stop() == -signal.SIGKILL:
                killed.append(running.name)
        self._running.clear()
        return killed


class _Running:
    """One process, with a thread that copies its output to its log."""

    def __init__(self, process: Process, log: Path, prefix: str | None) -> None:
        self.name = process.name
        self.log = log
        self._last: deque[str] = deque(maxlen=N_LAST_LINES)
        # A session of its own: Ctrl-C reaches this program only, which then stops its children in order.
        self.popen = subprocess.Popen(
            process.command(),
            env={**ros_environment(), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.PIPE,  # its lifeline
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._copier = threading.Thread(target=self._copy, args=(prefix,), name=f"log {self.name}", daemon=True)
        self._copier.start()

    def last_lines(self) -> str:
        """End of the log."""
        self._copier.join(1.0)
        return "".join(self._last)

    def stop(self) -> int:
        """Returns the exit status."""
        for number, timeout in STOP_TIMEOUTS:
            if self.popen.poll() is not None:
                break
            self.popen.send_signal(number)
            try:
                self.popen.wait(timeout)
            except subprocess.TimeoutExpired:
                continue
        self._copier.join(1.0)
        assert self.popen.stdin is not None
        self.popen.stdin.close()
        return self.popen.wait()

    def _copy(self, prefix: str | None) -> None:
        assert self.popen.stdout is not None
        with self.log.open("w", encoding="utf-8") as log, self.popen.stdout as lines:
            for line in lines:
                log.write(line)
                log.flush()
                self._last.append(line)
                if prefix is not None:
                    print(prefix + line, end="", flush=True)


def config_file(name: str, directory: Path | None = None) -> Path:
    """Parameter file of a node, from ``directory`` or from the installed package.

    Raises:
        UserError: there is none.
    """
    if directory is None:
        prefix = interfaces_prefix()
        if prefix is None:
            raise UserError("the ROS package loci_ros is not built, or not sourced", "loci doctor")
        directory = prefix / "share" / "loci_ros" / "config"
    path = directory / f"{name}.yaml"
    if not path.is_file():
        raise UserError(f"no parameter file {path}")
    return path


def camera_remappings(topics: Mapping[str, str]) -> dict[str, str]:
    """Remappings of a perception node, from any of color, color_info, depth, depth_info, pose, odometry, tf, detections.

    An image brings its compressed forms along, and its camera_info from beside it, as image_transport has it.
    """
    remappings = {}
    for camera in ("color", "depth"):
        image = topics.get(camera, "")
        info = topics.get(f"{camera}_info", "") or (image.rpartition("/")[0] + "/camera_info" if image else "")
        if image:
            for transport in ("", "/compressed", "/compressedDepth"):
                remappings[f"{camera}/image{transport}"] = image + transport
        if info:
            remappings[f"{camera}/camera_info"] = info
    for name in ("pose", "odometry", "detections"):
        if topics.get(name):
            remappings[name] = topics[name]
    if topics.get("tf"):
        remappings |= {"/tf": topics["tf"], "/tf_static": topics["tf"] + "_static"}
    return remappings


def build_parser() -> argparse.ArgumentParser:
    """Options of `loci up`; what is not given is as the parameter files say."""
    parser = argparse.ArgumentParser(
        prog="loci up",
        description="Starts memory, perception and planner for a robot's camera, until Ctrl-C. Parameters that are not given here "
        "are those of the files in --config.",
        epilog="example:\n  loci up --color /camera/color/image_raw --depth /camera/aligned_depth_to_color/image_raw \\\n"
        "          --pose-source odometry --odometry /odom --memory home\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--memory", metavar="NAME", help="name of the memory")
    parser.add_argument("--storage", type=Path, metavar="DIR", help="folder that holds one folder per memory")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="device of the octree")
    parser.add_argument("--namespace", default="", help="of all nodes")
    topics = parser.add_argument_group("camera")
    for name, what in (
        ("color", "colour image"),
        ("color-info", "its camera_info (default: beside the image)"),
        ("depth", "depth image"),
        ("depth-info", "its camera_info (default: beside the image)"),
        ("pose", "PoseStamped, with --pose-source pose"),
        ("odometry", "Odometry, with --pose-source odometry"),
        ("tf", "tf, where it is not /tf; tf_static beside it"),
        ("detections", "DetectionArray, with --detector external"),
    ):
        topics.add_argument(f"--{name}", default="", metavar="TOPIC", help=what)
    topics.add_argument("--pose-source", choices=("tf", "pose", "odometry"), help="where poses come from")
    topics.add_argument(
        "--detector",
        choices=("geometric", "open_vocabulary", "external", "vision_msgs", "none"),
        help="what finds objects",
    )
    model = parser.add_argument_group("planner")
    model.add_argument("--planner", choices=("offline", "vision_language"), help="what answers questions")
    model.add_argument("--model", metavar="NAME", help="for vision_language: the model's name at its endpoint")
    model.add_argument("--model-base-url", metavar="URL", help="its endpoint, e.g. http://127.0.0.1:11434/v1")
    parser.add_argument(
        "--config", type=Path, metavar="DIR", help="folder with memory.yaml, perception.yaml, planner.yaml"
    )
    topics.add_argument(
        "--camera-config",
        type=Path,
        metavar="FILE",
        help="YAML on top of perception.yaml: what is special about this camera",
    )
    parser.add_argument(
        "--logs", type=Path, default=Path("~/.local/share/loci/logs"), metavar="DIR", help="(default %(default)s)"
    )
    parser.add_argument("--use-sim-time", action="store_true", help="time from /clock")
    parser.add_argument("--no-autostart", action="store_true", help="wait for lifecycle transitions")
    parser.add_argument("--no-planner", action="store_true", help="memory and perception only")
    return parser


def processes_of(a: argparse.Namespace) -> list[Process]:
    """What the options of `loci up` start; parameters that were not given are left to the parameter files.

    Raises:
        UserError: a parameter file is missing.
    """
    storage = None if a.storage is None else str(a.storage.expanduser().resolve())
    parameters: dict[str, dict[str, Value | None]] = {
        "memory": {"memory_name": a.memory, "storage_directory": storage, "device": a.device},
        "perception": {"pose_source": a.pose_source, "detector": a.detector},
        "planner": {"planner": a.planner, "model": a.model, "model_base_url": a.model_base_url},
    }
    if a.no_planner:
        del parameters["planner"]
    common: dict[str, Value | None] = {
        "use_sim_time": a.use_sim_time or None,
        "autostart": False if a.no_autostart else None,
    }
    configs = {name: [config_file(name, a.config)] for name in parameters}
    if a.camera_config is not None:
        configs["perception"].append(a.camera_config)
    return [
        Process(
            name,
            f"loci.nodes.{name}",
            configs[name],
            {key: value for key, value in (own | common).items() if value is not None},
            camera_remappings(vars(a)) if name == "perception" else {},
            a.namespace,
        )
        for name, own in parameters.items()
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """`loci up`: run until Ctrl-C or SIGTERM, or until a process dies."""
    ensure_ros_environment()
    options = build_parser().parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    began = time.monotonic()
    with Processes(processes_of(options), options.logs.expanduser(), echo=True) as processes:
        print(f"loci: started; logs in {processes.logs}; stop with Ctrl-C", flush=True)
        while not stop.wait(0.2):
            processes.check()
        print(f"\nloci: stopping after {time.monotonic() - began:.0f} s", flush=True)
        killed = processes.stop()
    if killed:
        raise UserError(
            f"did not stop in time and had to be killed: {', '.join(killed)}; see the logs in {processes.logs}"
        )
    return 0
