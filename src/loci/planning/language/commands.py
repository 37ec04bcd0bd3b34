"""What an instruction orders: its parts in their order, each read by `reading`; what "it" is; what is one carrying.

Where an instruction is cut into parts is decided by how well the parts can be read: "the lamp is off, change that" is one, "open the fridge, find the
mug" are two.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from loci.planning.language.phrases import noun_phrases, plain
from loci.planning.language.reading import Reading, command_reader, trimmed

if TYPE_CHECKING:
    from loci.perception.text import TextEncoder

Deed = Literal["find", "carry", "pick", "open", "close", "switch_on", "switch_off", "clean"]
DEEDS: tuple[Deed, ...] = get_args(Deed)

#: Most places where an instruction is cut; what has more is cut at the ends of sentences and at "then" only.
MAX_CUTS = 5
#: What a cut must gain [likeness of a word]: none where a text says that something follows.
_CUT_COSTS = 0.12
#: An instruction that reads so well as a whole is not cut.
_SURE = 0.75
#: What is parted by "then" is read so well as one, or not as one.
_JOINED = 0.6
#: What says that something follows, and where a part can end as well.
_THEN = r"(?:[.,;:] )?(?:and |but )?(?:then|after that|after this|afterwards|next|finally|when (?:that is|you are) done|once (?:that is|you are) done)(?: ,)? "
_STRONG = re.compile(rf"(?: ?[.;?!] |(?<= ){_THEN})")
_WEAK = re.compile(rf"(?: ?[.;?!] |(?<= ){_THEN}| , (?:and |but |so )?| and | but )")
_FIRST = re.compile(r"(?:but |and )*(?:first of all|but first|first|before (?:that|this|it)|beforehand)(?: ,)? ")
_BEFORE = re.compile(r"(?:but |and )*before (?:you )?(?!that\b|this\b|it\b)")
_AFTER = re.compile(r"(?:but |and )*(?:after|once|when|as soon as) you (?:have )?")
_REPORTING = frozenset("say report tell wait stop stay announce confirm signal inform call shout".split())
_REFERRING = frozenset("it them that this one there".split())


@dataclass(frozen=True)
class Command:
    """One thing to do: ``thing``, and for "carry" the ``place``."""

    deed: Deed
    thing: str
    place: str = ""


@dataclass(frozen=True)
class _Part:
    reading: Reading
    text: str
    start: int


def understand_commands(text: str, encoder: TextEncoder | None = None) -> list[Command] | None:
    """Commands of an instruction in the order in which they are to be done; None: a part is not understood.

    Args:
        encoder: likens it to examples by meaning; None: by words alone.
    """
    parts = _parts(plain(text), encoder)
    if parts is None:
        return None
    commands: list[Command] = []
    for part in _in_order(parts):
        slots = part.reading.slots
        thing = slots.get("thing", slots.get("something", ""))
        before = commands[-1] if commands else None
        if thing in _REFERRING:
            if before is None:
                return None
            thing = before.thing
        place = slots.get("place", "")
        if place in _REFERRING and before is not None:
            place = before.place or before.thing
        thing = re.sub(r"^anything\b", "something", thing)
        commands = _merged(commands, Command(next(d for d in DEEDS if d == part.reading.meaning), thing, place))
    return commands or None


def _parts(text: str, encoder: TextEncoder | None) -> list[_Part] | None:
    """The parts of an instruction that are read best together; None: there is no way to read all of it."""
    text = f"{text} "
    cuts = [m for m in _WEAK.finditer(text) if m.end() < len(text)]
    if len(cuts) > MAX_CUTS:
        cuts = [m for m in _STRONG.finditer(text) if m.end() < len(text)]
    if len(cuts) > 2 * MAX_CUTS:
        return None
    starts, ends = [0, *(m.end() for m in cuts)], [*(m.start() for m in cuts), len(text)]
    free = [True, *(re.fullmatch(_THEN, m[0]) is not None for m in cuts)]
    reader = command_reader(encoder)
    follows = [i for i, is_free in enumerate(free) if i and is_free and not _goes_on(text[starts[i] :])]
    spans = [(i, j) for i in range(len(starts)) for j in range(i, len(ends)) if not any(i < k <= j for k in follows)]
    (whole,) = reader.read([_begun(trimmed(text))], [False]) if not follows else (None,)
    if not cuts or (whole is not None and whole.value >= _SURE):
        return None if whole is None else [_Part(whole, text, 0)]
    texts = [_begun(trimmed(text[starts[i] : ends[j]])) for i, j in spans]
    readings = dict(zip(spans, reader.read(texts, [i > 0 for i, _ in spans]), strict=True))
    best: list[tuple[float, list[_Part]] | None] = [(0.0, [])]
    for j in range(len(ends)):
        ways: list[tuple[float, list[_Part]]] = []
        for i in range(j + 1):
            before, reading = best[i], readings.get((i, j))
            if before is None or reading is None or (reading.value < _JOINED and any(free[i + 1 : j + 1])):
                continue
            n_words = len(text[starts[i] : ends[j]].split())
            cost = 0.0 if i == 0 or free[i] else _CUT_COSTS * len(text.split())
            part = _Part(reading, text[starts[i] : ends[j]], starts[i])
            ways.append((before[0] + n_words * reading.value - cost, [*before[1], part]))
        best.append(max(ways, key=lambda way: way[0]) if ways else None)
    return None if best[-1] is None else best[-1][1]


def _goes_on(text: str) -> bool:
    """Whether what is said after "then" is part of what was said before: it tells no other thing."""
    first = _STRONG.split(text)[0].split()
    return bool(_REFERRING.intersection(first)) or (bool(_REPORTING.intersection(first)) and not noun_phrases(first))


def _begun(text: str) -> str:
    """A part without the words that only say when it is to be done."""
    for beginning in (_FIRST, _BEFORE, _AFTER):
        if (m := beginning.match(text)) and m.end() < len(text):
            return text[m.end() :]
    return re.sub(r"^(?:and|then|but|so|also|after that|to finish) (?:also |then )?", "", text)


def _in_order(parts: Sequence[_Part]) -> list[_Part]:
    """Parts in the order in which they are to be done: "before you open it, clean it" is turned round."""
    ordered: list[_Part] = []
    for i, part in enumerate(parts):
        turned = _BEFORE.match(parts[i - 1].text) if i and len(ordered) else None
        if (
            (i == 1 and turned)
            or (i and re.match(r"(?:but |and )*(?:before (?:that|this|it)|beforehand|but first)\b", part.text))
            or (i and _AFTER.match(part.text) and not _AFTER.match(parts[i - 1].text))
        ):
            ordered.insert(len(ordered) - 1, part)
        else:
            ordered.append(part)
    return ordered


def _merged(commands: Sequence[Command], new: Command) -> list[Command]:
    """Commands with one more: to pick up or to go to what is handled next is no step of its own."""
    before = commands[-1] if commands else None
    if before is not None and before.thing == new.thing:
        if before == new or (before.deed == "carry" and new.deed == "find"):
            return list(commands)
        if before.deed == "find" or (before.deed == "pick" and new.deed == "carry"):
            return [*commands[:-1], new]
    return [*commands, new]
