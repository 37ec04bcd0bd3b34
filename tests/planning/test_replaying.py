"""`loci replay-trace`: recorded exchanges read again, and asked again of another model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip(
    "openai", reason="the openai client cannot be imported: pip install 'loci[vlm]' (`make setup` does)"
)

from loci.cli import main
from loci.planning.chat_model import ModelError
from loci.planning.decisions import decision_schema
from loci.planning.endpoint import Endpoint, EndpointSettings
from loci.planning.traces import RecordingModel, image_part
from model_server import ModelServer, decide, fails, images_of, jpeg, says

CHOICES = ("object/1", "snapshot/3")


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Three exchanges: an answer, one that was not offered, and a failure."""
    path = tmp_path / "trace.jsonl"
    with ModelServer(says(decide("object/1", "On the table.")), says(decide("lake/1")), fails(401)) as server:
        model = RecordingModel(Endpoint(EndpointSettings(server.url, "first", backoff=0.01)), path)
        for n in range(2):
            model.complete(messages(n), decision_schema(CHOICES), 20.0)
        with pytest.raises(ModelError):
            model.complete(messages(2), decision_schema(CHOICES), 20.0)
    return path


def messages(n: int) -> list[dict[str, object]]:
    parts = [
        image_part(jpeg(30, 20)),
        {"type": "text", "text": f"data\nThe question of the robot's user: number {n}\n"},
    ]
    return [{"role": "system", "content": "rules"}, {"role": "user", "content": parts}]


def test_every_exchange_is_shown_with_what_it_means_today(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay-trace", str(trace)]) == 0
    out = capsys.readouterr().out
    assert "1. The question of the robot's user: number 0" in out
    assert "first, 1 pictures" in out
    assert "object/1 (0.80): On the table." in out
    assert "'lake/1' was not offered" in out
    assert "401" in out
    assert out.splitlines()[-1] == "3 exchanges, 1 usable answers"


def test_as_json(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay-trace", str(trace), "--json"]) == 0
    first, second, third = json.loads(capsys.readouterr().out)
    assert first["decision"]["choice"] == "object/1"
    assert second["decision"] is None
    assert "lake/1" in second["problem"]
    assert "401" in third["problem"]


def test_another_model_is_asked_the_same_with_the_same_pictures(
    trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ModelServer(says(decide("object/1")), says(decide("snapshot/3"))) as server:
        assert main(["replay-trace", str(trace), "--base-url", server.url, "--model", "second"]) == 0
    assert not server.problems
    assert [len(images_of(r)) for r in server.requests] == [1, 1, 1]
    assert [r["model"] for r in server.requests] == ["second"] * 3
    assert "1 with the same choice by second" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--base-url", "nonsense", "--model", "m"], "base_url"),
        (["--base-url", "http://127.0.0.1:1/v1"], "name of a model"),
        (["--base-url", "https://models.example.org/v1", "--model", "m"], "LOCI_MODEL_KEY"),
    ],
)
def test_an_endpoint_that_cannot_be_is_said_plainly(
    trace: Path,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("LOCI_MODEL_KEY", raising=False)
    assert main(["replay-trace", str(trace), *arguments]) == 1
    assert message in capsys.readouterr().err


def test_recorded_pictures_do_not_leave_the_machine_without_leave(
    trace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCI_MODEL_KEY", "secret")
    arguments = ["--base-url", "https://models.example.org/v1", "--model", "m"]
    assert main(["replay-trace", str(trace), *arguments]) == 1
    assert "allow_remote_images" in capsys.readouterr().err


def test_what_is_no_trace_is_said_plainly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay-trace", str(tmp_path / "none.jsonl")]) == 1
    (tmp_path / "notes.txt").write_text("hello\n")
    assert main(["replay-trace", str(tmp_path / "notes.txt")]) == 1
    assert "expected an exchange" in capsys.readouterr().err


def test_a_closed_endpoint_refuses_and_gives_up_what_is_in_flight() -> None:
    import threading

    over = threading.Event()
    asked = threading.Event()

    def silent(request: object, handler: object) -> str:
        asked.set()
        over.wait(60.0)
        return "late"

    problems: list[str] = []

    def ask(endpoint: Endpoint) -> None:
        try:
            endpoint.complete(messages(0), decision_schema(CHOICES), 600.0)
        except ModelError as error:
            problems.append(str(error))

    with ModelServer(silent) as server:
        endpoint = Endpoint(EndpointSettings(server.url, "m"))
        thread = threading.Thread(target=ask, args=(endpoint,))
        thread.start()
        assert asked.wait(30.0)
        endpoint.close()
        thread.join(30.0)
        assert not thread.is_alive()
        ask(endpoint)
        over.set()
    assert len(problems) == 2
    assert all("closed" in p for p in problems)


def test_a_question_to_a_saved_memory_can_be_answered_by_a_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from loci.memory import RobotMemory
    from synthetic import tour

    path = tmp_path / "lab"
    with RobotMemory.open(path, map_id="lab") as memory:
        for observation in tour():
            memory.observe(observation)
        mug = next(o.id for o in memory.objects() if o.label == "mug")
    trace = tmp_path / "trace.jsonl"
    with ModelServer(says(decide(mug, "It stands on the table."))) as server:
        asked = [
            "query",
            str(path),
            "where is the mug?",
            "--base-url",
            server.url,
            "--model",
            "m",
            "--trace",
            str(trace),
        ]
        assert main(asked) == 0
    assert "It stands on the table.  (confidence 0.80)" in capsys.readouterr().out
    assert main(["replay-trace", str(trace)]) == 0
    assert "1 usable answers" in capsys.readouterr().out
    monkeypatch.delenv("LOCI_MODEL_KEY", raising=False)
    assert main(["query", str(path), "where is the mug?", "--model", "m"]) == 1
    assert "base_url" in capsys.readouterr().err
