"""What a request is about without how it is begun and ended: "could you lead me to the room that lost the mug? Thanks" is "the room that lost the mug".

People begin requests in endless ways; what they mean by them is told by the rest. So the rest is what is compared with examples.
"""

from __future__ import annotations

import re

from loci.planning.language.vocabulary import FUNCTION_WORDS, GO_FORMS, NEGATIONS, forms_of

#: Verbs that only say that one wants to be there, beside those of going and looking; some in these forms only: "you took" tells more.
_GOING = (
    GO_FORMS
    | forms_of(
        "be want like love enter call swing stay position meet give have tell let try start wait turn remember appreciate aim dig proceed end retrace know need wish"
    )
    | frozenset("get getting bring bringing take taking make move moving stand standing pass".split())
) - frozenset("found saw".split())
#: Words of a clause that says nothing but "go there".
_EMPTY = (FUNCTION_WORDS - NEGATIONS) | frozenset(
    "led taken sight trip goal target destination beside next side front straight along round place spot robot thanks thank".split()
)
_POLITE = "please|kindly|now|hey|ok|so|and|then|could|can|would|will|you|i|we|us|let|want|like|need|to|be|good|kind|as|it|great|if|should|must|mind|robot|wish|love|just|me|yourself|your|way|led|taken|my|d|ll"
_TOWARDS = "me|us|yourself|your|way|to|for|at|towards?|up|over|back|out|a|look|beside|next|by|near|in|front|of|close|straight|directly|down|along|into|off|going|there|round|around|on|past|through|sight|with|inside|again"
_BEGINNING = re.compile(
    rf"^(?:(?:{_POLITE}) )*(?:{'|'.join(sorted(_GOING, key=len, reverse=True))}) (?:(?:{_TOWARDS}) )*"
)
#: A core has so many words at least: else the beginning belongs to it.
_MIN_WORDS = 3


def core(q: str) -> str:
    """The clauses of a text that say more than "go there", the first without its beginning.

    Args:
        q: as `loci.planning.language.phrases.plain` makes it.
    """
    clauses = [c.strip() for c in re.split(r"[.,;:?!]", q) if c.strip()]
    telling = [c for c in clauses if not all(w in _GOING or w in _EMPTY for w in c.split())]
    text = re.sub(r"\bplease\b ?", "", " , ".join(telling or clauses)).strip()
    begun = _BEGINNING.match(f"{text} ")
    rest = text[begun.end() :].strip() if begun else text
    return rest if len(rest.split()) >= _MIN_WORDS else text
