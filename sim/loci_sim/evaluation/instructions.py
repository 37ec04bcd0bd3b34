"""What the scripted robot understands of chores: commands as they are usually worded. Planners understand more."""

from __future__ import annotations

import re

#: (verb, words of the thing) of one deed.
Deed = tuple[str, str]

_POLITE = r"^(?:please |go and )*"
_CARRY = (
    re.compile(rf"{_POLITE}(?:bring|carry|move|take) (?:the )?(?P<thing>.+) to the (?P<place>.+)$"),
    re.compile(rf"{_POLITE}(?:put|place|set|lay) (?:the )?(?P<thing>.+) on(?:to)? the (?P<place>.+)$"),
    re.compile(rf"{_POLITE}(?:put|place) (?:the )?(?P<thing>.+) in(?:to)? the (?P<place>.+)$"),
)
_SWITCH = re.compile(rf"{_POLITE}(?:switch|turn) (?:(?P<before>on|off) the (?P<a>.+)|the (?P<b>.+) (?P<after>on|off))$")
_OPEN = re.compile(rf"{_POLITE}(?:open(?: up)? the (?P<a>.+)|pull the (?P<b>.+) open)$")
_CLOSE = re.compile(rf"{_POLITE}(?:close|shut) the (?P<a>.+)$")
_CLEAN = re.compile(rf"{_POLITE}(?:clean|wash|wipe|scrub) the (?P<a>.+)$")


def parse_chore(text: str) -> list[Deed]:
    """Deeds in their order, e.g. ``[("pick", "red mug"), ("place", "sink")]``; empty if a part is not understood."""
    deeds: list[Deed] = []
    for part in re.split(r",? (?:and )?then ", text.strip().rstrip(".!").lower()):
        understood = _parse_part(part)
        if not understood:
            return []
        deeds += understood
    return deeds


def _parse_part(part: str) -> list[Deed]:
    for pattern in _CARRY:
        if found := pattern.match(part):
            return [("pick", found["thing"]), ("place", found["place"])]
    if found := _SWITCH.match(part):
        return [(f"switch_{found['before'] or found['after']}", found["a"] or found["b"])]
    if found := _OPEN.match(part):
        return [("open", found["a"] or found["b"])]
    if found := _CLOSE.match(part):
        return [("close", found["a"])]
    if found := _CLEAN.match(part):
        return [("clean", found["a"])]
    return []
