"""The command `loci eval`: its options, and what they start. The suites and benchmarks themselves are in `loci_sim.evaluation`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loci.arguments import positive
from loci.errors import UserError, of_extra

if TYPE_CHECKING:
    from loci_sim.evaluation.graders import NamedGrader
    from loci_sim.evaluation.models import ModelChoice


#: Where the files of benchmarks often lie, for examples.
_EXAMPLE_DATA = {
    "objectnav": "data/datasets/objectnav/hm3d/v2",
    "goat": "data/datasets/goat_bench/hm3d/v1",
    "aeqa": "data/aeqa",
    "findingdory": "data/datasets/findingdory",
}


def add_eval(commands: Any) -> None:
    """Add the command to the others."""
    p = commands.add_parser(
        "eval",
        help="task suites in simulation: what the memory is worth",
        epilog="example: loci eval goals --scenes 5 --planner offline --memory full",
    )
    suites = p.add_subparsers(dest="suite", metavar="SUITE", required=True)
    for name, what, n_tasks in (
        ("goals", "eight goals in a row in one home, by category, description and image", 8),
        ("questions", "explore until the answer is known; the seven categories of OpenEQA", 7),
        ("household", "carry, open, switch and clean things while somebody else moves them, as in KARMA", 6),
        (
            "recall",
            "after a day of pick-and-places: back to what was moved, where, when, how long, as in FindingDory",
            11,
        ),
    ):
        _add_suite(suites, name, what, n_tasks)
    p.set_defaults(run=_eval)
    _add_benchmark(suites, "objectnav", "episodes of Habitat's ObjectNav challenges", "val", "none")
    _add_benchmark(suites, "goat", "episodes of GOAT-Bench: several goals in a row", "val_unseen", "full")
    aeqa = _add_benchmark(suites, "aeqa", "A-EQA's questions: explore until the answer is known", "184", "none")
    aeqa.add_argument(
        "--shortest", type=Path, metavar="FILE", help="JSON of question ids with the shortest way to the answer [m]"
    )
    _add_grading(aeqa)
    _add_emeqa(suites)
    dory = _add_benchmark(
        suites, "findingdory", "FindingDory: a day of pick-and-places, and tasks after it", "val", "full"
    )
    dory.add_argument(
        "--objects-dir", type=Path, metavar="DIR", help="models of the day's objects (default data/objects/train_val)"
    )


def _add_suite(suites: Any, name: str, what: str, n_tasks: int) -> None:
    g = suites.add_parser(
        name,
        help=what,
        description="Lets a simulated robot carry out tasks, over the same ROS services as on a robot. An evaluation that was interrupted "
        "goes on where it was (docs/evaluation.md).",
        epilog=f"examples:\n  loci eval {name} --scenes 5\n  loci eval {name} --scenes 5 --memory none --out out/eval/{name}-none\n"
        f"  loci eval {name} --planner oracle --out out/eval/{name}-oracle\n"
        f"  loci eval {name} --planner vision_language --model qwen2.5vl --model-base-url http://127.0.0.1:11434/v1\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    g.add_argument("--scenes", type=positive, default=5, metavar="N", help="how many generated homes (default 5)")
    g.add_argument(
        "--floors",
        type=int,
        choices=(1, 2),
        default=1,
        help="homes with so many floors at most (default 1: recorded figures)",
    )
    g.add_argument("--scene-list", type=Path, metavar="FILE", help="one scene a line instead: FAMILY:SEED or a .glb")
    g.add_argument("--seed", type=int, default=0, help="of the first home, and of tasks and chance (default 0)")
    g.add_argument(
        "--planner",
        choices=("offline", "vision_language", "oracle", "random"),
        default="offline",
        help="what decides; oracle and random show the scale (default offline)",
    )
    _add_model(g)
    g.add_argument("--memory", choices=("full", "short", "long", "none"), default="full", help="what of it may be used")
    g.add_argument("--split", choices=("dev", "test"), default="dev", help="of phrasings and homes (default dev)")
    g.add_argument("--phrasings", type=Path, metavar="FILE", help="JSON with other phrasings")
    g.add_argument("--tasks", type=positive, default=n_tasks, metavar="N", help=f"in a row (default {n_tasks})")
    g.add_argument(
        "--rows",
        type=positive,
        default=2,
        metavar="N",
        help="rows in a home: from the second on with the memory of those before (default 2)",
    )
    g.add_argument("--max-steps", type=positive, default=500, metavar="N", help="actions for a task (default 500)")
    g.add_argument(
        "--baseline", type=Path, metavar="DIR", help="results of the same tasks to compare with, e.g. of --memory none"
    )
    if name == "recall":
        g.add_argument(
            "--pick-and-places", type=int, choices=range(2, 12), metavar="N", help="of a day, 2 to 11 (default: drawn)"
        )
    g.add_argument("--workers", type=positive, default=1, metavar="N", help="homes at a time (default 1)")
    g.add_argument("--out", type=Path, default=Path("out/eval", name), metavar="DIR", help=f"default out/eval/{name}")


def _add_model(g: argparse.ArgumentParser) -> None:
    m = g.add_argument_group("model", "of --planner vision_language")
    m.add_argument(
        "--model",
        default="oracle",
        metavar="NAME",
        help="its name at the endpoint; oracle: a stand-in that comes with the simulator, reads the lists in the prompt, and tells where "
        "things are (default)",
    )
    m.add_argument("--model-base-url", default="", metavar="URL", help="its endpoint, e.g. http://127.0.0.1:11434/v1")
    m.add_argument("--model-deadline", type=float, default=60.0, metavar="S", help="for one decision (default 60 s)")
    m.add_argument("--prompt-images", type=int, default=8, metavar="N", help="most pictures in a prompt (default 8)")
    m.add_argument("--prompt-tokens", type=int, default=6000, metavar="N", help="most text in a prompt (default 6000)")
    m.add_argument("--allow-remote-images", action="store_true", help="pictures may leave this machine")


def _model(a: argparse.Namespace) -> ModelChoice | None:
    """The model that was named.

    Raises:
        UserError: it cannot be asked.
    """
    from loci_sim.evaluation.models import ModelChoice

    if a.planner != "vision_language":
        if a.model_base_url:
            raise UserError("expected --planner vision_language with --model-base-url", f"loci eval {a.suite} --help")
        return None
    try:
        choice = ModelChoice(
            a.model, a.model_base_url, a.model_deadline, a.prompt_images, a.prompt_tokens, a.allow_remote_images
        )
        choice.check()
    except (ValueError, RuntimeError) as error:
        raise UserError(str(error), f"loci eval {a.suite} --help") from error
    if choice.is_oracle and a.suite not in ("goals", "household"):
        raise UserError(
            f"the model oracle only tells where things are, which is no help in {a.suite}: name another one with --model-base-url "
            "and --model",
            f"loci eval {a.suite} --help",
        )
    return choice


def _add_benchmark(suites: Any, name: str, what: str, split: str, memory: str) -> argparse.ArgumentParser:
    data = _EXAMPLE_DATA[name]
    g: argparse.ArgumentParser = suites.add_parser(
        name,
        help=f"{what}, in Habitat; you bring files and scenes",
        description="Runs episodes of a public benchmark in Habitat, with its own measures. Loci comes with neither the episodes nor the "
        "scenes. An evaluation that was interrupted goes on where it was (docs/evaluation.md).",
        epilog=f"examples:\n  loci eval {name} --data {data} --scenes-dir data/scene_datasets --episodes 10\n"
        f"  loci eval {name} --data {data} --planner oracle --out out/eval/{name}-oracle\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    where = (
        "folder with aeqa_questions-SPLIT.json, or the file" if name == "aeqa" else "folder with the benchmark's splits"
    )
    g.add_argument("--data", type=Path, required=True, metavar="DIR", help=where)
    g.add_argument("--split", default=split, help=f"default {split}")
    g.add_argument("--scene", action="append", default=[], metavar="NAME", help="only this scene (repeatable)")
    g.add_argument("--episodes", type=positive, metavar="N", help="only the first ones (default: all)")
    g.add_argument(
        "--scenes-dir", type=Path, metavar="DIR", help="holds hm3d/ and the like (default data/scene_datasets)"
    )
    g.add_argument(
        "--scene-dataset", type=Path, metavar="FILE", help="scene dataset config instead of the one an episode names"
    )
    g.add_argument(
        "--habitat-python",
        default="",
        metavar="PATH",
        help="interpreter with habitat_sim (default: $LOCI_HABITAT_PYTHON, else python3)",
    )
    g.add_argument("--planner", choices=("offline", "oracle", "random"), default="offline")
    kept = "goals of an episode" if name in ("goat", "findingdory") else "episodes of a scene"
    g.add_argument(
        "--memory",
        choices=("full", "short", "long", "none") if name == "findingdory" else ("full", "none"),
        default=memory,
        help=f"full: kept between {kept}; none: cleared at each goal (default {memory})",
    )
    if name in ("objectnav", "goat"):
        g.add_argument(
            "--success-distance", type=float, metavar="M", help="to a viewpoint, by path (default: the benchmark's)"
        )
    g.add_argument("--seed", type=int, default=0, help="of chance (default 0)")
    g.add_argument("--max-steps", type=positive, default=500, metavar="N", help="actions for a goal (default 500)")
    g.add_argument("--out", type=Path, default=Path("out/eval", name), metavar="DIR", help=f"default out/eval/{name}")
    g.set_defaults(run=_benchmark, success_distance=None)
    return g


def _add_emeqa(suites: Any) -> None:
    g = suites.add_parser(
        "emeqa",
        help="OpenEQA's questions about recorded walks (EM-EQA): no simulator; you bring files and frames",
        description="Makes a memory of each recorded walk, from its frames, and asks it OpenEQA's questions about it. Loci comes with neither. An "
        "evaluation that was interrupted goes on where it was (docs/evaluation.md).",
        epilog="examples:\n  loci eval emeqa --data open-eqa/data --walk scannet-v0/002 --detector open_vocabulary\n"
        "  loci eval emeqa --data open-eqa/data --planner oracle --out out/eval/emeqa-oracle\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    where = "folder with open-eqa-v0.json and frames/, or the file of questions"
    g.add_argument("--data", type=Path, required=True, metavar="DIR", help=where)
    g.add_argument(
        "--frames", type=Path, metavar="DIR", help="folder of the walks (default: frames/ beside the questions)"
    )
    g.add_argument("--ids", type=Path, metavar="FILE", help="JSON with the ids of a subset of the questions")
    g.add_argument(
        "--walk", action="append", default=[], metavar="NAME", help="only this one, or those that begin so (repeatable)"
    )
    g.add_argument("--episodes", type=positive, metavar="N", help="only the first questions (default: all)")
    g.add_argument("--max-frames", type=positive, metavar="N", help="of a walk, evenly over it (default: all)")
    g.add_argument(
        "--detector",
        choices=("masks", "geometric", "open_vocabulary"),
        default="open_vocabulary",
        help="what finds things; masks: N-instances.png and labels.json beside the frames (default open_vocabulary)",
    )
    g.add_argument("--planner", choices=("offline", "oracle"), default="offline")
    g.add_argument("--out", type=Path, default=Path("out/eval/emeqa"), metavar="DIR", help="default out/eval/emeqa")
    _add_grading(g)
    g.set_defaults(run=_emeqa)


def _add_grading(g: argparse.ArgumentParser) -> None:
    marks = g.add_argument_group("marks", "of answers; without a model, those word for word as in the file are right")
    marks.add_argument(
        "--grader-url", default=os.environ.get("LOCI_GRADER_URL", ""), metavar="URL",
        help="OpenAI-compatible API of a model that marks answers, e.g. http://localhost:8000/v1 (default: $LOCI_GRADER_URL); "
        "its key is $LOCI_GRADER_KEY",
    )  # fmt: skip
    marks.add_argument(
        "--grader-model", default=os.environ.get("LOCI_GRADER_MODEL", ""), metavar="MODEL",
        help="as the API calls it (default: $LOCI_GRADER_MODEL)",
    )  # fmt: skip
    marks.add_argument(
        "--grader-prompt", type=Path, metavar="FILE",
        help="with {question}, {answer}, {prediction}, {extra_answers}, e.g. OpenEQA's own (default: Loci's)",
    )  # fmt: skip
    marks.add_argument(
        "--grader-cache", type=Path, metavar="FILE",
        help="keeps the model's replies; without --grader-url the marks come from it alone",
    )  # fmt: skip
    marks.add_argument("--grader-timeout", type=float, default=60.0, metavar="S", help="for one reply (default 60 s)")


def _grader(a: argparse.Namespace) -> NamedGrader:
    """Who marks answers: a model only if the user has named one."""
    from loci_sim.evaluation.graders import KEY_VARIABLE, PROMPT, Endpoint, EndpointGrader, ExactMatch

    if not (a.grader_url or a.grader_cache):
        if a.grader_model or a.grader_prompt:
            raise UserError(
                "expected --grader-url or --grader-cache with a model, got neither", f"loci eval {a.suite} --help"
            )
        return ExactMatch()
    try:
        prompt = a.grader_prompt.read_text(encoding="utf-8") if a.grader_prompt else PROMPT
        key = os.environ.get(KEY_VARIABLE, "")
        endpoint = Endpoint(a.grader_url, a.grader_model, key, a.grader_timeout, cache=a.grader_cache, prompt=prompt)
    except (OSError, ValueError) as error:
        raise UserError(str(error), f"loci eval {a.suite} --help") from error
    return EndpointGrader(endpoint)


def _eval(a: argparse.Namespace) -> int:
    with of_extra("the simulator", "sim"):
        from loci_sim.evaluation.run import EvaluationOptions, run_suite
    if a.seed < 0:
        raise UserError(f"expected a seed >= 0, got {a.seed}", f"loci eval {a.suite} --help")
    options = EvaluationOptions(
        suite=a.suite,
        n_scenes=a.scenes,
        seed=a.seed,
        scene_list=a.scene_list,
        planner=a.planner,
        memory=a.memory,
        split=a.split,
        phrasings=a.phrasings,
        n_tasks=a.tasks,
        max_steps=a.max_steps,
        rows=a.rows,
        out=a.out,
        workers=a.workers,
        baseline=a.baseline,
        n_deeds=getattr(a, "pick_and_places", None),
        model=_model(a),
        max_floors=a.floors,
    )
    return run_suite(options)


def _emeqa(a: argparse.Namespace) -> int:
    with of_extra("the simulator", "sim"):
        from loci_sim.evaluation.emeqa import EmEqaOptions, run_emeqa
    questions = a.data if a.data.is_file() else a.data / "open-eqa-v0.json"
    options = EmEqaOptions(
        data=questions,
        frames=a.frames or questions.parent / "frames",
        ids=a.ids,
        walks=tuple(a.walk),
        n_questions=a.episodes,
        n_frames=a.max_frames or 0,
        detector=a.detector,
        planner=a.planner,
        out=a.out,
        grader=_grader(a),
    )
    return run_emeqa(options)


def _benchmark(a: argparse.Namespace) -> int:
    with of_extra("the simulator", "sim"):
        from loci_sim.evaluation.benchmarks import BenchmarkOptions, run_benchmark
    if a.seed < 0:
        raise UserError(f"expected a seed >= 0, got {a.seed}", f"loci eval {a.suite} --help")
    if a.success_distance is not None and not 0.0 < a.success_distance <= 10.0:
        raise UserError(
            f"expected a success distance > 0 and <= 10 m, got {a.success_distance}", f"loci eval {a.suite} --help"
        )
    further: dict[str, Any] = {}
    if a.suite == "aeqa":
        further = {"grader": _grader(a), "shortest": a.shortest}
    elif a.suite == "findingdory":
        further = {"objects_dir": a.objects_dir}
    options = BenchmarkOptions(
        benchmark=a.suite,
        data=a.data,
        split=a.split,
        scenes=tuple(a.scene),
        n_episodes=a.episodes,
        scenes_dir=a.scenes_dir,
        scene_dataset=a.scene_dataset,
        habitat_python=a.habitat_python,
        planner=a.planner,
        memory=a.memory,
        seed=a.seed,
        max_steps=a.max_steps,
        success_distance=a.success_distance,
        out=a.out,
        **further,
    )
    if a.suite == "findingdory":
        from loci_sim.evaluation.findingdory import run_findingdory

        return run_findingdory(options)
    return run_benchmark(options)
