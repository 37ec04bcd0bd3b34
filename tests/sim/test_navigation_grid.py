"""The navigation grid agrees with networkx on paths and with the scene's boxes on obstacles."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scene_geometry import BOX_CENTER, BOX_SIZE, X0, X1, Y0, Y1, empty_room
from scipy import ndimage

from loci_sim.navigation import Levels, NavigationGrid, build_levels, build_navigation
from loci_sim.scenes import Scene


def grid_of(navigable: np.ndarray, resolution: float = 0.05) -> NavigationGrid:
    return NavigationGrid(navigable.astype(np.float32), navigable, (-1.0, 2.0), resolution, 0.2)


def networkx_length(grid: NavigationGrid, start: tuple[int, int], goal: tuple[int, int]) -> float | None:
    graph = nx.Graph()
    cells = {(int(r), int(c)) for r, c in np.argwhere(grid.navigable)}
    graph.add_nodes_from(cells)
    for r, c in cells:
        for dr, dc in ((0, 1), (1, 0), (1, 1), (1, -1)):
            if (r + dr, c + dc) in cells:
                graph.add_edge((r, c), (r + dr, c + dc), weight=float(np.hypot(dr, dc)) * grid.resolution)
    try:
        return float(nx.dijkstra_path_length(graph, start, goal))
    except nx.NetworkXNoPath:
        return None


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.55, 0.95))
def test_paths_on_the_grid_are_as_short_as_networkx_finds_them(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    grid = grid_of(rng.random((14, 11)) < share)
    cells = np.argwhere(grid.navigable)
    start, goal = (tuple(int(v) for v in cells[int(rng.integers(len(cells)))]) for _ in range(2))
    a, b = (tuple(grid.center_of(c)[0].tolist()) for c in (start, goal))
    path = Levels((grid,)).shortest_path(a, b, smooth=False)  # type: ignore[arg-type]
    expected = networkx_length(grid, start, goal)  # type: ignore[arg-type]
    if expected is None:
        assert path is None
    else:
        assert path is not None
        assert path.length == pytest.approx(expected, abs=1e-9)
        assert np.linalg.norm(np.diff(path.points, axis=0), axis=1).sum() == pytest.approx(expected, abs=1e-9)
        assert all(grid.is_navigable(*p[:2]) for p in path.points)
        assert np.all(path.points[:, 2] == 0.0)


def test_smoothed_paths_are_shorter_and_still_free(apartment: Scene) -> None:
    levels, rng = build_levels(apartment), np.random.default_rng(0)
    for _ in range(10):
        a, b = levels.random_point(rng), levels.random_point(rng)
        raw, smooth = levels.shortest_path(a, b, smooth=False), levels.shortest_path(a, b)
        assert raw is not None
        assert smooth is not None
        assert np.hypot(b[0] - a[0], b[1] - a[1]) - 1e-9 <= smooth.length <= raw.length + 1e-9
        np.testing.assert_allclose(smooth.points[[0, -1]], [a, b], atol=1e-9)
        assert all(levels.is_free_line(p, q) for p, q in zip(smooth.points[:-1], smooth.points[1:], strict=True))


def test_a_path_to_an_unreachable_or_outside_point_is_none(apartment: Scene) -> None:
    levels = build_levels(apartment)
    start = apartment.start[:2]
    assert levels.shortest_path(start, (-50.0, 0.0)) is None
    assert levels.shortest_path((float("nan"), 0.0), start) is None
    bed = next(o for o in apartment.objects if o.category == "bed")
    assert levels.shortest_path(start, (bed.center[0], bed.center[1])) is None


def test_a_path_from_a_point_to_itself_has_no_length(apartment: Scene) -> None:
    path = build_levels(apartment).shortest_path(apartment.start[:2], apartment.start[:2])
    assert path is not None
    assert path.length == 0.0


def test_clearance_in_an_empty_room_is_the_distance_to_its_walls_and_the_crate() -> None:
    grid = build_navigation(empty_room(), radius=0.2, height=1.4)
    for x, y in ((0.0, 0.0), (X0 + 0.3, 0.2), (1.0, Y0 + 0.35), (0.9, 1.0), (X1 - 0.5, Y0 + 0.5)):
        to_walls = min(x - X0, X1 - x, y - Y0, Y1 - y)
        outside = np.maximum(np.abs(np.array([x, y]) - BOX_CENTER[:2]) - np.array(BOX_SIZE[:2]) / 2, 0.0)
        expected = min(to_walls, float(np.hypot(*outside)))
        assert grid.clearance[grid.cell_of(x, y)] == pytest.approx(expected, abs=0.06)
    assert not grid.is_navigable(*BOX_CENTER[:2])
    assert not grid.is_navigable(X0 + 0.1, 0.0)
    assert grid.is_navigable(X0 + 0.3, 0.0)


def test_the_robot_stands_clear_of_every_box_that_is_in_its_way(apartment: Scene) -> None:
    grid = build_navigation(apartment)
    points = grid.center_of(np.argwhere(grid.navigable))
    for thing in apartment.objects:
        z = thing.center[2] + np.array([-1, 1]) * thing.size[2] / 2
        if z[0] > 0.05 or z[1] < 0.1:
            continue  # rests on something, hangs, or is flat
        local = np.abs(
            (np.column_stack([points, np.full(len(points), thing.center[2])]) - thing.center) @ thing.T_map_box[:3, :3]
        )
        assert not np.any(np.all(local[:, :2] < thing.size[:2] / 2, axis=1)), f"the robot stands in {thing.id}"


def test_navigable_floor_is_one_piece(apartment: Scene) -> None:
    grid = build_navigation(apartment)
    _, pieces = ndimage.label(grid.navigable, structure=np.ones((3, 3)))
    assert pieces == 1


def test_rugs_are_driven_over(apartment: Scene) -> None:
    grid = build_navigation(apartment)
    flat = [o for o in apartment.objects if o.category in ("rug", "bath mat")]
    assert flat
    assert any(
        grid.is_navigable(*(o.T_map_box @ [*(o.size[:2] * corner), 0, 1])[:2])
        for o in flat
        for corner in ([0.45, 0.45], [0.45, -0.45], [-0.45, 0.45], [-0.45, -0.45], [0, 0])
    )


def test_a_start_inside_furniture_is_refused() -> None:
    room = empty_room()
    blocked = Scene(**{**room.__dict__, "start": (*BOX_CENTER[:2], 0.0)})
    with pytest.raises(ValueError, match="navigable start"):
        build_navigation(blocked)
