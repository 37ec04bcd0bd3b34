"""What a report shows: plain records, in the map frame and SI units."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from loci.geometry import Array
from loci.query import Evidence


@dataclass(frozen=True)
class ReportGrid:
    """A raster of the floor: ``cells`` (H, W), row = y from ``origin`` upwards, ``resolution`` [m] per cell.

    Attributes:
        cells: (H, W) int8: -1 unknown, 0 free, 100 occupied.
        heights: (H, W) float32 [m] above the floor of the highest thing there below head height; NaN: nothing.
        rooms: (H, W) int32: 0 none, else 1 + index into the report's rooms.
        origin: (x, y) of the lower left corner [m].
    """

    cells: npt.NDArray[np.int8]
    heights: npt.NDArray[np.float32]
    rooms: npt.NDArray[np.int32]
    origin: tuple[float, float]
    resolution: float

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """(x0, y0, x1, y1) [m]."""
        height, width = self.cells.shape
        x0, y0 = self.origin
        return x0, y0, x0 + width * self.resolution, y0 + height * self.resolution


@dataclass(frozen=True)
class ReportRoom:
    """A room; ``position`` (x, y) [m] is where its name is written, ``area`` its free floor [m2]."""

    id: str
    name: str
    confidence: float
    position: tuple[float, float]
    area: float


@dataclass(frozen=True)
class ReportObject:
    """An object; ``footprint`` (4, 2) [m] are the corners of its box as seen from above."""

    id: str
    label: str
    state: str
    center: tuple[float, float, float]
    footprint: Array = field(repr=False)
    size: tuple[float, float, float]
    room: str
    on: str
    colors: tuple[str, ...]
    n_detections: int
    confidence: float
    first_seen_ns: int
    last_seen_ns: int


@dataclass(frozen=True)
class ReportSnapshot:
    """A memory snapshot; ``heading`` [rad] about z."""

    id: str
    position: tuple[float, float]
    heading: float
    labels: tuple[str, ...]
    stamp_ns: int
    image: bytes = field(repr=False)


@dataclass(frozen=True)
class ReportAnswer:
    """A question, what the memory answered, and, where it is known, whether that is right.

    Attributes:
        correct: checked against the truth by whoever asked; None: nobody knows.
        truth: the truth in plain words; empty: nobody knows.
    """

    question: str
    answer: str
    known: bool
    confidence: float
    evidence: tuple[Evidence, ...] = ()
    correct: bool | None = None
    truth: str = ""
    took_ms: float = 0.0


@dataclass(frozen=True)
class ReportData:
    """Everything a report shows.

    Attributes:
        grid: floor; None: nothing was observed.
        path: (N, 3) camera positions in order of time [m]; NaN rows separate sessions.
        frontiers: (N, 2) centroids [m].
        figures: (what, value) in plain words, most telling first.
        commands: (what it does, what to type).
        floors: where there are several, one part per floor with what lies on it, from the lowest up; titled by its name.
    """

    title: str
    subtitle: str
    grid: ReportGrid | None
    rooms: tuple[ReportRoom, ...] = ()
    objects: tuple[ReportObject, ...] = ()
    snapshots: tuple[ReportSnapshot, ...] = ()
    path: Array = field(default_factory=lambda: np.empty((0, 3)), repr=False)
    frontiers: Array = field(default_factory=lambda: np.empty((0, 2)), repr=False)
    answers: tuple[ReportAnswer, ...] = ()
    figures: tuple[tuple[str, str], ...] = ()
    commands: tuple[tuple[str, str], ...] = ()
    first_stamp_ns: int = 0
    floors: tuple[ReportData, ...] = ()
