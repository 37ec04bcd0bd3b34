"""Contact sheets: the snapshots with what they show, and the answers with their evidence, each as one picture."""

from __future__ import annotations

import io
import textwrap

from PIL import Image, ImageDraw, ImageFont, ImageOps

from loci.report.data import ReportAnswer, ReportData

BACKGROUND, INK, MUTED = (250, 249, 246), (32, 36, 44), (110, 114, 122)
RIGHT, WRONG, OPEN = (34, 128, 74), (190, 40, 40), (120, 124, 130)
TILE = (320, 240)
GAP = 16


def thumbnail(jpeg: bytes | None, size: tuple[int, int]) -> Image.Image:
    """An image that fills ``size``; grey where there is none or it is damaged."""
    try:
        if jpeg:
            return ImageOps.fit(Image.open(io.BytesIO(jpeg)).convert("RGB"), size)
    except OSError:
        pass
    return Image.new("RGB", size, (225, 223, 218))


def snapshots_sheet(data: ReportData, columns: int = 4) -> Image.Image:
    """All snapshots with their numbers and objects."""
    rows = max(1, -(-len(data.snapshots) // columns))
    caption = 58
    size = (GAP + columns * (TILE[0] + GAP), 64 + rows * (TILE[1] + caption + GAP))
    sheet = Image.new("RGB", size, BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    n = len(data.objects)
    draw.text(
        (GAP, 18), f"{len(data.snapshots)} snapshots show all {n} objects", fill=INK, font=ImageFont.load_default(26)
    )
    for i, snapshot in enumerate(data.snapshots):
        x, y = GAP + (i % columns) * (TILE[0] + GAP), 64 + (i // columns) * (TILE[1] + caption + GAP)
        sheet.paste(thumbnail(snapshot.image, TILE), (x, y))
        draw.text((x, y + TILE[1] + 5), snapshot.id, fill=INK, font=ImageFont.load_default(15))
        for line, text in enumerate(textwrap.wrap(counted(snapshot.labels), 44)[:2]):
            draw.text((x, y + TILE[1] + 23 + 15 * line), text, fill=MUTED, font=ImageFont.load_default(13))
    return sheet


def verdict(answer: ReportAnswer) -> tuple[str, tuple[int, int, int]]:
    """Right, wrong or unchecked, with its colour."""
    if answer.correct is None:
        return ("answered" if answer.known else "not known", OPEN)
    return ("right", RIGHT) if answer.correct else ("wrong", WRONG)


def answers_sheet(data: ReportData) -> Image.Image:
    """All answers with up to four images of their evidence."""
    width, height = 1360, 200
    sheet = Image.new("RGB", (width, 64 + max(1, len(data.answers)) * (height + GAP)), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, 18), "Answers", fill=INK, font=ImageFont.load_default(26))
    for i, answer in enumerate(data.answers):
        y = 64 + i * (height + GAP)
        word, color = verdict(answer)
        draw.rounded_rectangle((GAP, y, width - GAP, y + height), 10, fill=(255, 255, 255), outline=(220, 217, 210))
        draw.rectangle((GAP, y + 10, GAP + 5, y + height - 10), fill=color)
        draw.text((GAP + 20, y + 14), answer.question, fill=INK, font=ImageFont.load_default(22))
        text_y = y + 48
        for text in textwrap.wrap(answer.answer, 62)[:4]:
            draw.text((GAP + 20, text_y), text, fill=INK, font=ImageFont.load_default(17))
            text_y += 22
        note = f"{word}, confidence {answer.confidence:.2f}" + (f"; truth: {answer.truth}" if answer.truth else "")
        for line, text in enumerate(textwrap.wrap(note, 80)[:2]):
            draw.text((GAP + 20, y + height - 42 + 17 * line), text, fill=color, font=ImageFont.load_default(14))
        images = [e.image for e in answer.evidence if e.image][:4]
        for k, image in enumerate(images):
            x = width - GAP - 12 - (len(images) - k) * 172
            sheet.paste(thumbnail(image, (160, 160)), (x, y + 20))
    return sheet


def counted(labels: tuple[str, ...]) -> str:
    """Labels in plain words, equal ones counted: "2 mugs" becomes "mug x2"."""
    counts: dict[str, int] = {}
    for label in labels:
        counts[label or "object"] = counts.get(label or "object", 0) + 1
    return ", ".join(
        label if n == 1 else f"{label} x{n}"
        for label, n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    )
