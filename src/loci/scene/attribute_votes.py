"""What detectors told of one object besides its label: attributes that are voted on, and states that are as they were seen last.

Text that was read keeps its case: ``text: EXIT``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

#: Of each of these a thing can be only one at a time: the newest word holds.
STATES: tuple[frozenset[str], ...] = tuple(
    frozenset(group.split())
    for group in (
        "open ajar closed",
        "on off",
        "clean dirty",
        "empty full",
        "locked unlocked",
        "wet dry",
        "made unmade",
        "lit unlit",
    )
)
STATE_GROUP = {word: group for group in STATES for word in group}
SYNONYMS = {"opened": "open", "half-open": "ajar", "shut": "closed", "switched on": "on", "turned on": "on"} | {
    "switched off": "off", "turned off": "off", "grey": "gray", "turquoise": "cyan", "violet": "purple", "big": "large", "little": "small",
}  # fmt: skip
#: Attributes with a lower share of the votes are not believed; more of them than this are not kept for one object.
MIN_CONFIDENCE = 0.3
MAX_KEPT = 32


def normalise_attribute(attribute: str) -> str:
    """Lower case, single blanks, one word for synonyms; what follows ``text:`` stays as it was read."""
    plain = re.sub(r"\s+", " ", attribute).strip()
    if plain.lower().startswith("text:"):
        return f"text: {plain[5:].strip()}"
    plain = plain.lower()
    return SYNONYMS.get(plain, plain)


class AttributeVotes:
    """Votes of the detections of one object, weighed by their scores."""

    def __init__(self) -> None:
        self._weights: dict[str, float] = {}
        self._seen_ns: dict[str, int] = {}  # newest stamp, of states
        self._total = 0.0

    def add(self, attributes: Iterable[str], score: float, stamp_ns: int) -> tuple[str, ...]:
        """Take in what one detection told; one that tells nothing is no vote against anything.

        Returns:
            States that are others than they were: "open" of what was closed. One that was not known before is none.
        """
        names = {name for name in map(normalise_attribute, attributes) if name}
        if not names:
            return ()
        changed: list[str] = []
        weight = max(score, 1e-3)
        self._total += weight
        for name in sorted(names):
            group = STATE_GROUP.get(name)
            if group is not None:
                newest = max((self._seen_ns[other] for other in group if other in self._seen_ns), default=-1)
                if stamp_ns < newest:
                    continue  # an older image cannot say what is so now
                if newest >= 0 and name not in self._seen_ns:
                    changed.append(name)
                for other in group - {name}:
                    self._weights.pop(other, None)
                    self._seen_ns.pop(other, None)
                self._seen_ns[name] = stamp_ns
            self._weights[name] = self._weights.get(name, 0.0) + weight
        if len(self._weights) > MAX_KEPT:
            strongest = sorted(self._weights, key=lambda name: (-self._weights[name], name))[:MAX_KEPT]
            self._weights = {name: self._weights[name] for name in strongest}
            self._seen_ns = {name: ns for name, ns in self._seen_ns.items() if name in self._weights}
        return tuple(changed)

    def absorb(self, other: AttributeVotes) -> None:
        """Take in the votes of another part of the same object."""
        for name, weight in other._weights.items():
            group, seen_ns = STATE_GROUP.get(name), other._seen_ns.get(name, -1)
            if group is not None:
                if seen_ns < max((self._seen_ns[o] for o in group if o in self._seen_ns), default=-1):
                    continue
                for rival in group - {name}:
                    self._weights.pop(rival, None)
                    self._seen_ns.pop(rival, None)
                self._seen_ns[name] = seen_ns
            self._weights[name] = self._weights.get(name, 0.0) + weight
        self._total += other._total

    def elected(self) -> tuple[tuple[str, float], ...]:
        """Attributes with confidences [0, 1]: surest first; a state counts as told by the newest detection."""
        shares = {
            name: 1.0 if name in STATE_GROUP else min(1.0, weight / max(self._total, 1e-9))
            for name, weight in self._weights.items()
        }
        believed = [(name, share) for name, share in shares.items() if share >= MIN_CONFIDENCE]
        return tuple(sorted(believed, key=lambda item: (-item[1], item[0])))

    def record(self) -> dict[str, Any]:
        """JSON-able fields, for `restored`."""
        return {"weights": dict(self._weights), "seen_ns": dict(self._seen_ns), "total": self._total}

    @staticmethod
    def restored(fields: Mapping[str, Any] | None) -> AttributeVotes:
        """Of a `record`; None: a memory of before there were attributes."""
        votes = AttributeVotes()
        if fields:
            votes._weights = {str(n): float(w) for n, w in fields["weights"].items()}
            votes._seen_ns = {str(n): int(ns) for n, ns in fields["seen_ns"].items()}
            votes._total = float(fields["total"])
        return votes
