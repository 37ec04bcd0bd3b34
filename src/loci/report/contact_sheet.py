"""The contact sheet of a memory: every snapshot with boxes around the objects that it stands for, as PNG pages and as one HTML page."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from loci.report.labels import Box, place_labels
from loci.report.sheets import BACKGROUND, GAP, INK, MUTED, counted
from loci.scene.snapshots import Snapshot
from loci.scene.tracks import SceneObject
from loci.store.errors import StoreError

if TYPE_CHECKING:
    from loci.memory import RobotMemory

#: Size of a picture on the sheet [px], pictures beside one another, and on one page.
TILE, COLUMNS, PER_PAGE = (560, 420), 3, 12
_CAPTION = 62
#: Objects with fewer detections may be nothing: the memory drops them, unless they are seen again.
CONFIRMED = 2
_PALETTE = (
    (230, 70, 60), (40, 130, 220), (35, 160, 90), (240, 160, 20), (150, 80, 200), (0, 165, 175), (220, 80, 150), (120, 130, 30),
)  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """An object in an image: its name, and where it is seen there (x0, y0, x1, y1) [px], or None: nowhere."""

    name: str
    label: str
    box: tuple[int, int, int, int] | None


@dataclass(frozen=True)
class Sheet:
    """One picture of the contact sheet: a snapshot with its objects; ``image`` is None where its file is damaged.

    ``others`` are boxes [px] of objects that other snapshots stand for, and that were detected in this one too.
    """

    id: str
    title: str
    image: Image.Image | None
    objects: tuple[Shown, ...]
    others: tuple[tuple[int, int, int, int], ...] = ()


def write_contact_sheet(memory: RobotMemory, folder: Path, per_page: int = PER_PAGE) -> Path:
    """Write ``index.html``, its ``images/``, and ``contact-sheet-N.png`` (12 snapshots each) to ``folder``; returns the page's path.

    Raises:
        FileExistsError: the folder exists and is not empty.
    """
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} exists and is not empty: choose another folder")
    (folder / "images").mkdir(parents=True, exist_ok=True)
    known = [o for o in memory.objects() if o.n_detections >= CONFIRMED]
    n = sum(1 for _ in _confirmed(memory))
    left_out = len(memory.objects()) - len(known)
    title = f"{memory.name}: {n} snapshots of {len(known)} objects"
    title += f" (and {left_out} that were seen only once)" if left_out else ""
    figures: list[str] = []
    page: list[tuple[Sheet, Image.Image]] = []
    n_pages = 0
    for sheet in sheets(memory):
        drawn = draw_boxes(sheet, TILE)
        page.append((sheet, drawn))
        name = f"images/{sheet.id.replace('/', '-')}.jpg"
        draw_boxes(sheet, None).save(folder / name, quality=88)
        figures.append(_figure(sheet, name))
        if len(page) == per_page or len(figures) == n:
            n_pages += 1
            _page(page, title).save(folder / f"contact-sheet-{n_pages}.png")
            page = []
    if not n_pages:  # nothing was seen yet: a page that says so
        _page([], title).save(folder / "contact-sheet-1.png")
    path = folder / "index.html"
    path.write_text(_HTML.format(title=escape(title), figures="\n".join(figures)), encoding="utf-8")
    return path


def sheets(memory: RobotMemory) -> Iterator[Sheet]:
    """Every snapshot with its objects, largest first, as they are seen in its image; what was seen only once is left out."""
    for snapshot, members, others in _confirmed(memory):
        try:
            image = Image.open(io.BytesIO(memory.image(snapshot.keyframe_id))).convert("RGB")
        except (KeyError, OSError, StoreError):
            image = None  # damaged: the sheet says so, the other pictures stand
        shown = [Shown(_name(o.label, o.id), o.label, memory.image_box(o.id, snapshot.keyframe_id)) for o in members]
        shown.sort(key=lambda s: -_area(s.box))
        beside = (memory.image_box(o.id, snapshot.keyframe_id) for o in others)
        title = f"{snapshot.id}, {snapshot.keyframe_id}"
        yield Sheet(snapshot.id, title, image, tuple(shown), tuple(b for b in beside if b is not None))


def _confirmed(memory: RobotMemory) -> Iterator[tuple[Snapshot, list[SceneObject], list[SceneObject]]]:
    """Snapshots that stand for an object that was seen more than once, with these, and with what else their keyframes detected."""
    objects = {o.id: o for o in memory.objects() if o.n_detections >= CONFIRMED}
    for snapshot in memory.snapshots():
        members = [objects[i] for i in snapshot.object_ids if i in objects]
        if members:
            seen = memory.keyframe(snapshot.keyframe_id).object_ids
            others = [objects[i] for i in seen if i in objects and i not in snapshot.object_ids]
            yield snapshot, members, others


def draw_boxes(sheet: Sheet, size: tuple[int, int] | None) -> Image.Image:
    """The snapshot's image, fitted into ``size`` [px] if one is given, with boxes and names of its objects."""
    if sheet.image is None:
        drawn = Image.new("RGB", size or TILE, (225, 223, 218))
        ImageDraw.Draw(drawn).text((20, 20), "the image is damaged", fill=INK, font=ImageFont.load_default(18))
        return drawn
    scale = 1.0 if size is None else min(size[0] / sheet.image.width, size[1] / sheet.image.height)
    drawn = sheet.image.resize((round(sheet.image.width * scale), round(sheet.image.height * scale)))
    draw = ImageDraw.Draw(drawn)
    height = max(11, min(18, round(drawn.width / 42)))  # of letters [px]
    font = ImageFont.load_default(height)
    visible = [(i, s) for i, s in enumerate(sheet.objects) if s.box is not None]
    boxes: list[Box] = []
    for _, s in visible:
        assert s.box is not None
        x0, y0, x1, y1 = (float(v) * scale for v in s.box)
        boxes.append((x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)))
    for other in sheet.others:
        draw.rectangle([v * scale for v in other], outline=(235, 235, 235), width=1)
    for (i, _), box in zip(visible, boxes, strict=True):
        draw.rectangle(box, outline=_PALETTE[i % len(_PALETTE)], width=max(2, round(drawn.width / 280)))
    sizes = [(float(draw.textlength(s.name, font=font)) + 6.0, height + 5.0) for _, s in visible]
    corners = [(b[0] + w / 2, b[1] + h / 2) for b, (w, h) in zip(boxes, sizes, strict=True)]
    bounds = (0.0, 0.0, float(drawn.width), float(drawn.height))
    places = place_labels(corners, sizes, [], [], bounds, reach=0.0, step=0.8 * height, rings=6)
    for (i, s), place in zip(visible, places, strict=True):
        draw.rectangle(place, fill=_PALETTE[i % len(_PALETTE)])
        draw.text((place[0] + 3, place[1] + 1), s.name, fill=(255, 255, 255), font=font)
    return drawn


def _page(page: Sequence[tuple[Sheet, Image.Image]], title: str) -> Image.Image:
    rows = max(1, -(-len(page) // COLUMNS))
    width = GAP + COLUMNS * (TILE[0] + GAP)
    canvas = Image.new("RGB", (width, 64 + rows * (TILE[1] + _CAPTION + GAP)), BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    draw.text((GAP, 18), title, fill=INK, font=ImageFont.load_default(26))
    for k, (sheet, image) in enumerate(page):
        x, y = GAP + (k % COLUMNS) * (TILE[0] + GAP), 64 + (k // COLUMNS) * (TILE[1] + _CAPTION + GAP)
        canvas.paste(image, (x, y))
        draw.text((x, y + TILE[1] + 6), sheet.title, fill=INK, font=ImageFont.load_default(17))
        font, text = ImageFont.load_default(15), counted(tuple(s.label for s in sheet.objects))
        while text and draw.textlength(text, font=font) > TILE[0]:
            text = text[: -max(4, len(text) // 20)].rstrip(" ,") + "..."
        draw.text((x, y + TILE[1] + 30), text, fill=MUTED, font=font)
    return canvas


def _figure(sheet: Sheet, name: str) -> str:
    rows = "".join(
        f"<li>{escape(s.name)}{'' if s.box else ' <i>(hidden in this image)</i>'}</li>" for s in sheet.objects
    )
    return (
        f'<figure><img src="{escape(name)}" loading="lazy" alt="{escape(sheet.title)}">'
        f"<figcaption><b>{escape(sheet.title)}</b><ul>{rows}</ul></figcaption></figure>"
    )


def _name(label: str, object_id: str) -> str:
    return f"{label or 'object'} {object_id.rsplit('/', 1)[-1]}"


def _area(box: tuple[int, int, int, int] | None) -> int:
    return 0 if box is None else (box[2] - box[0]) * (box[3] - box[1])


_HTML = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 16px/1.4 system-ui, sans-serif; background: #faf9f6; color: #20242c; margin: 24px; }}
main {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(420px, 1fr)); gap: 20px; }}
figure {{ margin: 0; background: #fff; border: 1px solid #dcd9d2; border-radius: 8px; overflow: hidden; }}
img {{ width: 100%; display: block; }} figcaption {{ padding: 10px 14px; }}
ul {{ margin: 4px 0 0; padding: 0; list-style: none; columns: 2; color: #6e727a; font-size: 14px; }}
</style></head><body><h1>{title}</h1><main>
{figures}
</main></body></html>
"""
