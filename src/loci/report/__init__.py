"""The report of a memory: one HTML page without external parts, and PNGs of the map, the snapshots and the answers.

`collect` reads a memory, `write_report` draws. Drawing knows only `ReportData`, so that any source can fill it.
"""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from loci.report.collect import collect
from loci.report.data import ReportAnswer, ReportData
from loci.report.map_image import draw_map
from loci.report.page import render_page
from loci.report.sheets import answers_sheet, snapshots_sheet

__all__ = ["ReportAnswer", "ReportData", "collect", "write_report"]


def write_report(data: ReportData, folder: Path) -> Path:
    """Write index.html, map.png, snapshots.png and answers.png to ``folder`` (made if need be); returns the page's path.

    Further floors are map-2.png and so on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    maps = []
    for i, part in enumerate(data.floors or (data,)):
        drawn = draw_map(part)
        png = _png(drawn.image)
        (folder / ("map.png" if i == 0 else f"map-{i + 1}.png")).write_bytes(png)
        maps.append((part.title if data.floors else "", png, drawn))
    (folder / "snapshots.png").write_bytes(_png(snapshots_sheet(data)))
    (folder / "answers.png").write_bytes(_png(answers_sheet(data)))
    page = folder / "index.html"
    page.write_text(render_page(data, maps), encoding="utf-8")
    return page


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
