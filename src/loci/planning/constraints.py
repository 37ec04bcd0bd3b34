"""What an instruction says about itself: that the robot must not move, or two things that exclude one another.

Only wordings; what is done about them is up to who reads the orders.
"""

from __future__ import annotations

import re

_STAY = re.compile(
    r"(?:,| -)? ?(?:but |and )?(?:please )?"
    r"(?:(?:do not|don't|do n't|never) (?:move|drive|go anywhere|leave(?: your place)?)"
    r"|without (?:moving|driving|going there|going anywhere|leaving your place)"
    r"|(?:stay|remain|stand) where you are|stay (?:put|here))\b"
)
_OPPOSITES = (
    (r"open", r"close|shut"),
    (r"(?:switch|turn) on", r"(?:switch |turn )?off"),
    (r"(?:switch|turn)(?: \w+)* on", r"off"),
    (r"pick up", r"put down"),
)


class ContradictionError(ValueError):
    """An instruction orders at once what excludes one another."""


def without_moving(text: str) -> tuple[str, bool]:
    """An instruction without the words that forbid to move, and whether there were some; lower case, e.g. "find the mug but do not move"."""
    rest, n = _STAY.subn("", text)
    return re.sub(r"^[ ,]*(?:and )?", "", rest).rstrip(" ,"), n > 0


def refuse_contradiction(part: str) -> None:
    """Check one part of an instruction, in lower case: parts that follow one another ("then") may undo one another.

    Raises:
        ContradictionError: it orders two things at once that exclude one another.
    """
    for first, second in _OPPOSITES:
        for a, b in ((first, second), (second, first)):
            if re.search(rf"\b(?:{a})\b(?: [\w ]+)? and (?:then )?(?:to )?(?:{b})\b", part):
                raise ContradictionError(
                    f"expected one thing or one after the other ('open the window, then close the window'), got two at once that "
                    f"exclude one another: {part[:200]!r}"
                )
