"""Memory, perception and planner for a robot's camera.

ros2 launch loci_ros memory.launch.py color:=/camera/color/image_raw depth:=/camera/depth/image_raw pose_source:=tf memory:=home

An argument that is not given leaves its parameter to the YAML files of `config`.
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

ARGUMENTS = {
    "namespace": "of all nodes",
    "memory": "name of the memory",
    "storage": "folder that holds one folder per memory",
    "device": "of the octree: cpu or cuda",
    "color": "topic of the colour image",
    "color_info": "topic of its camera_info; empty: beside the image",
    "depth": "topic of the depth image",
    "depth_info": "topic of its camera_info; empty: beside the image",
    "pose_source": "tf, pose or odometry",
    "pose": "topic of a PoseStamped, for pose_source:=pose",
    "odometry": "topic of an Odometry, for pose_source:=odometry",
    "tf": "topic of tf, where it is not /tf; tf_static beside it",
    "detections": "topic of a DetectionArray, for detector:=external",
    "detector": "geometric, open_vocabulary, external, vision_msgs or none (docs/detectors.md)",
    "planner": "offline or vision_language: what answers questions",
    "model": "for planner:=vision_language: the model's name at its endpoint",
    "model_base_url": "OpenAI-compatible endpoint of the model, e.g. http://127.0.0.1:11434/v1",
    "config": "folder with memory.yaml, perception.yaml and planner.yaml; empty: those of this package",
    "camera_config": "YAML file on top of perception.yaml: what is special about this camera",
    "use_sim_time": "true: time from /clock",
    "autostart": "false: wait for lifecycle transitions",
}
# Arguments that are parameters, by executable.
PARAMETERS = {
    "memory": {"memory": "memory_name", "storage": "storage_directory", "device": "device"},
    "perception": {"pose_source": "pose_source", "detector": "detector"},
    "planner": {"planner": "planner", "model": "model", "model_base_url": "model_base_url"},
}
FLAGS = ("use_sim_time", "autostart")


def generate_launch_description() -> LaunchDescription:
    declared = [DeclareLaunchArgument(name, default_value="", description=what) for name, what in ARGUMENTS.items()]
    return LaunchDescription([*declared, OpaqueFunction(function=nodes)])


def nodes(context: LaunchContext) -> list[Node]:
    """The three processes, with the arguments that were given."""
    given = {name: value for name in ARGUMENTS if (value := LaunchConfiguration(name).perform(context))}
    config = Path(given.get("config") or Path(get_package_share_directory("loci_ros"), "config"))
    flags = {name: given[name].lower() in ("true", "1") for name in FLAGS if name in given}
    camera_config = [given["camera_config"]] if "camera_config" in given else []
    return [
        Node(
            package="loci_ros",
            executable=executable,
            namespace=given.get("namespace", ""),
            parameters=[
                str(config / f"{executable}.yaml"),
                *(camera_config if executable == "perception" else []),
                {parameter: given[name] for name, parameter in names.items() if name in given} | flags,
            ],
            remappings=camera_remappings(given) if executable == "perception" else [],
            output="both",
            sigterm_timeout="15",  # the memory writes what it holds
        )
        for executable, names in PARAMETERS.items()
    ]


def camera_remappings(given: dict[str, str]) -> list[tuple[str, str]]:
    """An image brings its compressed forms along, and its camera_info from beside it, as image_transport has it."""
    remappings = [(name, given[name]) for name in ("pose", "odometry", "detections") if name in given]
    if "tf" in given:
        remappings += [("/tf", given["tf"]), ("/tf_static", given["tf"] + "_static")]
    for camera in ("color", "depth"):
        image = given.get(camera)
        if image:
            remappings += [(f"{camera}/image{form}", image + form) for form in ("", "/compressed", "/compressedDepth")]
        info = given.get(f"{camera}_info") or (image and image.rpartition("/")[0] + "/camera_info")
        if info:
            remappings.append((f"{camera}/camera_info", info))
    return remappings
