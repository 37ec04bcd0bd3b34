"""Noun phrases in a text: "the red mug on the counter in the kitchen" is one thing with the places that tell it.

A word is part of a name if it follows an article, a colour or another such word and carries content: no dictionary of things is needed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from loci.planning.language.vocabulary import (
    ACTIONS,
    DETERMINERS,
    FUNCTION_WORDS,
    IS_CLEAN,
    IS_DIRTY,
    IS_OFF,
    IS_ON,
    IS_OPEN,
    NO_THINGS,
    SAYING_FORMS,
)
from loci.planning.names import COLORS, is_room_word

#: Words that can only begin a name right after an article or a colour: "the washing machine" against "washing the mug".
_VERBAL = ACTIONS | SAYING_FORMS | IS_OPEN | IS_ON | IS_OFF | IS_DIRTY | IS_CLEAN
#: Nouns although they are verbs as well, inside of names: "toy train", "light switch".
_ALSO_NOUNS = frozenset("light iron drill file lock clock rest store park place set switch machine".split())
_OF_THINGS = frozenset("color colour hue shade location position whereabouts surface top number count".split())
_STANDS = frozenset("tv television umbrella coat hat plant night music shoe cake flower".split())
#: Before these a verb's form in -ing is part of a name, also without article: "washing machine", "drying rack".
_OF_USE = frozenset("machine rack board cloth brush line basket supplies".split())
_ADJECTIVES = frozenset(
    "open closed current best good quick short long proper thorough close right nice little big".split()
)
#: After these a word can begin a name although it is a verb: "the dirty washing machine".
_ADJECTIVAL = COLORS | IS_DIRTY | {"clean", "open", "closed"}
_LYING = frozenset("lies stands sits rests lie stand sit rest".split())
#: How a thing's place is added to its name.
_LINKS = ("on top of", "next to", "close to", "in front of", "on", "in", "at", "from", "near", "beside", "by", "inside", "under", "behind", "above", "below", "within", "off", "of")  # fmt: skip
_LINK_WORDS = re.compile(
    rf"^(?:(?:that|which) )?(?:(?:is|are|stands|standing|lies|lying|sits|sitting|placed|kept|located|hanging) )?(?P<link>{'|'.join(_LINKS)}) (?=(?:the|a|an|my|your|our|this|that) )"
)


def plain(text: str) -> str:
    """Lower case words between single blanks; commas, semicolons, full stops and question marks stay as words of their own."""
    text = text.lower().replace("\u2019", "'")
    text = re.sub(r"\b(?:cannot|can't)\b", "can not", text)
    text = re.sub(r"\b(\w+)n't\b", r"\1 not", text).replace("wo not", "will not").replace("sha not", "shall not")
    text = re.sub(r"\b(let|what|where|that|there|it|who|how|he|she)'s\b", r"\1 is", text).replace("let is", "let us")
    text = re.sub(r"'(?:d|ll|ve|re|m)\b", "", text)
    text = re.sub(r"(?<=\w)'s?\b", "", text)
    text = re.sub(r"\s[-\u2013\u2014]+\s", " , ", text)
    text = re.sub(r"([,;:?!.])(?!\d)", r" \1 ", text)
    text = re.sub(r"\b(which|what) of (?:the|our|your|these|those) (\w+)s\b", r"\1 \2", text)
    text = re.sub(r"[^a-z0-9/,;:?!.' -]+", " ", text).replace("-", " ")
    return re.sub(r"\s+", " ", text).strip()


@dataclass(frozen=True)
class NounPhrase:
    """A thing as it was named.

    Attributes:
        start, end: its words are ``tokens[start:end]``, with its article.
        words: without article, with its places ("mug on the counter").
        head: without its places ("mug").
        before: the word before it, e.g. a preposition; empty: it begins the text.
    """

    start: int
    end: int
    words: str
    head: str
    before: str

    @property
    def is_room(self) -> bool:
        """Whether it names a kind of room."""
        return is_room_word(self.head)


def noun_phrases(tokens: Sequence[str], bare: bool = False) -> list[NounPhrase]:
    """Simple noun phrases of a text, in its order; places are not joined to things yet.

    Args:
        tokens: of `plain`.
        bare: names without article count as well.
    """
    found: list[NounPhrase] = []
    i = 0
    while i < len(tokens):
        opened = tokens[i] in DETERMINERS or tokens[i] in COLORS or tokens[i].startswith(("room/", "\u00a7"))
        opened = opened or (
            tokens[i] in ("light", "dark", "bright", "pale") and tokens[i + 1 : i + 2] != [] and tokens[i + 1] in COLORS
        )
        if tokens[i] == "that" and tokens[i + 1 : i + 2] and tokens[i + 1] in _LYING:
            opened = False  # "everything that lies on the desk"
        if (
            tokens[i] == "that"
            and i
            and tokens[i + 1 : i + 2]
            and tokens[i + 1].endswith("s")
            and tokens[i + 1] in _VERBAL
        ):
            opened = False  # "the button that turns on the lamp"
        of_use = tokens[i].endswith("ing") and not _OF_USE.isdisjoint(tokens[i + 1 : i + 2])
        if not opened and not (bare and (of_use or (tokens[i] not in _VERBAL and _is_content(tokens, i, False)))):
            i += 1
            continue
        begin = i
        while i < len(tokens) and tokens[i] in DETERMINERS:
            i += 1
        first = i
        while i < len(tokens) and _is_content(tokens, i, i == first or tokens[i - 1] in _ADJECTIVAL):
            i += 1
        while i - first > 1 and tokens[i - 1] in _OF_THINGS:
            i -= 1  # "the mug's colour"
        name = " ".join(tokens[first:i])
        if i > first and not NO_THINGS.issuperset(w for w in tokens[first:i] if w not in _ADJECTIVES):
            found.append(NounPhrase(begin, i, name, name, tokens[begin - 1] if begin else ""))
        i = max(i, begin + 1)
    return found


def _is_content(tokens: Sequence[str], i: int, begins: bool) -> bool:
    """Whether a word can be part of a name; ``begins``: an article or a colour stands before it."""
    word = tokens[i]
    if not word[0].isalnum() and word[0] != "\u00a7":
        return False
    if word[0] == "\u00a7":
        return begins
    if word == "can" and begins:
        return tokens[i - 1] != "that"
    if word == "can" and not begins and i and tokens[i - 1] not in FUNCTION_WORDS:
        return i + 1 == len(tokens) or tokens[i + 1] not in DETERMINERS | {"i", "you", "we", "be", "one"}
    if word == "of" and not begins:  # "chest of drawers", but "colour of the mug"
        return (
            i + 1 < len(tokens)
            and tokens[i + 1] not in FUNCTION_WORDS | NO_THINGS
            and i > 0
            and tokens[i - 1] not in FUNCTION_WORDS | NO_THINGS
        )
    if word in FUNCTION_WORDS:
        return False
    if word == "stand" and not begins:  # "tv stand", but "let the mug stand on it"
        return tokens[i - 1] in _STANDS or not {"let", "should", "must", "may", "does"} & set(tokens[:i])
    if not begins and word in ("last", "somewhere", "anywhere"):
        return False  # "in which room was the mug last seen"
    if not begins and (word in ("stands", "lives") or (word == "wide" and "open" in tokens[i + 1 : i + 2])):
        return tokens[i - 1] in _STANDS  # "the fridge stands open"
    if word in _VERBAL and word not in _ALSO_NOUNS:
        return begins
    return True


def join_places(tokens: Sequence[str], found: Sequence[NounPhrase]) -> list[NounPhrase]:
    """Things with their places: "the mug", "the counter" and "the kitchen" of "the mug on the counter in the kitchen" become one."""
    joined: list[NounPhrase] = []
    for phrase in found:
        last = joined[-1] if joined else None
        if last is not None:
            between = " ".join(tokens[last.end : phrase.start])
            match = _LINK_WORDS.match(f"{between} the ")
            if match and match.end() == len(between) + 1:
                link = "on" if match["link"] in ("off", "from", "on top of") else match["link"]
                words = f"{last.words} {link} the {phrase.words}"
                joined[-1] = NounPhrase(last.start, phrase.end, words, last.head, last.before)
                continue
        joined.append(phrase)
    return joined
