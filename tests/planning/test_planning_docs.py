"""docs/planning.md says what is there."""

from __future__ import annotations

import re
from pathlib import Path

from loci.cli import build_parser
from loci.planning.tools import TOOLS

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "planning.md").read_text()


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
        compile(code, "docs/planning.md", "exec")
        exec("\n".join(line for line in code.splitlines() if line.startswith("from ")), {})
