"""The report as one HTML page: no external parts, light and dark, readable without scripts."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape

from loci.report.data import ReportAnswer, ReportData, ReportObject
from loci.report.map_image import DrawnMap
from loci.report.sheets import counted, thumbnail, verdict

_STYLE = """
:root{color-scheme:light dark;--bg:#faf9f6;--card:#fff;--ink:#20242c;--muted:#667;--line:#e2dfd8;--blue:#2563be;--good:#22804a;--bad:#be2828}
@media (prefers-color-scheme:dark){:root{--bg:#15171c;--card:#1e2128;--ink:#e8e9ec;--muted:#9aa0ac;--line:#31353f;--blue:#7fb0ff;--good:#5fce8f;--bad:#ff7d7d}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{max-width:1180px;margin:0 auto;padding:40px 20px 80px}h1{font-size:2.1rem;margin:0;letter-spacing:-.02em}h2{font-size:1.25rem;margin:44px 0 14px}
.sub{color:var(--muted);margin:6px 0 24px}.figures{display:flex;flex-wrap:wrap;gap:10px}.figure{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:10px 16px;min-width:112px}
.figure b{display:block;font-size:1.35rem;letter-spacing:-.01em}.figure span{color:var(--muted);font-size:.85rem}
.map{position:relative;border:1px solid var(--line);border-radius:14px;overflow:hidden;background:#faf9f6}.map img{display:block;width:100%}
.spot{position:absolute;border-radius:4px}.spot:hover,.spot:focus{outline:2px solid #2563be;background:rgba(37,99,190,.16)}
.answer{background:var(--card);border:1px solid var(--line);border-left:5px solid var(--muted);border-radius:12px;padding:16px 18px;margin:0 0 14px;display:grid;grid-template-columns:1fr auto;gap:6px 18px}
.answer.right{border-left-color:var(--good)}.answer.wrong{border-left-color:var(--bad)}.answer h3{margin:0;font-size:1.08rem}.answer p{margin:0;grid-column:1}
.answer .images{grid-column:2;grid-row:1/5;display:flex;gap:8px;flex-wrap:wrap;justify-content:flex-end;max-width:460px}.answer img{width:140px;height:105px;object-fit:cover;border-radius:8px}
.note{color:var(--muted);font-size:.86rem}.right .word{color:var(--good)}.wrong .word{color:var(--bad)}.word{font-weight:600}
details{grid-column:1;font-size:.88rem;color:var(--muted)}details ul{margin:6px 0 0;padding-left:18px}
.sheet{display:grid;grid-template-columns:repeat(auto-fill,minmax(240px,1fr));gap:16px}.sheet figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:12px;overflow:hidden}
.sheet img{display:block;width:100%;aspect-ratio:4/3;object-fit:cover}.sheet figcaption{padding:8px 12px 12px;font-size:.88rem}.sheet figcaption span{color:var(--muted)}
.sheet figure:target,tr:target{outline:3px solid var(--blue)}table{width:100%;border-collapse:collapse;font-size:.9rem;background:var(--card);border:1px solid var(--line);border-radius:12px}
th,td{text-align:left;padding:6px 12px;border-bottom:1px solid var(--line)}th{color:var(--muted);font-weight:500}.scroll{overflow-x:auto}
pre{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:14px 16px;overflow-x:auto;font-size:.9rem}
@media (max-width:760px){.answer{grid-template-columns:1fr}.answer .images{grid-column:1;grid-row:auto;justify-content:flex-start}}
"""


def render_page(data: ReportData, maps: Sequence[tuple[str, bytes, DrawnMap]]) -> str:
    """The page as text. Everything that was remembered is escaped: it is data, not markup.

    Args:
        data: of the report.
        maps: heading (empty: none), PNG and what can be pointed at in it, floor by floor.
    """
    parts = [
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(data.title)}</title>',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<style>{_STYLE}</style></head><body><main>",
        f'<h1>{escape(data.title)}</h1><p class="sub">{escape(data.subtitle)}</p>',
        '<div class="figures">'
        + "".join(f'<div class="figure"><b>{escape(v)}</b><span>{escape(k)}</span></div>' for k, v in data.figures)
        + "</div>",
        "<h2>What it knows of the place</h2>",
        *((f"<h3>{escape(name)}</h3>" if name else "") + _map(png, drawn) for name, png, drawn in maps),
    ]
    if data.answers:
        parts.append("<h2>What it was asked</h2>" + "".join(_answer(a, data.first_stamp_ns) for a in data.answers))
    if data.snapshots:
        parts.append(f"<h2>{len(data.snapshots)} snapshots that show its {len(data.objects)} objects</h2>")
        parts.append('<div class="sheet">' + "".join(_snapshot(data, i) for i in range(len(data.snapshots))) + "</div>")
    if data.objects:
        parts.append("<h2>Objects</h2>" + _objects(data.objects, data.first_stamp_ns))
    if data.commands:
        lines = "\n".join(f"# {escape(what)}\n{escape(command)}" for what, command in data.commands)
        parts.append(f"<h2>Ask it yourself</h2><pre>{lines}</pre>")
    parts.append("</main></body></html>\n")
    return "\n".join(parts)


def _map(png: bytes, drawn: DrawnMap) -> str:
    # Small spots last, so that they lie on top of large ones.
    spots = sorted(drawn.spots, key=lambda s: -s.width * s.height)
    areas = "".join(
        f'<a class="spot" href="#{_anchor(s.target)}" title="{escape(s.text)}" aria-label="{escape(s.text)}" style="left:{100 * (s.x - s.width / 2):.2f}%;'
        f'top:{100 * (s.y - s.height / 2):.2f}%;width:{100 * s.width:.2f}%;height:{100 * s.height:.2f}%"></a>'
        for s in spots
    )
    return f'<div class="map"><img alt="map from above" src="{_data_url(png, "image/png")}">{areas}</div>'


def _answer(answer: ReportAnswer, start_ns: int) -> str:
    word, _ = verdict(answer)
    kind = {True: "right", False: "wrong", None: ""}[answer.correct]
    images = "".join(
        f'<img alt="{escape(e.text)}" title="{escape(e.text)}" src="{_jpeg(e.image, (280, 210))}">'
        for e in answer.evidence[:6]
        if e.image
    )
    truth = f"; truth: {escape(answer.truth)}" if answer.truth else ""
    evidence = "".join(
        f"<li>{escape(e.id)}: {escape(e.text)}{_where(e.position)}, {_when(e.stamp_ns, start_ns)}, score {e.score:.2f}, from {escape(e.origin)}</li>"
        for e in answer.evidence[:10]
    )
    return (
        f'<section class="answer {kind}"><h3>{escape(answer.question)}</h3><div class="images">{images}</div><p>{escape(answer.answer)}</p>'
        f'<p class="note"><span class="word">{word}</span>, confidence {answer.confidence:.2f}, {answer.took_ms:.0f} ms{truth}</p>'
        f"<details><summary>{_n_pieces(len(answer.evidence))} of evidence</summary><ul>{evidence}</ul></details></section>"
    )


def _n_pieces(n: int) -> str:
    return "1 piece" if n == 1 else f"{n} pieces"


def _snapshot(data: ReportData, index: int) -> str:
    s = data.snapshots[index]
    return (
        f'<figure id="{_anchor(s.id)}"><img loading="lazy" alt="{escape(s.id)}" src="{_jpeg(s.image, (480, 360))}"><figcaption><b>{escape(s.id)}</b> '
        f"<span>{_when(s.stamp_ns, data.first_stamp_ns)}</span><br>{escape(counted(s.labels))}</figcaption></figure>"
    )


def _objects(objects: tuple[ReportObject, ...], start_ns: int) -> str:
    rows = "".join(
        f'<tr id="{_anchor(o.id)}"><td>{escape(o.id)}</td><td>{escape(" ".join((*o.colors[:1], o.label or "object")))}</td><td>{escape(o.room)}</td>'
        f"<td>{escape(o.on)}</td><td>{o.center[0]:.2f}, {o.center[1]:.2f}, {o.center[2]:.2f}</td><td>{' x '.join(f'{v:.2f}' for v in o.size)}</td>"
        f"<td>{escape(o.state)}</td><td>{o.n_detections}</td><td>{_when(o.last_seen_ns, start_ns)}</td></tr>"
        for o in sorted(objects, key=lambda o: (o.room, o.label, o.id))
    )
    head = "".join(
        f"<th>{h}</th>" for h in ("id", "what", "room", "on", "x, y, z [m]", "size [m]", "state", "seen", "last seen")
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _where(position: tuple[float, float, float] | None) -> str:
    return "" if position is None else f" at ({position[0]:.2f}, {position[1]:.2f}, {position[2]:.2f}) m"


def _when(stamp_ns: int, start_ns: int) -> str:
    return f"{(stamp_ns - start_ns) * 1e-9:.1f} s"


def _anchor(identifier: str) -> str:
    return escape(identifier.replace("/", "-"))


def _data_url(data: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _jpeg(jpeg: bytes | None, size: tuple[int, int]) -> str:
    buffer = io.BytesIO()
    thumbnail(jpeg, size).save(buffer, "JPEG", quality=82)
    return _data_url(buffer.getvalue(), "image/jpeg")
