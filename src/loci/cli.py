"""The command line: `loci demo | up | replay | query | info | export | check | repair | backup | archive | mcp | replay-trace | train-tokens | sim | eval | ... | doctor`.

Parses and dispatches; every command lives in a module of its own that is imported when it is used, so that help comes at
once. What a user can mend ends with one line and the next command to type, never with a traceback.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from loci import __version__, graph_import, map_files, mcp_server, scene_files, train_tokens, upkeep
from loci.arguments import positive
from loci.cli_eval import add_eval
from loci.errors import UserError, of_extra

_EXAMPLES = """\
examples:
  loci demo                                  explore a simulated apartment, ask five questions, write out/demo/index.html
  loci demo --resume                         ask again from the saved memory, without exploring
  loci replay ../shared/data/kitchen_rgbd    stream a recorded RGB-D sequence through the nodes
  loci up --help                             start the nodes for your own camera
  loci query out/demo/memory "where is the mug?"
  loci info out/demo/memory
  loci export out/demo/memory --out exported
  loci import-graph nodes.txt links.txt      a street graph as places of a memory
  loci import-map house.bt house             an OctoMap file as the map of a memory
  loci check house                           is a memory whole? (then: repair, backup, archive, unarchive, merge)
  loci explain house episode/104             why it is kept, or was forgotten (loci forget: for good)
  loci mcp demo                              the memory as tools for agents (Model Context Protocol)
  loci train-tokens house                    the codec of memory tokens, trained on a memory
  loci sim scenes preview home:3             what a generated home looks like
  loci doctor                                what is missing on this machine, and what to do about it
"""


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="loci",
        description="A memory for robots: where things are, what happened, and what has not been seen yet.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"loci {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_demo(commands)
    _add_up(commands)
    _add_replay(commands)
    _add_query(commands)
    _add_info(commands)
    _add_export(commands)
    graph_import.add_parser(commands)
    map_files.add_import_parser(commands)
    upkeep.add_parsers(commands)
    mcp_server.add_parser(commands)
    _add_replay_trace(commands)
    train_tokens.add_parser(commands)
    _add_sim(commands)
    add_eval(commands)
    _add_doctor(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit status (0: done, 1: it failed, 2: wrong usage, 130: stopped by Ctrl-C)."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    # `up` and `doctor` parse what belongs to them: their modules know their options.
    if given[:1] == ["up"]:
        return _guarded(lambda: _up(given[1:]))
    if given[:1] == ["doctor"]:
        return _guarded(lambda: _doctor(given[1:]))
    parsed = build_parser().parse_args(given)
    return _guarded(lambda: int(parsed.run(parsed)))


def _guarded(run) -> int:  # type: ignore[no-untyped-def]
    try:
        return int(run() or 0)
    except UserError as error:
        if error.details:
            print(error.details.rstrip(), file=sys.stderr)
        print(f"loci: {error}", file=sys.stderr)
        if error.next_command:
            print(f"  try: {error.next_command}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nloci: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `loci query ... | head`
        sys.stderr.close()
        return 0


def _add_demo(commands) -> None:  # type: ignore[no-untyped-def]
    p = commands.add_parser(
        "demo",
        help="explore a simulated apartment over DDS, ask five questions, write a report",
        description="Starts the simulator and all nodes over DDS, explores the apartment by frontiers until nothing reachable "
        "is left unknown, asks five questions through the ROS services, and writes a report with the saved memory.",
        epilog="examples:\n  loci demo\n  loci demo --seed 3 --out out/other\n  loci demo --resume\n"
        "  loci demo --simulator habitat --scene home:3\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("--seed", type=int, default=0, help="which apartment, and which questions (default 0)")
    p.add_argument(
        "--scene",
        default="",
        help="FAMILY:SEED or a .glb with its .json, instead of an apartment (loci sim scenes list)",
    )
    p.add_argument(
        "--simulator",
        choices=("embedded", "habitat"),
        default="embedded",
        help="embedded (default), or habitat under --habitat-python",
    )
    p.add_argument(
        "--habitat-python",
        default="",
        metavar="PATH",
        help="Python interpreter that has habitat_sim (default: $LOCI_HABITAT_PYTHON, else python3)",
    )
    p.add_argument("--resume", action="store_true", help="start from the saved memory and ask again, without exploring")
    p.add_argument("--out", type=Path, default=Path("out/demo"), help="folder of report and memory (default out/demo)")
    p.add_argument(
        "--max-steps", type=positive, default=1500, help="give up exploring after so many steps (default 1500)"
    )
    p.set_defaults(run=_demo)


def _add_replay(commands) -> None:  # type: ignore[no-untyped-def]
    p = commands.add_parser(
        "replay",
        help="stream a recorded RGB-D sequence through the nodes over DDS, write a report",
        description="Streams a recording through the same perception and memory nodes as a live camera. Kinds, recognised by "
        "their files: numbered frames (frame-N.color.jpg ...), TUM RGB-D, rosbag2 (.db3, .mcap).",
        epilog="examples:\n  loci replay ../shared/data/kitchen_rgbd\n  loci replay rgbd_dataset_freiburg1_desk --speed recorded\n"
        "  loci replay drive.mcap --pose-topic /odom --memory house\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("recording", type=Path, help="folder or file of the recording")
    p.add_argument(
        "--speed",
        type=_speed,
        default=0.0,
        metavar="full|recorded|FACTOR",
        help="full (default): as fast as nothing is dropped",
    )
    p.add_argument("--detector", default="geometric", help="detector of the perception node (default geometric)")
    p.add_argument(
        "--out", type=Path, default=Path("out/replay"), help="folder of report and memory (default out/replay)"
    )
    p.add_argument(
        "--memory",
        default="",
        metavar="NAME",
        help="keep it in this memory and add to what it holds (default: a fresh one in --out)",
    )
    p.add_argument(
        "--map-id", default="", help="map that the recording's poses refer to (default: the recording's name)"
    )
    p.add_argument("--limit", type=positive, default=0, help="only so many frames")
    p.add_argument("--stride", type=positive, default=1, help="every n-th frame")
    p.add_argument(
        "--question", action="append", default=[], metavar="TEXT", help="ask this at the end, too (repeatable)"
    )
    bag = p.add_argument_group("rosbag2")
    for name, what in (
        ("color-topic", "colour images"),
        ("depth-topic", "depth images"),
        ("color-info-topic", "camera_info of the colour images"),
        ("depth-info-topic", "camera_info of the depth images"),
        ("pose-topic", "poses: PoseStamped, Odometry or tf"),
        ("pose-frame", "frame whose pose a PoseStamped topic gives"),
        ("map-frame", "frame of the map in tf"),
    ):
        bag.add_argument(f"--{name}", default="", help=what)
    bag.add_argument(
        "--extrinsic",
        type=_extrinsic,
        default=None,
        metavar="X,Y,Z,QX,QY,QZ,QW",
        help="pose of the colour camera's optical frame in the posed frame",
    )
    bag.add_argument(
        "--max-time-difference",
        type=float,
        default=0.02,
        metavar="S",
        help="colour and depth belong together within so much [s] (default 0.02)",
    )
    p.add_argument(
        "--intrinsics",
        type=_numbers,
        default=None,
        metavar="W,H,FX,FY,CX,CY",
        help="of the colour camera, where the recording lacks them or they are wrong",
    )
    p.add_argument("--depth-unit", type=float, default=None, metavar="M", help="metres per count of the depth images")
    p.set_defaults(run=_replay)


def _add_query(commands) -> None:  # type: ignore[no-untyped-def]
    p = commands.add_parser(
        "query",
        help="ask a saved memory",
        description="Ranked evidence from a saved memory, read-only (the nodes may be running on it). A text that ends with a question "
        "mark is answered as a question as well.",
        epilog='examples:\n  loci query demo "where is the red mug?"\n  loci query demo mug --order newest --limit 1     # the last time\n'
        "  loci query demo mug --after 60 --before 120       # between\n"
        '  loci query demo "when did you first see the mug?"  # words of order and time are understood\n'
        "  loci query out/demo/memory --label chair --near 1.0,2.0,0.5,1.5\n"
        "  loci query demo --image photo.jpg --kind place --json\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("memory", help="name of a memory, or its folder")
    p.add_argument("text", nargs="?", default="", help="words to rank by, or a question")
    p.add_argument("--label", action="append", default=[], help="only this category (repeatable)")
    p.add_argument(
        "--kind",
        action="append",
        default=[],
        help="only this kind: object, snapshot, keyframe, place, room, episode (repeatable)",
    )
    p.add_argument("--image", type=Path, default=None, help="rank by likeness to this picture")
    p.add_argument(
        "--near", type=_numbers, default=None, metavar="X,Y,Z,R", help="within R metres of a point of the map"
    )
    p.add_argument("--place", default="", help="at this place (id) or in this room (id or name)")
    p.add_argument("--state", default="", help="in this state, e.g. missing")
    p.add_argument("--object", default="", metavar="ID", help="about this object")
    for name, what in (("after", "at or after"), ("before", "before")):
        p.add_argument(
            f"--{name}",
            type=float,
            default=None,
            metavar="SECONDS",
            help=f"observed {what} this, in seconds since the memory's first image, as answers are printed",
        )
    p.add_argument(
        "--order", choices=("relevance", "newest", "oldest"), default="relevance", help="(default relevance)"
    )
    p.add_argument("--limit", type=positive, default=10, help="at most so many answers (default 10)")
    p.add_argument("--offset", type=int, default=0, help="skip so many answers: the next page")
    p.add_argument("--map-id", default="", help="map that counts as the current one (default: the newest)")
    p.add_argument(
        "--save-images", type=Path, default=None, metavar="DIR", help="write the pictures of the evidence there"
    )
    p.add_argument("--json", action="store_true", help="print JSON")
    model = p.add_argument_group("questions answered by a vision-language model (else by rules)")
    _add_model(model)
    model.add_argument("--trace", type=Path, default=None, metavar="FILE", help="record the exchange in this file")
    p.set_defaults(run=_query)


def _add_model(group) -> None:  # type: ignore[no-untyped-def]
    group.add_argument(
        "--base-url", default="", metavar="URL", help="OpenAI-compatible endpoint, e.g. http://127.0.0.1:11434/v1"
    )
    group.add_argument("--model", default="", metavar="NAME", help="its name there")
    group.add_argument(
        "--api-key-variable",
        default="LOCI_MODEL_KEY",
        metavar="NAME",
        help="environment variable with the key (default LOCI_MODEL_KEY)",
    )
    group.add_argument(
        "--allow-remote-images", action="store_true", help="send pictures to an endpoint that is not on this machine"
    )


def _add_info(commands) -> None:  # type: ignore[no-untyped-def]
    p = commands.add_parser("info", help="what a saved memory holds", epilog="example: loci info out/demo/memory")
    p.add_argument("memory", help="name of a memory, or its folder")
    p.add_argument("--graph", action="store_true", help="print the scene graph: rooms, objects and relations")
    p.add_argument("--json", action="store_true", help="print JSON")
    p.set_defaults(run=_info)


def _add_export(commands) -> None:  # type: ignore[no-untyped-def]
    p = commands.add_parser(
        "export",
        help="write a saved memory as files that need no Loci to read: JSON, JPEG, PLY; or its octree, its graph or its objects as one file, or a contact sheet",
        epilog="examples:\n  loci export out/demo/memory --out exported\n"
        "  loci export out/demo/memory --format bt --out map.bt               # for octomap_server\n"
        "  loci export out/demo/memory --format geojson --out graph.geojson   # for Nav2's route server\n"
        "  loci export out/demo/memory --format contact-sheet --out sheet\n"
        "  loci export out/demo/memory --format spark_dsg --out graph.json\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("memory", help="name of a memory, or its folder")
    p.add_argument(
        "--format",
        choices=("files", *map_files.FORMATS, "graphml", "geojson", *scene_files.FORMATS),
        default="files",
        help="files (default): all of it; bt, ot: its octree as an OctoMap file; ply: the centres of its occupied voxels; "
        "graphml, geojson: the places and ways of its map; contact-sheet: its snapshots with boxes around the objects, as PNG and HTML; "
        "objects: all objects as JSON; spark_dsg: the scene graph as JSON for spark_dsg",
    )
    p.add_argument("--out", type=Path, required=True, help="folder, or file of the map or graph, to make")
    p.add_argument("--report", action="store_true", help="also write the HTML report and its pictures")
    p.set_defaults(run=_export)


def _add_replay_trace(commands) -> None:  # type: ignore[no-untyped-def]
    p = commands.add_parser(
        "replay-trace",
        help="read recorded exchanges with a vision-language model again",
        description="Shows every exchange that the planner recorded in its trace_file, and what its answer means by the rules of today. "
        "With --base-url and --model, sends every request again and compares the choices.",
        epilog="examples:\n  loci replay-trace trace.jsonl\n"
        "  loci replay-trace trace.jsonl --base-url http://127.0.0.1:11434/v1 --model qwen3-vl\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("trace", type=Path, metavar="FILE", help="trace_file of the planner")
    _add_model(p.add_argument_group("a model to ask the same again"))
    p.add_argument(
        "--timeout", type=float, default=60.0, metavar="S", help="longest wait for an answer [s] (default 60)"
    )
    p.add_argument("--json", action="store_true", help="print JSON")
    p.set_defaults(run=_replay_trace)


def _add_sim(commands) -> None:  # type: ignore[no-untyped-def]
    p = commands.add_parser(
        "sim", help="simulated scenes: list, generate, preview, export", epilog="example: loci sim scenes list"
    )
    parts = p.add_subparsers(dest="part", metavar="scenes", required=True)
    scenes = parts.add_parser(
        "scenes",
        help="list the families of scenes; generate, preview and export scenes",
        description="SCENE is FAMILY:SEED, e.g. home:3, or a path of a .glb with a .json beside it (docs/simulation.md).",
        epilog="examples:\n  loci sim scenes list\n  loci sim scenes generate home:3\n  loci sim scenes preview office:1 --out out\n"
        "  loci sim scenes export building:0 --out exported\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = scenes.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("list", help="families, and which of their scenes are cached")
    for name, what, out, default in (
        ("generate", "make a scene's .glb and .json", "folder for them (default: the cache)", None),
        ("preview", "write a PNG: labelled top view and four camera views", "folder for it (default out)", Path("out")),
        ("export", "write a scene's .glb, .json and a PNG", "folder for them", None),
    ):
        action = actions.add_parser(name, help=what, epilog=f"example: loci sim scenes {name} home:3 --out scenes")
        action.add_argument("scene", metavar="SCENE", help="FAMILY:SEED, or a path of a .glb with a .json beside it")
        action.add_argument("--out", type=Path, default=default, required=name == "export", metavar="DIR", help=out)
    p.set_defaults(run=_sim_scenes)


def _add_up(commands) -> None:  # type: ignore[no-untyped-def]
    commands.add_parser("up", help="start the nodes for your own camera (see loci up --help)", add_help=False)


def _add_doctor(commands) -> None:  # type: ignore[no-untyped-def]
    commands.add_parser("doctor", help="check ROS, GPU, packages and camera topics, and say what to do", add_help=False)


# --- commands: imported when used -----------------------------------------------------------------------------------------


def _demo(a: argparse.Namespace) -> int:
    with of_extra("the simulator", "sim"):
        from loci_sim.demo import run_demo
    return run_demo(
        seed=a.seed,
        resume=a.resume,
        out=a.out,
        max_steps=a.max_steps,
        scene_name=a.scene,
        simulator=a.simulator,
        habitat_python=a.habitat_python,
    )


def _replay(a: argparse.Namespace) -> int:
    from loci.geometry import Camera, pose_from_quaternion
    from loci.readers import ReaderOptions
    from loci.replay import ReplayOptions, run_replay

    intrinsics = None
    try:
        if a.intrinsics is not None:
            if len(a.intrinsics) != 6:
                raise ValueError(f"expected 6 numbers W,H,FX,FY,CX,CY for --intrinsics, got {len(a.intrinsics)}")
            width, height, fx, fy, cx, cy = a.intrinsics
            intrinsics = Camera(int(width), int(height), fx, fy, cx, cy)
        reading = ReaderOptions(
            limit=a.limit,
            stride=a.stride,
            intrinsics=intrinsics,
            max_time_difference=a.max_time_difference,
            color_topic=a.color_topic,
            depth_topic=a.depth_topic,
            color_info_topic=a.color_info_topic,
            depth_info_topic=a.depth_info_topic,
            pose_topic=a.pose_topic,
            pose_frame=a.pose_frame,
            map_frame=a.map_frame,
            T_pose_camera=None
            if a.extrinsic is None
            else pose_from_quaternion(a.extrinsic[:3], a.extrinsic[3:], "--extrinsic"),
            depth_unit=a.depth_unit,
        )
    except ValueError as error:
        raise UserError(str(error), "loci replay --help") from error
    options = ReplayOptions(
        speed=a.speed,
        detector=a.detector,
        out=a.out,
        memory=a.memory,
        map_id=a.map_id,
        questions=tuple(a.question),
    )
    return run_replay(a.recording, reading, options)


def _query(a: argparse.Namespace) -> int:
    from loci.saved import query

    return query(a)


def _info(a: argparse.Namespace) -> int:
    from loci.saved import info

    return info(a)


def _export(a: argparse.Namespace) -> int:
    from loci.saved import export

    return export(a)


def _replay_trace(a: argparse.Namespace) -> int:
    from loci.planning.replaying import run

    return run(a)


def _sim_scenes(a: argparse.Namespace) -> int:
    with of_extra("the simulator", "sim"):
        from loci_sim import scene_commands
    if a.action == "list":
        return scene_commands.list_scenes()
    run = {"generate": scene_commands.generate, "preview": scene_commands.preview, "export": scene_commands.export}
    return run[a.action](a.scene, a.out)


def _up(arguments: list[str]) -> int:
    from loci.up import main as up

    return int(up(arguments) or 0)


def _doctor(arguments: list[str]) -> int:
    from loci.doctor import main as doctor

    return int(doctor(arguments) or 0)


# --- values ---------------------------------------------------------------------------------------------------------------


def _speed(text: str) -> float:
    """Factor of the recorded speed; 0: as fast as nothing is dropped."""
    if text == "full":
        return 0.0
    if text == "recorded":
        return 1.0
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not 0.0 < factor <= 1000.0:
        raise argparse.ArgumentTypeError(f"expected 'full', 'recorded' or a factor > 0, got {text!r}")
    return factor


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected numbers with commas between them, got {text!r}") from error


def _extrinsic(text: str) -> tuple[float, ...]:
    values = _numbers(text)
    if len(values) != 7:
        raise argparse.ArgumentTypeError(f"expected 7 numbers X,Y,Z,QX,QY,QZ,QW, got {len(values)}")
    return values


if __name__ == "__main__":
    sys.exit(main())
