"""What an instruction orders: its parts in their order, each with a verb and the words for what it is done to.

Commands as they are usually worded; what is not understood is said to be so, and nothing of the instruction is begun.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

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
    """

    verb: Verb
    words: str


def parse_instruction(text: str, encoder: TextEncoder | None = None) -> tuple[Order, ...]:
    """Orders of an instruction, e.g. pick "red mug", then place "sink"; empty if a part is not understood.

    Args:
        encoder: decides what no cue word tells; None: that is not understood.

    Raises:
        ValueError: it has no word, or more than `MAX_QUESTION_LENGTH` characters.
    """
    if not re.search(r"\w", text):
        raise ValueError("expected an instruction such as 'find the mug', got an empty one")
    if len(text) > MAX_QUESTION_LENGTH:
        raise ValueError(f"expected an instruction of at most {MAX_QUESTION_LENGTH} characters, got {len(text)}")
    orders: list[Order] = []
    for command in understand_commands(text, encoder) or ():
        if command.deed == "carry":
            orders += [Order("pick", command.thing), Order("place", command.place)]
        else:
            orders.append(Order(command.deed, command.place or command.thing))
    return tuple(orders)
