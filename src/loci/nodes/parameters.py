"""Parameters of the nodes: one table per node says name, default, unit, range and meaning.

From it the node declares them (with descriptors and ranges), the documentation's tables are made, and the configuration
files are tested. Needs no rclpy to be imported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from loci.observation import check_name

if TYPE_CHECKING:
    from rclpy.node import Node

Value = bool | int | float | str | tuple[float, ...]


@dataclass(frozen=True)
class Parameter:
    """One parameter of a node.

    Attributes:
        name: as in a YAML file.
        default: its type is the parameter's type; a tuple is an array of numbers.
        description: one line.
        unit: e.g. ``"m"``; empty: none.
        lower, upper: smallest and largest value of a number (also of each in an array), or None.
        choices: allowed texts; empty: any.
        check: raises ValueError for a text that is not allowed.
        setting: dotted name of the library setting that it sets, e.g. ``"spatial.octree.leaf_size"``; empty: none.
    """

    name: str
    default: Value
    description: str
    unit: str = ""
    lower: float | None = None
    upper: float | None = None
    choices: tuple[str, ...] = ()
    check: Callable[[str], object] | None = None
    setting: str = ""

    @property
    def type_name(self) -> str:
        """Type as ROS names it."""
        names = {bool: "bool", int: "int", float: "double", str: "string", tuple: "double[]"}
        return names[type(self.default)]

    @property
    def range_text(self) -> str:
        """Range or choices in words; empty: anything."""
        if self.choices:
            return ", ".join(f"`{c}`" if c else "empty" for c in self.choices)
        if self.lower is None:
            return ""
        return f"{_plain(self.lower)} to {_plain(self.upper)}" if self.upper is not None else f">= {_plain(self.lower)}"

    def validate(self, value: Value) -> None:
        """Check a value of the right type.

        Raises:
            ValueError: out of range, or not allowed.
        """
        what = f"{self.name} ({self.unit})" if self.unit else self.name
        if isinstance(value, str):
            if self.choices and value not in self.choices:
                raise ValueError(f"expected {what} among {', '.join(map(repr, self.choices))}, got {value!r}")
            if self.check is not None:
                self.check(value)
        elif isinstance(value, tuple):
            for v in value:
                self._check_number(what, v)
        elif not isinstance(value, bool):
            self._check_number(what, value)

    def _check_number(self, what: str, value: float) -> None:
        lower = -float("inf") if self.lower is None else self.lower
        upper = float("inf") if self.upper is None else self.upper
        if not (lower <= value <= upper):
            raise ValueError(f"expected {what} from {lower:g} to {upper:g}, got {value}")


def _plain(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:g}"


def _name_or_empty(what: str) -> Callable[[str], object]:
    return lambda value: check_name(value, what) if value else None


AUTOSTART = Parameter("autostart", True, "Configure and activate at the start; false: wait for lifecycle transitions.")
DIAGNOSTICS = Parameter("diagnostics_period", 1.0, "Time between two messages on /diagnostics.", "s", 0.1, 60.0)
SILENCE = Parameter(
    "silence_timeout",
    5.0,
    "Warn when an input was not received for so long; says why and what to do.",
    "s",
    0.5,
    3600.0,
)
MAP_FRAME = Parameter("map_frame", "map", "Frame that all poses refer to; z is up. Poses in another frame are refused.")
_PUBLISH_RATE = Parameter(
    "publish_rate", 1.0, "Topics are published at most so often, on change, and only if subscribed.", "Hz", 0.05, 30.0
)

MEMORY: tuple[Parameter, ...] = (
    AUTOSTART,
    Parameter("storage_directory", "~/.local/share/loci", "Folder that holds one folder per memory."),
    Parameter(
        "memory_name",
        "default",
        "Name of the memory: a name, not a path.",
        check=lambda v: check_name(v, "memory name"),
    ),
    Parameter(
        "map_id",
        "",
        "Map that poses refer to. Empty: a new map at every start, so that older content is found but never driven to.",
        check=_name_or_empty("map id"),
    ),
    MAP_FRAME,
    Parameter("device", "cpu", "Device of the octree: cpu, or cuda where torch has it.", choices=("cpu", "cuda")),
    Parameter("queue_size", 10, "Observations that may wait; the oldest is dropped and counted.", "", 1, 1000),
    Parameter(
        "commit_period",
        1.0,
        "At most so much is lost when the machine dies.",
        "s",
        0.1,
        60.0,
        setting="commit_period_s",
    ),
    Parameter("min_stamp_timeout", 5.0, "Longest wait for the min_stamp of a request.", "s", 0.0, 60.0),
    Parameter(
        "clock_jump",
        1.0,
        "A stamp that goes back by more than this begins a new session; by less, it is refused.",
        "s",
        0.1,
        3600.0,
    ),
    SILENCE,
    DIAGNOSTICS,
    Parameter(
        "keyframe_translation",
        0.1,
        "A camera that moved further gives a keyframe.",
        "m",
        0.01,
        10.0,
        setting="keyframes.translation",
    ),
    Parameter(
        "keyframe_rotation",
        0.17453292519943295,
        "A camera that turned further gives a keyframe.",
        "rad",
        0.01,
        3.2,
        setting="keyframes.rotation",
    ),
    Parameter(
        "keyframe_changed_share",
        0.05,
        "So much changed depth gives a keyframe, also at rest.",
        "share",
        0.001,
        1.0,
        setting="keyframes.changed_share",
    ),
    Parameter(
        "keyframe_changed_depth",
        0.1,
        "Depth that differs by more has changed.",
        "m",
        0.01,
        5.0,
        setting="keyframes.changed_depth",
    ),
    Parameter("leaf_size", 0.05, "Edge of the octree's voxels.", "m", 0.01, 1.0, setting="spatial.octree.leaf_size"),
    Parameter(
        "max_range",
        4.0,
        "Depth beyond is not built into the octree.",
        "m",
        0.2,
        60.0,
        setting="spatial.octree.max_range",
    ),
    Parameter(
        "object_max_range",
        3.5,
        "Detections beyond are not fused.",
        "m",
        0.2,
        60.0,
        setting="scene.objects.sightings.max_range",
    ),
    Parameter(
        "object_min_score",
        0.4,
        "Detections with a lower score are not used.",
        "",
        0.0,
        1.0,
        setting="scene.objects.sightings.min_score",
    ),
    Parameter("robot_radius", 0.2, "Clearance for paths.", "m", 0.01, 5.0, setting="spatial.robot_radius"),
    Parameter(
        "robot_height",
        1.5,
        "What is higher above the floor is no obstacle.",
        "m",
        0.1,
        10.0,
        setting="spatial.robot_height",
    ),
    Parameter(
        "max_step_height",
        0.0,
        "Steps that the robot can climb: stairs that were seen become paths and frontiers; 0: it does not climb by itself.",
        "m",
        0.0,
        0.5,
        setting="spatial.max_step_height",
    ),
    Parameter("place_radius", 1.5, "Distance between places.", "m", 0.2, 20.0, setting="spatial.places.radius"),
    Parameter(
        "preload_text_encoder", True, "Load the text model at the start, in the background; false: with the first text."
    ),
    Parameter(
        "short_term_capacity", 100, "Records in the short-term memory.", "", 1, 100000, setting="short_term_capacity"
    ),
    Parameter(
        "refresh_period",
        10,
        "Keyframes after which map, rooms and frontiers are brought up to date unasked.",
        "",
        1,
        1000,
        setting="refresh_period",
    ),
)

SPATIAL: tuple[Parameter, ...] = (
    AUTOSTART,
    _PUBLISH_RATE,
    Parameter(
        "voxels_level", 0, "Size of the cubes on `occupied_voxels`: 0: leaves; n: cubes of leaf size * 2^n.", "", 0, 8
    ),
    Parameter(
        "voxels_limit",
        200_000,
        "Most cubes on `occupied_voxels`: where there are more, they are published coarser.",
        "",
        1,
        10_000_000,
    ),
    DIAGNOSTICS,
)
SCENE: tuple[Parameter, ...] = (AUTOSTART, _PUBLISH_RATE, DIAGNOSTICS)
EPISODIC: tuple[Parameter, ...] = (AUTOSTART, DIAGNOSTICS)

PERCEPTION: tuple[Parameter, ...] = (
    AUTOSTART,
    Parameter(
        "camera_name", "camera", "Name of this camera in the memory.", check=lambda v: check_name(v, "camera name")
    ),
    MAP_FRAME,
    Parameter(
        "base_frame",
        "base_link",
        "Frame of the robot's base: what a PoseStamped or Odometry gives, unless pose_child_frame says otherwise.",
    ),
    Parameter(
        "camera_frame",
        "",
        "Optical frame of the colour camera (x right, y down, z forward). Empty: that of its images; else images of another frame are refused.",
    ),
    Parameter(
        "map_id", "", "Map that poses refer to. Empty: the memory's current one.", check=_name_or_empty("map id")
    ),
    Parameter("pose_source", "tf", "Where poses come from.", choices=("tf", "pose", "odometry")),
    Parameter("pose_child_frame", "", "Frame whose pose the PoseStamped or Odometry is. Empty: base_frame."),
    Parameter(
        "camera_extrinsic",
        (),
        "Pose of the colour camera's optical frame in pose_child_frame, x y z qx qy qz qw. Empty: the same frame, or from tf.",
        "m",
    ),
    Parameter(
        "depth_extrinsic",
        (),
        "Pose of the depth camera's optical frame in the colour camera's, x y z qx qy qz qw. Empty: the same frame, or from tf.",
        "m",
    ),
    Parameter(
        "max_pose_gap",
        0.5,
        "Poses of a topic further apart are not interpolated between; tf interpolates over any gap.",
        "s",
        0.001,
        60.0,
    ),
    Parameter("pose_timeout", 0.5, "Longest wait for the pose of an image.", "s", 0.0, 10.0),
    Parameter(
        "color_transport", "raw", "raw: color/image; compressed: color/image/compressed.", choices=("raw", "compressed")
    ),
    Parameter(
        "depth_transport",
        "raw",
        "raw: depth/image; compressedDepth: depth/image/compressedDepth; compressed: depth/image/compressed (16-bit PNG).",
        choices=("raw", "compressedDepth", "compressed"),
    ),
    Parameter("depth_unit", 0.001, "Metres per count of 16-bit depth.", "m", 1e-6, 1.0),
    Parameter("pairing_tolerance", 0.02, "Colour and depth further apart are not one image.", "s", 0.0, 1.0),
    Parameter("max_rate", 10.0, "Images beyond are left out before any work is done.", "Hz", 0.1, 120.0),
    Parameter(
        "reliable_inputs",
        False,
        "Subscribe reliably, for recordings and simulators; false: sensor QoS, which matches any publisher.",
    ),
    Parameter("queue_size", 4, "Images that may wait; the oldest is dropped and counted.", "", 1, 1000),
    Parameter(
        "self_mask", "", "Image file, white where the robot sees itself, of the colour image's size. Empty: none."
    ),
    Parameter(
        "detector",
        "geometric",
        "What finds objects. external: waits for `detections`; none: nothing does.",
        choices=("geometric", "external", "none"),
    ),
    Parameter(
        "detections_timeout", 1.0, "With external: an image goes on without detections after so long.", "s", 0.0, 30.0
    ),
    Parameter(
        "image_encoder",
        "descriptor",
        "What makes the image embedding; none: the memory does.",
        choices=("descriptor", "none"),
    ),
    SILENCE,
    DIAGNOSTICS,
)

PLANNER: tuple[Parameter, ...] = (
    AUTOSTART,
    MAP_FRAME,
    Parameter("memory_namespace", "", "Namespace of the memory's services. Empty: the planner's own."),
    Parameter("service_timeout", 10.0, "Longest wait for an answer of the memory.", "s", 0.5, 600.0),
    Parameter(
        "goal_tolerance",
        1.5,
        "A goal may be so far from the thing that it is for, where that stands on furniture or against a wall.",
        "m",
        0.0,
        10.0,
    ),
    Parameter("text_encoder", True, "Find labels by meaning (loads the text model once); false: by words only."),
    DIAGNOSTICS,
)

#: Table of every node, by the node's name.
TABLES: dict[str, tuple[Parameter, ...]] = {
    "memory": MEMORY,
    "spatial_memory": SPATIAL,
    "scene_memory": SCENE,
    "episodic_memory": EPISODIC,
    "perception": PERCEPTION,
    "planner": PLANNER,
}


def declare(node: Node, table: Sequence[Parameter]) -> None:
    """Declare a table's parameters on a node, with descriptors and ranges, and check them whenever they are set.

    Raises:
        ValueError: a value given at the start is of another type, out of range or not allowed.
    """
    from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
    from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
    from rclpy.parameter import Parameter as RosParameter

    by_name = {p.name: p for p in table}
    for p in table:
        unit = f" [{p.unit}]" if p.unit else ""
        descriptor = ParameterDescriptor(name=p.name, description=p.description + unit)
        if p.choices:
            descriptor.additional_constraints = "one of " + ", ".join(map(repr, p.choices))
        if isinstance(p.default, float) and p.lower is not None:
            upper = 1e308 if p.upper is None else p.upper
            descriptor.floating_point_range = [FloatingPointRange(from_value=p.lower, to_value=upper, step=0.0)]
        elif (
            isinstance(p.default, int)
            and not isinstance(p.default, bool)
            and p.lower is not None
            and p.upper is not None
        ):
            descriptor.integer_range = [IntegerRange(from_value=int(p.lower), to_value=int(p.upper), step=1)]
        try:
            # An empty array has no type of its own: such a parameter is declared without a value.
            default = RosParameter.Type.DOUBLE_ARRAY if isinstance(p.default, tuple) else p.default
            node.declare_parameter(p.name, default, descriptor)
        except (InvalidParameterTypeException, InvalidParameterValueException) as error:
            raise ValueError(
                f"{node.get_name()}: parameter {p.name}: expected {p.type_name} {p.range_text}: {error}"
            ) from error

    def check(changes: list[RosParameter]) -> SetParametersResult:
        for change in changes:
            p = by_name.get(change.name)
            if p is not None:
                try:
                    value = change.value
                    p.validate(tuple(value) if isinstance(p.default, tuple) else value)
                except ValueError as error:
                    return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    for p in table:
        try:
            p.validate(read(node, p))
        except ValueError as error:
            raise ValueError(f"{node.get_name()}: parameter {p.name}: {error}") from error
    node.add_on_set_parameters_callback(check)


def read(node: Node, parameter: Parameter) -> Value:
    """Value of a declared parameter; arrays as tuples, those that were not set as their default."""
    value = node.get_parameter_or(parameter.name).value
    if isinstance(parameter.default, tuple):
        return tuple(float(v) for v in value) if value is not None else parameter.default
    return value


def read_all(node: Node, table: Sequence[Parameter]) -> dict[str, Any]:
    """Values of all parameters of a table by name."""
    return {p.name: read(node, p) for p in table}


def with_settings(settings: Any, table: Sequence[Parameter], values: Mapping[str, Any]) -> Any:
    """Copy of nested frozen dataclasses with the library settings that the table names set to the parameters' values.

    Raises:
        ValueError: the library refuses a value.
    """
    for p in table:
        if p.setting:
            settings = _with(settings, p.setting.split("."), values[p.name])
    return settings


def setting_of(settings: Any, path: str) -> Any:
    """Value of a dotted setting."""
    for name in path.split("."):
        settings = getattr(settings, name)
    return settings


def _with(settings: Any, path: Sequence[str], value: Any) -> Any:
    inner = value if len(path) == 1 else _with(getattr(settings, path[0]), path[1:], value)
    return replace(settings, **{path[0]: inner})


def markdown(table: Sequence[Parameter]) -> str:
    """The table for the documentation."""
    rows = ["| parameter | type | default | unit | range | meaning |", "|---|---|---|---|---|---|"]
    for p in table:
        default = f"`{list(p.default)}`" if isinstance(p.default, tuple) else f"`{p.default!r}`".replace("'", '"')
        default = default.replace("`True`", "`true`").replace("`False`", "`false`")
        rows.append(f"| `{p.name}` | {p.type_name} | {default} | {p.unit} | {p.range_text} | {p.description} |")
    return "\n".join(rows)


if __name__ == "__main__":
    import sys

    print("\n\n".join(markdown(TABLES[name]) for name in sys.argv[1:] or TABLES))
