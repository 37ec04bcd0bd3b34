"""`loci replay-trace`: read recorded exchanges with a model again, with the rules of today, or with another model.

Without an endpoint nothing is sent: the recorded answers are parsed as the planner parses them, so that a change of the rules shows
what it changes. With one, every request is sent again and the two choices are compared.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loci.errors import UserError
from loci.planning.chat_model import ChatModel, Message, ModelError
from loci.planning.decisions import NONE, Decision, UnusableReplyError, parse_decision
from loci.planning.traces import Exchange, read_trace, with_images


@dataclass(frozen=True)
class Replayed:
    """One exchange, read again.

    Attributes:
        exchange: as recorded.
        decision: in the recorded answer; None: there is none.
        problem: why not.
        other: decision of the other model, where one was asked.
        other_problem: why there is none.
    """

    exchange: Exchange
    decision: Decision | None
    problem: str = ""
    other: Decision | None = None
    other_problem: str = ""


def replay(exchange: Exchange, trace: Path, model: ChatModel | None = None, timeout: float = 60.0) -> Replayed:
    """Read an exchange again, and ask another model the same.

    Raises:
        OSError: an image of it is missing, where it is sent again.
    """
    decision, problem = _read(exchange.reply.content, exchange.schema) if exchange.reply else (None, exchange.error)
    if model is None:
        return Replayed(exchange, decision, problem)
    try:
        reply = model.complete(with_images(exchange.messages, trace), exchange.schema, timeout)
    except ModelError as error:
        return Replayed(exchange, decision, problem, None, str(error))
    return Replayed(exchange, decision, problem, *_read(reply.content, exchange.schema))


def _read(content: str, schema: Mapping[str, Any]) -> tuple[Decision | None, str]:
    offered = [i for i in schema["properties"]["choice"]["enum"] if i != NONE]
    try:
        return parse_decision(content, offered), ""
    except UnusableReplyError as error:
        return None, str(error)


def run(a: argparse.Namespace) -> int:
    """`loci replay-trace`."""
    model = _model(a)
    try:
        exchanges = list(read_trace(a.trace))
        found = [replay(e, a.trace, model, a.timeout) for e in exchanges]
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read the trace: {error}", "loci replay-trace --help") from error
    if a.json:
        print(json.dumps([_as_json(r) for r in found], indent=2, ensure_ascii=False))
        return 0
    for number, r in enumerate(found, 1):
        _show(number, r, model is not None)
    n_usable = sum(r.decision is not None for r in found)
    print(f"{len(found)} exchanges, {n_usable} usable answers", end="")
    if model is not None:
        n_same = sum(
            r.decision is not None and r.other is not None and r.decision.choice == r.other.choice for r in found
        )
        print(f", {n_same} with the same choice by {model.name}", end="")
    print()
    return 0


def _show(number: int, r: Replayed, compared: bool) -> None:
    e = r.exchange
    took = ""
    if e.reply is not None:
        took = f", {e.reply.latency_s:.2f} s, {e.reply.n_prompt_tokens} + {e.reply.n_completion_tokens} tokens"
    print(f"{number}. {question_of(e.messages)}")
    print(f"   {e.model}, {n_images(e.messages)} pictures{took}")
    print(f"   {_line(r.decision, r.problem)}")
    if compared:
        print(f"   now: {_line(r.other, r.other_problem)}")


def _line(d: Decision | None, problem: str) -> str:
    return f"{d.choice} ({d.confidence:.2f}): {d.answer}" if d is not None else f"no usable answer: {problem}"


def question_of(messages: Sequence[Message]) -> str:
    """The last line of the first request: where the template has the question."""
    content = messages[1]["content"] if len(messages) > 1 else ""
    texts = [p["text"] for p in content if p["type"] == "text"] if isinstance(content, list) else [str(content)]
    lines = [line for line in (texts[-1] if texts else "").splitlines() if line.strip()]
    return lines[-1] if lines else ""


def n_images(messages: Sequence[Message]) -> int:
    """Pictures in a request."""
    contents = [m["content"] for m in messages if isinstance(m["content"], list)]
    return sum(part["type"] == "image_url" for content in contents for part in content)


def _as_json(r: Replayed) -> dict[str, Any]:
    document: dict[str, Any] = {
        "key": r.exchange.key,
        "model": r.exchange.model,
        "question": question_of(r.exchange.messages),
        "n_images": n_images(r.exchange.messages),
        "decision": r.decision.model_dump() if r.decision else None,
        "problem": r.problem,
    }
    if r.exchange.reply is not None:
        document["latency_s"] = r.exchange.reply.latency_s
    if r.other is not None or r.other_problem:
        document |= {"other": r.other.model_dump() if r.other else None, "other_problem": r.other_problem}
    return document


def _model(a: argparse.Namespace) -> ChatModel | None:
    if not a.base_url and not a.model:
        return None
    from loci.planning.endpoint import Endpoint, EndpointSettings, why_no_images

    try:
        settings = EndpointSettings(
            a.base_url,
            a.model,
            api_key_variable=a.api_key_variable,
            allow_remote_images=a.allow_remote_images,
        )
        model = Endpoint(settings)
    except (ValueError, ModelError) as error:
        raise UserError(
            str(error), "loci replay-trace FILE --base-url http://127.0.0.1:8000/v1 --model NAME"
        ) from error
    if not model.takes_images:
        raise UserError(why_no_images(a.base_url), "loci replay-trace FILE ... --allow-remote-images")
    return model
