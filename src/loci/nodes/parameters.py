"""Parameters of the nodes: one table per node says name, default, unit, range and meaning.

From it the node declares them (with descriptors and ranges), the documentation's tables are made, and the configuration
files are tested. Needs no rclpy to be imported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from loci.episodic.replacement import POLICIES
from loci.episodic.residuals import FORMATS
from loci.observation import check_name
from loci.scene.movers import MoverParameters

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
        stands_for_none: the number that stands for None in the library, which ROS parameters do not have.
        live: may be set while the node is configured, too.
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
    stands_for_none: float | None = None
    live: bool = False

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

    def to_setting(self, value: Value) -> Value | None:
        """The library's value of the setting for one of the parameter."""
        return None if self.stands_for_none is not None and value == self.stands_for_none else value

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


def _labels(text: str) -> object:
    from loci.perception.open_vocabulary import parse_labels  # imported when it is set: it brings OpenCV along

    return parse_labels(text) if text else None


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
IMAGE_MODEL = Parameter(
    "image_model",
    "openai/clip-vit-base-patch32",
    "With image_encoder clip: a CLIP or SigLIP model, by its name on the Hugging Face hub or its folder.",
)
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
        "octree_threads",
        2,
        "Threads that take one image into the octree.",
        "",
        1,
        64,
        setting="spatial.octree.n_threads",
    ),
    Parameter(
        "octree_memory_budget",
        -1,
        "Most memory for the octree's bricks; the others lie on the disk and come back when they are seen or asked for. -1: no bound.",
        "bytes",
        -1,
        1 << 50,
        setting="spatial.octree.memory_budget",
        stands_for_none=-1,
    ),
    Parameter(
        "octree_resident_radius",
        -1.0,
        "Bricks farther from the camera go to the disk, too, as it moves; more than max_range. -1: distance does not matter.",
        "m",
        -1.0,
        10000.0,
        setting="spatial.octree.resident_radius",
        stands_for_none=-1.0,
    ),
    Parameter(
        "scratch_directory",
        "",
        "Folder on a disk for bricks that are not in memory, in a file that ends with the process. Empty: the memory's own.",
        setting="spatial.scratch_directory",
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
    Parameter(
        "mover_labels",
        MoverParameters.labels,
        "Categories that move by themselves, with commas: no objects, and not in the map.",
        setting="scene.movers.labels",
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
        "image_encoder",
        "descriptor",
        "What embeds images. descriptor: needs no weights; clip: images are found by words, too (docs/detectors.md).",
        choices=("descriptor", "clip"),
    ),
    IMAGE_MODEL,
    Parameter(
        "short_term_capacity",
        100,
        "Records in the short-term memory at most.",
        "",
        1,
        100000,
        setting="short_term.capacity",
    ),
    Parameter(
        "short_term_bytes",
        16 << 20,
        "Bytes of all records in the short-term memory at most.",
        "B",
        1024,
        1 << 30,
        setting="short_term.capacity_bytes",
    ),
    Parameter(
        "short_term_policy",
        "fifo",
        "Which record leaves the short-term memory for the long-term memory when there are too many.",
        choices=POLICIES,
        setting="short_term.policy",
    ),
    Parameter(
        "short_term_window",
        0.01,
        "Share of the short-term memory that is the window of w-tinylfu at first; it adapts.",
        "share",
        0.001,
        0.9,
        setting="short_term.window_share",
    ),
    Parameter(
        "short_term_retention",
        0.5,
        "Weight of frequency against age in the policy retention.",
        "share",
        0.0,
        1.0,
        setting="short_term.retention_weight",
    ),
    Parameter(
        "tokens",
        False,
        "Keep a memory token for each place and octree node; see docs/tokens.md.",
        setting="tokens.enabled",
    ),
    Parameter(
        "token_residuals",
        "none",
        "What is kept beside tokens, so that all that was written into them can be read back.",
        choices=FORMATS,
        setting="tokens.residuals",
    ),
    Parameter(
        "token_level",
        5,
        "Octree nodes that have a token: cubes of leaf size * 2^n.",
        "",
        0,
        16,
        setting="tokens.level",
    ),
    Parameter(
        "token_codec",
        "",
        "Checkpoint of the tokens' codec, a path (loci train-tokens). Empty: weights drawn from a seed.",
        setting="tokens.codec",
    ),
    Parameter(
        "short_term_threshold",
        0.5,
        "Score from which on short-term records answer a text before the long term does.",
        "",
        0.0,
        1.0,
        setting="short_term_threshold",
    ),
    Parameter(
        "store_budget",
        0,
        "The memory on disk may grow to so much; then images that nothing needs are forgotten first. 0: no limit.",
        "bytes",
        0,
        1 << 50,
        setting="forgetting.budget_bytes",
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
        "What finds objects (docs/detectors.md). external: waits for `detections`; vision_msgs: for `detections` of vision_msgs; none: nothing does.",
        choices=("geometric", "open_vocabulary", "external", "vision_msgs", "none"),
    ),
    Parameter(
        "detector_labels",
        "",
        "With open_vocabulary: what is looked for, with commas in between; may be set at run time. Empty: 69 household things.",
        check=_labels,
        live=True,
    ),
    Parameter(
        "detector_model",
        "google/owlv2-base-patch16-ensemble",
        "With open_vocabulary: an OWLv2 model, by its name on the Hugging Face hub or its folder.",
    ),
    Parameter(
        "detector_min_score", 0.2, "With open_vocabulary: detections with a lower score are left out.", "", 0.0, 1.0
    ),
    Parameter(
        "mask_model",
        "",
        "With open_vocabulary: a Segment Anything model for masks, by name or folder. Empty: masks by depth.",
    ),
    Parameter(
        "embedding_model",
        "",
        "With open_vocabulary: a CLIP or SigLIP model for embeddings of what was found; that of the memory's `image_model`. Empty: none.",
    ),
    Parameter(
        "model_device",
        "auto",
        "Device of these models; auto: cuda where torch has it, in half precision.",
        choices=("auto", "cpu", "cuda"),
    ),
    Parameter(
        "detections_timeout", 1.0, "With external: an image goes on without detections after so long.", "s", 0.0, 30.0
    ),
    Parameter(
        "image_encoder",
        "descriptor",
        "What makes the image embedding: that of the memory. none: the memory does.",
        choices=("descriptor", "clip", "none"),
    ),
    IMAGE_MODEL,
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
    Parameter(
        "drive_by",
        "goal_pose",
        "How the robot is driven. goal_pose: the topic; navigate_to_pose: Nav2's action; drive_to: the action of the simulator's follower.",
        choices=("goal_pose", "navigate_to_pose", "drive_to"),
    ),
    Parameter(
        "robot_pose",
        "memory",
        "Where the robot is. memory: where the newest keyframe was taken, with a camera that looks ahead; tf: base_frame in map_frame.",
        choices=("memory", "tf"),
    ),
    Parameter("base_frame", "base_link", "With robot_pose tf: frame of the robot's base."),
    Parameter(
        "arrival_distance", 0.4, "A robot that stands so near to its goal has arrived (goal_pose).", "m", 0.05, 5.0
    ),
    Parameter("slowest_speed", 0.1, "A robot that is slower on the whole way is given up.", "m/s", 0.005, 10.0),
    Parameter("standing_time", 10.0, "A robot that stands still so long before its goal is given up.", "s", 1.0, 600.0),
    Parameter("look_time", 2.0, "Longest wait for an image where the robot has stopped to look.", "s", 0.1, 60.0),
    Parameter(
        "manipulation_service",
        "",
        "Service of type SimulatorInteract that does things with what is in view and in reach (the simulator's interact). Empty: no hand.",
    ),
    Parameter("manipulation_timeout", 60.0, "Longest wait for that service.", "s", 0.5, 600.0),
    Parameter(
        "plan_memory",
        True,
        "Remember what came of tasks: where things were found is looked at first, what failed is tried later.",
    ),
    Parameter("text_encoder", True, "Find labels by meaning (loads the text model once); false: by words only."),
    Parameter(
        "planner",
        "offline",
        "What answers questions. offline: rules and words; vision_language: a model that sees the memory, and offline where it does not answer.",
        choices=("offline", "vision_language"),
    ),
    Parameter("model", "", "With vision_language: the model's name at its endpoint."),
    Parameter(
        "model_base_url",
        "http://127.0.0.1:8000/v1",
        "OpenAI-compatible endpoint of the model (vLLM, Ollama, llama.cpp, hosted).",
    ),
    Parameter(
        "api_key_variable",
        "LOCI_MODEL_KEY",
        "Environment variable that holds the endpoint's key; needed unless the endpoint is on this machine.",
    ),
    Parameter(
        "allow_remote_images",
        False,
        "Send pictures of what the robot sees to an endpoint that is not on this machine; false: it gets text only.",
    ),
    Parameter(
        "model_deadline", 60.0, "Longest wait for the model per question; then offline answers.", "s", 0.5, 600.0
    ),
    Parameter("model_retries", 3, "Further tries after a failure that may pass.", "", 0, 20),
    Parameter("prompt_tokens", 6000, "Text that the model is shown, estimated.", "tokens", 1000, 200000),
    Parameter("prompt_images", 8, "Pictures that the model is shown.", "", 0, 64),
    Parameter("prompt_image_size", 512, "Longer side of these pictures.", "px", 64, 4096),
    Parameter("prompt_directory", "", "Folder with system.md, question.md and again.md. Empty: those of the package."),
    Parameter("trace_file", "", "Record every exchange with the model in this file. Empty: none."),
    Parameter(
        "reuse_recorded",
        False,
        "Answer from trace_file what the model was asked before in the same words and pictures.",
    ),
    Parameter("input_price", 0.0, "Price of a million tokens sent; makes cost in the diagnostics.", "", 0.0, 10000.0),
    Parameter("output_price", 0.0, "Price of a million tokens received.", "", 0.0, 10000.0),
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
            settings = _with(settings, p.setting.split("."), p.to_setting(values[p.name]))
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
