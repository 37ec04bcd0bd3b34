"""Requests with two cases about what was done: "if you moved a mug, go to it, otherwise go to the fridge".

That a request has two cases, what the condition is about and where to go otherwise, is learnt from `sentences/conditions.json`. Numbers are
compared as the words around them say.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from loci.planning.language.deeds import Deed, Wish, alike, named, nth, ordinals
from loci.planning.language.reading import Reading, condition_reader, trimmed
from loci.planning.language.vocabulary import NUMBER_OF
from loci.words import canonical

if TYPE_CHECKING:
    from loci.perception.text import TextEncoder

#: How the other case begins.
_ELSE = re.compile(
    r"\b(?:otherwise|else|or|not|fewer|failing|alternatively|instead of that|(?:the|any|every|all) other|but if|(?:if|should|when) (?:\w+ ){1,3}more|if (?:you|they|it|there) (?:have|has|had|did|do|does|is|was|were|are)(?! \w+ed\b)|no (?=[,:])|wrong)\b"
)
_ENDS = re.compile(
    r"\b(?:(?P<first>first|earliest|oldest|initial|initially|opening|beg[au]n|started)|last|latest|newest|final|finally|closing|recent|recently|ended|finished)\b"
)
#: What follows the thing that is meant otherwise: "to the last if you did not".
_IF_NOT = re.compile(r"\w+(?: \w+){0,9} (?:if|when) (?:\w+ ){0,2}not\b")
_UNLESS = re.compile(r"\b(?:unless|except (?:if|when))\b")
_COUNT = re.compile(
    r"\b(?P<how>more than|over|above|exceed(?:s|ed|ing)?|greater than|larger than|higher than|beyond|upwards? of|at least|fewer than|less than|below|under|at most|no more than|not more than|up to)(?: the number)?(?: of)? (?P<n>\w+)\b"
)
_OR_MORE = re.compile(r"\b(?P<n>\w+) or (?:more|fewer|less)\b")
_SAME_AS = {"more": "at least", "fewer": "at most", "less": "at most"}
#: "If you did not move more than": so many words before the number.
_NEGATED = re.compile(r"\b(?:not|never)(?: \w+){1,3} $")


def condition_of(text: str, encoder: TextEncoder | None) -> Reading | None:
    """The two cases of a request; None: it has one.

    Args:
        encoder: compares it with examples; None: words decide alone.
    """
    q = trimmed(text)
    case = condition_reader(encoder).read([q], [False])[0]
    # "In the order in which you moved things, one was the third" counts, and has one case.
    counts = case is not None and case.meaning == "if_count" and not {0, -1}.issuperset(ordinals(q))
    return None if counts else case


def conditional(case: Reading, q: str, deeds: Sequence[Deed]) -> Wish | None:
    """What such a request asks for, given what was done; None: nothing done answers it.

    Args:
        case: from `condition_of`.
        q: the request as `loci.planning.language.phrases.plain` makes it.
    """
    if case.meaning == "if_count":
        return _by_count(q, case.slots["number"], deeds)
    if case.meaning == "if_moved":
        carried = named(case.slots["thing"], [d.label for d in deeds])
        done = alike(deeds, carried[0][1]) if carried else ()
    else:
        done = tuple(d for d in deeds if canonical(d.placed.room_name) == canonical(case.slots["room"]))
    return Wish("moved", (done,)) if done else Wish("named", label=case.slots["place"])


def _by_count(q: str, number: str, deeds: Sequence[Deed]) -> Wish | None:
    """The first or the last deed, whichever is told for the case."""
    counted = _counted(q, number)
    holds = _first_if_it_holds(q, counted) == _is_so(counted, q, len(deeds))
    chosen = nth(deeds, 0 if holds else -1)
    return Wish("moved", (chosen,)) if chosen else None


def _counted(q: str, number: str) -> re.Match[str]:
    """The number of a condition, with the words that compare it if there are some."""
    alone = re.compile(rf"\b(?P<n>{number})\b")
    return next(m for pattern in (_COUNT, _OR_MORE, alone) for m in pattern.finditer(q) if m["n"] == number)


def _is_so(counted: re.Match[str], q: str, n_deeds: int) -> bool:
    """Whether so many things were moved as a condition says; without words that compare, more than its number."""
    n = int(counted["n"]) if counted["n"].isdigit() else NUMBER_OF[counted["n"]]
    how = counted.groupdict().get("how") or _SAME_AS.get(counted[0].split()[-1], "more than")
    if how == "at least":
        so = n_deeds >= n
    elif how in ("fewer than", "less than", "below", "under"):
        so = n_deeds < n
    elif how in ("at most", "no more than", "not more than", "up to"):
        so = n_deeds <= n
    else:
        so = n_deeds > n
    return so != (_NEGATED.search(q[: counted.start()]) is not None)


def _first_if_it_holds(q: str, counted: re.Match[str]) -> bool:
    """Whether the first thing is meant where the condition holds, and the last where it does not; or the other way round.

    What follows the condition is for its case: "the last; if you moved more than two, the first". What follows it only after an "otherwise" is not:
    "the first if you moved more than two, otherwise the last".
    """
    ends = [(m.start(), 0 if m["first"] else -1) for m in _ENDS.finditer(q)]
    before = [i for at, i in ends if at < counted.start()]
    after = next(((at, i) for at, i in ends if at >= counted.end()), None)
    unless = _UNLESS.search(q, 0, counted.start()) is not None
    otherwise = after is not None and (_ELSE.search(q, counted.end(), after[0]) or _IF_NOT.match(q, after[0]))
    if after is not None and not otherwise:
        return (after[1] == 0) != (unless and not before)
    if before:
        return (before[-1] == 0) != unless
    return True
