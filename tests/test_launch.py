"""Launch files: the arguments of the documentation, the parameters and topics that were given and no others.

They are written for the real `launch` and `launch_ros`; where those cannot be imported, stand-ins record what would be started.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml

from loci.up import build_parser, processes_of

ROOT = Path(__file__).parents[1]
ROBOT = {
    "color": "/front/color/image_raw",
    "depth": "/front/depth/image_raw",
    "depth_info": "/front/depth_info",
    "pose_source": "odometry",
    "odometry": "/odom",
    "tf": "/robot1/tf",
    "storage": "/var/lib/loci",
    "memory": "home",
    "device": "cuda",
    "namespace": "robot1",
    "config": str(ROOT / "config"),
    "use_sim_time": "true",
    "autostart": "false",
}


class _Recorder(SimpleNamespace):
    """Keeps the arguments of its construction."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(args=args, **kwargs)


class _LaunchConfiguration(_Recorder):
    def perform(self, context: dict[str, str]) -> str:
        return context.get(self.args[0], "")


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules `launch`, `launch_ros` and `ament_index_python` with just what the launch files import."""
    contents: dict[str, dict[str, Any]] = {
        "launch": {"LaunchContext": dict, "LaunchDescription": list},
        "launch.actions": dict.fromkeys(
            ("DeclareLaunchArgument", "IncludeLaunchDescription", "OpaqueFunction"), _Recorder
        ),
        "launch.launch_description_sources": {"PythonLaunchDescriptionSource": _Recorder},
        "launch.substitutions": {"LaunchConfiguration": _LaunchConfiguration},
        "launch_ros": {},
        "launch_ros.actions": {"Node": _Recorder},
        "ament_index_python": {},
        "ament_index_python.packages": {"get_package_share_directory": lambda name: str(ROOT)},
    }
    for name, attributes in contents.items():
        module = ModuleType(name)
        module.__dict__.update(attributes)
        monkeypatch.setitem(sys.modules, name, module)


def load(name: str) -> ModuleType:
    path = ROOT / "launch" / f"{name}.launch.py"
    spec = importlib.util.spec_from_file_location(f"{name}_launch", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.usefixtures("stand_ins")
@pytest.mark.parametrize("name", ["memory", "simulation"])
def test_every_argument_is_declared_with_a_description_and_without_a_value(name: str) -> None:
    module = load(name)
    *declared, _ = module.generate_launch_description()
    assert [argument.args[0] for argument in declared] == list(module.ARGUMENTS)
    assert all(argument.description and argument.default_value == "" for argument in declared)


@pytest.mark.usefixtures("stand_ins")
def test_the_launch_file_starts_what_loci_up_starts() -> None:
    options = [
        f"--{name.replace('_', '-')}={value}"
        for name, value in ROBOT.items()
        if name not in ("use_sim_time", "autostart")
    ]
    started = processes_of(build_parser().parse_args([*options, "--use-sim-time", "--no-autostart"]))
    launched = load("memory").nodes(ROBOT)
    for process, node in zip(started, launched, strict=True):
        assert process.module == f"loci.nodes.{node.executable}"
        *configs, parameters = node.parameters
        assert [str(path) for path in process.configs] == configs
        assert parameters == {**process.parameters}
        assert dict(node.remappings) == process.remappings
        assert node.namespace == process.namespace


@pytest.mark.usefixtures("stand_ins")
def test_without_arguments_everything_is_left_to_the_parameter_files() -> None:
    for node in load("memory").nodes({}):
        assert node.parameters == [str(ROOT / f"config/{node.executable}.yaml"), {}]
        assert node.remappings == []


@pytest.mark.usefixtures("stand_ins")
def test_the_simulation_passes_on_what_the_memory_takes() -> None:
    given = {"scene": "apartment:3", "memory": "apartment", "namespace": "sim", "autostart": "false"}
    simulator, follower, memory = load("simulation").actions(given)
    transports = {"color_transport": "compressed", "depth_transport": "compressed"}
    assert simulator.parameters[-1] == {"scene": "apartment:3", "rate_hz": 5.0, "autostart": False} | transports
    assert follower.parameters == [str(ROOT / "config/follower.yaml"), {"use_sim_time": True, "autostart": False}]
    assert follower.namespace == "sim"
    passed = dict(memory.launch_arguments)
    assert passed.keys() <= load("memory").ARGUMENTS.keys()
    assert passed["memory"] == "apartment"
    assert Path(passed["camera_config"]).is_file()
    assert Path(memory.args[0].args[0]).is_file()


@pytest.mark.usefixtures("stand_ins")
def test_the_simulation_takes_habitat_with_its_interpreter_and_dataset() -> None:
    given = {
        "simulator": "habitat",
        "scene": "00800-TEEsavR23oF",
        "scene_dataset": "/data/hm3d.scene_dataset_config.json",
        "habitat_python": "/opt/habitat/bin/python",
    }
    simulator, _, memory = load("simulation").actions(given)
    assert given.items() <= simulator.parameters[-1].items()
    assert not given.keys() & dict(memory.launch_arguments).keys()


@pytest.mark.usefixtures("stand_ins")
def test_the_simulators_camera_is_the_one_that_its_parameter_file_describes() -> None:
    from loci_sim.parameters import perception_parameters

    given = yaml.safe_load((ROOT / "config/simulator_camera.yaml").read_text())["/**"]["ros__parameters"]
    expected: dict[str, Any] = {**perception_parameters(**load("simulation").TRANSPORTS), "use_sim_time": True}
    extrinsic = expected.pop("camera_extrinsic")
    assert given.pop("camera_extrinsic") == pytest.approx(extrinsic)
    assert given == expected


@pytest.mark.parametrize("name", ["memory", "simulation"])
def test_the_real_launch_takes_the_launch_file(name: str) -> None:
    launch = pytest.importorskip("launch", reason="launch is not on PyPI: source a ROS 2 to test with it")
    pytest.importorskip("launch_ros")
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    source = PythonLaunchDescriptionSource(str(ROOT / f"launch/{name}.launch.py"))
    context = launch.LaunchContext()
    context.launch_configurations.update(ROBOT if name == "memory" else {"config": str(ROOT / "config")})
    description = source.get_launch_description(context)
    *declared, function = description.entities
    for argument in declared:
        argument.visit(context)
    assert len(function.execute(context)) == 3
