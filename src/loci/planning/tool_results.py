"""What the tools of `loci.planning.tools` answer: plain values for JSON, and pictures beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loci.planning.protocols import KnownObject, KnownPose, KnownRoom
from loci.planning.quoting import DATA_NOTE, evidence_record
from loci.query import Evidence

#: Of pictures in one result: what a model can look at, and their sum [bytes].
MAX_IMAGES, MAX_IMAGE_BYTES = 8, 4 << 20


@dataclass(frozen=True)
class ToolImage:
    """A picture: which remembered thing it shows, and its bytes."""

    id: str
    data: bytes
    mime_type: str = "image/jpeg"


@dataclass(frozen=True)
class ToolResult:
    """What a tool answers.

    Attributes:
        document: plain values for JSON; ``{"error": ...}`` if ``is_error``.
        images: of the things in the document whose records have an ``image`` number, in that order.
        is_error: nothing was done; the message says what was got and what was expected.
    """

    document: Mapping[str, Any]
    images: tuple[ToolImage, ...] = ()
    is_error: bool = False

    @property
    def text(self) -> str:
        """The document as JSON."""
        return json.dumps(self.document, ensure_ascii=False)


def error_result(message: str) -> ToolResult:
    """What is told instead of an exception."""
    return ToolResult({"error": message}, is_error=True)


def evidence_result(found: Sequence[Evidence], n_total: int | None = None) -> ToolResult:
    """Records of evidence; those with a picture say which of the pictures is theirs."""
    images: list[ToolImage] = []
    records = []
    left = MAX_IMAGE_BYTES
    for e in found:
        record = evidence_record(e)
        if e.image and len(images) < MAX_IMAGES and len(e.image) <= left:
            left -= len(e.image)
            images.append(ToolImage(e.id, e.image))
            record["image"] = len(images)
        records.append(record)
    document: dict[str, Any] = {"note": DATA_NOTE, "results": records}
    if n_total is not None:
        document["n_total"] = n_total
    return ToolResult(document, tuple(images))


def object_details(o: KnownObject, poses: Sequence[KnownPose] = ()) -> dict[str, Any]:
    """What is known of an object beyond its evidence; lengths in metres, times in seconds.

    Args:
        o: the object.
        poses: where it was, oldest first; the last one is where it is now.
    """
    was_at = [
        {
            "position": [round(float(v), 2) for v in p.position],
            "room": p.room_name or p.room,
            "on": p.on,
            "from_s": round(p.first_seen_ns * 1e-9, 3),
            "until_s": round(p.last_seen_ns * 1e-9, 3),
            "then": p.state,
        }
        for p in poses[:-1]
    ]
    return {
        "was_at": was_at,
        "colors": list(o.colors),
        "size": [round(float(v), 3) for v in o.size],
        "lies_on": o.on,
        "first_seen_s": round(o.first_seen_ns * 1e-9, 3),
        "n_detections": o.n_detections,
    }


def room_record(r: KnownRoom) -> dict[str, Any]:
    """A room as plain values; lengths in metres."""
    return {
        "id": r.id,
        "name": r.name,
        "confidence": round(r.confidence, 3),
        "area_m2": round(r.area, 1),
        "position": [round(float(v), 2) for v in r.position],
    }
