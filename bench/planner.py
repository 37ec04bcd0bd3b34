"""How long the planners take, and how large a vision-language model's prompt is, with 1,000 and 10,000 objects in the memory.

    make bench NAME=planner        (or: python bench/planner.py --sizes 1000 --questions 50)

The memories are made once (`rooms`; minutes for the large one) and kept under out/bench/rooms. The model is a server on loopback that answers
at once, so that what is left is Loci's own: prompt, pictures, request, stream, reading the answer. Written to out/bench/planner.json.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

for _name in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
    os.environ.setdefault(f"{_name}_NUM_THREADS", "1")

from common import OUT, machine, quantiles, table, write_result  # noqa: E402
from loci.memory import RobotMemory  # noqa: E402
from loci.perception.text import MiniLMTextEncoder  # noqa: E402
from loci.planning.endpoint import Endpoint, EndpointSettings  # noqa: E402
from loci.planning.local import LocalReader  # noqa: E402
from loci.planning.offline import OfflinePlanner  # noqa: E402
from loci.planning.prompts import Prompt, PromptBudget, Templates, build_prompt  # noqa: E402
from loci.planning.vision_language import VisionLanguagePlanner, VisionLanguageSettings  # noqa: E402
from loci_sim.evaluation.chat_server import ChatHandler, ChatServer  # noqa: E402
from rooms import LABELS, fill  # noqa: E402

#: Questions by what they ask for; {thing} is another label each time.
QUESTIONS = {
    "where": "Where is the {thing}?",
    "exists": "Is there a {thing} in the kitchen?",
    "count": "How many {thing}s are there?",
    "color": "What color is the {thing}?",
    "near": "What is next to the {thing}?",
    "when": "When did you last see the {thing}?",
    "unknown": "Where is the {thing} of the submarine?",
}


def bar(title: str, done: int, total: int) -> None:
    """One line on stderr that fills up."""
    end = "\n" if done >= total else ""
    print(f"\r{title:<24} {done}/{total}", end=end, file=sys.stderr, flush=True)


def memory_of(n_objects: int) -> Path:
    """Folder of the memory with so many objects; made if it is not there."""
    path = OUT / "rooms" / str(n_objects)
    if not (path / "done").is_file():
        shutil.rmtree(path, ignore_errors=True)  # of a run that was interrupted
        fill(path, n_objects, lambda done, total: bar(f"{n_objects} objects", done, total))
        (path / "done").touch()
    return path


def offline(reader: LocalReader, n_questions: int) -> dict[str, Any]:
    """Time of a decision [ms] by kind of question, and of all."""
    planner = OfflinePlanner(MiniLMTextEncoder())
    planner.ask("Where is the zebra?", reader)  # loads the text model
    took: dict[str, list[float]] = {kind: [] for kind in QUESTIONS}
    for i in range(n_questions):
        for kind, text in QUESTIONS.items():
            question = text.format(thing=LABELS[i % len(LABELS)])
            took[kind].append(_timed(lambda question=question: planner.ask(question, reader)))
        bar("offline", i + 1, n_questions)
    everything = [ms for values in took.values() for ms in values]
    return {
        "all [ms]": quantiles(everything, 50, 99),
        **{f"{k} [ms]": quantiles(v, 50, 99) for k, v in took.items()},
    }


def prompts(reader: LocalReader, n_questions: int, budget: PromptBudget) -> dict[str, Any]:
    """Size of the prompt and the time it takes to make it."""
    templates = Templates()
    made: list[Prompt] = []
    took = []
    for i in range(n_questions):
        question = list(QUESTIONS.values())[i % len(QUESTIONS)].format(thing=LABELS[i % len(LABELS)])
        took.append(_timed(lambda question=question: made.append(build_prompt(question, reader, templates, budget))))
        bar("prompts", i + 1, n_questions)
    n_bytes = [len(json.dumps(p.messages)) for p in made]
    return {
        "build [ms]": quantiles(took, 50, 99),
        "tokens, at most": max(p.n_tokens for p in made),
        "pictures, at most": max(p.n_images for p in made),
        "request [kB], at most": round(max(n_bytes) / 1e3),
        "choices, at most": max(len(p.choices) for p in made),
    }


def around(reader: LocalReader, n_questions: int) -> dict[str, Any]:
    """Of whole decisions with a model that answers at once: all of it, the call of the model, and what is around it [ms]."""
    with ChatServer(_AtOnce) as server:
        endpoint = Endpoint(EndpointSettings(server.url, "at once"))
        timed = _TimedModel(endpoint)
        planner = VisionLanguagePlanner(timed, OfflinePlanner(None), VisionLanguageSettings())
        planner.ask("Where is the zebra?", reader)
        timed.took.clear()
        whole = []
        for i in range(n_questions):
            question = QUESTIONS["where"].format(thing=f"{LABELS[i % len(LABELS)]} number {i}")
            whole.append(_timed(lambda question=question: planner.ask(question, reader)))
            bar("decisions", i + 1, n_questions)
        statistics = planner.statistics()
        planner.close()
    if statistics["fallbacks"]:
        raise RuntimeError(f"the server was not understood: {statistics['last_problem']}")
    rest = [a - b for a, b in zip(whole, timed.took, strict=True)]
    return {
        "decision [ms]": quantiles(whole, 50, 99),
        "call of the model [ms]": quantiles(timed.took, 50, 99),
        "around it [ms]": quantiles(rest, 50, 99),
    }


class _TimedModel:
    """A model, and how long each of its calls took [ms]."""

    def __init__(self, model: Endpoint) -> None:
        self._model, self.took = model, list[float]()
        self.name, self.takes_images = model.name, model.takes_images

    def complete(self, *arguments: Any) -> Any:
        began = time.perf_counter()
        reply = self._model.complete(*arguments)
        self.took.append(1e3 * (time.perf_counter() - began))
        return reply

    def close(self) -> None:
        self._model.close()


class _AtOnce(ChatHandler):
    """Streams "none" to every request."""

    _TEXT = json.dumps({"reason": "", "choice": "none", "evidence": [], "answer": "I do not know.", "confidence": 0.0})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        head = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "at once"}
        choice = {"index": 0, "delta": {"content": self._TEXT}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        body = f"data: {json.dumps({**head, 'choices': [choice], 'usage': usage})}\n\ndata: [DONE]\n\n".encode()
        self.send(200, body, content_type="text/event-stream")


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return 1e3 * (time.perf_counter() - began)


def main() -> int:
    """Run all parts at all sizes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000], metavar="N", help="objects")
    parser.add_argument("--questions", type=int, default=60, metavar="N", help="of each kind (default 60)")
    a = parser.parse_args()
    here = machine()
    print(f"{here['cpu']}, {here['cores']} cores, load {here['load']:.1f}, commit {here['commit'] or '-'}")
    result: dict[str, Any] = {}
    for n in a.sizes:
        with RobotMemory.open(memory_of(n), read_only=True) as memory:
            reader = LocalReader(memory)
            result[str(n)] = {
                "objects": len(memory.objects()),
                "rooms": len(reader.known_rooms()),
                "offline": offline(reader, a.questions),
                "prompt": prompts(reader, a.questions, PromptBudget()),
                "model": around(reader, a.questions),
            }
    print()
    print(table(("", *(f"{result[str(n)]['objects']:,} objects" for n in a.sizes)), _rows(result, a.sizes)))
    print(f"\nwritten to {write_result('planner', {'questions': a.questions, 'sizes': result})}")
    return 0


def _rows(result: dict[str, Any], sizes: list[int]) -> list[list[object]]:
    first = result[str(sizes[0])]
    rows: list[list[object]] = []
    for part in ("offline", "prompt", "model"):
        for name, value in first[part].items():
            here = [result[str(n)][part][name] for n in sizes]
            if isinstance(value, dict):
                rows += [[f"{part}: {name} {p}", *(f"{v[p]:.1f}" for v in here)] for p in ("p50", "p99") if p in value]
            else:
                rows.append([f"{part}: {name}", *here])
    return rows


if __name__ == "__main__":
    sys.exit(main())
