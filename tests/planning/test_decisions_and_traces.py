"""What counts as this machine, what is made of a reply, and what a trace keeps: without a model and without a memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loci.planning.chat_model import ModelError, Reply
from loci.planning.decisions import NONE, UnusableReplyError, decision_schema, parse_decision
from loci.planning.loopback import is_loopback
from loci.planning.pictures import scaled_jpeg
from loci.planning.traces import RecordingModel, ReplayedModel, image_folder, image_part, read_trace, with_images
from model_server import jpeg

CHOICES = ("object/1", "snapshot/3", "frontier/2")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", False),
        ("192.168.1.5", False),
        ("localhost.evil.org", False),
        ("127.0.0.1.evil.org", False),
        ("", False),
    ],
)
def test_loopback_is_this_machine_and_no_other(host: str, expected: bool) -> None:
    assert is_loopback(host) == expected


def decision(**fields: Any) -> str:
    return json.dumps({"reason": "", "choice": "object/1", "evidence": [], "answer": "yes", "confidence": 0.5} | fields)


# --- decisions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_choice", "choice"),
    [
        ("object/1", "object/1"),
        (" snapshot/3 ", "snapshot/3"),
        ("snapshot 3", "snapshot/3"),
        ("Frontier #2", "frontier/2"),
        ("[object/1]", "object/1"),
        ("none", NONE),
    ],
)
def test_spellings_of_an_offered_id_are_understood(given_choice: str, choice: str) -> None:
    assert parse_decision(decision(choice=given_choice), CHOICES).choice == choice


@pytest.mark.parametrize(
    "choice", ["object/2", "object/11", "object/", "1", "", "the mug", "object/1 and snapshot/3", "NONE"]
)
def test_no_other_choice_is(choice: str) -> None:
    with pytest.raises(UnusableReplyError, match=r"not offered: choose one of object/1, snapshot/3, frontier/2, none"):
        parse_decision(decision(choice=choice), CHOICES)


def test_percentages_are_probabilities_and_evidence_is_named_once() -> None:
    d = parse_decision(decision(confidence=85, evidence=["snapshot/3", "snapshot 3", "object/1", "none"]), CHOICES)
    assert d.confidence == pytest.approx(0.85)
    assert d.evidence == ["snapshot/3"]


def test_half_a_character_does_not_reach_a_message() -> None:
    with pytest.raises(UnusableReplyError, match="answer"):
        parse_decision(decision(answer="yes \ud83d"), CHOICES)


@given(st.text(max_size=300))
def test_any_text_is_a_decision_among_the_offered_or_refused(content: str) -> None:
    try:
        d = parse_decision(content, CHOICES)
    except UnusableReplyError:
        return
    assert {d.choice, *d.evidence} <= {*CHOICES, NONE}


@given(
    st.dictionaries(
        st.sampled_from(["choice", "evidence", "answer", "confidence", "reason", "other"]),
        st.recursive(
            st.one_of(
                st.none(), st.booleans(), st.floats(), st.integers(), st.text(max_size=9), st.sampled_from(CHOICES)
            ),
            lambda inner: st.lists(inner, max_size=3),
            max_leaves=6,
        ),
    )
)
def test_any_object_is_a_decision_among_the_offered_or_refused(document: dict[str, Any]) -> None:
    try:
        d = parse_decision(json.dumps(document), CHOICES)
    except UnusableReplyError:
        return
    assert {d.choice, *d.evidence} <= {*CHOICES, NONE}
    assert 0.0 <= d.confidence <= 1.0


def test_what_the_schema_allows_is_what_is_parsed() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = decision_schema(CHOICES)
    jsonschema.validate(json.loads(decision()), schema)
    for wrong in (decision(choice="object/2"), decision(evidence=["object/2"]), decision(extra=1)):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(json.loads(wrong), schema)


# --- pictures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "height"), [(640, 480), (480, 640), (2000, 3), (64, 64)])
def test_a_picture_keeps_its_shape_and_fits(width: int, height: int) -> None:
    scaled = scaled_jpeg(jpeg(width, height), 100, 20_000)
    assert scaled is not None
    assert len(scaled) <= 20_000
    image = cv2.imdecode(np.frombuffer(scaled, np.uint8), cv2.IMREAD_COLOR)
    assert max(image.shape) == min(100, max(width, height))
    expected = min(width, height) * max(image.shape[:2]) / max(width, height)
    assert abs(min(image.shape[:2]) - expected) <= 1


def test_a_small_picture_is_sent_as_it_is_and_what_is_none_is_left_out() -> None:
    small = jpeg(50, 40)
    assert scaled_jpeg(small, 512, 10**6) == small
    assert scaled_jpeg(b"", 512, 10**6) is None
    assert scaled_jpeg(b"no picture", 512, 10**6) is None
    assert scaled_jpeg(jpeg(500, 500), 500, 100) is None


# --- traces -----------------------------------------------------------------------------------------------------------


class Echo:
    """Answers with the number of the call."""

    name, takes_images = "echo", True

    def __init__(self) -> None:
        self.n = 0

    def complete(self, messages: Any, schema: Any, timeout: float) -> Reply:
        self.n += 1
        return Reply(f"answer {self.n}", 10, 5, 0.25, 1)


def message(text: str, picture: bytes | None = None) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "text", "text": text}, *([image_part(picture)] if picture else [])]}


def test_a_trace_gives_back_what_was_sent_with_its_pictures(tmp_path: Path) -> None:
    trace = tmp_path / "deep" / "trace.jsonl"
    model = RecordingModel(Echo(), trace)
    sent = [{"role": "system", "content": "rules"}, message("look", jpeg(20, 20))]
    model.complete(sent, {"type": "object"}, 1.0)
    [exchange] = read_trace(trace)
    assert with_images(exchange.messages, trace) == sent
    assert exchange.reply == Reply("answer 1", 10, 5, 0.25, 1)
    assert len(list(image_folder(trace).iterdir())) == 1


def test_another_picture_is_another_question(tmp_path: Path) -> None:
    model = RecordingModel(Echo(), tmp_path / "t.jsonl", reuse=True)
    first, second = message("look", jpeg(20, 20)), message("look", jpeg(21, 20))
    answers = [model.complete([m], {}, 1.0).content for m in (first, second, first, second)]
    assert answers == ["answer 1", "answer 2", "answer 1", "answer 2"]


def test_a_line_that_was_cut_off_by_a_crash_is_left_out_and_the_next_is_whole(tmp_path: Path) -> None:
    trace = tmp_path / "t.jsonl"
    RecordingModel(Echo(), trace).complete([message("one")], {}, 1.0)
    whole = trace.read_bytes()
    for cut, n in ((1, 1), (len(whole) // 2, 1), (len(whole) - 2, 1), (len(whole) - 1, 2)):
        trace.write_bytes(whole + whole[:cut])
        assert len(list(read_trace(trace))) == n
        RecordingModel(Echo(), trace).complete([message("two")], {}, 1.0)
        assert len(list(read_trace(trace))) == n + 1


@pytest.mark.parametrize("content", ["no json\n", '{"version": 99}\n', "[]\n", '{"version": 1}\n'])
def test_a_file_that_is_no_trace_is_refused_and_left_alone(tmp_path: Path, content: str) -> None:
    file = tmp_path / "notes.txt"
    file.write_text(content)
    with pytest.raises(ValueError, match="line 1"):
        RecordingModel(Echo(), file)
    assert file.read_text() == content
    with pytest.raises(ValueError, match="line 1"):
        ReplayedModel(file)


def test_a_trace_that_names_other_files_reads_none_of_them(tmp_path: Path) -> None:
    parts = [{"type": "image_url", "image_url": {"url": "sha256:../../../etc/passwd"}}]
    with pytest.raises(ValueError, match="hash"):
        with_images([{"role": "user", "content": parts}], tmp_path / "t.jsonl")


def test_an_answer_that_cannot_be_recorded_is_not_lost(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    trace = tmp_path / "t.jsonl"
    model = RecordingModel(Echo(), trace)
    trace.unlink()
    trace.mkdir()
    assert model.complete([message("x")], {}, 1.0).content == "answer 1"
    assert "cannot record" in caplog.text


def test_failures_are_not_reused(tmp_path: Path) -> None:
    class Down(Echo):
        def complete(self, messages: Any, schema: Any, timeout: float) -> Reply:
            self.n += 1
            raise ModelError("down")

    down = Down()
    model = RecordingModel(down, tmp_path / "t.jsonl", reuse=True)
    for _ in range(2):
        with pytest.raises(ModelError, match="down"):
            model.complete([message("x")], {}, 1.0)
    assert down.n == 2
    with pytest.raises(ValueError, match="with an answer"):
        ReplayedModel(tmp_path / "t.jsonl")
