"""Requests with a condition about what was done: "if you moved a mug, go to it, otherwise go to the fridge".

What is to be done if the condition holds lies in the deeds themselves; what else, is a thing that the text names, or the other end of the day.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from loci.planning.language.deeds import Deed, Wish, alike, named, nth, ordinals
from loci.planning.language.phrases import NounPhrase, noun_phrases
from loci.planning.language.vocabulary import NUMBER_OF
from loci.words import canonical

_DONE = r"(?:did|have|has|had|was|were|is|are|there)"
#: How the other case begins.
_ELSE = re.compile(
    r"\b(?:otherwise|or else|(?<!thing )(?<!what )(?<!things )(?<!where )(?<!anything )(?<!something )else(?! (?:is|lies|stands))|"
    r"(?:if|when|where|should it|in case) not|if you (?:did not|have not|had not|never did)|if (?:that|this) is not (?:so|the case|true)|"
    r"if there (?:is|was|were) (?:none|nothing|no such \w+|not)(?: (?:like|of) (?:that|this|it|the) ?\w*)?|if (?:none|nothing|no)(?: \w+)?|"
    r"if you (?:\w+ ){1,2}(?:none|nothing|not)|(?:if|when) (?:it|that|this|there|they) (?:has|had|have|is|was|were|did|does|are) not(?: been)?|"
    r"should (?:you|there|that|it) not(?: have| be)?|failing (?:that|this|which)|in (?:the|any|every|all|each) other (?:case|cases|event)|no (?:,|:)|"
    r"(?:as )?(?:an? |the )?(?:alternative(?:ly)?|fallback)|or (?:to |at |show me |visit )?(?:the \w+(?: \w+)? )(?=(?:if|when) ))(?!\w)"
)
#: The condition comes after what is to be done without it.
_BUT_IF = re.compile(r"\b(?:unless|except (?:if|when)|but (?:if|in case|when|should))\b")
_IF = re.compile(
    rf"(?:^|[.;?!] ){_DONE} \w+|\b(?:if|in case|in the event|provided|assuming|supposing|suppose|given that|on condition|as long as|should you|should there|should any\w*|had you|did you|have you|were you|when|whenever|whether|depending|either)\b"
)
_POLITE_IF = re.compile(
    r"\b(?:if|when) (?:(?:you|it|i|we|that) )?(?:could|can|would|may|might|will|please|like|wish|want|mind|do not mind|is possible|possible|is ok|is fine|are able|get a chance)\b"
)
_COUNT = re.compile(
    r"\b(?P<how>more than|over|above|exceed(?:s|ed|ing)?|greater than|larger than|higher than|beyond|upwards? of|at least|fewer than|less than|below|under|at most|no more than|not more than|up to)(?: the number)?(?: of)? (?P<n>\w+)\b"
)
_OR_MORE = re.compile(r"\b(?P<n>\w+) or more\b")


def is_conditional(q: str) -> bool:
    """Whether a text has two cases, as `loci.planning.language.phrases.plain` makes it."""
    if re.search(r"\bunless\b|\bexcept (?:if|when)\b", q):
        return True
    q = _POLITE_IF.sub(" ", q)
    return _IF.search(q) is not None and (_ELSE.search(q) is not None or _BUT_IF.search(q) is not None)


def conditional(q: str, deeds: Sequence[Deed]) -> Wish | None:
    """What such a text asks for, given what was done; None: it names nothing for its case."""
    turned = _BUT_IF.search(q)
    count = _counted(q)
    if count is not None:
        return _by_count(q, deeds, turned is not None, *count)
    other = _other(q, deeds, turned)
    rest = q.replace(f" {other.words}", " ", 1) if other is not None else q
    carried = named(rest, [d.label for d in deeds])
    if carried:
        return Wish("moved", (alike(deeds, carried[0][1]),))
    rooms = [p.words for p in noun_phrases(rest.split()) if p.is_room]
    into = [d for d in deeds if rooms and canonical(d.placed.room_name) == canonical(rooms[0])]
    if into:
        return Wish("moved", (tuple(into),))
    return Wish("named", label=other.words) if other is not None else None


def _counted(q: str) -> tuple[int, int] | None:
    """Between which numbers a condition lies, both included; None: it tells no number."""
    many = len(q)
    for pattern in (_COUNT, _OR_MORE):
        for m in pattern.finditer(q):
            n = NUMBER_OF.get(m["n"], int(m["n"]) if m["n"].isdigit() else -1)
            if n < 0:
                continue
            how = m["how"] if pattern is _COUNT else "at least"
            if how == "at least":
                return n, many
            if how in ("fewer than", "less than", "below", "under"):
                return 0, n - 1
            return (0, n) if how in ("at most", "no more than", "not more than", "up to") else (n + 1, many)
    return None


def _by_count(q: str, deeds: Sequence[Deed], turned: bool, fewest: int, most: int) -> Wish | None:
    """The first or the last deed, whichever is told for the case."""
    told = [i for i in ordinals(_COUNT.sub(" ", q)) if i in (0, -1)] or [0]
    first, second = told[0], next((i for i in told if i != told[0]), -1 - told[0])
    cases = (second, first) if turned else (first, second)
    chosen = nth(deeds, cases[0] if fewest <= len(deeds) <= most else cases[1])
    return Wish("moved", (chosen,)) if chosen else None


def _other(q: str, deeds: Sequence[Deed], turned: re.Match[str] | None) -> NounPhrase | None:
    """What is to be gone to in the other case: after "otherwise", before "unless", or the thing with an article that is told of no deed."""
    tokens = q.split()
    phrases = [p for p in noun_phrases(tokens) if not p.is_room and p.head not in ("case", "event", "alternative")]
    if turned is not None:
        at = len(q[: turned.start()].split())
        before = [p for p in phrases if p.end <= at]
        if before:
            return before[-1]
    cut = next((m for m in _ELSE.finditer(q) if m.start() > 8), None)
    if cut is not None:
        at = len(q[: cut.end()].split())
        after = [p for p in phrases if p.start >= at] or [
            p for p in phrases if len(q[: cut.start()].split()) <= p.start < at
        ]
        if after:
            return after[0]
    carried = {canonical(d.label) for d in deeds}
    definite = [p for p in phrases if tokens[p.start] == "the" and canonical(p.head) not in carried]
    return definite[-1] if definite else phrases[-1] if len(phrases) > 1 else None
