"""The report shows everything it was given, stands alone, and trusts nothing that was remembered."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from loci.query import Evidence
from loci.report import ReportAnswer, ReportData, write_report
from loci.report.collect import footprint
from loci.report.data import ReportGrid, ReportObject, ReportRoom, ReportSnapshot
from loci.report.labels import overlap, place_labels
from loci.report.map_image import PATH, draw_map
from loci.report.sheets import counted


def jpeg(shade: int, size: tuple[int, int] = (64, 48)) -> bytes:
    return cv2.imencode(".jpg", np.full((size[1], size[0], 3), shade, dtype=np.uint8))[1].tobytes()


def flat(seed: int = 0, n_objects: int = 24) -> ReportData:
    """Two rooms of 4 x 5 m side by side with a door, and objects strewn over them."""
    rng = np.random.default_rng(seed)
    resolution = 0.05
    cells = np.full((120, 180), -1, dtype=np.int8)
    cells[10:110, 10:170] = 0
    heights = np.full(cells.shape, np.nan, dtype=np.float32)
    walls = np.zeros(cells.shape, dtype=bool)
    walls[10:110, (10, 11, 89, 90, 168, 169)] = True
    walls[(10, 11, 108, 109), 10:170] = True
    walls[50:68, 89:91] = False
    cells[walls], heights[walls] = 100, 1.95
    rooms = np.zeros(cells.shape, dtype=np.int32)
    rooms[10:110, 10:90], rooms[10:110, 90:170] = 1, 2
    objects = []
    for i in range(n_objects):
        x, y = rng.uniform(0.9, 8.1), rng.uniform(0.9, 5.1)
        size = rng.uniform(0.15, 0.9, 2)
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * size / 2 + (x, y)
        label = ("chair", "dining table", "mug", "sofa", "plant", "bookshelf")[i % 6]
        state = "missing" if i == 3 else "present"
        objects.append(
            ReportObject(
                f"object/{i}",
                label,
                state,
                (x, y, 0.5),
                corners,
                (*size, 0.5),
                "kitchen",
                "",
                ("red",),
                5,
                0.9,
                0,
                10**9,
            )
        )
        row, column = int(y / resolution), int(x / resolution)
        heights[row - 3 : row + 3, column - 3 : column + 3] = 0.6
    angle = np.linspace(0, 6, 80)
    path = np.stack([4.4 + 3 * np.sin(angle), 3 + 1.5 * np.sin(2 * angle), np.full(80, 1.2)], axis=1)
    snapshots = tuple(
        ReportSnapshot(f"snapshot/{i}", (2.0 + i, 3.0), 0.5 * i, ("chair", "mug", "mug"), i * 10**9, jpeg(40 * i))
        for i in range(4)
    )
    evidence = Evidence(
        "object/2",
        "object",
        "red mug on the dining table",
        0.9,
        "scene",
        3 * 10**9,
        position=(1.0, 2.0, 0.8),
        image=jpeg(120),
    )
    answers = (
        ReportAnswer(
            "where is the mug?",
            "The mug is on the dining table in the kitchen.",
            True,
            0.9,
            (evidence,),
            True,
            "kitchen",
        ),
        ReportAnswer("have you seen a piano?", "I have not seen a piano.", False, 0.0, (), False, "there is one"),
        ReportAnswer("what did you see first?", "A chair.", True, 0.7),
    )
    return ReportData(
        title="Loci: two rooms",
        subtitle="made for a test",
        grid=ReportGrid(cells, heights, rooms, (0.0, 0.0), resolution),
        rooms=(
            ReportRoom("room/0", "kitchen", 0.9, (2.5, 3.0), 18.2),
            ReportRoom("room/1", "living room", 0.7, (6.5, 3.0), 19.0),
        ),
        objects=tuple(objects),
        snapshots=snapshots,
        path=path,
        frontiers=np.array([[8.2, 1.0]]),
        answers=answers,
        figures=(("rooms", "2"),),
        commands=(("ask", 'loci query demo "where is the mug"'),),
    )


def test_a_report_is_one_page_and_three_pictures(tmp_path: Path) -> None:
    page = write_report(flat(), tmp_path / "out")
    assert page == tmp_path / "out" / "index.html"
    for name in ("map.png", "snapshots.png", "answers.png"):
        assert min(Image.open(tmp_path / "out" / name).size) > 200


def test_the_page_needs_nothing_from_outside(tmp_path: Path) -> None:
    text = write_report(flat(), tmp_path).read_text()
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)", text)
    assert "http" not in re.sub(r"data:[^\"]*", "", text)
    assert "<script" not in text


def test_the_page_shows_objects_answers_snapshots_and_commands(tmp_path: Path) -> None:
    data = flat()
    text = write_report(data, tmp_path).read_text()
    for wanted in (
        *(o.id for o in data.objects),
        *(s.id for s in data.snapshots),
        *(a.question for a in data.answers),
        "truth: kitchen",
    ):
        assert wanted in text
    assert text.count('class="answer right"') == 1
    assert text.count('class="answer wrong"') == 1
    assert text.count('class="spot"') == len(data.objects) + len(data.snapshots)


def test_what_was_remembered_is_never_markup(tmp_path: Path) -> None:
    data = flat()
    evil = replace(data.objects[0], label='<img src=x onerror="alert(1)">')
    answer = replace(data.answers[0], answer="<b>bold</b>", question="<i>?</i>")
    text = write_report(replace(data, objects=(evil, *data.objects[1:]), answers=(answer,)), tmp_path).read_text()
    assert "<img src=x" not in text
    assert "<b>bold" not in text
    assert "<i>?" not in text


def test_a_memory_of_nothing_gives_a_report_that_says_so(tmp_path: Path) -> None:
    assert "Loci" in write_report(ReportData("Loci", "", None), tmp_path).read_text()


def test_a_map_without_any_floor_is_drawn(tmp_path: Path) -> None:
    data = flat()
    assert data.grid is not None
    grid = replace(data.grid, cells=np.full_like(data.grid.cells, -1))
    assert draw_map(replace(data, grid=grid)).image.size[0] > 300


def test_damaged_images_are_left_grey(tmp_path: Path) -> None:
    data = flat()
    assert write_report(
        replace(data, snapshots=(replace(data.snapshots[0], image=b"\xff\xd8broken"),)), tmp_path
    ).is_file()


def test_rooms_and_walls_have_their_colours() -> None:
    data = flat(n_objects=0)
    picture = np.asarray(draw_map(replace(data, path=np.empty((0, 3)), snapshots=(), rooms=data.rooms)).image)
    colors = {tuple(c) for c in picture.reshape(-1, 3)[::7]}
    assert (207, 232, 226) in colors
    assert (252, 246, 205) in colors
    assert (236, 234, 229) in colors


def test_labels_do_not_cover_one_another_where_there_is_room() -> None:
    anchors = [(100.0 + 120 * (i % 5), 100.0 + 90 * (i // 5)) for i in range(20)] + [(340.0, 190.0)] * 3
    boxes = place_labels(anchors, [(80.0, 16.0)] * 23, [], [], (0, 0, 800, 600), reach=0, step=12, rings=7)
    assert all(overlap(box, boxes[:i]) == 0.0 for i, box in enumerate(boxes))


@given(st.lists(st.tuples(st.floats(0, 500), st.floats(0, 400)), max_size=12))
def test_labels_stay_on_the_picture(anchors: list[tuple[float, float]]) -> None:
    for x0, y0, x1, y1 in place_labels(
        anchors, [(60.0, 14.0)] * len(anchors), [], [], (0, 0, 500, 400), reach=0, step=11, rings=5
    ):
        assert x0 >= 0
        assert y0 >= 0
        assert x1 <= 500
        assert y1 <= 400


@pytest.mark.parametrize("yaw", [0.0, 0.4, 2.0])
@pytest.mark.parametrize("upright", ["xyz", "zxy", "yzx"])
def test_a_footprint_is_the_box_from_above_whichever_axis_is_up(yaw: float, upright: str) -> None:
    size = {"x": 1.0, "y": 0.5, "z": 0.8}
    axes = {"x": (np.cos(yaw), np.sin(yaw), 0.0), "y": (-np.sin(yaw), np.cos(yaw), 0.0), "z": (0.0, 0.0, 1.0)}
    T = np.eye(4)
    T[:3, :3] = np.stack([axes[a] for a in upright], axis=1)
    T[:3, 3] = 1.0, 2.0, 3.0
    corners = footprint(T, [size[a] for a in upright])
    np.testing.assert_allclose(corners.mean(axis=0), (1.0, 2.0), atol=1e-9)
    edges = sorted(np.linalg.norm(np.diff(corners, axis=0), axis=1)[:2])
    np.testing.assert_allclose(edges, (0.5, 1.0), atol=1e-9)


def test_equal_labels_are_counted() -> None:
    assert counted(("mug", "chair", "mug", "")) == "mug x2, chair, object"


def test_the_legend_of_a_narrow_map_ends_within_the_picture() -> None:
    data = flat()
    assert data.grid is not None
    narrow = replace(
        data,
        grid=replace(
            data.grid,
            cells=data.grid.cells[:, 10:60],
            heights=data.grid.heights[:, 10:60],
            rooms=data.grid.rooms[:, 10:60],
        ),
        objects=(),
        snapshots=(),
        path=np.empty((0, 3)),
        frontiers=np.empty((0, 2)),
    )
    image = np.asarray(draw_map(narrow).image).astype(int)
    legend = image[-45:, :, :]
    written = np.flatnonzero((legend.max(axis=2) < 120).any(axis=0))
    assert written[-1] < image.shape[1] - 10  # nothing is cut off by the edge


def test_a_path_that_goes_on_upstairs_ends_without_a_mark_on_the_lower_map() -> None:
    data = replace(flat(), objects=(), snapshots=(), rooms=())
    whole, left = np.asarray(draw_map(data).image).astype(int), data.path.copy()
    left[60:] = np.nan
    part = np.asarray(draw_map(replace(data, path=left)).image).astype(int)

    def dots(image: np.ndarray) -> int:
        """Pixels of the end's dot: the largest disc of the path's full colour."""
        blue = (np.abs(image - np.array(PATH)).max(axis=2) < 12).astype(np.uint8)
        return int(cv2.erode(blue[:-60], np.ones((5, 5), np.uint8)).sum())

    assert dots(whole) > 0
    assert dots(part) == 0
