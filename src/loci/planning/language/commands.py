"""What an instruction orders, understood by cues: which things it names, what is to be done to them, and in which order.

Verbs, particles, prepositions and states are weak clues each ("on" is a place and a state); a clause is an order only if every word of it that
carries content was used. What is left silent is decided by the examples of `examples`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from loci.planning.language.examples import nearest_intent
from loci.planning.language.phrases import NounPhrase, join_places, noun_phrases, plain
from loci.planning.language.vocabulary import (
    ACTIONS,
    ACTIVATE_FORMS,
    CARRY_FORMS,
    CLEAN_FORMS,
    CLOSE_FORMS,
    DEACTIVATE_FORMS,
    FUNCTION_WORDS,
    GO_FORMS,
    IMPERATIVES,
    IS_CLEAN,
    IS_CLOSED,
    IS_DIRTY,
    IS_OFF,
    IS_ON,
    IS_OPEN,
    NEGATIONS,
    NO_THINGS,
    OPEN_FORMS,
    PICK_FORMS,
    PICK_ONLY_FORMS,
    POWER_FORMS,
    SAYING_FORMS,
    SWITCH_FORMS,
)

if TYPE_CHECKING:
    from loci.perception.text import TextEncoder

Deed = Literal["find", "carry", "pick", "place", "open", "close", "switch_on", "switch_off", "clean"]
DEEDS: tuple[Deed, ...] = get_args(Deed)

_SOMETHING = re.compile(
    r"\b(?:something|anything|some ?thing|a thing|an object|an item|whatever)(?: here)?(?: (?:that|which))? "
    r"(?:(?:(?:i|we|you|one|people|somebody) )?(?:can|could|might|may|would|will)(?: be)? .+?|to .+?|(?:with|on) which .+?|for \w+ing .+?|(?:is )?(?:good|useful|suitable|used|made|meant) (?:to|for) .+?|(?:lets|helps|allows) .+?)"
    r"(?= (?:to be )?(?:on|onto|to|into|in|over to|down on|off at) (?:the|my|our|your) |"
    r" (?:is|gets?|ends?|should|must|has|needs|belongs|ought|lands|goes|over to|down on|off at|(?:be )?(?:moved|brought|placed|taken|carried|transferred|delivered|put|set|laid) (?:to|on|onto|into|over))\b|"
    r" and (?:put|leave|bring|drop|place|carry|take|set|lay|move|deliver|deposit|get) (?:it|that|them)\b| on (?:it|top)\b| somewhere\b| [,?]|$)"
)
_TO = ("to", "onto", "into", "upon", "towards", "unto")
_ON = ("on", "in", "at", "over", "inside", "by", "with", "beside", "near", "within", "atop")
_HARMLESS = re.compile(
    r"^(?:and |then |please |just )*(?:(?:you|we|i) (?:should|could|can|must|may|might|have to|need to) )?(?:(?:go|come|head|move|drive|walk)(?: (?:over|there|ahead|on))*|(?:stop|wait|stay|park|halt|remain|stand|pull up|come to a (?:stop|halt)) (?:right )?(?:beside|next to|by|near|in front of|close to|at) (?:it|them|that|there)|(?:stop|wait|stay|park|halt|remain)(?: (?:there|here|for me|for a moment|a moment|then))*|thanks?(?: you)?(?: (?:very|so) much)?|(?:tell|show|let) (?:it to )?me(?: know)?|"
    r"do something about (?:it|that)|(?:that|this) is (?:all|it)|come back|you (?:can|may) .{0,8}stop|be quick(?: about it)?|be careful)$"
)
#: "So take it there", after it was said where the thing belongs: nothing new.
_AS_SAID = re.compile(
    r"^(?:and |so |then |please |kindly |just |go |you )*(?:(?:change|fix|correct|mend) (?:it|that|this)$|(?:take|bring|put|carry|move|get|set|leave|drop|fetch|find|deliver) (?:it|them|that|one)(?: over| back| down| up| right)?(?: there)?(?: please| for me)?$)"
)
#: What tells why: "we have to save electricity".
_REASON = re.compile(r"^(?:because|since|as|for|otherwise|so that)\b|^(?:i|we|they|he|she|it|nobody|somebody) ")
_SIMPLER = tuple(
    (re.compile(pattern), simple)
    for pattern, simple in (
        (r"\bon top of\b", "on"),
        (r"\bsee to it that\b", "see that"),
        (r"\b(?:would|will|might|is) it (?:be )?possible (?:for you )?to\b", "please"),
        (
            r"\bwhat (?:i|we) (?:really )?(?:want|need|would like|like|ask for|wish)(?: you to do| from you)? is (?:that you|for you to|you to|to) ",
            "",
        ),
        (r"\bwhat (?:i|we) (?:really )?(?:want|need|would like|like|ask for|wish)(?: for)? is ", "i want "),
        (
            r"\bthe (?:thing|object|item|one) (?:that )?(?:i|we) (?:really )?(?:want|need|mean|am after|are after) is ",
            "i want ",
        ),
        (
            r",? (?:and )?(?:stop|wait|halt|stay)(?: there)? (?:once|when|as soon as) you (?:have )?(?:see|seen|reach|reached|find|found|spot|get to|are at|are near) (?:it|there|them)\b",
            "",
        ),
        (r"\b(?:take|have|get|catch) an?(?: \w+)? look at\b", "look at"),
        (r"\b(?:bring|carry|take|move|get|send) over (?=the|a|an|my|our|your|\u00a7)", "bring "),
    )
)
#: What ends a clause and says nothing.
_CLOSING = re.compile(
    r"(?: (?:please|kindly|thanks|thank you|now|right now|again|for me|for us|would you|will you|could you|okay|ok))+$"
)
_GO_TO_IT = re.compile(
    r"\b(?:(?:go|drive|head|come|walk|move) (?:over |up |back )?(?:to|near) (?:it|them|that)|(?:find|seek|approach|visit) (?:it|them))\b"
)
_TELLING = re.compile(
    r"(?:someone|somebody|they|he|she|anybody|people|it seems|there) (?!would |want|need|wish|like|prefer|expect|should |must |could |can |may )|"
    r"(?:i|we) (?:left|forgot|did|do not|can not|could not|have (?!to )|had|think|see|saw|noticed|lost) "
)
#: What is taken for cleaning is no thing to be carried.
_CLOTHS = ("cloth", "rag", "wet cloth", "damp cloth", "duster", "mop", "sponge", "brush")
_WITH_CLOTH = re.compile(rf"\bwith an? (?:{'|'.join(_CLOTHS)})\b")
#: What is to be made is nowhere yet: no thing to be found.
_MAKE = re.compile(
    r"\b(?:make|cook|bake|brew|prepare|fix|build|buy|order) (?:(?:me|us|myself|him|her|them) (?:the|a|an|my|some|another)|some)\b"
)
_FOR_ME = re.compile(r"\b(?:bring|give|hand|get|fetch|pass)s? (?:me|us) (?:the|a|an|my|your|our|some)\b")
_TO_ME = re.compile(r"\b(?:take|bring|lead|drive|get|carry|position|move|put|place|park|guide) (?:me|us|yourself|you) ")
_ACTING = ACTIONS | IS_OPEN | IS_CLOSED | IS_ON | IS_OFF | IS_DIRTY | IS_CLEAN
_HELPING = frozenset("made make makes making give gives gave tell told keep kept see seen ensure check certain sure be back away around together for go round order help helps helping belong belongs belonging live lives home end ends ended wind winds sit sits mount put got care taken care take start started stay stays remain remains want wants require requires pull push slide swing crack pry force wide could lend hand appreciate kind love favour favor request requested position current i'd bother somewhere lying looking look".split())  # fmt: skip


@dataclass(frozen=True)
class Command:
    """One thing to do: ``thing``, and for "carry" the ``place``."""

    deed: Deed
    thing: str
    place: str = ""


def understand_commands(text: str, encoder: TextEncoder | None = None) -> list[Command] | None:
    """Commands of an instruction in the order in which they are to be done; None: a part is not understood."""
    spans: list[str] = []

    def hide(match: re.Match[str]) -> str:
        spans.append(match[0])
        return f"\u00a7{len(spans) - 1}"

    hidden = _SOMETHING.sub(hide, simplified(plain(text)))
    hidden = re.sub(r" \? (?=[^.?!;]*\b(?:it|them|there)\b)", " , ", hidden)  # "where is the mug? Bring me to it"
    commands: list[Command] = []
    mentioned: Command | None = None
    parts = _parts(hidden)
    for i, part in enumerate(parts):
        if _only_told(part) and i + 1 < len(parts) and _is_mention(part, parts[i + 1 :]):
            tokens = part.split()
            mentioned = Command("find", join_places(tokens, noun_phrases(tokens))[0].words)
            continue
        understood = _understand_part(part, mentioned or (commands[-1] if commands else None), encoder)
        mentioned = None
        if understood is None:
            return None
        commands = _merged([*commands, *understood])
    shown = [Command(c.deed, _shown(c.thing, spans), _shown(c.place, spans)) for c in commands]
    return shown or None


def simplified(text: str) -> str:
    """A text with what is said in several words said in few: "what I want is the mug open" is "I want the mug open"."""
    for pattern, simple in _SIMPLER:
        text = pattern.sub(simple, text)
    return text


def _shown(words: str, spans: Sequence[str]) -> str:
    shown = re.sub(r"\u00a7(\d+)", lambda m: spans[int(m[1])], words)
    return re.sub(r"^(?:anything|whatever|a thing|an object|an item)\b", "something", shown)


# --- parts and their order --------------------------------------------------------------------------------------------


def _parts(text: str) -> list[str]:
    """Clauses in the order in which they are to be done: "before you open it, clean it" is turned round."""
    parts: list[str] = []
    for sentence in re.split(
        r"(?:\s*[.;!]\s*|\s*\?\s*(?=\S))|,? (?:and )?(?:then|afterwards|after that|when (?:that is|you are) done|once (?:that is|you are) done|next ,|finally)(?: ,)? ",
        f"{text} ",
    ):
        clean = sentence.strip(" ,?").strip()
        if clean:
            parts += _turned(clean, parts)
    return parts


def _turned(part: str, before: list[str]) -> list[str]:
    if m := re.match(r"(?:but |and )*(?:before (?:that|this|it)|first of all|but first|first)(?: ,)? (.+)", part):
        if part.startswith(("before", "but", "and before")) and before:
            return [m[1], before.pop()]
        part = m[1]
    if (m := re.match(r"(?:after|once|when|as soon as)(?: you(?: have)?)? (.+?) , (.+)", part)) or (
        m := re.match(r"(?:after|having) (\w+ing .+?|\w+ed .+?) , (.+)", part)
    ):
        return [_imperative(m[1]), m[2]]
    if m := re.match(r"before (?:you )?(.+?) , (.+)", part):
        return [m[2], _imperative(m[1])]
    if (m := re.match(r"(.+?)(?: ,)? before (?:you )?(\w+) (.+)", part)) and m[2] in ACTIONS:
        return [m[1], _imperative(f"{m[2]} {m[3]}")]
    if (m := re.match(r"(.+?)(?: ,)? (?:after|once|when) you(?: have)? (\w+) (.+)", part)) and m[2] in ACTIONS:
        return [_imperative(f"{m[2]} {m[3]}"), m[1]]
    return [part]


def _imperative(words: str) -> str:
    """ "opening the fridge" or "have opened the fridge" as it would be ordered: its forms are all known, so nothing is to be changed but "have"."""
    return re.sub(r"^(?:you )?(?:have |are done |finished |are finished )+", "", words)


def _clauses(part: str) -> list[str]:
    """A part at its "and", commas and "so" before verbs: "get the mug and leave it on the desk"."""
    pieces = re.split(r"(?:,? (?:and|so(?! that)|but)(?: also| please| then)*(?= )| ,)", f" {part}")
    clauses: list[str] = []
    for piece in (p.strip() for p in pieces):
        first = next((w for w in piece.split() if w not in ("please", "then", "also", "could", "can", "you", "just", "i", "would", "like", "to", "let", "us")), "")  # fmt: skip
        if not piece:
            continue
        if clauses and clauses[-1].split()[0] in (*_TO, *_ON) and {"on"}.issuperset(_verbs(clauses[-1].split())):
            clauses[-1] += f" {piece}"  # "on the desk, kindly set the mug"
        elif (
            clauses
            and first not in IMPERATIVES
            and not _HARMLESS.match(piece)
            and not piece.startswith(("i ", "you ", "could ", "would ", "can ", "thanks", "thank"))
            and not _verbs(piece.split())
        ):
            clauses[-1] += f" {piece}"
        else:
            clauses.append(piece)
    return clauses


def _verbs(tokens: Sequence[str]) -> list[str]:
    """Words for actions and states outside of names."""
    inside = {i for p in noun_phrases(tokens) for i in range(p.start, p.end)}
    return [t for i, t in enumerate(tokens) if i not in inside and t in _ACTING]


# --- one part ---------------------------------------------------------------------------------------------------------


def _understand_part(part: str, last: Command | None, encoder: TextEncoder | None) -> list[Command] | None:
    """Commands of one part; None if it is not understood."""
    commands: list[Command] = []
    clauses = _clauses(part)
    mentioned = last
    for i, clause in enumerate(clauses):
        before = commands[-1] if commands else last
        if _HARMLESS.match(clause) or (before is not None and before.deed == "carry" and _AS_SAID.match(clause)):
            continue
        if i + 1 < len(clauses) and _is_mention(clause, clauses[i + 1 :]):
            tokens = clause.split()
            mentioned = Command("find", join_places(tokens, noun_phrases(tokens))[0].words)
            told = _clause(clause, mentioned, None)
            if told and told[0].deed in ("carry", "clean") and not any(_GO_TO_IT.search(c) for c in clauses[i + 1 :]):
                commands += told  # "the mug belongs on the desk", "there are stains on the desk"
            continue
        understood = _clause(clause, commands[-1] if commands else mentioned, encoder)
        if understood is None and commands and _REASON.match(clause) and not noun_phrases(clause.split()):
            continue
        if understood is None:
            return None
        if (
            understood
            and understood[0].deed == "place"
            and not commands
            and mentioned is not None
            and mentioned is not last
        ):
            understood = [Command("carry", mentioned.thing, understood[0].place), *understood[1:]]
        commands += understood
    return commands


def _only_told(part: str) -> bool:
    """Whether a part tells what somebody did or did not do: "someone left the lamp on"."""
    return _TELLING.match(part) is not None


def _is_mention(clause: str, later: Sequence[str]) -> bool:
    """Whether a clause only names the thing that a later one orders something to be done to: "the door is closed, please open it"."""
    first = next((w for w in clause.split() if w not in ("please", "and", "then", "hey", "now")), "")
    if first in IMPERATIVES or first in ("could", "can", "would", "will") or not noun_phrases(clause.split()):
        return False
    return any(re.search(r"\b(?:it|that|them)\b", c) and _verbs(c.split()) for c in later)


def _merged(commands: list[Command]) -> list[Command]:
    """Pick, then place: one carrying. To go to what is handled next is no step of its own."""
    merged: list[Command] = []
    for c in commands:
        before = merged[-1] if merged else None
        if before and c.deed == "place" and before.deed in ("pick", "find"):
            merged[-1] = Command("carry", before.thing, c.place)
        elif (before and c.deed == "clean" and before.deed == "pick" and before.thing in _CLOTHS) or (
            before and before.deed == "find" and c.deed != "find" and c.thing == before.thing
        ):
            merged[-1] = c
        elif before and (c == before or (before.deed == "clean" and c.deed == "pick" and c.thing == before.thing)):
            continue  # "there are stains on the desk, remove them"
        else:
            merged.append(c)
    return merged


def _clause(clause: str, last: Command | None, encoder: TextEncoder | None) -> list[Command] | None:
    """Commands of one clause."""
    clause = _CLOSING.sub("", clause) or clause
    tokens = clause.split()
    pronoun = any(t in ("it", "that", "them", "there", "this") for t in tokens)
    simple = noun_phrases(tokens) or ([] if pronoun else noun_phrases(tokens, bare=True))
    if _FOR_ME.search(clause) or _MAKE.search(clause) or (tokens[0].endswith("ing") and not noun_phrases(tokens)):
        return None  # nothing can be handed over, and "finding nemo" orders nothing
    named = {i for p in simple for i in range(p.start, p.end)}
    outside = [t if i not in named else "" for i, t in enumerate(tokens)]
    phrases = join_places(tokens, simple)
    unknown = [t for t in outside if t.isalpha() and t not in FUNCTION_WORDS | _ACTING | _HELPING | NO_THINGS]
    if not simple and not unknown and not any(t in _ACTING for t in outside):
        return []  # "would you", "thank you"
    deed = _deed(tokens, outside, phrases)
    if (
        len(phrases) == 2
        and not unknown
        and phrases[0].before in (*_TO, *_ON)
        and phrases[1].before == "with"
        and {"on"}.issuperset(_verbs(tokens))
    ):
        return [Command("carry", phrases[1].words, phrases[0].words)]  # "onto the desk with the mug!"
    if (
        len(phrases) == 2
        and phrases[1].before in _ON
        and NEGATIONS.intersection(outside)
        and phrases[0].before in ("", "is", "that", "not")
    ):
        return [Command("carry", phrases[0].words, phrases[1].words)]  # "the mug is not on the desk, change that"
    if len(phrases) == 2 and re.search(r"\b(?:place|spot|home) (?:for|of)$", " ".join(tokens[: phrases[0].start])):
        return [Command("carry", phrases[0].words, phrases[1].words)]  # "the right place for the mug is the desk"
    carried = _carried(tokens, outside, simple, phrases, last)
    if carried is None and deed is None and unknown[:1] == tokens[:1] and len(simple) > 1 and simple[0].start == 1:
        # "Ferry the mug onto the desk": whatever it is called, it is carrying.
        onto = [i for i, p in enumerate(simple) if i and p.before in ("onto", "to", "into")]
        if onto and nearest_intent(_masked(tokens, phrases), "command", encoder) != "other":
            thing, place = (join_places(tokens, p)[0].words for p in (simple[: onto[-1]], simple[onto[-1] :]))
            carried = Command("carry", thing, place)
    if carried is not None and (deed not in ("switch_on", "switch_off", "open", "close", "clean")):
        return [carried]
    thing = phrases[0].words if phrases else last.thing if last is not None and pronoun else ""
    if not thing:
        return [] if last is not None and _HARMLESS.match(clause) else None
    adjective, _, rest = thing.partition(" ")  # of "dirty desk"
    if (
        rest
        and deed in (None, "find")
        and not GO_FORMS.intersection(outside)
        and (adjective in IS_DIRTY or (adjective in IS_CLEAN and _FOND.intersection(outside)))
    ):
        return [
            Command("clean", phrases[0].words.partition(" ")[2])
        ]  # "do something about the dirty desk", "I want a clean desk"
    bare = bool(simple) and not noun_phrases(tokens)
    if deed is None and not unknown and not bare and len(phrases) == 1:
        meant = nearest_intent(_masked(tokens, phrases), "command", encoder) if _HELPING.intersection(outside) else None
        deed = next((d for d in DEEDS if d == meant and d != "carry"), "find")  # "the mug, please"
    if deed is None or unknown:
        meant = nearest_intent(_masked(tokens, phrases), "command", encoder)
        deed = None if meant == "other" else deed or next((d for d in DEEDS if d == meant), None)
    return [Command(deed, thing)] if deed is not None and deed != "carry" else None


def _deed(tokens: Sequence[str], outside: Sequence[str], phrases: Sequence[NounPhrase]) -> Deed | None:
    """What is to be done, by verbs, particles and states outside of names; None: nothing tells."""
    words = [t for t in outside if t]
    denied = any(w in NEGATIONS for w in words) or "longer" in words
    if re.search(r"\b(?:change|fix|correct|undo) (?:it|that|this)\b", " ".join(tokens)):
        denied = not denied  # "the fridge is shut, please change that"
    last = tokens[-1] if outside[-1] else ""
    particle = _particle(tokens, outside, phrases)
    switching = [w for w in words if w in SWITCH_FORMS]
    if particle == "off" and any(w in CLEAN_FORMS for w in words) and not any(w in POWER_FORMS for w in words):
        return "clean"  # "wipe it off"
    if tokens[-2:] == ["to", "stop"]:
        return "switch_off"
    if particle and (
        switching or last == particle or "put" in words or any(w in ("is", "be", "should", "must") for w in words)
    ):
        return "switch_on" if (particle == "on") != denied else "switch_off"
    if any(
        w in DEACTIVATE_FORMS
        and (w not in ("stop", "stops", "halt") or (i + 1 < len(tokens) and (not outside[i + 1] or tokens[i + 1] in ("it", "that", "them"))) or (i and tokens[i - 1] in ("it", "them")))
        for i, w in enumerate(outside)
    ):  # fmt: skip
        return "switch_off"
    if "life" in words and "to" in words:
        return "switch_on"
    if any(
        w in ACTIVATE_FORMS | (IS_ON - {"on", "going", "working"})
        and not _ON_THE_WAY.intersection(tokens[i + 1 : i + 2])
        for i, w in enumerate(outside)
    ) or ("going" in words and any(w in ("get", "keep", "set") for w in words)):
        return "switch_off" if denied else "switch_on"
    if any(w in IS_OPEN | OPEN_FORMS for w in words):
        return "close" if denied else "open"
    if any(
        w in CLOSE_FORMS | IS_CLOSED and tokens[i + 1 : i + 2] not in (["to"], ["by"], ["up"])
        for i, w in enumerate(outside)
    ):
        return "open" if denied else "close"
    if any(w in CLEAN_FORMS | IS_DIRTY | IS_CLEAN for w in words) or _WITH_CLOTH.search(" ".join(tokens)):
        return "clean"
    if (
        any(w in PICK_FORMS and tokens[i + 1 : i + 2] not in _GETTING for i, w in enumerate(outside))
        and not any(w in ("me", "us") for w in words)
        and "to" not in words
    ):
        return "pick"
    if any(w in GO_FORMS for w in words) or _GET_TO.search(" ".join(tokens)) or _TO_ME.search(" ".join(tokens)):
        return "find"
    if re.search(
        r"\b(?:make (?:your|my|our) way|get (?:over |up |close |near )?to|(?:stand|wait|stay|station yourself|be) (?:right )?(?:by|next to|near|beside|in front of|at)|where is|i (?:\w+ )?(?:am|be) (?:in|at))\b",
        " ".join(tokens),
    ):
        return "find"
    return None


#: "Get in front of the mug" picks up nothing.
_GETTING = (["in"], ["near"], ["beside"], ["next"], ["behind"], ["close"])
_GET_TO = re.compile(r"\bget (?:in front of|near|beside|next to|behind|close to)\b")
#: "Run over to the mug" starts nothing.
_ON_THE_WAY = frozenset("along over to up down across around there towards".split())


def _particle(tokens: Sequence[str], outside: Sequence[str], phrases: Sequence[NounPhrase]) -> str:
    """ "on" or "off" that is no place: at the end, after a verb of switching, or before "the" after such a verb."""
    for i, word in enumerate(tokens):
        if not outside[i] or word not in ("on", "off", "up", "down", "out"):
            continue
        before = tokens[i - 1] if i else ""
        ends = i + 1 == len(tokens) or tokens[i + 1] in ("for", "please", "now", "again", "?", ",", "right", "so", "i")
        if before == "put" and word in ("on", "off") and len(phrases) == 1 and phrases[0].start == i + 1:
            return word
        if (
            before in POWER_FORMS
            or (ends and word == "out" and "put" in outside[:i])
            or (ends and (word in ("on", "off") or any(t in POWER_FORMS for t in outside[:i])))
        ):
            return "on" if word in ("on", "up") else "off"
    return ""


#: What may be wished for a thing: to be somewhere.
_WISHES = frozenset(
    "needed wanted belong belongs belonging goes go should must want wants need needs like prefer expect expects ought end ends home gets get supposed be do has have lands land lives stand stands".split()
)
#: The same of somebody who speaks.
_FOND = frozenset("want wants need like prefer expect expects must have should do sure ensure".split())
_LACKS = frozenset("needs lacks wants misses gets get have receive lack need".split())


def _carried(
    tokens: Sequence[str],
    outside: Sequence[str],
    simple: Sequence[NounPhrase],
    phrases: Sequence[NounPhrase],
    last: Command | None,
) -> Command | None:
    """A thing and where it is to go; None: the clause orders no such thing."""
    words = [t for t in outside if t]
    carrying = any(w in CARRY_FORMS | PICK_FORMS for w in words)
    first = phrases[0].start if phrases else 0
    whole = " ".join(tokens)
    wished = any(w in (_WISHES if i > first else _FOND) for i, w in enumerate(outside)) and not (
        re.search(
            r"\b(?:need|want|like|wish|have|prefer)(?: you)? to\b(?! have\b)|\bdo you\b", " ".join(tokens[:first])
        )
        or re.search(
            r"\b(?:some|any)where\b|\baround here\b|\bwant you to (?:go|be|stop|stand)\b|\b(?:do|does) not need\b",
            whole,
        )
    )
    wished = (
        wished
        or re.match(
            r"(?:ideally |and )*there (?:would|should|must|has to|needs to|ought to) be (?!.*\b(?:some|any)where)",
            whole,
        )
        is not None
    )
    if not simple or not (carrying or wished) or _TO_ME.search(" ".join(tokens)):
        return None
    told = any(
        w in ("belongs", "goes", "should", "must", "belong") for w in words
    )  # "get the mug, it belongs on the desk"
    fond = re.match(
        r"(?:and |now )*i (?:would |really )*(?:want|need|like|prefer) (?:it|them|that|this) ", " ".join(tokens)
    )
    if (
        (carrying or fond or (told and last is not None and last.deed == "pick"))
        and last is not None
        and any(w in ("it", "them", "that", "this") for w in words)
    ):
        place = phrases[-1]
        meant = next(i for i, w in enumerate(outside) if w in ("it", "them", "that", "this"))
        if len(phrases) > 1 and phrases[0].end <= meant and place.before in (*_TO, *_ON):
            return Command("carry", phrases[0].words, place.words)  # "relocate the mug: it goes on the desk"
        return Command("place", last.thing, place.words) if place.before in (*_TO, *_ON) else None
    belonging = any(w in ("belong", "belongs", "goes", "should", "ought", "must", "need") for w in words) or bool(
        re.search(r"\bis where (?:i|we|you) ", " ".join(tokens))
    )
    if len(simple) == 1 or ("where" in words and not belonging):
        return None
    if len(phrases) == 1 and simple[0].before in _TO:
        return None  # "get to the mug on the table"
    if any(w in GO_FORMS - _STAYING for w in words) and not carrying:
        return None
    onto = any(w in CARRY_FORMS - PICK_ONLY_FORMS for w in words) or wished
    destination = _destination(tokens, simple, phrases, carrying, onto, wished)
    if destination is None:
        return None
    goes_first = destination == 0
    parts = (simple[:destination], simple[destination:]) if not goes_first else _split_first(tokens, simple)[::-1]
    if not all(parts):
        return None
    thing, place = (join_places(tokens, p)[0] for p in parts)
    return Command("carry", thing.words, place.words)


#: Verbs of going that are said of things that stay somewhere.
_STAYING = frozenset("go goes going gone went come comes run runs stand stands ride steer see sees seen stay".split())


def _destination(
    tokens: Sequence[str],
    simple: Sequence[NounPhrase],
    phrases: Sequence[NounPhrase],
    carrying: bool,
    onto: bool,
    wished: bool,
) -> int | None:
    """Index of the noun phrase that begins the place; 0: the place is told before the thing; None: there is no place.

    Args:
        carrying: a verb of carrying orders it; onto: "on" and "in" can tell the place; wished: it may be told by what should be.
    """
    after = " ".join(tokens[phrases[0].end :])
    if len(phrases) > 1 and (
        re.match(r"(?:is|s|would be) (?:where|the (?:right )?(?:place|home|spot) (?:for|of))", after)
        or (phrases[1].before == "with" and after.startswith(("could do with", "can do with")))
        or phrases[1].before in _LACKS - ({"get", "have", "need"} if carrying else set())
        or (simple[0].before in (*_TO, *_ON) and not (carrying and simple[0].start > 2))
    ):
        return 0
    towards = [i for i, p in enumerate(simple) if i and p.before in _TO]
    if towards:
        return towards[-1]
    if not onto:
        return None
    # What is said after a verb cannot belong to the name before it: "the mug on the desk belongs on the shelf".
    apart = [
        i
        for i in range(1, len(simple))
        if simple[i].before in _ON and any(t in _PARTING for t in tokens[simple[i - 1].end : simple[i].start])
    ]
    if apart:
        return apart[-1]
    # "The mug on the counter in the kitchen on the desk in the study": the last piece of furniture begins the place.
    furniture = [i for i, p in enumerate(simple) if i and not p.is_room and p.before in (*_ON, "off")]
    if furniture:
        return furniture[-1]
    return len(simple) - 1 if carrying and simple[-1].before in _ON else None


_PARTING = ACTIONS | SAYING_FORMS | frozenset("belongs should be down up over onto needs has down must".split())


def _split_first(
    tokens: Sequence[str], simple: Sequence[NounPhrase]
) -> tuple[Sequence[NounPhrase], Sequence[NounPhrase]]:
    """Place and thing, where the place comes first: they are parted by words that join no places."""
    whole = join_places(tokens, simple)
    if len(whole) < 2:
        return (), ()
    cut = next(i for i, p in enumerate(simple) if p.start >= whole[1].start)
    return simple[:cut], simple[cut:]


def _masked(tokens: Sequence[str], phrases: Sequence[NounPhrase]) -> str:
    masked: list[str] = []
    at = 0
    for p in phrases:
        masked += [*tokens[at : p.start], "the", "thing"]
        at = p.end
    return " ".join([*masked, *tokens[at:]])
