"""What an instruction orders: its parts in their order, each with a verb and the words for what it is done to.

Commands as they are usually worded; what is not understood is said to be so, and nothing of the instruction is begun.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal, get_args

from loci.planning.constraints import refuse_contradiction, without_moving
from loci.planning.parsing import MAX_QUESTION_LENGTH

Verb = Literal["find", "pick", "place", "open", "close", "switch_on", "switch_off", "clean", "answer"]
VERBS: tuple[Verb, ...] = get_args(Verb)


@dataclass(frozen=True)
class Order:
    """One thing to do.

    Attributes:
        verb: "find": go to it; "answer": find out; "place": put what the hand holds there; the others are done to the thing.
        words: of the thing or place, without its article; the question itself for "answer".
        last_seen: of "find": the place is meant where such a thing was seen last, whether it is still there or not.
        stay: the robot must not move: what the memory knows is all that can be told.
    """

    verb: Verb
    words: str
    last_seen: bool = False
    stay: bool = False


_POLITE = r"^(?:please |go and )*"
_FIND = re.compile(
    rf"{_POLITE}(?:find|go to|drive to|navigate to|move to|look for|search for|take me to|bring me to|show me|locate) (?P<thing>.*\w.*)$"
)
_GO_BACK = re.compile(
    rf"{_POLITE}(?:go|drive|come|return|take me)(?: back)? to (?:the place )?where (?:you|we|i)(?: have)? (?:last )?(?:saw|seen|found|met|noticed) "
    r"(?P<thing>.*\w.*?)(?: last| before| earlier)?$"
)
_ASKS = re.compile(
    r"^(?:is|are|was|were|do|does|did|has|have|how|what|where|when|which|who|whose|why|can you see|tell me)\b|\?$"
)
_REQUEST = re.compile(r"^(?:can|could|would|will) you (?:please )?")
_ARTICLE = re.compile(r"^(?:the|a|an|my|your|our|this|that) ")
_CARRY = (
    re.compile(rf"{_POLITE}(?:bring|carry|move|take) (?:the )?(?P<thing>.+) to the (?P<place>.+)$"),
    re.compile(rf"{_POLITE}(?:put|place|set|lay) (?:the )?(?P<thing>.+) on(?:to)? the (?P<place>.+)$"),
    re.compile(rf"{_POLITE}(?:put|place) (?:the )?(?P<thing>.+) in(?:to)? the (?P<place>.+)$"),
)
_SWITCH = re.compile(rf"{_POLITE}(?:switch|turn) (?:(?P<before>on|off) the (?P<a>.+)|the (?P<b>.+) (?P<after>on|off))$")
_OPEN = re.compile(rf"{_POLITE}(?:open(?: up)? the (?P<a>.+)|pull the (?P<b>.+) open)$")
_CLOSE = re.compile(rf"{_POLITE}(?:close|shut) the (?P<a>.+)$")
_CLEAN = re.compile(rf"{_POLITE}(?:clean|wash|wipe|scrub) the (?P<a>.+)$")


def parse_instruction(text: str) -> tuple[Order, ...]:
    """Orders of an instruction, e.g. pick "red mug", then place "sink"; empty if a part is not understood.

    Raises:
        ContradictionError: it orders at once what excludes one another ("open and close the window").
        ValueError: it has no word, or more than `MAX_QUESTION_LENGTH` characters.
    """
    if not re.search(r"\w", text):
        raise ValueError("expected an instruction such as 'find the mug', got an empty one")
    if len(text) > MAX_QUESTION_LENGTH:
        raise ValueError(f"expected an instruction of at most {MAX_QUESTION_LENGTH} characters, got {len(text)}")
    plain, stay = without_moving(text.strip().rstrip(".!").strip().lower())
    orders: list[Order] = []
    for i, part in enumerate(re.split(r",? (?:and )?then ", plain)):
        refuse_contradiction(part)
        # "..., then to the bathroom": the way goes on.
        command = ("go " if i and part.startswith("to ") else "") + _REQUEST.sub("", part.rstrip("? "))
        understood = _parse_part(command) or ([Order("answer", part)] if _ASKS.search(part) else [])
        if not understood:
            return ()
        orders += understood
    return tuple(replace(order, stay=stay) for order in orders)


def _parse_part(part: str) -> list[Order]:
    if found := _GO_BACK.match(part):
        return [Order("find", _ARTICLE.sub("", found["thing"]).strip(), last_seen=True)]
    if found := _FIND.match(part):
        return [Order("find", _ARTICLE.sub("", found["thing"]).strip())]
    for pattern in _CARRY:
        if found := pattern.match(part):
            return [Order("pick", found["thing"]), Order("place", found["place"])]
    if found := _SWITCH.match(part):
        verb: Verb = "switch_on" if "on" in (found["before"], found["after"]) else "switch_off"
        return [Order(verb, found["a"] or found["b"])]
    if found := _OPEN.match(part):
        return [Order("open", found["a"] or found["b"])]
    if found := _CLOSE.match(part):
        return [Order("close", found["a"])]
    if found := _CLEAN.match(part):
        return [Order("clean", found["a"])]
    return []
