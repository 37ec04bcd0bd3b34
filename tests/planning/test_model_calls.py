"""Calls of a model behind an endpoint: streams, several at once, and the end of a call at every stage of it."""

from __future__ import annotations

import gc
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip(
    "openai", reason="the openai client cannot be imported: pip install 'loci[vlm]' (`make setup` does)"
)

from hypothesis import given, settings
from hypothesis import strategies as st

from loci.planning.cancelling import GivenUpError, cancelled_by, current_check
from loci.planning.chat_model import ModelError, Reply
from loci.planning.completions import MAX_CHARACTERS
from loci.planning.decisions import decision_schema
from loci.planning.endpoint import Endpoint, EndpointSettings
from model_server import ModelServer, Script, completion, decide, drops, fails, half_a_body, says

SCHEMA = decision_schema(["object/1"])
MESSAGES = ({"role": "system", "content": "rules"}, {"role": "user", "content": "where is the mug?"})
ANSWER = decide("object/1", "On the table: “Tisch”, 桌子.")


def endpoint(server: ModelServer, **options: Any) -> Endpoint:
    return Endpoint(EndpointSettings(server.url, "scripted", **{"backoff": 0.01, **options}))


def ask(model: Endpoint, timeout: float = 20.0) -> Reply:
    return model.complete(MESSAGES, SCHEMA, timeout)


# --- streams ----------------------------------------------------------------------------------------------------------


def test_an_answer_is_put_together_from_its_pieces() -> None:
    with ModelServer(says(ANSWER)) as server:
        reply = ask(endpoint(server))
    assert reply.content == ANSWER
    assert (reply.n_prompt_tokens, reply.n_completion_tokens, reply.n_retries) == (1000, 50, 0)
    assert 0.0 < reply.first_token_s <= reply.latency_s
    assert server.requests[0]["stream"] is True
    assert not server.problems


@settings(max_examples=10, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60).filter(str.strip), st.integers(1, 9))
def test_any_text_in_pieces_of_any_size_arrives_whole(text: str, size: int) -> None:
    pieces = [{"content": text[i : i + size]} for i in range(0, len(text), size)]
    with ModelServer(lambda request, handler: handler.stream(pieces)) as server:
        assert ask(endpoint(server)).content == text


def test_an_endpoint_that_sends_all_at_once_though_a_stream_was_asked_for_is_read() -> None:
    with ModelServer(lambda request, handler: handler.send(200, completion(ANSWER))) as server:
        reply = ask(endpoint(server))
    assert reply.content == ANSWER
    assert (reply.n_prompt_tokens, reply.first_token_s) == (1000, 0.0)


@pytest.mark.parametrize(("field", "streams"), [("stream_options", True), ("stream", False)])
def test_an_endpoint_that_cannot_stream_is_asked_once_and_then_without(field: str, streams: bool) -> None:
    def picky(request: dict[str, Any], handler: Any) -> str | None:
        if field in request:
            handler.send(400, {"error": {"message": f"unknown field {field}"}})
            return None
        return ANSWER

    with ModelServer(picky) as server:
        model = endpoint(server)
        assert [ask(model).content for _ in range(2)] == [ANSWER, ANSWER]
    assert [field in r for r in server.requests] == [True, False, False]
    assert ("stream" in server.requests[-1]) == streams
    assert not server.problems


def cut_off(request: dict[str, Any], handler: Any) -> None:
    handler.stream([{"content": ANSWER[:20]}], end=False)


def breaks_in_the_middle(request: dict[str, Any], handler: Any) -> None:
    handler.begin_stream()
    handler.chunk({"choices": [{"index": 0, "delta": {"content": ANSWER[:20]}, "finish_reason": None}]})
    handler.chunk({"error": {"message": "out of memory", "code": 500}})


def nonsense_in_the_middle(request: dict[str, Any], handler: Any) -> None:
    handler.begin_stream()
    handler.wfile.write(b"data: { not json\n\n")


def says_nothing(request: dict[str, Any], handler: Any) -> None:
    handler.stream([])


@pytest.mark.parametrize("trouble", [cut_off, breaks_in_the_middle, nonsense_in_the_middle, says_nothing, half_a_body])
def test_a_stream_that_breaks_is_tried_again_and_its_half_is_not_kept(trouble: Script) -> None:
    with ModelServer(trouble, says(ANSWER)) as server:
        reply = ask(endpoint(server))
    assert (reply.content, reply.n_retries) == (ANSWER, 1)


def test_a_stream_that_always_breaks_is_told_with_the_number_of_retries() -> None:
    with ModelServer(breaks_in_the_middle) as server, pytest.raises(ModelError, match="out of memory") as error:
        ask(endpoint(server, max_retries=2))
    assert len(server.requests) == 3
    assert error.value.n_retries == 2


def test_a_refusal_in_a_stream_is_a_refusal() -> None:
    pieces = [{"refusal": "I cannot "}, {"refusal": "look at homes"}]
    with (
        ModelServer(lambda request, handler: handler.stream(pieces)) as server,
        pytest.raises(ModelError, match="I cannot look at homes"),
    ):
        ask(endpoint(server))
    assert len(server.requests) == 1


def test_an_answer_without_end_is_cut() -> None:
    """A model that repeats itself for ever; what was read is given back, and the server is hung up on."""
    stop = threading.Event()

    def endless(request: dict[str, Any], handler: Any) -> None:
        def words() -> Iterator[dict[str, Any]]:
            while not stop.is_set():
                yield {"content": "and then " * 500}

        handler.stream(words(), end=False)

    with ModelServer(endless) as server:
        reply = ask(endpoint(server), timeout=100.0)
        stop.set()
    assert MAX_CHARACTERS < len(reply.content) < 2 * MAX_CHARACTERS


def test_a_stream_that_stalls_ends_at_the_deadline() -> None:
    over = threading.Event()

    def stalls(request: dict[str, Any], handler: Any) -> None:
        def words() -> Iterator[dict[str, Any]]:
            yield {"content": ANSWER[:20]}
            over.wait(60.0)

        handler.stream(words(), end=False)

    with ModelServer(stalls) as server:
        with pytest.raises(ModelError, match=r"within 0\.5 s"):
            ask(endpoint(server), timeout=0.5)
        over.set()


# --- the end of a call ------------------------------------------------------------------------------------------------


class Stage:
    """A server that brings a call to a stage and keeps it there; ``reached`` is set when it is."""

    def __init__(self, name: str) -> None:
        self.name, self.reached, self.over = name, threading.Event(), threading.Event()

    def __call__(self, request: dict[str, Any], handler: Any) -> None:
        if self.name == "back-off":  # it is told to come again in ten minutes
            handler.send(429, {"error": {"message": "busy"}}, {"Retry-After": "600"})
            self.reached.set()
        elif self.name == "retrying" and len(handler.server.requests) == 1:
            drops(request, handler)
        elif self.name == "streaming":
            handler.stream(self._words(), end=False)
        else:
            self.reached.set()
            self.over.wait(60.0)
            handler.close_connection = True

    def _words(self) -> Iterator[dict[str, Any]]:
        while not self.over.is_set():
            yield {"content": "and "}
            self.reached.set()
            time.sleep(0.01)


STAGES = ["waiting", "retrying", "back-off", "streaming"]


@pytest.fixture(params=STAGES)
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    stage = Stage(request.param)
    yield stage
    stage.over.set()


def test_a_call_that_is_cancelled_ends_at_every_stage(stage: Stage) -> None:
    """Its deadline is ten minutes, which the test's own limit does not give it."""
    with ModelServer(stage) as server:
        model = endpoint(server)
        with pytest.raises(GivenUpError), cancelled_by(stage.reached.is_set):
            ask(model, timeout=660.0)
        stage.over.set()
        server.scripts = [says(ANSWER)]
        assert ask(model).content == ANSWER  # the next call is served


def test_a_call_ends_at_every_stage_when_the_endpoint_is_closed(stage: Stage) -> None:
    with ModelServer(stage) as server:
        model = endpoint(server)
        ended: list[BaseException] = []

        def call() -> None:
            try:
                ask(model, timeout=660.0)
            except BaseException as error:
                ended.append(error)

        caller = threading.Thread(target=call)
        caller.start()
        assert stage.reached.wait(60.0)
        model.close()
        caller.join(60.0)
        assert not caller.is_alive()
        stage.over.set()
    [error] = ended
    assert isinstance(error, ModelError)
    assert "closed" in str(error)
    with pytest.raises(ModelError, match="closed"):
        ask(model)


def test_what_is_cancelled_before_it_begins_sends_nothing() -> None:
    with ModelServer(says(ANSWER)) as server:
        with pytest.raises(GivenUpError), cancelled_by(lambda: True):
            ask(endpoint(server))
        assert not server.requests


def test_cancelling_one_call_leaves_the_others() -> None:
    both = threading.Barrier(3)
    first, release = threading.Event(), threading.Event()

    def waits(request: dict[str, Any], handler: Any) -> str:
        both.wait(60.0)
        release.wait(60.0)
        return ANSWER

    ended: dict[str, Any] = {}

    def call(name: str, model: Endpoint, check: Callable[[], bool]) -> None:
        try:
            with cancelled_by(check):
                ended[name] = ask(model, 100.0).content
        except GivenUpError as error:
            ended[name] = error

    with ModelServer(waits) as server:
        model = endpoint(server)
        threads = {
            name: threading.Thread(target=call, args=(name, model, check))
            for name, check in (("first", first.is_set), ("second", lambda: False))
        }
        for thread in threads.values():
            thread.start()
        both.wait(60.0)
        first.set()
        threads["first"].join(60.0)
        assert isinstance(ended["first"], GivenUpError)
        assert "second" not in ended
        release.set()
        threads["second"].join(60.0)
    assert ended["second"] == ANSWER


def test_an_outer_check_still_counts_and_ends_with_its_block() -> None:
    with cancelled_by(lambda: True), cancelled_by(lambda: False):
        check = current_check()
        assert check is not None
        assert check()
    assert current_check() is None


def test_a_name_that_cannot_be_looked_up_for_minutes_does_not_hold_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resolvers hang in a thread of their own, which nothing can interrupt."""
    over = threading.Event()
    monkeypatch.setenv("LOCI_MODEL_KEY", "secret")

    def hangs(*_: Any, **__: Any) -> Any:
        over.wait(60.0)
        raise socket.gaierror("no such host")

    monkeypatch.setattr(socket, "getaddrinfo", hangs)
    model = Endpoint(EndpointSettings("http://models.example.org/v1", "far", max_retries=0))
    try:
        with pytest.raises(ModelError, match="within"):
            ask(model, timeout=0.5)
        assert not over.is_set()
    finally:
        over.set()
        model.close()


# --- several at once --------------------------------------------------------------------------------------------------


def test_many_calls_are_in_flight_at_once_in_one_thread() -> None:
    """The server answers nobody before all twenty have asked; their traffic is in one thread beside those that ask."""
    n = 20
    together, at_work = threading.Barrier(n), []

    def waits_for_the_others(request: dict[str, Any], handler: Any) -> str:
        together.wait(60.0)
        at_work.append([t.name for t in threading.enumerate() if t.name.startswith("model endpoint")])
        return ANSWER

    contents: list[str] = []
    with ModelServer(waits_for_the_others) as server:
        model = endpoint(server)
        before = [t.name for t in threading.enumerate() if t.name.startswith(f"model endpoint {server.url}")]
        threads = [threading.Thread(target=lambda: contents.append(ask(model, 100.0).content)) for _ in range(n)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        mine = [[name for name in names if name.endswith(server.url)] for names in at_work]
    assert contents == [ANSWER] * n
    assert not before
    assert {len(names) for names in mine} == {1}


def test_an_endpoint_that_nobody_holds_any_more_leaves_no_thread() -> None:
    with ModelServer(says(ANSWER)) as server:
        model = endpoint(server)
        ask(model)
        name = f"model endpoint {server.url}"
        assert any(t.name == name for t in threading.enumerate())
        del model
        deadline = time.monotonic() + 30.0
        while any(t.name == name for t in threading.enumerate()) and time.monotonic() < deadline:
            gc.collect()
            time.sleep(0.01)
        assert not any(t.name == name for t in threading.enumerate())


def test_a_server_in_trouble_does_not_slow_the_calls_to_another() -> None:
    over = threading.Event()

    def silent(request: dict[str, Any], handler: Any) -> None:
        over.wait(60.0)
        handler.close_connection = True

    with ModelServer(silent) as stuck, ModelServer(fails(503), says(ANSWER)) as sound:
        waiting = endpoint(stuck)

        def call() -> None:
            with pytest.raises(ModelError, match="closed"):
                ask(waiting, 100.0)

        caller = threading.Thread(target=call)
        caller.start()
        assert ask(endpoint(sound)).content == ANSWER
        assert caller.is_alive()
        waiting.close()
        caller.join(60.0)
        over.set()
    assert not caller.is_alive()
