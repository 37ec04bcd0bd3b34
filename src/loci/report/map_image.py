"""The map from above as one picture: floor, rooms, furniture by height, objects, path, frontiers and snapshots.

Drawn twice as large as shown and scaled down, for smooth edges. Labels are placed one by one where they cover least.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from loci.geometry import Array
from loci.report.data import ReportData, ReportGrid, ReportObject
from loci.report.labels import Box, place_labels

Color = tuple[int, int, int]

PAPER: Color = (250, 249, 246)
UNKNOWN: Color = (236, 234, 229)
FREE: Color = (255, 255, 255)
LOW, HIGH = np.array([205, 200, 190.0]), np.array([58, 62, 72.0])  # colours of things at 0.1 m and at head height
PATH: Color = (37, 99, 190)
FRONTIER: Color = (226, 120, 20)
SNAPSHOT: Color = (176, 38, 90)
INK: Color = (32, 36, 44)
MISSING: Color = (190, 40, 40)
#: Room tints: distinct, light enough for dark text (after ColorBrewer's Set3, paler).
ROOM_TINTS: tuple[Color, ...] = (
    (207, 232, 226), (252, 246, 205), (222, 218, 238), (250, 212, 205), (204, 224, 240), (253, 226, 196),
    (222, 240, 196), (250, 224, 238), (232, 232, 232), (226, 206, 232), (212, 238, 216), (240, 228, 210),
)  # fmt: skip
OBJECT_COLORS: tuple[Color, ...] = (
    (214, 92, 52), (46, 134, 110), (104, 84, 176), (196, 142, 20), (42, 122, 184), (180, 70, 132),
    (96, 138, 44), (150, 98, 60), (60, 140, 160), (120, 120, 130),
)  # fmt: skip
SCALE = 2  # drawn so many times larger
WIDTH_PX, HEIGHT_PX, MARGIN = 1500, 1150, 46
HEAD_HEIGHT = 2.0
#: Labels of detectors that know no categories: the object's number is shown instead.
UNNAMED = ("", "segment")


@dataclass(frozen=True)
class Spot:
    """A place of the picture with something to say: centre and size as shares of the picture, [0, 1]."""

    x: float
    y: float
    width: float
    height: float
    text: str
    target: str


@dataclass(frozen=True)
class DrawnMap:
    """The picture and what can be pointed at in it."""

    image: Image.Image
    spots: tuple[Spot, ...]


class _Canvas:
    """Map coordinates [m] to pixels of the large picture (y up)."""

    def __init__(self, extent: tuple[float, float, float, float]) -> None:
        x0, y0, x1, y1 = extent
        self.per_metre = (
            min((WIDTH_PX - 2 * MARGIN) / max(x1 - x0, 0.5), (HEIGHT_PX - 2 * MARGIN) / max(y1 - y0, 0.5)) * SCALE
        )
        self._x0, self._y1 = x0, y1
        self.width = round((x1 - x0) * self.per_metre) + 2 * MARGIN * SCALE
        self.height = round((y1 - y0) * self.per_metre) + (2 * MARGIN + 34) * SCALE
        self.image = Image.new("RGB", (self.width, self.height), PAPER)
        self.draw = ImageDraw.Draw(self.image, "RGBA")

    @property
    def frame(self) -> tuple[int, int, int, int]:
        """Box [px] that holds the map and its labels; the legend is below it."""
        edge = MARGIN * SCALE // 2
        return edge, edge, self.width - edge, self.height - edge - 34 * SCALE

    def pixels(self, points: Array) -> list[tuple[float, float]]:
        """Pixels of points (N, 2) [m]."""
        p = np.asarray(points, dtype=np.float64).reshape(-1, 2)
        x = (p[:, 0] - self._x0) * self.per_metre + MARGIN * SCALE
        y = (self._y1 - p[:, 1]) * self.per_metre + MARGIN * SCALE
        return [(float(a), float(b)) for a, b in zip(x, y, strict=True)]

    def pixel(self, x: float, y: float) -> tuple[float, float]:
        return self.pixels(np.array([[x, y]]))[0]


def font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own scalable font, at a size of the shown picture."""
    return ImageFont.load_default(round(size * SCALE))


def draw_map(data: ReportData) -> DrawnMap:
    """Draw the map of a report."""
    if data.grid is None:
        image = Image.new("RGB", (900, 300), PAPER)
        ImageDraw.Draw(image).text(
            (450, 150), "nothing was observed", fill=INK, font=ImageFont.load_default(28), anchor="mm"
        )
        return DrawnMap(image, ())
    canvas = _Canvas(_extent(data))
    _draw_floor(canvas, data.grid)
    _draw_frontiers(canvas, data)
    _draw_path(canvas, data.path)
    for o in data.objects:
        _draw_object(canvas, o)
    taken = _draw_snapshots(canvas, data)
    taken += _draw_rooms(canvas, data, taken)
    _draw_labels(canvas, data, taken)
    _draw_legend(canvas, data)
    spots = [
        _spot(canvas, o.footprint, f"{o.label or 'object'} ({o.id}), seen {o.n_detections} times", o.id)
        for o in data.objects
    ]
    spots += [
        _spot(canvas, np.array([s.position]), f"{s.id}: {', '.join(s.labels)}", s.id, 0.12) for s in data.snapshots
    ]
    return DrawnMap(
        canvas.image.resize((canvas.width // SCALE, canvas.height // SCALE), Image.Resampling.LANCZOS), tuple(spots)
    )


def object_color(o: ReportObject) -> Color:
    """A colour per category, the same in every report; red for what is missing, one of its own for what has no name."""
    if o.state == "missing":
        return MISSING
    if o.label in UNNAMED:
        return OBJECT_COLORS[int(o.id.split("/")[-1]) % len(OBJECT_COLORS)]
    return OBJECT_COLORS[sum(map(ord, o.label)) % len(OBJECT_COLORS)]


def _extent(data: ReportData) -> tuple[float, float, float, float]:
    """What is known, with everything that is drawn, and a little around it."""
    assert data.grid is not None
    grid = data.grid
    known = np.argwhere((grid.cells != -1) | np.isfinite(grid.heights))
    points = [np.array(grid.origin) + (known[:, ::-1] + 0.5) * grid.resolution] if len(known) else []
    points += [data.path[np.isfinite(data.path[:, 0]), :2], data.frontiers]
    points += [o.footprint for o in data.objects]
    every = np.concatenate([p.reshape(-1, 2) for p in points]) if points else np.empty((0, 2))
    if not len(every):
        return grid.extent
    # A few far-away voxels (seen through a window) must not shrink everything else.
    low, high = np.percentile(every, 0.2, axis=0) - 0.3, np.percentile(every, 99.8, axis=0) + 0.3
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _draw_floor(canvas: _Canvas, grid: ReportGrid) -> None:
    """Unknown, free, room tints and things by height, as one raster pasted at its place."""
    colors = np.full((*grid.cells.shape, 3), UNKNOWN, dtype=np.float64)
    colors[grid.cells == 0] = FREE
    tints = np.array(ROOM_TINTS, dtype=np.float64)
    inside = (grid.rooms > 0) & (grid.cells == 0)
    colors[inside] = tints[(grid.rooms[inside] - 1) % len(tints)]
    heights = np.where(np.isfinite(grid.heights), grid.heights, np.where(grid.cells == 100, 0.3, np.nan))
    solid = np.isfinite(heights)
    share = np.clip((heights[solid] - 0.1) / (HEAD_HEIGHT - 0.2), 0.0, 1.0)[:, None]
    colors[solid] = LOW + share * (HIGH - LOW)
    picture = np.ascontiguousarray(colors[::-1].astype(np.uint8))
    cell = grid.resolution * canvas.per_metre
    size = (max(1, round(picture.shape[1] * cell)), max(1, round(picture.shape[0] * cell)))
    large = cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST)
    canvas.image.paste(UNKNOWN, (0, 0, *canvas.image.size))
    x0, _, _, y1 = grid.extent
    left, top = canvas.pixel(x0, y1)
    canvas.image.paste(Image.fromarray(large), (round(left), round(top)))
    frame = Image.new("RGB", canvas.image.size, PAPER)  # keep the margin clean
    frame.paste(canvas.image.crop(canvas.frame), canvas.frame[:2])
    canvas.image.paste(frame)
    canvas.draw = ImageDraw.Draw(canvas.image, "RGBA")
    canvas.draw.rounded_rectangle(canvas.frame, 8 * SCALE, outline=(200, 197, 190), width=SCALE)


def _draw_frontiers(canvas: _Canvas, data: ReportData) -> None:
    for x, y in canvas.pixels(data.frontiers):
        r = 7 * SCALE
        canvas.draw.ellipse(
            (x - r, y - r, x + r, y + r), outline=(*FRONTIER, 255), width=2 * SCALE, fill=(*FRONTIER, 60)
        )
        canvas.draw.text((x, y), "?", fill=FRONTIER, font=font(11), anchor="mm")


def _draw_path(canvas: _Canvas, path: Array) -> None:
    """The path from pale (first) to full colour (last), with a ring at its start and a dot at its end, if they are on this floor."""
    valid = np.isfinite(path[:, 0])
    if valid.sum() < 1:
        return
    shares = np.linspace(0.25, 1.0, len(path))
    pixels = canvas.pixels(np.nan_to_num(path[:, :2]))
    for i in np.flatnonzero(valid[1:] & valid[:-1]):
        blend = np.array(FREE) * (1 - shares[i]) + np.array(PATH) * shares[i]
        canvas.draw.line(
            (pixels[i], pixels[i + 1]), fill=(*(int(v) for v in blend), 235), width=3 * SCALE, joint="curve"
        )
    r = 7 * SCALE
    for end, outline, fill, width in ((0, PATH, FREE, 3), (-1, FREE, PATH, 2)):
        if valid[end]:
            x, y = pixels[end]
            canvas.draw.ellipse((x - r, y - r, x + r, y + r), outline=outline, width=width * SCALE, fill=fill)


def _draw_object(canvas: _Canvas, o: ReportObject) -> None:
    color = object_color(o)
    canvas.draw.polygon(canvas.pixels(o.footprint), fill=(*color, 70), outline=(*color, 255), width=2 * SCALE)
    if o.state == "missing":
        corners = canvas.pixels(o.footprint)
        canvas.draw.line((corners[0], corners[2]), fill=(*color, 255), width=2 * SCALE)


def _draw_snapshots(canvas: _Canvas, data: ReportData) -> list[Box]:
    """A wedge in the direction of view and the snapshot's number; returns what they cover."""
    boxes: list[Box] = []
    for s in data.snapshots:
        x, y = canvas.pixel(*s.position)
        length = 17 * SCALE
        wedge = [(x, y)]
        for turn in (-0.45, 0.45):
            wedge.append((x + length * np.cos(s.heading + turn), y - length * np.sin(s.heading + turn)))
        canvas.draw.polygon(wedge, fill=(*SNAPSHOT, 90))
        r = 7.5 * SCALE
        canvas.draw.ellipse((x - r, y - r, x + r, y + r), fill=(*SNAPSHOT, 235), outline=FREE, width=SCALE)
        canvas.draw.text((x, y), s.id.split("/")[-1], fill=FREE, font=font(8.5), anchor="mm")
        boxes.append((x - r, y - r, x + r, y + r))
    return boxes


def _draw_rooms(canvas: _Canvas, data: ReportData, taken: list[Box]) -> list[Box]:
    """Room names where they cover least near the middle of the room; returns what they cover."""
    texts, sizes, anchors = [], [], []
    large, small = font(19), font(11)
    for room in data.rooms:
        name = (room.name or room.id).upper()
        texts.append((name, f"{room.area:.0f} sq m"))
        sizes.append((canvas.draw.textlength(name, font=large), 36 * SCALE))
        anchors.append(canvas.pixel(*room.position))
    furniture = [_bounds(canvas, o.footprint) for o in data.objects]
    boxes = place_labels(anchors, sizes, taken, furniture, canvas.frame, reach=0.0, step=24 * SCALE, rings=4)
    for box, (name, area) in zip(boxes, texts, strict=True):
        x = (box[0] + box[2]) / 2
        canvas.draw.text((x, box[1]), name, fill=(*INK, 190), font=large, anchor="ma")
        canvas.draw.text((x, box[3]), area, fill=(*INK, 150), font=small, anchor="md")
    return boxes


def _draw_labels(canvas: _Canvas, data: ReportData, taken: list[Box]) -> None:
    named = sorted(data.objects, key=lambda o: -o.size[0] * o.size[1])  # large ones first: they have the least choice
    writing = font(11.5)
    texts = [o.id.split("/")[-1] if o.label in UNNAMED else o.label for o in named]
    sizes = [(canvas.draw.textlength(t, font=writing) + 6 * SCALE, 15 * SCALE) for t in texts]
    anchors = [canvas.pixel(o.center[0], o.center[1]) for o in named]
    boxes = place_labels(anchors, sizes, taken, [], canvas.frame, reach=0.0, step=11 * SCALE, rings=7)
    for o, text, box, anchor in zip(named, texts, boxes, anchors, strict=True):
        color = object_color(o)
        dark = tuple(int(v * 0.6) for v in color)
        nearest = (float(np.clip(anchor[0], box[0], box[2])), float(np.clip(anchor[1], box[1], box[3])))
        if abs(nearest[0] - anchor[0]) + abs(nearest[1] - anchor[1]) > 7 * SCALE:
            canvas.draw.line((anchor, nearest), fill=(*dark, 170), width=SCALE)
            r = 2 * SCALE
            canvas.draw.ellipse((anchor[0] - r, anchor[1] - r, anchor[0] + r, anchor[1] + r), fill=(*dark, 220))
        canvas.draw.rounded_rectangle(box, 4 * SCALE, fill=(255, 255, 255, 205))
        canvas.draw.text(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), text, fill=dark, font=writing, anchor="mm")


def _draw_legend(canvas: _Canvas, data: ReportData) -> None:
    """Scale bar and symbols along the lower edge, smaller where the map is narrow."""
    y = canvas.height - 26 * SCALE
    metres = next((m for m in (1.0, 2.0, 5.0, 10.0) if m * canvas.per_metre > 80 * SCALE), 10.0)
    x = MARGIN * SCALE / 2
    canvas.draw.line((x, y, x + metres * canvas.per_metre, y), fill=INK, width=3 * SCALE)
    for end in (x, x + metres * canvas.per_metre):
        canvas.draw.line((end, y - 5 * SCALE, end, y + 5 * SCALE), fill=INK, width=2 * SCALE)
    x += metres * canvas.per_metre + 8 * SCALE
    entries: list[tuple[Color, str]] = [(PATH, "path (pale: earlier)"), (SNAPSHOT, "snapshot, looking this way")]
    if len(data.frontiers):
        entries.append((FRONTIER, "frontier to the unknown"))
    entries += [((205, 200, 190), "low"), ((58, 62, 72), "high"), (UNKNOWN, "not seen")]
    full = font(12)
    wanted = 60 * SCALE + sum(canvas.draw.textlength(text, font=full) + 36 * SCALE for _, text in entries)
    share = min(1.0, (canvas.width - x - MARGIN * SCALE / 2) / wanted)
    writing = font(12 * share)
    canvas.draw.text((x, y), f"{metres:.0f} m", fill=INK, font=writing, anchor="lm")
    x += 60 * SCALE * share
    r = 5 * SCALE * share
    for color, text in entries:
        canvas.draw.ellipse((x, y - r, x + 2 * r, y + r), fill=color, outline=(160, 158, 150), width=1)
        x += 2 * r + 6 * SCALE * share
        canvas.draw.text((x, y), text, fill=INK, font=writing, anchor="lm")
        x += canvas.draw.textlength(text, font=writing) + 20 * SCALE * share


def _bounds(canvas: _Canvas, points: Array) -> Box:
    pixels = np.array(canvas.pixels(points), dtype=np.float64)
    (x0, y0), (x1, y1) = pixels.min(axis=0), pixels.max(axis=0)
    return float(x0), float(y0), float(x1), float(y1)


def _spot(canvas: _Canvas, points: Array, text: str, target: str, least: float = 0.0) -> Spot:
    x0, y0, x1, y1 = _bounds(canvas, points)
    grow = least * canvas.per_metre
    width, height = x1 - x0 + 2 * grow, y1 - y0 + 2 * grow
    return Spot(
        (x0 + x1) / 2 / canvas.width,
        (y0 + y1) / 2 / canvas.height,
        width / canvas.width,
        height / canvas.height,
        text,
        target,
    )
