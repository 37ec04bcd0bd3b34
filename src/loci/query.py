"""What can be asked of a memory, and what it answers: `Query` and `Evidence`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from loci.geometry import Array
from loci.observation import Detection, unit_embedding

Kind = Literal["object", "snapshot", "keyframe", "place", "room", "episode", "frontier"]
Origin = Literal["short_term", "long_term", "scene", "spatial"]
Order = Literal["relevance", "newest", "oldest"]

KINDS: tuple[Kind, ...] = ("object", "snapshot", "keyframe", "place", "room", "episode")
MAX_LIMIT = 1000
#: Score from which on a keyframe shows what a picture shows, confirmed by local features.
SAME_VIEW = 0.9
#: Score from which on an object is what a picture shows, by what is around it (`loci.scene.constellation`).
SAME_SURROUNDINGS = 0.5


def check_limit(limit: int, maximum: int = MAX_LIMIT) -> int:
    """Return ``limit`` if it is in [1, maximum].

    Raises:
        ValueError: otherwise.
    """
    if not 1 <= limit <= maximum:
        raise ValueError(f"expected a limit from 1 to {maximum}, got {limit}")
    return limit


@dataclass(frozen=True)
class Query:
    """What to recall. All given conditions must hold; text, embeddings and image rank what is left.

    Attributes:
        text: words to rank by.
        text_embedding: (D,) of the memory's text encoder, instead of ``text``.
        image: (H, W, 3) uint8 RGB to rank by.
        image_embedding: (D,) of the memory's image encoder, instead of ``image``.
        detections: what a detector saw in ``image``; objects are then ranked by how well what is around them agrees with it.
        labels: any of these categories.
        kinds: which kinds of memory; empty: all.
        object_id: about this object.
        place: at this place (id), or in this room (id or name).
        state: e.g. ``"missing"``.
        states: any of these.
        position, radius: (x, y, z) [m] in the map frame and a distance [m] around it.
        box: lower and upper corner ((x, y, z), (x, y, z)) [m], map frame.
        after_ns, before_ns: observed in [after, before) [ns].
        session: only from this session.
        order: by relevance, or by time.
        limit, offset: page, 1 to 1000 answers.
        with_images, max_image_bytes: attach JPEGs up to this sum.

    Raises:
        ValueError: on construction, if a field is out of range.
    """

    text: str | None = None
    text_embedding: npt.NDArray[np.float32] | None = None
    image: npt.NDArray[np.uint8] | None = None
    image_embedding: npt.NDArray[np.float32] | None = None
    detections: tuple[Detection, ...] = ()
    labels: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = ()
    object_id: str | None = None
    place: str | None = None
    state: str | None = None
    states: tuple[str, ...] = ()
    position: tuple[float, float, float] | None = None
    radius: float | None = None
    box: tuple[tuple[float, float, float], tuple[float, float, float]] | None = None
    after_ns: int | None = None
    before_ns: int | None = None
    session: str | None = None
    order: Order = "relevance"
    limit: int = 10
    offset: int = 0
    with_images: bool = False
    max_image_bytes: int = 4 << 20

    def __post_init__(self) -> None:
        check_limit(self.limit)
        if self.offset < 0:
            raise ValueError(f"expected an offset >= 0, got {self.offset}")
        if self.text is not None and not self.text.strip():
            raise ValueError(
                "expected a text with at least one word, got an empty one (leave it out to ask without words)"
            )
        unknown = set(self.kinds) - set(KINDS)
        if unknown:
            raise ValueError(f"expected kinds among {', '.join(KINDS)}, got {', '.join(sorted(unknown))}")
        if self.order not in ("relevance", "newest", "oldest"):
            raise ValueError(f"expected order 'relevance', 'newest' or 'oldest', got {self.order!r}")
        if (self.position is None) != (self.radius is None):
            raise ValueError("expected position and radius together")
        if self.position is not None and not np.all(np.isfinite(self.position)):
            raise ValueError(f"expected a finite position, got {self.position}")
        if self.radius is not None and not (np.isfinite(self.radius) and self.radius > 0):
            raise ValueError(f"expected a radius > 0 m, got {self.radius}")
        if self.box is not None and not (
            np.all(np.isfinite(self.box)) and np.all(np.less_equal(self.box[0], self.box[1]))
        ):
            raise ValueError(f"expected a finite box with lower corner <= upper corner, got {self.box}")
        if self.after_ns is not None and self.before_ns is not None and self.after_ns >= self.before_ns:
            raise ValueError(f"expected after < before, got after {self.after_ns} ns and before {self.before_ns} ns")
        self._check_detections()
        for name in ("text_embedding", "image_embedding"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, unit_embedding(value))

    def _check_detections(self) -> None:
        if not self.detections:
            return
        if self.image is None:
            raise ValueError("expected detections together with the image that they are of")
        height, width = self.image.shape[:2]
        for d in self.detections:
            if d.box[2] > width or d.box[3] > height:
                raise ValueError(
                    f"expected detection boxes inside the {width}x{height} image, got {d.box} ({d.label!r})"
                )


@dataclass(frozen=True)
class Evidence:
    """One thing remembered, with what a planner needs in order to trust it and to go there.

    Attributes:
        id: e.g. ``"object/12"``.
        kind: what it is.
        text: one line in plain words; data, never an instruction.
        label: category, where there is one.
        state: e.g. ``"present"``, ``"missing"``, ``"open"``; empty: not known.
        score: how well it matches the query, [0, 1].
        confidence: how sure the memory is of the thing itself, [0, 1].
        origin: the memory it came from.
        source: who observed or wrote it.
        stamp_ns: when it was (last) observed [ns].
        session, map_id: in which session, and the map that the poses refer to.
        place, room, room_name: where it is in the topological graph; empty: not known.
        object_id, keyframe_id: what it is about and hangs on; empty: none.
        position: (3,) [m], map frame, or None. Of a keyframe that was found by a picture and shows the same: where the picture was taken.
        T_map_camera: (4, 4) pose of the keyframe's camera, or None. Of an object that was found by a picture and its detections: from where the
            picture shows it.
        is_goal: whether the robot may be sent there: its map is joined to the current one, and it is not known to be gone.
        is_quoted: ``text`` was written by somebody (``source``), not observed: to be quoted, not believed.
        contradiction: what was seen that speaks against ``text``; empty: nothing.
        image: JPEG, or None.
    """

    id: str
    kind: Kind
    text: str
    score: float
    origin: Origin
    stamp_ns: int
    label: str = ""
    state: str = ""
    confidence: float = 1.0
    source: str = ""
    session: str = ""
    map_id: str = ""
    place: str = ""
    room: str = ""
    room_name: str = ""
    object_id: str = ""
    keyframe_id: str = ""
    position: tuple[float, float, float] | None = None
    T_map_camera: Array | None = field(default=None, repr=False)
    is_goal: bool = False
    is_quoted: bool = False
    contradiction: str = ""
    image: bytes | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """What people are told that it is: its text, its label or its id, the first that is not empty."""
        return self.text or self.label or self.id
