"""A model's decision: one of the offered choices, an answer, and what it rests on. What does not fit is repaired or refused, never guessed."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

#: The choice of a model that cannot answer and knows no place to look at.
NONE = "none"
#: Pieces of evidence that a model may name.
MAX_EVIDENCE = 10
#: Of a reply that are read.
MAX_CHARACTERS = 20_000

_THOUGHT = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_LOOSE_ID = re.compile(r"^\W*([a-z]+)[\s_#:/-]*(\d+)\W*$", re.IGNORECASE)


class UnusableReplyError(ValueError):
    """A reply that is no decision; the message tells the model what to mend."""


class Decision(BaseModel):
    """What a model decided.

    Attributes:
        reason: in a sentence or two.
        choice: id of what answers the question or is to be looked at; "none": neither is there.
        evidence: further ids that it rests on.
        answer: plain words for the one who asked.
        confidence: [0, 1].
    """

    model_config = ConfigDict(extra="ignore")

    reason: str = Field(default="", max_length=4000)
    choice: str = Field(max_length=200)
    evidence: list[str] = Field(default=[], max_length=50)
    answer: str = Field(min_length=1, max_length=2000)
    confidence: float = Field(ge=0.0, le=1.0)


def decision_schema(choices: Sequence[str]) -> dict[str, Any]:
    """JSON schema of a decision among offered ids; `NONE` is added. It keeps to what endpoints' strict modes know."""
    offered = [*choices, NONE]
    return {
        "type": "object",
        "properties": {
            "reason": {"type": "string", "description": "one or two sentences: what shows it"},
            "choice": {"type": "string", "enum": offered, "description": "what answers the question, or where to look"},
            "evidence": {
                "type": "array",
                "items": {"type": "string", "enum": offered},
                "description": "further ids that the answer rests on",
            },
            "answer": {"type": "string", "description": "the answer in plain words"},
            "confidence": {"type": "number", "description": "from 0 to 1"},
        },
        "required": ["reason", "choice", "evidence", "answer", "confidence"],
        "additionalProperties": False,
    }


def parse_decision(content: str, choices: Collection[str]) -> Decision:
    """The decision in a reply: text around its JSON, spellings of ids ("snapshot 3") and percentages are mended.

    Raises:
        UnusableReplyError: there is none, or it names what was not offered.
    """
    document = _json_object(content)
    if isinstance(document.get("confidence"), (int, float)) and 1 < document["confidence"] <= 100:
        document["confidence"] = document["confidence"] / 100
    try:
        decision = Decision.model_validate(document)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False)[:5]]
        raise UnusableReplyError("the JSON does not follow the schema: " + "; ".join(problems)) from error
    choice = _offered(decision.choice, choices)
    evidence = [_offered(i, choices) for i in decision.evidence]
    evidence = [i for i in dict.fromkeys(evidence) if i not in (NONE, choice)]
    return decision.model_copy(update={"choice": choice, "evidence": evidence[:MAX_EVIDENCE]})


def _offered(given: str, choices: Collection[str]) -> str:
    """The offered id that is meant.

    Raises:
        UnusableReplyError: none is.
    """
    name = given.strip()
    if name in choices or name == NONE:
        return name
    if (match := _LOOSE_ID.match(name)) and (loose := f"{match[1].lower()}/{match[2]}") in choices:
        return loose
    raise UnusableReplyError(f"{given[:80]!r} was not offered: choose one of {', '.join([*choices, NONE])}")


def _json_object(content: str) -> dict[str, Any]:
    """The last complete JSON object in a text that is no part of another: models think aloud before it.

    Raises:
        UnusableReplyError: there is none.
    """
    text = _THOUGHT.sub("", content[:MAX_CHARACTERS])
    decoder = json.JSONDecoder()
    found: dict[str, Any] | None = None
    at = text.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            found = value
        at = text.find("{", end)
    if found is None:
        raise UnusableReplyError(f"expected one JSON object, got {content[:120]!r}")
    return found
