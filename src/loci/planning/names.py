"""Colours and kinds of rooms as they are called: what the parsers know about names."""

from __future__ import annotations

import re

from loci.words import canonical

COLORS = frozenset(
    "red green blue yellow orange purple pink brown black white grey gray beige cyan turquoise magenta violet gold silver".split()
)
_ROOMS = (
    "children room|child room|kid room|kids room|play room|playroom|meeting room|conference room|break room|server room|copy room|guest toilet|staircase|stairwell|stairs|laundry|kitchenette|lobby|reception|workshop|dressing room|"
    "living room|sitting room|family room|lounge|dining room|laundry room|utility room|storage room|storeroom|guest room|bathroom|bedroom|bath room|bed room|"
    "kitchen|office|study|hallway|hall|corridor|entrance hall|entrance|entryway|foyer|restroom|washroom|toilet|pantry|garage|balcony|porch|terrace|nursery|attic|"
    "basement|cellar|gym|library|closet"
)
ROOM = rf"(?:room/\d+|(?:(?:first|second|third|master|main|guest|other|big|small|large) )?(?:{_ROOMS})s?|room \d+)"
ARTICLE = r"(?:(?:the|a|an|my|your|our|this|that) )?"
_ONLY_ROOM = re.compile(rf"^{ARTICLE}(?P<room>{ROOM})$")


def is_room_word(words: str) -> bool:
    """Whether ``words`` name a kind of room."""
    return _ONLY_ROOM.match(words) is not None or _ONLY_ROOM.match(canonical(words)) is not None
