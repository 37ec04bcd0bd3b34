"""What changed in the scene, as it is kept: one record a change, whose poses hang on keyframes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast

from loci.scene.standing import PastPose
from loci.store.store import Record

ChangeKind = Literal["new", "moved", "missing", "found", "held", "changed"]
CHANGE_KINDS: tuple[ChangeKind, ...] = ("new", "moved", "missing", "found", "held", "changed")

#: Kind of the store's records.
KIND = "change"


@dataclass(frozen=True)
class SceneChange:
    """Something that changed, as it was noticed.

    Attributes:
        id: e.g. ``"change/7"``.
        kind: see `ChangeKind`.
        object_id, label: what changed.
        stamp_ns, session, map_id, keyframe_id: when and in which image it was noticed; no keyframe: it was told.
        old, new: where it was and where it is, as far as known.
        confidence: [0, 1].
        ambiguous: another object of its kind could be the one.
        detail: what became of it, of the kind "changed": e.g. "open"; otherwise empty.
        first_tick: of a new place, see `loci.scene.standing.Standing`.
    """

    id: str
    kind: ChangeKind
    object_id: str
    label: str
    stamp_ns: int
    session: str
    map_id: str
    keyframe_id: str
    old: PastPose | None
    new: PastPose | None
    confidence: float
    ambiguous: bool = False
    detail: str = ""
    first_tick: int = 0


def fields_of(change: SceneChange) -> dict[str, Any]:
    """JSON-able fields of a change."""
    return {
        "kind": change.kind,
        "object_id": change.object_id,
        "label": change.label,
        "keyframe_id": change.keyframe_id,
        "old": None if change.old is None else change.old.as_fields(),
        "new": None if change.new is None else change.new.as_fields(),
        "confidence": change.confidence,
        "ambiguous": change.ambiguous,
        "detail": change.detail,
        "first_tick": change.first_tick,
    }


def change_of(record: Record) -> SceneChange:
    """The change of a record with `fields_of`.

    Raises:
        ValueError: it is none.
    """
    f = record.fields
    try:
        if f["kind"] not in CHANGE_KINDS:
            raise ValueError(f"expected a change among {', '.join(CHANGE_KINDS)}, got {f['kind']!r}")
        return SceneChange(
            record.id,
            cast(ChangeKind, f["kind"]),
            str(f["object_id"]),
            str(f["label"]),
            record.stamp_ns,
            record.session,
            record.map_id,
            str(f["keyframe_id"]),
            None if f["old"] is None else PastPose.from_fields(f["old"]),
            None if f["new"] is None else PastPose.from_fields(f["new"]),
            float(f["confidence"]),
            bool(f["ambiguous"]),
            str(f["detail"]),
            int(f["first_tick"]),
        )
    except KeyError as error:
        raise ValueError(f"expected the record of {record.id} to have {error}") from None
