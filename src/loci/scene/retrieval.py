"""Which snapshots matter: the fewest images that show what a question, an image or a region asks for (3D-Mem, section 3.4).

Objects are ranked first, by what is known of them; then as few snapshots are taken as show the relevant ones. Where nothing
can be ranked there are more images, never none: a planner that looks at everything can still find it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from loci.scene.attributes import agreement, asked_attributes, attribute_words
from loci.scene.snapshots import Snapshot
from loci.scene.tracks import SceneObject

#: 3D-Mem keeps this many of the ranked categories.
MAX_LABELS = 10
#: What scores less than this share of the best is not what was meant.
KEPT_SHARE = 0.6
#: What attributes that a thing has, or is known not to have, add to its score and take away from it.
ATTRIBUTE_BONUS, ATTRIBUTE_PENALTY = 0.1, 0.15
#: What may go wrong in an encoder: no package, no weights, no memory, an input that it does not take.
_CANNOT_RANK = (ImportError, OSError, RuntimeError, ValueError)


class Encoder(Protocol):
    """The part of a text encoder that is needed here."""

    def encode(self, texts: Sequence[str], /) -> npt.NDArray[np.float32]:
        """Unit vectors (N, D) of N texts."""
        ...


@dataclass(frozen=True)
class Wanted:
    """What is asked; all that is given must hold, question and image rank what is left.

    Attributes:
        question: in words; empty: not ranked by words.
        object_ids: show these objects; empty: any.
        region: ids of the objects of a room or box, or None: anywhere.
        where: the region in words, for the reasons.
        keyframes: images of the time that is asked for, or None: any time.
        captions: {object id: (score [0, 1], text)} of what was said of objects, as far as it has to do with the question.
        image_scores: {keyframe id: likeness [0, 1]} of whole images, {} if no image or no encoder ranks them.
        crop_scores: {object id: likeness [0, 1]} of objects' own pictures.
        ranks_images: whether an image was given; else the scores are those of the question's words.
    """

    question: str = ""
    object_ids: tuple[str, ...] = ()
    region: frozenset[str] | None = None
    where: str = ""
    keyframes: frozenset[str] | None = None
    captions: Mapping[str, tuple[float, str]] = field(default_factory=dict)
    image_scores: Mapping[str, float] = field(default_factory=dict)
    crop_scores: Mapping[str, float] = field(default_factory=dict)
    ranks_images: bool = False


@dataclass(frozen=True)
class Retrieval:
    """What matters.

    Attributes:
        snapshots: with their scores in [0, 1], best first; all of them, with score 1, where nothing could be ranked.
        labels: the categories that were kept, best first, at most 10.
        reasons: why each snapshot, same order, in plain words.
    """

    snapshots: tuple[tuple[Snapshot, float], ...]
    labels: tuple[str, ...]
    reasons: tuple[str, ...] = ()


def rank_labels(question: str, labels: Sequence[str], encoder: Encoder) -> list[tuple[str, float]]:
    """Categories by how near they are to a question, with scores in [0, 1], best first.

    A category that the question names scores 1; the others by the cosine of their embeddings.
    """
    if not labels:
        return []
    vectors = np.asarray(encoder.encode([question, *labels]))
    scores = np.clip(vectors[1:] @ vectors[0], 0.0, 1.0)
    words = _words(question)
    scores = [1.0 if _names(words, _words(label)) else float(s) for label, s in zip(labels, scores, strict=True)]
    return sorted(zip(labels, scores, strict=True), key=lambda pair: (-pair[1], pair[0]))


def retrieve(
    wanted: Wanted,
    snapshots: Sequence[Snapshot],
    objects: Mapping[str, SceneObject],
    encoder: Encoder,
    limit: int,
    *,
    shown: Mapping[str, Collection[str]] | None = None,
    attributes: Mapping[str, Sequence[str]] | None = None,
) -> Retrieval:
    """The fewest snapshots that show what matters.

    Args:
        wanted: what is asked.
        snapshots: all of them.
        objects: all objects by id.
        encoder: of texts.
        limit: most snapshots, >= 1.
        shown: {keyframe id: objects that its image shows}, beyond the snapshots' members; None: members only.
        attributes: {object id: attributes besides colours}.

    Returns:
        At most ``limit`` snapshots. If the ranking fails, or nothing fits, all that the other conditions leave; where they leave
        none, all snapshots: and the reasons say so.
    """
    in_time = [s for s in snapshots if wanted.keyframes is None or s.keyframe_id in wanted.keyframes]
    if not in_time:
        return _everything(snapshots, "no snapshot was taken in that time: all of them", limit)
    shows = {s.id: frozenset({*s.object_ids, *(shown or {}).get(s.keyframe_id, ())} & objects.keys()) for s in in_time}
    allowed = frozenset(objects) if wanted.region is None else wanted.region
    if wanted.object_ids:
        allowed &= frozenset(wanted.object_ids)
    candidates = frozenset(i for ids in shows.values() for i in ids & allowed)
    if not candidates and (wanted.region is not None or wanted.object_ids):
        return _everything(
            in_time, f"no snapshot shows anything {wanted.where or 'of what was asked for'}: all of them", limit
        )
    conditioned = bool(wanted.region is not None or wanted.object_ids)
    relevance, why, labels = _rank(wanted, candidates, objects, encoder, attributes or {})
    by_looks = [] if wanted.ranks_images else _by_looks(wanted, in_time, shows, candidates if conditioned else None)
    if wanted.ranks_images:
        found = _by_image(wanted, in_time, shows, candidates if conditioned else None, relevance, why, objects)
        if found:
            return _page(found, labels, limit)
    if not relevance and by_looks:
        return _page(by_looks, labels, limit)
    if not relevance:
        if not conditioned or wanted.question.strip() or wanted.ranks_images:
            left = [s for s in in_time if not conditioned or shows[s.id] & candidates]
            asked = wanted.question.strip() or wanted.ranks_images
            return _everything(left, "nothing could be ranked: all of them" if asked else "taken in that time", limit)
        relevance = dict.fromkeys(candidates, 1.0)
        why = dict.fromkeys(candidates, "asked for" if wanted.object_ids else wanted.where)
    found = _cover(in_time, shows, relevance, why, objects)
    # An image that fits better than any known thing shows what no detection tells of: a kind of place, or what was not detected.
    told, best = {s.id for s, _, _ in found}, max(relevance.values())
    found += [f for f in by_looks if f[1] > best and f[0].id not in told]
    return _page(sorted(found, key=lambda f: (-f[1], f[0].id)), labels, limit)


def _rank(
    wanted: Wanted,
    candidates: Collection[str],
    objects: Mapping[str, SceneObject],
    encoder: Encoder,
    attributes: Mapping[str, Sequence[str]],
) -> tuple[dict[str, float], dict[str, str], tuple[str, ...]]:
    """Relevance [0, 1] of objects that matter for the question, why each does, and the categories that were kept."""
    question = wanted.question.strip()
    if not question:
        return {}, {}, ()
    try:
        ranked = rank_labels(question, sorted({objects[i].label for i in candidates} - {""}), encoder)
    except _CANNOT_RANK:
        ranked = []  # no words can be compared
    by_label = {label: score for label, score in ranked if score > 0.0}
    words = set(_words(question)) | set(re.findall(r"[a-z0-9]+", question.lower()))
    asked = asked_attributes(words, attribute_words(a for own in attributes.values() for a in own))
    scores: dict[str, float] = {}
    why: dict[str, str] = {}
    for i in candidates:
        o = objects[i]
        score = by_label.get(o.label, 0.0)
        reason = "named in the question" if score >= 1.0 else f"near in meaning ({score:.2f})"
        caption, text = wanted.captions.get(i, (0.0, ""))
        if caption > score:
            score, reason = caption, f"remembered of it: {text!r} ({caption:.2f})"
        picture = 0.0 if wanted.ranks_images else wanted.crop_scores.get(i, 0.0)
        if picture > score:
            score, reason = picture, f"looks like it ({picture:.2f})"
        if score > 0.0:
            own = asked - set(o.label.lower().split())
            n_has, n_against = agreement(own, o.colors, attributes.get(i, ())) if own else (0, 0)
            score += ATTRIBUTE_BONUS * bool(n_has) - ATTRIBUTE_PENALTY * min(n_against, 2)
            scores[i], why[i] = score, reason + (", with the attributes asked for" if n_has else "")
    best = max(scores.values(), default=0.0)
    if best <= 0.0:
        return {}, {}, ()
    kept = {i: s for i, s in scores.items() if s >= KEPT_SHARE * best}
    of_label: dict[str, float] = {}
    for i, s in kept.items():
        of_label[objects[i].label] = max(s, of_label.get(objects[i].label, 0.0))
    labels = sorted(of_label, key=lambda label: (-of_label[label], label))[:MAX_LABELS]
    top = max(1.0, best)
    return {i: max(0.0, s / top) for i, s in kept.items() if objects[i].label in labels}, why, tuple(labels)


def _by_looks(
    wanted: Wanted,
    snapshots: Sequence[Snapshot],
    shows: Mapping[str, frozenset[str]],
    candidates: frozenset[str] | None,
) -> list[tuple[Snapshot, float, str]]:
    """Snapshots whose images as a whole look like the question's words, where an encoder compares both; best first."""
    if not wanted.question.strip():
        return []
    left = [s for s in snapshots if candidates is None or shows[s.id] & candidates]
    scored = [(s, wanted.image_scores.get(s.keyframe_id, 0.0)) for s in left]
    best = max((score for _, score in scored), default=0.0)
    found = [
        (s, score, f"the image as a whole looks like it ({score:.2f})")
        for s, score in scored
        if score > 0.0 and score >= KEPT_SHARE * best
    ]
    return sorted(found, key=lambda f: (-f[1], f[0].id))


def _by_image(
    wanted: Wanted,
    snapshots: Sequence[Snapshot],
    shows: Mapping[str, frozenset[str]],
    candidates: frozenset[str] | None,
    relevance: Mapping[str, float],
    why: Mapping[str, str],
    objects: Mapping[str, SceneObject],
) -> list[tuple[Snapshot, float, str]]:
    """Snapshots that are like an image as a whole, or show an object that is; where a question ranks as well, both count."""
    found = []
    for s in snapshots:
        ids = shows[s.id] if candidates is None else shows[s.id] & candidates
        if candidates is not None and not ids:
            continue
        whole = wanted.image_scores.get(s.keyframe_id, 0.0)
        part = max(((wanted.crop_scores[i], i) for i in ids if i in wanted.crop_scores), default=(0.0, ""))
        score, reason = whole, f"looks like the image ({whole:.2f})"
        if part[0] > whole:
            score, reason = part[0], f"shows {_called(objects[part[1]])}, which looks like the image ({part[0]:.2f})"
        if relevance:
            named = max(((relevance[i], i) for i in ids if i in relevance), default=(0.0, ""))
            score = (score + named[0]) / 2.0
            reason += f"; shows {_called(objects[named[1]])}: {why[named[1]]}" if named[1] else ""
        if score > 0.0:
            found.append((s, score, reason))
    best = max((score for _, score, _ in found), default=0.0)
    return sorted((f for f in found if f[1] >= KEPT_SHARE * best), key=lambda f: (-f[1], f[0].id))


def _cover(
    snapshots: Sequence[Snapshot],
    shows: Mapping[str, frozenset[str]],
    relevance: Mapping[str, float],
    why: Mapping[str, str],
    objects: Mapping[str, SceneObject],
) -> list[tuple[Snapshot, float, str]]:
    """As few snapshots as show all relevant objects, greedily, the most relevant first."""
    left = dict(relevance)
    chosen: list[tuple[Snapshot, frozenset[str]]] = []
    remaining = {s.id: s for s in snapshots if shows[s.id] & relevance.keys()}
    while left and remaining:
        gain = {i: sum(left.get(o, 0.0) for o in shows[i]) for i in remaining}
        # Of equals the one that stands for them: it was chosen because it shows them well.
        own = {i: sum(left.get(o, 0.0) for o in s.object_ids) for i, s in remaining.items()}
        best = min(remaining, key=lambda i: (-gain[i], -own[i], -len(shows[i]), i))
        if gain[best] <= 0.0:
            break
        mine = shows[best] & left.keys()
        chosen.append((remaining.pop(best), mine))
        for object_id in mine:
            del left[object_id]
    found = []
    for snapshot, mine in chosen:
        ordered = sorted(mine, key=lambda i: (-relevance[i], i))
        told = "; ".join(f"{_called(objects[i])}: {why[i]}" for i in ordered[:3])
        more = f"; and {len(ordered) - 3} more" if len(ordered) > 3 else ""
        found.append((snapshot, relevance[ordered[0]], f"shows {told}{more}"))
    return sorted(found, key=lambda f: (-f[1], f[0].id))


def _called(o: SceneObject) -> str:
    color = f"{o.colors[0]} " if o.colors else ""
    return f"{color}{o.label or 'something'} ({o.id})"


def _everything(snapshots: Sequence[Snapshot], reason: str, limit: int) -> Retrieval:
    return _page([(s, 1.0, reason) for s in snapshots], (), limit)


def _page(found: Sequence[tuple[Snapshot, float, str]], labels: tuple[str, ...], limit: int) -> Retrieval:
    page = found[:limit]
    return Retrieval(tuple((s, score) for s, score, _ in page), labels, tuple(reason for _, _, reason in page))


def _words(text: str) -> list[str]:
    return [_singular(w) for w in re.findall(r"[a-z0-9]+", text.lower())]


def _singular(word: str) -> str:
    for ending, instead in (
        ("ies", "y"),
        ("shes", "sh"),
        ("ches", "ch"),
        ("xes", "x"),
        ("ves", "f"),
        ("ss", "ss"),
        ("s", ""),
    ):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            return word[: -len(ending)] + instead
    return word


def _names(words: list[str], label: list[str]) -> bool:
    """Whether the label's words stand in the question, in a row."""
    return bool(label) and any(words[i : i + len(label)] == label for i in range(len(words) - len(label) + 1))
