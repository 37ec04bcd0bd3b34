"""A simulator, and the memory that watches its camera and takes its instance masks as detections.

ros2 launch loci_ros simulation.launch.py scene:=apartment:3 memory:=apartment
ros2 launch loci_ros simulation.launch.py simulator:=habitat scene:=home:3 habitat_python:=$HOME/miniconda3/envs/habitat/bin/python
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

ARGUMENTS = {
    "namespace": "of all nodes",
    "simulator": "embedded or habitat; empty: as the YAML file says",
    "scene": "FAMILY:SEED (loci sim scenes list), or the path of a .glb; with scene_dataset an id in it",
    "scene_dataset": "for habitat: path of the .scene_dataset_config.json that has the scene",
    "habitat_python": "for habitat: Python interpreter that has habitat_sim; empty: $LOCI_HABITAT_PYTHON, else python3",
    "rate": "images per second besides those after each step; empty: 5",
    "memory": "name of the memory",
    "storage": "folder that holds one folder per memory",
    "device": "of the octree: cpu or cuda",
    "config": "folder with the YAML files of all nodes; empty: those of this package",
    "autostart": "false: wait for lifecycle transitions",
}
# What only the simulator takes, and takes as it is given.
SIMULATOR = ("simulator", "scene", "scene_dataset", "habitat_python")
# As simulator_camera.yaml says. Raw images are so large that DDS loses small messages beside them, and sends a lost pose anew
# up to 2 s later: too late for its image.
TRANSPORTS = {"color_transport": "compressed", "depth_transport": "compressed"}


def generate_launch_description() -> LaunchDescription:
    declared = [DeclareLaunchArgument(name, default_value="", description=what) for name, what in ARGUMENTS.items()]
    return LaunchDescription([*declared, OpaqueFunction(function=actions)])


def actions(context: LaunchContext) -> list:
    """The processes of the simulator and of the follower of goal_pose, and memory.launch.py."""
    given = {name: value for name in ARGUMENTS if (value := LaunchConfiguration(name).perform(context))}
    config = Path(given.get("config") or Path(get_package_share_directory("loci_ros"), "config"))
    own = {name: given[name] for name in SIMULATOR if name in given}
    if "autostart" in given:
        own["autostart"] = given["autostart"].lower() in ("true", "1")
    simulator = Node(
        package="loci_ros",
        executable="simulator",
        namespace=given.get("namespace", ""),
        parameters=[str(config / "simulator.yaml"), {"rate_hz": float(given.get("rate", 5.0))} | TRANSPORTS | own],
        output="both",
    )
    follower = Node(
        package="loci_ros",
        executable="follower",
        namespace=given.get("namespace", ""),
        parameters=[
            str(config / "follower.yaml"),
            {"use_sim_time": True} | ({"autostart": own["autostart"]} if "autostart" in own else {}),
        ],
        output="both",
    )
    passed = {name: value for name, value in given.items() if name not in (*SIMULATOR, "rate")}
    passed |= {"camera_config": str(config / "simulator_camera.yaml"), "use_sim_time": "true"}
    memory = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(Path(__file__).with_name("memory.launch.py"))),
        launch_arguments=passed.items(),
    )
    return [simulator, follower, memory]
