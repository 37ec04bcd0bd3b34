"""docs/planner.md says what is there, and shows a prompt as it is sent."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import cv2
import numpy as np

from loci.cli import build_parser
from loci.memory import RobotMemory
from loci.planning.local import LocalReader
from loci.planning.plan_memory import PlanMemory
from loci.planning.prompts import PromptBudget, Templates, build_prompt
from loci.planning.tools import TOOLS
from synthetic import tour

DOCS = Path(__file__).resolve().parents[2] / "docs"
TEXT = (DOCS / "planner.md").read_text()


def test_every_tool_is_in_the_table_and_no_other() -> None:
    table = TEXT[TEXT.index("| tool |") : TEXT.index("```python\nfrom loci.planning.tools")]
    named = [name for row in table.splitlines()[2:] if row for name in re.findall(r"`([a-z_]+)`", row.split("|")[1])]
    assert sorted(named) == sorted(t.name for t in TOOLS)


def test_commands_that_are_shown_are_understood() -> None:
    shown = re.findall(r"^(?:\.venv/bin/|\$ )?loci ((?:mcp|query|replay-trace)\b.*?(?:\\\n.*)?)$", TEXT, re.MULTILINE)
    assert len(shown) >= 5
    for command in shown:
        words = re.findall(r'"[^"]*"|\S+', command.replace("\\\n", " ").split("#")[0])
        build_parser().parse_args([w.strip('"') for w in words])


def test_python_that_is_shown_compiles_and_its_names_exist() -> None:
    for code in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL):
        compile(code, "docs/planner.md", "exec")
        exec("\n".join(line for line in code.splitlines() if line.startswith("from ")), {})


def test_the_prompt_that_is_shown_is_made_of_the_templates_of_today() -> None:
    shown = set(TEXT[TEXT.index("## A prompt, as it is sent") : TEXT.index("## Tools")].splitlines())
    for name in ("system", "question"):
        template = (resources.files("loci.planning") / "templates" / f"{name}.md").read_text()
        fixed = [line for line in template.splitlines() if "$" not in line]
        assert fixed
        assert not [line for line in fixed if line not in shown]


def test_the_pictures_of_the_prompt_are_there_and_small() -> None:
    named = re.findall(r"!\[[^\]]+\]\((prompt/[^)]+)\)", TEXT)
    assert len(named) == len(list((DOCS / "prompt").iterdir())) >= 3
    for name in named:
        data = (DOCS / name).read_bytes()
        assert len(data) < 20_000
        assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) is not None


def test_diagnostics_that_are_explained_are_there() -> None:
    from loci.planning.traces import ReplayedModel
    from loci.planning.vision_language import VisionLanguagePlanner

    class Silent(ReplayedModel):
        def __init__(self) -> None:
            self.name = "silent"

    explained = re.search(r"\*\*Costs and latencies\*\*(.*?)\n\n", TEXT, re.DOTALL)
    assert explained is not None
    names = set(re.findall(r"`([a-z_]+)`", explained[1])) - {"cost", "input_price", "output_price", "model", "own"}
    assert names <= set(VisionLanguagePlanner(Silent(), None).statistics())  # type: ignore[arg-type]


def test_the_past_tasks_that_are_shown_are_as_a_model_is_shown_them(tmp_path: Path) -> None:
    with RobotMemory.open(tmp_path / "lab", map_id="lab") as memory:
        for observation in tour(n=4):
            memory.observe(observation)
        reader = LocalReader(memory)
        plans = PlanMemory(reader)
        mug = next(o.evidence for o in reader.known_objects() if o.label == "mug")
        plans.remember_task("find the red mug", True, "found: mug on the table")
        plans.remember_failure("mug", mug, "not there", "it is not there", 5_000_000_000)
        plans.remember_find("mug", mug, 6_000_000_000)
        sent = build_prompt("where is the mug", reader, Templates(), PromptBudget()).messages[1]["content"][-1]["text"]
    lines = sent[sent.index("Past tasks like this") : sent.index("Scene graph:")].strip()
    assert len(lines.splitlines()) == 4
    assert f"```text\n{lines}\n```" in TEXT
