"""Marks of answers: exact matches, and a model behind an endpoint that answers, stumbles, dawdles or talks nonsense."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loci.errors import UserError
from loci_sim.evaluation.chat_server import PATH, ChatHandler, ChatServer
from loci_sim.evaluation.graders import Endpoint, EndpointGrader, ExactMatch, mark_of, plain

ASKED = ("What is on the table?", "A red bowl", "A bowl.", ("a fruit bowl",))


class Handler(ChatHandler):
    server: Api

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        api = self.server
        api.requests.append((json.loads(body), self.headers.get("Authorization", "")))
        status, reply = api.replies[min(len(api.requests), len(api.replies)) - 1]
        # Who has heard enough hangs up.
        with suppress(BrokenPipeError, ConnectionResetError):
            if api.delay:
                self.dawdle(api.delay)
            else:
                self.send(status if self.path == PATH else 404, reply)

    def dawdle(self, seconds: float) -> None:
        """A reply of one byte after the other."""
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        for _ in range(1000):
            self.wfile.write(b" ")
            time.sleep(seconds)


class Api(ChatServer):
    """An endpoint of a model.

    Attributes:
        replies: what it answers in turn, the last one again and again: a status and a body.
        requests: bodies that came, and the authorization of each.
        delay: between the bytes of a reply [s].
    """

    def __init__(self) -> None:
        super().__init__(Handler)
        self.replies: list[tuple[int, Any]] = [(200, said("4"))]
        self.requests: list[tuple[dict[str, Any], str]] = []
        self.delay = 0.0


def said(words: str) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": words}}]}


@pytest.fixture
def api() -> Iterator[Api]:
    with Api() as api:
        yield api


def grader_of(api: Api, waits: list[float] | None = None, **options: Any) -> EndpointGrader:
    sleep: Callable[[float], None] = (waits if waits is not None else []).append
    return EndpointGrader(Endpoint(api.url, "some-model", **options), sleep)


# --- exact matches


@pytest.mark.parametrize(
    ("prediction", "mark"),
    [
        ("A red bowl", 5),
        ("the RED bowl.", 5),
        ("fruit bowl", 5),
        ("bowl", 1),
        ("a red bowl and a cup", 1),
        ("", 1),
        (".", 1),
    ],
)
def test_an_exact_match_is_five_and_all_else_is_one(prediction: str, mark: int) -> None:
    question, answer, _, others = ASKED
    assert ExactMatch()(question, answer, prediction, others) == mark
    assert not ExactMatch.is_model


@given(st.text())
def test_case_and_punctuation_at_the_ends_do_not_matter_to_an_exact_match(text: str) -> None:
    if plain(text):
        assert ExactMatch()("", text, f" {text}!? ", ()) == 5


# --- marks


@pytest.mark.parametrize(
    ("reply", "mark"),
    [("4", 4), ("Your mark: 3", 3), ("Mark: 5.", 5), ('{"mark": 2}', 2), ("1\n", 1), ("5 (five: 5)", 5)],
)
def test_a_mark_is_read_from_a_reply(reply: str, mark: int) -> None:
    assert mark_of(reply) == mark


@pytest.mark.parametrize("reply", ["", "very good", "0", "6", "45", "3 or 4", "3.5", "4/5", "-"])
def test_what_is_no_single_mark_is_refused(reply: str) -> None:
    with pytest.raises(ValueError, match="a mark from 1 to 5"):
        mark_of(reply)


# --- the endpoint


def test_the_model_is_told_question_answers_and_prediction_and_its_mark_is_taken(api: Api) -> None:
    assert grader_of(api, key="secret")(*ASKED) == 4
    ((body, authorization),) = api.requests
    text = body["messages"][0]["content"]
    assert body["model"] == "some-model" and authorization == "Bearer secret"
    assert all(words in text for words in ("What is on the table?", "A red bowl", "A bowl.", "a fruit bowl"))


def test_without_a_key_none_is_sent_and_a_key_is_not_in_what_is_printed(api: Api) -> None:
    grader_of(api)(*ASKED)
    assert api.requests[0][1] == ""
    assert "secret" not in repr(Endpoint(api.url, "some-model", "secret"))


@pytest.mark.parametrize(
    "first", [(503, b"busy"), (429, b"slowly"), (200, b"no JSON"), (200, {"error": "?"}), (200, said("very good"))]
)
def test_what_passes_is_tried_again_after_a_while(api: Api, first: tuple[int, Any]) -> None:
    api.replies = [first, first, (200, said("2"))]
    waits: list[float] = []
    assert grader_of(api, waits)(*ASKED) == 2
    assert len(api.requests) == 3 and waits == [1.0, 2.0]


def test_what_does_not_pass_is_an_error_with_its_reason(api: Api) -> None:
    api.replies = [(401, b"who are you")]
    with pytest.raises(UserError, match="no mark after 1 of 4 tries: 401"):
        grader_of(api)(*ASKED)
    assert len(api.requests) == 1
    api.replies = [(200, said("7"))]
    with pytest.raises(UserError, match="after 4 of 4 tries: expected a mark from 1 to 5, got '7'"):
        grader_of(api)(*ASKED)


def test_nobody_there_is_an_error() -> None:
    grader = EndpointGrader(Endpoint("http://127.0.0.1:9", "some-model", tries=2), lambda seconds: None)
    with pytest.raises(UserError, match="after 2 of 2 tries"):
        grader(*ASKED)


def test_a_server_that_dawdles_runs_out_of_time(api: Api) -> None:
    api.delay = 0.05
    with pytest.raises(UserError, match=r"no whole reply within 0\.3 s"):
        grader_of(api, timeout=0.3, tries=1)(*ASKED)


def test_a_reply_without_end_is_cut_off(api: Api) -> None:
    api.replies = [(200, b"x" * (2 << 20))]
    with pytest.raises(UserError, match="at most 1048576 bytes"):
        grader_of(api, tries=1)(*ASKED)


# --- the cache


def test_replies_are_kept_and_a_grading_is_repeated_without_the_endpoint(api: Api, tmp_path: Path) -> None:
    cache = tmp_path / "deep" / "marks.jsonl"
    first = grader_of(api, cache=cache, key="secret")
    assert first(*ASKED) == first(*ASKED) == 4
    assert len(api.requests) == 1 and "secret" not in cache.read_text()
    again = EndpointGrader(Endpoint("", "some-model", cache=cache))
    assert again(*ASKED) == 4
    with pytest.raises(UserError, match="has no reply of some-model for 'Why"):
        again("Why?", *ASKED[1:])
    # Another model, or another prompt, has not said anything yet.
    with pytest.raises(UserError, match="has no reply of another"):
        EndpointGrader(Endpoint("", "another", cache=cache))(*ASKED)


def test_a_cut_off_line_is_asked_again_and_a_damaged_one_is_an_error(api: Api, tmp_path: Path) -> None:
    cache = tmp_path / "marks.jsonl"
    grader_of(api, cache=cache)(*ASKED)
    whole = cache.read_text()
    cache.write_text(whole + '{"key": "12')
    assert grader_of(api, cache=cache)(*ASKED) == 4
    assert cache.read_text() == whole and len(api.requests) == 1
    cache.write_text("nonsense\n" + whole)
    with pytest.raises(UserError, match=r"line 1 of .*marks\.jsonl is no reply"):
        grader_of(api, cache=cache)


# --- options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "ftp://x"}, "http or https"),
        ({"model": ""}, "name of a model"),
        ({"url": ""}, "neither"),
        ({"timeout": 0.0}, "timeout > 0"),
        ({"tries": 0}, "one try"),
        ({"prompt": "{question} {answer}"}, "{prediction}"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Endpoint(**{"url": "http://x/v1", "model": "some-model", **options})


def test_another_prompt_is_named_and_one_with_unknown_blanks_is_an_error(api: Api) -> None:
    own = grader_of(api, prompt="{question}|{answer}|{prediction}")
    own(*ASKED)
    assert api.requests[0][0]["messages"][0]["content"] == "What is on the table?|A red bowl|A bowl."
    assert own.name == "some-model with another prompt" and grader_of(api).name == "some-model with Loci's prompt"
    with pytest.raises(UserError, match="a blank that nothing fills"):
        grader_of(api, prompt="{question}|{answer}|{prediction}|{mood}")(*ASKED)
