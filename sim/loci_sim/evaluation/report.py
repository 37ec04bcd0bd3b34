"""The report of an evaluation: one HTML page with its table, and a map of every failure."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from loci.geometry import Array
from loci_sim.evaluation.causes import cause_of, counts_of, reasons_of
from loci_sim.evaluation.measures import COLUMNS, Summary
from loci_sim.evaluation.suites import SUITES
from loci_sim.evaluation.tasks import TaskResult
from loci_sim.scenes import Scene
from loci_sim.textures import Image
from loci_sim.topview import render_top_view

#: Maps of at most so many failures are shown; side of a map's pixel [m].
MAX_FAILURES, _RESOLUTION = 60, 0.03
#: Margin that `render_top_view` leaves around the rooms [m].
_MARGIN = 0.2
#: Margin, ground and lines of a map without a scene.
_AROUND, _GROUND, _GRID = 1.0, (236, 234, 228), (216, 213, 205)
_WAY, _START, _STOP, _GOAL = (35, 95, 190), (30, 140, 70), (190, 40, 40), (240, 170, 30)

_STYLE = """
:root{color-scheme:light dark;--bg:#faf9f6;--card:#fff;--ink:#20242c;--muted:#667;--line:#e2dfd8}
@media (prefers-color-scheme:dark){:root{--bg:#15171c;--card:#1e2128;--ink:#e8e9ec;--muted:#9aa0ac;--line:#31353f}}
body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,sans-serif}main{max-width:1180px;margin:0 auto;padding:40px 20px 80px}
h1{margin:0}h2{margin:44px 0 14px;font-size:1.25rem}.sub{color:var(--muted)}table{border-collapse:collapse;background:var(--card);border:1px solid var(--line)}
th,td{padding:6px 14px;border-bottom:1px solid var(--line);text-align:right}th:first-child,td:first-child{text-align:left;white-space:pre}th{color:var(--muted);font-weight:500}
.maps{display:grid;grid-template-columns:repeat(auto-fill,minmax(340px,1fr));gap:16px}figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:12px;overflow:hidden}
img{display:block;width:100%}figcaption{padding:8px 12px 12px;font-size:.9rem}figcaption span{color:var(--muted)}
.causes td{text-align:left}
.key i{display:inline-block;width:12px;height:12px;border-radius:50%;margin:0 4px 0 14px}
"""


def write_report(
    out: Path,
    suite: str,
    settings: Mapping[str, Any],
    found: Sequence[Summary],
    results: Sequence[TaskResult],
    scenes: Mapping[str, Scene],
) -> Path:
    """Write ``index.html`` into a folder; returns its path."""
    columns = COLUMNS[suite]
    cells = [["", *(heading for heading, *_ in columns)]]
    cells += [[s.name, *(cell(s) for *_, cell in columns)] for s in found]
    return write_page(out, SUITES[suite].title, settings, cells, results, scenes)


def write_page(
    out: Path,
    title: str,
    settings: Mapping[str, Any],
    cells: Sequence[Sequence[str]],
    results: Sequence[TaskResult],
    scenes: Mapping[str, Scene],
) -> Path:
    """Write ``index.html`` into a folder; returns its path.

    Args:
        title: for people.
        settings: what the results depend on.
        cells: the table, its headings first.
        scenes: by name; failures in others are drawn on a plain ground.
    """
    headings = "".join(f"<th>{escape(text)}</th>" for text in cells[0])
    rows = "".join(f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in row)}</tr>" for row in cells[1:])
    failures = [r for r in results if not r.success]
    tops: dict[str, Image] = {}
    figures = []
    for r in failures[:MAX_FAILURES]:
        scene = scenes.get(r.scene)
        if scene is not None and r.scene not in tops:
            tops[r.scene] = render_top_view(scene, _RESOLUTION)
        figures.append(_figure(r, draw_failure(r, scene, tops[r.scene]) if scene is not None else draw_plain(r)))
    shown = f" (the first {MAX_FAILURES} are shown)" if len(failures) > MAX_FAILURES else ""
    said = ", ".join(f"{k} {v}" for k, v in settings.items() if v is not None)
    page = out / "index.html"
    page.write_text(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Loci: {escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{_STYLE}</style></head><body><main>'
        f'<h1>{escape(title)}</h1><p class="sub">{escape(said)}</p>'
        f"<table><tr>{headings}</tr>{rows}</table>"
        f"<h2>{len(failures)} failures{shown}</h2>{_causes(failures)}"
        f'<p class="key">{_key(_START, "start")}{_key(_WAY, "way")}{_key(_STOP, "stop")}{_key(_GOAL, "from where what is asked for is seen")}</p>'
        f'<div class="maps">{"".join(figures)}</div></main></body></html>\n'
    )
    return page


def _causes(failures: Sequence[TaskResult]) -> str:
    """Table of why tasks failed; nothing where no causes were recorded."""
    counts = {name: n for name, n in counts_of(failures).items() if n}
    if not counts:
        return ""
    why = {
        name: "; ".join(w.split(": ", 1)[1] + f" ({n})" for w, n in reasons_of(failures).items() if w.startswith(name))
        for name in counts
    }
    rows = "".join(f"<tr><td>{name}</td><td>{n}</td><td>{escape(why[name])}</td></tr>" for name, n in counts.items())
    return f'<table class="causes"><tr><th>cause</th><th>failures</th><th>how</th></tr>{rows}</table><p></p>'


def draw_failure(result: TaskResult, scene: Scene, top: Image) -> Image:
    """Top view (H, W, 3) uint8 with the robot's way and the goal's viewpoints."""
    corners = np.concatenate([room.polygon for room in scene.rooms])
    return _draw(result, top.copy(), corners.min(axis=0) - _MARGIN, corners.max(axis=0) + _MARGIN)


def draw_plain(result: TaskResult) -> Image:
    """The robot's way and the goal's viewpoints (H, W, 3) uint8 on a plain ground with a grid of metres."""
    points = np.array([*result.trace, *result.viewpoints])
    low, high = points.min(axis=0) - _AROUND, points.max(axis=0) + _AROUND
    width, height = np.ceil((high - low) / _RESOLUTION).astype(int).tolist()
    ground = np.full((height, width, 3), _GROUND, dtype=np.uint8)
    for x in np.arange(np.ceil(low[0]), high[0]):
        ground[:, min(width - 1, round((x - low[0]) / _RESOLUTION))] = _GRID
    for y in np.arange(np.ceil(low[1]), high[1]):
        ground[min(height - 1, round((high[1] - y) / _RESOLUTION))] = _GRID
    return _draw(result, ground, low, high)


def _draw(result: TaskResult, image: Image, low: Array, high: Array) -> Image:
    """Draw a way and viewpoints onto a map between two corners (2,) [m]."""

    def pixel(p: Sequence[float]) -> tuple[int, int]:
        return round((p[0] - low[0]) / _RESOLUTION), round((high[1] - p[1]) / _RESOLUTION)

    for point in result.viewpoints:
        cv2.circle(image, pixel(point), 4, _GOAL, cv2.FILLED, cv2.LINE_AA)
    way = np.array([pixel(p) for p in result.trace], dtype=np.int32)
    cv2.polylines(image, [way], False, (255, 255, 255), 6, cv2.LINE_AA)
    cv2.polylines(image, [way], False, _WAY, 3, cv2.LINE_AA)
    for point, color in ((result.trace[0], _START), (result.trace[-1], _STOP)):
        cv2.circle(image, pixel(point), 9, (255, 255, 255), cv2.FILLED, cv2.LINE_AA)
        cv2.circle(image, pixel(point), 7, color, cv2.FILLED, cv2.LINE_AA)
    return image


def _figure(result: TaskResult, image: Image) -> str:
    ok, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not ok:
        raise RuntimeError("OpenCV could not encode a map as JPEG")
    answered = f'answered "{result.answer}", right is "{result.truth}"'
    ended = answered if result.truth else _stop_phrase(result)
    cause = cause_of(result)
    because = f"<br><span>{escape(cause.name)}: {escape(cause.why)}</span>" if cause else ""
    return (
        f'<figure><img alt="map" src="data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}"><figcaption>'
        f"<b>{escape(result.text)}</b> <span>{escape(result.kind)}, {escape(_place(result))}</span><br>"
        f"{escape(ended)} after {result.n_steps} steps and {result.travelled:.1f} m (shortest {result.shortest:.1f} m): {escape(result.reason)}"
        f"{because}</figcaption></figure>"
    )


def _place(result: TaskResult) -> str:
    where = f"episode {result.episode}" if result.episode else f"row {result.row + 1}"
    return f"{result.scene}, {where}, task {result.index + 1}"


def _stop_phrase(result: TaskResult) -> str:
    return f"stopped {result.distance:.1f} m from a viewpoint" if result.claimed else "did not say that it was there"


def _key(color: tuple[int, int, int], name: str) -> str:
    return f'<i style="background:rgb{color}"></i>{escape(name)}'
