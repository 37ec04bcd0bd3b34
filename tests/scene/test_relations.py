"""What lies on, in, under, beside and between what: made-up boxes, and the truth of generated homes."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scene_worlds import thing

from loci.scene import relation_kernels as kernels
from loci.scene.relations import Boxes, carriers_of, on_top_of, relations

TABLE = thing("table", (0, 0, 0.37), (1.4, 0.9, 0.74), label="table")
MUG = thing("mug", (0.4, 0.2, 0.79), (0.08, 0.08, 0.1))


def turned(o, yaw: float):
    """The same object, its box and points turned about its own centre by an angle [rad]."""
    c, s = np.cos(yaw), np.sin(yaw)
    R = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    T = o.T_map_box.copy()
    T[:3, :3] = R
    points = (o.points - T[:3, 3]) @ R.T + T[:3, 3]
    return replace(o, T_map_box=T, points=points.astype(np.float32))


def hollow(object_id: str, center, size, *, top: bool, front: bool = False, **fields):
    """A box of thin walls without its front (low x) unless ``front``, and with a lid if ``top``."""
    u = np.linspace(-0.5, 0.5, 25)
    a, b = (g.ravel() for g in np.meshgrid(u, u))
    half = np.full_like(a, 0.5)
    sides = [(half, a, b), (a, half, b), (a, -half, b), (a, b, -half)]
    sides += [(a, b, half)] if top else []
    sides += [(-half, a, b)] if front else []
    points = np.concatenate([np.stack(s, axis=1) for s in sides]) * size + center
    return thing(object_id, center, size, points=points.astype(np.float32), **fields)


def told(objects, subject, kind, **options) -> list[tuple[str, ...]]:
    return [r.objects for r in relations(objects, [subject], [kind], **options)]


# --- on and in ------------------------------------------------------------------------------------------------------------


def test_a_mug_is_on_the_table_and_the_table_on_nothing():
    assert on_top_of([TABLE, MUG]) == {"mug": "table"}
    assert carriers_of([TABLE, MUG]) == {"mug": ("table", False)}


def test_a_book_on_a_box_on_the_table_is_on_the_box():
    box, book = thing("box", (0, 0, 0.84), (0.4, 0.4, 0.2)), thing("book", (0, 0, 0.96), (0.2, 0.15, 0.03))
    assert on_top_of([book, TABLE, box]) == {"book": "box", "box": "table"}


@pytest.mark.parametrize(
    ("name", "center", "size"),
    [
        ("beside it on the floor", (1.2, 0, 0.3), (0.3, 0.3, 0.6)),
        ("hanging above it", (0, 0, 1.6), (0.3, 0.3, 0.4)),
        ("larger than it", (0, 0, 0.8), (4.0, 4.0, 0.1)),
    ],
)
def test_other_things_are_not_on_it(name, center, size):
    assert on_top_of([TABLE, thing(name, center, size)]) == {}


def test_what_lies_beside_a_turned_bench_is_not_on_it_though_the_upright_box_around_it_says_so():
    bench = turned(thing("bench", (0, 0, 0.25), (2.0, 0.3, 0.5)), np.pi / 4)
    on_it, beside = thing("hat", (0.5, 0.5, 0.55), (0.2, 0.2, 0.1)), thing("bag", (0.5, -0.5, 0.55), (0.2, 0.2, 0.1))
    assert on_top_of([bench, on_it, beside]) == {"hat": "bench"}


def test_things_in_a_shelf_are_in_it_and_those_on_top_are_on_it():
    shelf = hollow("shelf", (0, 0, 0.9), (0.3, 0.9, 1.8), top=True)
    book, vase = thing("book", (0.0, 0.1, 0.13), (0.2, 0.15, 0.25)), thing("vase", (0, 0, 1.9), (0.1, 0.1, 0.2))
    assert carriers_of([shelf, book, vase]) == {"book": ("shelf", True), "vase": ("shelf", False)}


def test_fruit_is_in_a_bowl_and_a_pillow_on_the_sofa_between_its_arms():
    bowl = hollow("bowl", (0, 0, 0.8), (0.3, 0.3, 0.1), top=False, front=True)
    sofa = hollow("sofa", (3, 0, 0.4), (0.9, 2.0, 0.8), top=False, label="sofa")
    apple, pillow = thing("apple", (0.02, 0, 0.8), (0.08, 0.08, 0.08)), thing("pillow", (3, 0, 0.2), (0.3, 0.4, 0.3))
    assert carriers_of([bowl, sofa, apple, pillow]) == {"apple": ("bowl", True), "pillow": ("sofa", False)}


def test_shoes_are_in_the_wardrobe_that_stands_on_the_same_floor():
    wardrobe = hollow("wardrobe", (0, 0, 1.0), (0.6, 1.2, 2.0), top=True)
    assert carriers_of([wardrobe, thing("shoes", (0, 0.1, 0.08), (0.25, 0.2, 0.15))]) == {"shoes": ("wardrobe", True)}


def test_a_window_over_a_sofa_is_not_on_it():
    sofa = thing("sofa", (0, 0, 0.4), (2.0, 0.9, 0.8))
    assert on_top_of([sofa, thing("window", (0, 0.44, 1.35), (1.0, 0.04, 1.1), label="window")]) == {}


def test_things_of_another_map_and_things_that_are_gone_carry_nothing():
    assert on_top_of([TABLE, replace(MUG, map_id="elsewhere")]) == {}
    assert on_top_of([replace(TABLE, state="missing"), MUG]) == {}
    assert relations([TABLE, replace(MUG, state="held")], ["mug"]) == ()


def test_few_objects_have_no_relations():
    assert on_top_of([]) == {}
    assert on_top_of([TABLE]) == {}
    assert relations([TABLE], ["table"]) == ()


def test_a_surface_that_was_seen_in_part_still_carries():
    """Things hide what they stand on: the counter was seen as a strip in front of the toaster."""
    strip = thing("counter", (0, 0, 0.45), (0.8, 0.2, 0.9))
    assert on_top_of([strip, thing("toaster", (0, 0.16, 1.0), (0.3, 0.2, 0.19))]) == {"toaster": "counter"}


def test_a_pillow_on_the_lower_bunk_lies_on_the_bed_that_was_seen_in_part():
    """The mattress shows beside the pillow, and the bed's box, of what was seen of it, ends under the pillow's middle."""
    bed = thing("bunk bed", (0, 0, 0.8), (0.9, 1.6, 1.6))
    x, y = np.meshgrid(np.linspace(-0.45, 0.45, 30), np.linspace(-0.8, 0.8, 50))
    boards = [np.stack([x.ravel(), y.ravel(), np.full(x.size, z)], axis=1) for z in (0.44, 1.55)]
    bed = replace(bed, points=np.concatenate(boards).astype(np.float32))
    pillow = thing("pillow", (0.1, 0.82, 0.51), (0.49, 0.36, 0.08))
    assert on_top_of([bed, pillow]) == {"pillow": "bunk bed"}
    assert on_top_of([bed, thing("lamp", (0.1, 0.95, 0.51), (0.49, 0.36, 0.08))]) == {}


# --- under, beside, between -----------------------------------------------------------------------------------------------


def test_a_ball_on_the_floor_below_a_table_is_under_it_and_so_is_the_table_under_the_mug():
    legs = hollow("table", (0, 0, 0.37), (1.4, 0.9, 0.74), top=True)
    top_only = replace(legs, points=legs.points[legs.points[:, 2] > 0.7])
    ball = thing("ball", (0.2, 0.1, 0.1), (0.2, 0.2, 0.2))
    assert told([top_only, ball, MUG], "ball", "under") == [("table",)]
    assert told([top_only, ball, MUG], "table", "under") == [("mug",)]
    assert on_top_of([top_only, ball]) == {}


def test_next_to_is_measured_between_surfaces_and_not_told_of_what_lies_on_it():
    cup = thing("cup", (0.55, 0.2, 0.79), (0.08, 0.08, 0.1))
    found = relations([TABLE, MUG, cup], ["mug"], ["next_to"])
    assert [r.objects for r in found] == [("cup",)]
    assert found[0].distance == pytest.approx(0.07)
    assert told([TABLE, MUG, cup], "mug", "next_to", max_distance=0.05) == []


def test_a_turned_box_is_nearer_by_its_corner():
    post = thing("post", (0, 0, 0.5), (0.2, 0.2, 1.0))
    box = turned(thing("box", (1.0, 0, 0.5), (0.6, 0.6, 1.0)), np.pi / 4)
    (found,) = relations([post, box], ["post"], ["nearest"])
    assert found.distance == pytest.approx(1.0 - 0.1 - 0.3 * np.sqrt(2), abs=1e-9)


def test_left_and_right_change_with_the_viewpoint():
    lamp, sofa = thing("lamp", (0, 1.0, 0.5), (0.2, 0.2, 1.0)), thing("sofa", (0, 0, 0.4), (0.8, 0.8, 0.8))
    scene = [lamp, sofa]
    assert told(scene, "lamp", "left_of", viewpoint=(-3, 0.5, 1.2)) == [("sofa",)]
    assert told(scene, "lamp", "right_of", viewpoint=(-3, 0.5, 1.2)) == []
    assert told(scene, "lamp", "right_of", viewpoint=(3, 0.5, 1.2)) == [("sofa",)]
    assert told(scene, "sofa", "right_of", viewpoint=(-3, 0.5, 1.2)) == [("lamp",)]
    # Behind one another: neither.
    assert told(scene, "lamp", "left_of", viewpoint=(0, -4, 1.2)) == told(
        scene, "lamp", "right_of", viewpoint=(0, -4, 1.2)
    )


def test_a_thing_between_two_others_is_told_with_both():
    row = [thing(i, (x, 0, 0.2), (0.2, 0.2, 0.4)) for i, x in (("a", -0.6), ("b", 0.0), ("c", 0.7))]
    assert told(row, "b", "between") == [("a", "c")]
    assert told(row, "a", "between") == []
    corner = [*row[:2], thing("c", (0, 0.7, 0.2), (0.2, 0.2, 0.4))]
    assert told(corner, "b", "between") == []


def test_nearest_is_one_and_not_what_it_stands_on():
    cup = thing("cup", (0.1, 0.2, 0.79), (0.08, 0.08, 0.1))
    jar = thing("jar", (0.0, -0.2, 0.79), (0.08, 0.08, 0.1))
    assert told([TABLE, MUG, cup, jar], "mug", "nearest") == [("cup",)]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"subjects": ["ghost"]}, LookupError, "ghost"),
        ({"kinds": ["behind"]}, ValueError, "expected relations among on, in"),
        ({"kinds": ["left_of"]}, ValueError, "expected a viewpoint"),
        ({"max_distance": 0.0}, ValueError, "distance > 0"),
        ({"max_distance": float("nan")}, ValueError, "distance > 0"),
        ({"viewpoint": (0, 0)}, ValueError, "finite viewpoint"),
    ],
)
def test_bad_questions_are_refused_with_a_reason(options, error, message):
    with pytest.raises(error, match=message):
        relations([TABLE, MUG], **{"subjects": ["mug"], **options})


# --- the kernels against independent ones ---------------------------------------------------------------------------------

RECTANGLE = st.tuples(
    *[st.floats(-1.5, 1.5), st.floats(-1.5, 1.5), st.floats(0.05, 1.0), st.floats(0.05, 1.0), st.floats(-3.2, 3.2)]
)


@settings(max_examples=60, deadline=None)
@given(RECTANGLE, RECTANGLE)
def test_common_area_and_distance_of_rectangles_agree_with_opencv_and_with_sampled_edges(a, b):
    centers, halves = np.array([a[:2], b[:2]]), np.array([a[2:4], b[2:4]])
    axes = np.array([[np.cos(r[4]), np.sin(r[4])] for r in (a, b)])
    distance, area = kernels.footprints(np.array([[0, 1]]), centers, axes, halves)
    shapes = [((r[0], r[1]), (2 * r[2], 2 * r[3]), float(np.degrees(r[4]))) for r in (a, b)]
    kind, polygon = cv2.rotatedRectangleIntersection(*shapes)
    expected = 0.0 if kind == 0 or polygon is None or len(polygon) < 3 else cv2.contourArea(cv2.convexHull(polygon))
    assert area[0] == pytest.approx(expected, abs=2e-3)
    if area[0] == 0.0:
        t = np.linspace(-1, 1, 41)
        edges = []
        for k in range(2):
            sides = [(t, 0 * t + s) for s in (-1, 1)] + [(0 * t + s, t) for s in (-1, 1)]
            uv = np.concatenate([np.stack(s, axis=1) for s in sides]) * halves[k]
            edges.append(centers[k] + uv @ np.array([axes[k], [-axes[k][1], axes[k][0]]]))
        sampled = np.linalg.norm(edges[0][:, None] - edges[1][None], axis=2).min()
        assert sampled - 0.06 <= distance[0] <= sampled + 1e-9


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 40), st.floats(0.0, 1.0))
def test_the_sweep_finds_the_pairs_that_all_comparisons_find(seed, n, margin):
    rng = np.random.default_rng(seed)
    low = rng.uniform(-3, 3, (n, 3))
    high, maps, asked = low + rng.uniform(0, 1.5, (n, 3)), rng.integers(0, 2, n), rng.random(n) < 0.5
    pairs = kernels.near_pairs(low, high, maps, asked, margin)
    expected = {
        (i, j)
        for i in np.flatnonzero(asked)
        for j in range(n)
        if i != j and maps[i] == maps[j] and np.all(low[i] <= high[j] + margin) and np.all(low[j] <= high[i] + margin)
    }
    assert {tuple(p) for p in pairs.tolist()} == expected
    assert len(pairs) == len(expected)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(-3.2, 3.2), st.floats(-20, 20))
def test_relations_do_not_depend_on_where_the_map_begins(seed, yaw, shift):
    rng = np.random.default_rng(seed)
    objects = [
        turned(thing(f"object/{i}", rng.uniform((-1, -1, 0), (1, 1, 1)), rng.uniform(0.1, 0.8, 3)), rng.uniform(-1, 1))
        for i in range(6)
    ]
    T = np.eye(4)
    T[:2, :2] = [[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]
    T[:2, 3] = shift
    moved = [
        replace(o, T_map_box=T @ o.T_map_box, points=(o.points @ T[:3, :3].T + T[:3, 3]).astype(np.float32))
        for o in objects
    ]
    one, two = (relations(scene, [o.id for o in scene], ["on", "next_to"]) for scene in (objects, moved))
    assert [(r.subject, r.relation, r.objects) for r in one] == [(r.subject, r.relation, r.objects) for r in two]
    assert np.allclose([r.distance for r in one], [r.distance for r in two], atol=1e-4)


# --- the truth of generated homes -----------------------------------------------------------------------------------------


def _objects_of(scene):
    """The objects of a scene file: true boxes, points sampled on their surfaces."""
    rng = np.random.default_rng(0)
    found = []
    for t in scene.objects:
        if t.category == "door":
            continue
        triangles = np.concatenate(
            [
                (mesh.vertices[mesh.triangles] @ node.T_map_node[:3, :3].T) + node.T_map_node[:3, 3]
                for node in scene.nodes
                if node.name in t.nodes
                for mesh in node.meshes
            ]
        )  # (T, 3, 3)
        a, ab, ac = triangles[:, 0], triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
        area = np.linalg.norm(np.cross(ab, ac), axis=1) / 2
        n = int(np.clip(400 * area.sum(), 200, 3000))
        k = rng.choice(len(triangles), n, p=area / area.sum())
        u, v = rng.random((2, n, 1))
        u, v = np.where(u + v > 1, 1 - u, u), np.where(u + v > 1, 1 - v, v)
        points = (a[k] + u * ab[k] + v * ac[k]).astype(np.float32)
        o = thing(t.id, label=t.category, points=points)
        found.append(
            replace(o, center=tuple(t.center.tolist()), T_map_box=t.T_map_box, size=tuple(np.asarray(t.size).tolist()))
        )
    return found


@pytest.fixture(scope="module", params=["home:0", "home:3", "office:0"])
def scene(request):
    scenes = pytest.importorskip("loci_sim.scenes")
    return scenes.load_scene(scenes.resolve_scene(request.param))


def test_what_lies_on_or_in_what_is_as_in_the_scene_files_of_generated_homes(scene):
    found = carriers_of(_objects_of(scene))
    truth = {t.id: (t.on, t.inside) for t in scene.objects if t.on}
    assert np.mean([found.get(i, ("", False))[0] == on for i, (on, _) in truth.items()]) >= 0.98
    assert np.mean([truth.get(i, ("", False))[0] == on for i, (on, _) in found.items()]) >= 0.97
    assert all(found[i][1] for i, (_, inside) in truth.items() if inside)
    # A table top is no container, whatever stands on it.
    tables = {t.id for t in scene.objects if "table" in t.category}
    assert not [i for i, (on, inside) in found.items() if inside and on in tables]


def test_all_relations_of_a_home_are_told_at_once_as_one_by_one(scene):
    objects = _objects_of(scene)
    boxes = Boxes.of(objects)
    some = [o.id for o in objects[::23]]
    together = relations(objects, some, viewpoint=(0, 0, 1.2), boxes=boxes)
    apart = [r for i in some for r in relations(objects, [i], viewpoint=(0, 0, 1.2), boxes=boxes)]
    assert list(together) == apart
    assert {r.relation for r in together} >= {"on", "next_to", "nearest"}
