"""The scripts under examples/ run, and say what the memory holds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from loci.memory import RobotMemory
from synthetic import tour

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("examples") / "lab"
    with RobotMemory.open(path, map_id="lab") as memory:
        for observation in tour():
            memory.observe(observation)
        memory.save()
    return path


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.py")), ids=lambda p: p.name)
def test_an_example_is_short_and_compiles(example: Path) -> None:
    text = example.read_text()
    compile(text, example.name, "exec")
    statements = [line for line in text.splitlines()[1:] if line.strip() and not line.startswith(("import ", "from "))]
    assert len(statements) <= 10


def test_a_saved_memory_is_asked_without_ros(saved: Path) -> None:
    command = [sys.executable, str(EXAMPLES / "ask_saved.py"), str(saved), "where", "is", "the", "mug?"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    assert "table" in done.stdout.splitlines()[0]
    assert "object/" in done.stdout
