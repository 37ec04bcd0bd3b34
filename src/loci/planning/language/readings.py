"""What a request about deeds can mean, and which meaning is nearest: readings by the slots that it fills, ranked by example sentences.

Every reading that the named things, numbers and times of a request allow is made; cues (`deeds.understand_by_cues`) vote for one, and the
examples of all weigh together, by their nearness in meaning (the text encoder's).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from loci.planning.language import deeds as cues
from loci.planning.language.deed_examples import EXAMPLES
from loci.planning.language.deeds import Deed, Wish
from loci.planning.language.phrases import plain
from loci.planning.names import COLORS

if TYPE_CHECKING:
    from loci.perception.text import TextEncoder

Rows = npt.NDArray[np.float64]

#: What the vote of the cues is worth, against 1 for a reading that the examples are sure of; the smallest cosine with an example that lets them
#: decide; and the ridge. Chosen on wordings of one author with the examples of another.
VOTE, NEAR, RIDGE = 0.4, 0.45, 0.3
_FILLED = {"thing": "cup", "a_thing": "a cup", "place": "table", "nth": "second", "mth": "fourth", "time": "30 seconds", "color": "red"}  # fmt: skip


def understand(text: str, deeds: Sequence[Deed], encoder: TextEncoder | None = None) -> Wish | None:
    """What a request asks for, given what was done; None: it is not understood, or nothing done answers it.

    Args:
        encoder: compares it with examples; None: cues alone decide.
    """
    by_cues = cues.understand_by_cues(text, deeds)
    q = " ".join(w for w in plain(text).split() if w != ".")
    if encoder is None or not deeds or cues.is_conditional(q):
        return by_cues
    masked, readings = _readings(q, deeds)
    if not readings or (by_cues is not None and by_cues not in readings.values()):
        return by_cues
    names = tuple(readings)
    sentences = [s.format(**_FILLED) for n in names for s in EXAMPLES[n]]
    rows = np.asarray(encoder.encode([masked, *sentences]), dtype=np.float64)  # (1 + N, D); examples stay in its cache
    if float((rows[1:] @ rows[0]).max()) < NEAR:
        return by_cues
    scores = _kernel(rows[:1], rows[1:]) @ _weights(names, rows[1:].tobytes(), rows.shape[1])  # (1, R)
    votes = [VOTE if readings[n] == by_cues else 0.0 for n in names]
    return readings[names[int(np.argmax(scores[0] + votes))]]


def _kernel(left: Rows, right: Rows) -> Rows:
    """Gaussian kernel of unit vectors (A, D) and (B, D): exp(-squared distance), (A, B)."""
    return np.exp(2.0 * (left @ right.T) - 2.0)


@lru_cache(maxsize=32)
def _weights(names: tuple[str, ...], rows: bytes, width: int) -> Rows:
    """Weights (N, R) of the examples by kernel ridge regression onto one column per reading (Saunders et al. 1998, eq. 7).

    Many examples weigh together: one that is near by chance, as a wording of the opposite is, decides nothing by itself.
    """
    examples = np.frombuffer(rows).reshape(-1, width)
    labels = np.repeat(np.eye(len(names)), [len(EXAMPLES[n]) for n in names], axis=0)  # (N, R)
    ridge = RIDGE * np.eye(len(examples))
    return np.asarray(np.linalg.solve(_kernel(examples, examples) + ridge, labels - labels.mean(axis=0)))


def _readings(q: str, deeds: Sequence[Deed]) -> tuple[str, dict[str, Wish]]:
    """The request with its slots filled as in the examples, and the wishes that it can stand for, by the names of the examples."""
    tokens = q.split()
    named = cues.named(q, [d.label for d in deeds])
    thing = named[0][1] if named else ""
    places = [(i, p) for i, p in cues.named(q, [x for d in deeds for x in (d.source, d.target)]) if p != thing]
    color = next((w for w in tokens if w in COLORS and w not in thing.split()), "")
    counted = cues.without_first_times(q)
    ordinals = cues.ordinals(counted)
    seconds = cues.SECONDS.search(q)
    masked = q
    for words, filled in ((thing, "cup"), (places[0][1] if thing and places else "", "table"), (color, "red")):
        masked = masked.replace(words, filled, 1) if words else masked
    if seconds:
        masked = masked.replace(seconds[0], "30 seconds")
    for word, filled in zip(cues.ordinal_words(counted), ("second", "fourth"), strict=False):
        masked = masked.replace(f" {word} ", f" {filled} ", 1)
    alike = cues.alike(deeds, thing) if thing else ()
    found: dict[str, Wish | None] = {}
    each = tuple((d,) for d in deeds)
    ranked = sorted(deeds, key=lambda d: d.duration_ns)
    if seconds:
        at = deeds[0].picked.stamp_ns + cues.nanoseconds(seconds)
        duration = cues.nanoseconds(seconds)
        found["at_time"] = cues.wish("moved", [[d for d in deeds if d.picked.stamp_ns <= at <= d.placed.stamp_ns]])
        found["later"] = cues.wish("moved", [[d for d in deeds if d.picked.stamp_ns > at]])
        found["took"] = cues.wish("moved", [sorted(deeds, key=lambda d: abs(d.duration_ns - duration))[:1]])
    elif len(ordinals) > 1:
        goals = [cues.nth(deeds, i) for i in ordinals[:2]]
        found["two"] = Wish("moved", tuple(goals), ordered=True) if all(goals) else None
    elif ordinals and not thing:
        one = [cues.nth(deeds, ordinals[0])]
        for name, what in (("nth", "moved"), ("nth_from", "source"), ("nth_to", "target"), ("room_nth_from", "source_room"), ("room_nth_to", "target_room")):  # fmt: skip
            found[name] = cues.wish(what, one)
    elif color:
        found["color_of" if thing else "color"] = Wish("moved", (alike or tuple(deeds),), color=color.replace("grey", "gray"))  # fmt: skip
    elif thing and places:
        for name, end in (("placed_on", "target"), ("taken_from", "source")):
            found[name] = cues.wish("moved", [[d for d in alike if getattr(d, end) == places[0][1]]])
    elif thing:
        for name, what in (("moved", "moved"), ("furniture_from", "source"), ("furniture_to", "target"), ("back", "source"), ("room_from", "source_room"), ("room_to", "target_room"), ("beside", "beside")):  # fmt: skip
            found[name] = cues.wish(what, [alike])
        found["untouched"] = Wish("untouched", (tuple(deeds),), label=thing)
        for name, step in (("after", 1), ("before", -1)):
            at_ = [i + step for i, d in enumerate(deeds) if d in alike]
            found[name] = cues.wish("moved", [[deeds[i] for i in at_ if 0 <= i < len(deeds)]])
    else:
        found = {
            "room_most": cues.fullest(deeds, "source"),
            "longest": Wish("moved", ((ranked[-1],),)),
            "shortest": Wish("moved", ((ranked[0],),)),
            "longest_to": Wish("target", ((ranked[-1],),)),
            "longest_from": Wish("source", ((ranked[-1],),)),
            "shortest_to": Wish("target", ((ranked[0],),)),
            "all": Wish("moved", each),
            "all_furniture": Wish("target", each),
            "all_furniture_from": Wish("source", each),
            "all_rooms": Wish("source_room", each),
            "all_rooms_to": Wish("target_room", each),
            "in_order": Wish("moved", each, ordered=True),
            "reversed": Wish("moved", each[::-1], ordered=True),
            "furniture_in_order": Wish("target", each, ordered=True),
            "sources_in_order": Wish("source", each, ordered=True),
        }
    any_order = cues.IN_ANY_ORDER.search(q) is not None
    return masked, {name: w for name, w in found.items() if w is not None and not (any_order and w.ordered)}
