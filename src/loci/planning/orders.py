"""What an instruction orders: its parts in their order, each with a verb and the words for what it is done to.

Commands as they are usually worded; what is not understood is said to be so, and nothing of the instruction is begun.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, get_args

from loci.planning.constraints import refuse_contradiction, without_moving
from loci.planning.language.commands import understand_commands
from loci.planning.parsing import MAX_QUESTION_LENGTH

if TYPE_CHECKING:
    from loci.perception.text import TextEncoder

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


_GO_BACK = re.compile(
    r"^(?:please |go and )*(?:go|drive|come|return|take me)(?: back)? to (?:the place )?where (?:you|we|i)(?: have)? (?:last )?"
    r"(?:saw|seen|found|met|noticed) (?P<thing>.*\w.*?)(?: last| before| earlier)?$"
)
_ASKS = re.compile(
    r"^(?:is|are|was|were|do|does|did|has|have|how|what|where|when|which|who|whose|why|can you see|tell me)\b|\?$"
)
#: A question about the world, in one clause; "is it possible to ..." asks for a deed.
_ASKS_FIRST = re.compile(
    r"^(?!is (?:it possible|there (?:a|any) (?:way|chance|possibility))|(?:what|where) (?:i|we)\b|wherever)"
    r"(?:is|are|was|were|does|did|how (?:many|much|often|long|far)|what|which|who|whose|why|when|where)\b[^,;.?]*\??$"
)
_ARTICLE = re.compile(r"^(?:the|a|an|my|your|our|this|that) ")
_THEN = re.compile(r",? (?:and )?then ")


def parse_instruction(text: str, encoder: TextEncoder | None = None) -> tuple[Order, ...]:
    """Orders of an instruction, e.g. pick "red mug", then place "sink"; empty if a part is not understood.

    Args:
        encoder: decides what no cue word tells; None: that is not understood.

    Raises:
        ContradictionError: it orders at once what excludes one another ("open and close the window").
        ValueError: it has no word, or more than `MAX_QUESTION_LENGTH` characters.
    """
    if not re.search(r"\w", text):
        raise ValueError("expected an instruction such as 'find the mug', got an empty one")
    if len(text) > MAX_QUESTION_LENGTH:
        raise ValueError(f"expected an instruction of at most {MAX_QUESTION_LENGTH} characters, got {len(text)}")
    plain, stay = without_moving(text.strip().rstrip(".!").strip().lower())
    for part in _THEN.split(plain):
        refuse_contradiction(part)
    parts = _THEN.split(plain)
    told_apart = any(_GO_BACK.match(part) or _ASKS_FIRST.match(part) for part in parts)
    # As a whole first: a part may mean a thing of an earlier one ("it"), and "before that" turns their order round.
    orders = () if told_apart else _commands(plain, encoder)
    if not orders and (told_apart or _ASKS.search(plain)):
        for i, part in enumerate(parts):
            understood = _understand(part, i > 0, encoder)
            if not understood:
                return ()
            orders += understood
    return tuple(replace(order, stay=stay) for order in orders)


def _understand(part: str, goes_on: bool, encoder: TextEncoder | None) -> tuple[Order, ...]:
    """Orders of one part: by what its words say, as a question, or by likeness; empty if it is not understood."""
    if found := _GO_BACK.match(part):
        return (Order("find", _ARTICLE.sub("", found["thing"]).strip(), last_seen=True),)
    if _ASKS_FIRST.match(part):
        return (Order("answer", part),)
    # "..., then to the bathroom": the way goes on.
    command = ("go " if goes_on and part.startswith("to ") else "") + part
    orders = _commands(command, encoder)
    return (Order("answer", part),) if not orders and _ASKS.search(part) else orders


def _commands(text: str, encoder: TextEncoder | None) -> tuple[Order, ...]:
    """Orders of a text by `understand_commands`; empty if it is not understood."""
    orders: list[Order] = []
    for command in understand_commands(text, encoder) or ():
        if command.deed == "carry":
            orders += [Order("pick", command.thing), Order("place", command.place)]
        else:
            orders.append(Order(command.deed, command.place or command.thing))
    return tuple(orders)
