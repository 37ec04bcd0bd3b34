"""Generated scenes are furnished, plausible, and the same for the same seed."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from scene_geometry import box_corners, thing_triangles

from loci.geometry import transform_points
from loci.observation import check_name
from loci_sim import scenes
from loci_sim.catalogue import COLORS, item_names, make_model
from loci_sim.families import FAMILIES
from loci_sim.floorplan import DOOR_WIDTH, make_floor_plan
from loci_sim.glb import read_glb
from loci_sim.navigation import build_levels
from loci_sim.scenes import (
    Scene,
    SceneError,
    ScenePath,
    SceneThing,
    generate_apartment,
    generate_scene,
    load_scene,
    resolve_scene,
)

#: Of the contents of apartment:3 since the first generator. Where it changes, `families.py` needs a new version.
APARTMENT_3 = "421552ce8296c0b93692249e525fb4c3ed7902d518d49887c6cee0492d767e1f"
SEEDS = {"apartment": range(6), "home": range(4), "office": range(1), "building": range(1)}


@pytest.fixture(params=[(family, seed) for family, seeds in SEEDS.items() for seed in seeds], scope="module", ids=str)
def scene(request: pytest.FixtureRequest, scene_directory: Path) -> Scene:
    return load_scene(generate_scene(*request.param, scene_directory))


def supports(scene: Scene) -> dict[str, set[str]]:
    """Ids of all things below each thing, down to the floor."""
    below = {o.id: o.on for o in scene.objects}
    chains: dict[str, set[str]] = {}
    for identity in below:
        chain, at = set[str](), below[identity]
        while at:
            assert at not in chain, f"{identity} rests on itself"
            chain.add(at)
            at = below[at]
        chains[identity] = chain
    return chains


def test_it_has_rooms_objects_and_categories_enough(scene: Scene) -> None:
    furnishing = FAMILIES[scene.name].furnishing
    assert len(scene.objects) >= furnishing.min_objects
    assert len({o.category for o in scene.objects}) >= furnishing.min_categories
    assert len({o.id for o in scene.objects}) == len(scene.objects)
    for room in scene.rooms:
        inside = {o.category for o in scene.objects if o.room == room.id}
        required = furnishing.required[room.name]
        assert inside >= required, f"{room.id} lacks {required - inside}"
    assert any(o.on for o in scene.objects)


def test_things_lie_in_the_room_that_they_are_said_to_be_in(scene: Scene) -> None:
    rooms = {r.id: r for r in scene.rooms}
    for thing in scene.objects:
        polygon = rooms[thing.room].polygon
        corners = box_corners(thing)
        if thing.category != "door":
            assert np.all(corners[:, :2] > polygon.min(axis=0) - 1e-6), thing.id
            assert np.all(corners[:, :2] < polygon.max(axis=0) + 1e-6), thing.id
        floor = rooms[thing.room].z
        assert corners[:, 2].min() > floor - 1e-6
        assert corners[:, 2].max() < floor + 2.6


def test_boxes_hold_exactly_their_polygons(scene: Scene) -> None:
    for thing in scene.objects:
        points = thing_triangles(scene, thing).reshape(-1, 3)
        local = (points - thing.center) @ thing.T_map_box[:3, :3]
        np.testing.assert_allclose(local.max(axis=0), thing.size / 2, atol=2e-5)
        np.testing.assert_allclose(local.min(axis=0), -thing.size / 2, atol=2e-5)


def test_no_two_things_interpenetrate(scene: Scene) -> None:
    below = supports(scene)
    bounds = {o.id: (box_corners(o).min(axis=0), box_corners(o).max(axis=0)) for o in scene.objects}
    for i, a in enumerate(scene.objects):
        for b in scene.objects[i + 1 :]:
            if a.id in below[b.id] or b.id in below[a.id]:
                continue  # a pillow lies within the box of its bed
            low = np.maximum(bounds[a.id][0], bounds[b.id][0])
            high = np.minimum(bounds[a.id][1], bounds[b.id][1])
            assert np.any(high - low < 1e-6), f"{a.id} and {b.id} share {high - low} m"


def test_what_rests_on_something_touches_it_from_above(scene: Scene) -> None:
    things = {o.id: o for o in scene.objects}
    for thing in scene.objects:
        if not thing.on:
            continue
        bottom = box_corners(thing)[:, 2].min()
        under = thing_triangles(scene, things[thing.on])
        # Not the middle alone: a pillow may lie over the gap between two cushions.
        offsets = np.array([(0.0, 0.0), (0.02, 0.02), (0.02, -0.02), (-0.02, 0.02), (-0.02, -0.02)])
        tops = np.concatenate([heights_below(under, thing.center[:2] + d, bottom + 0.005) for d in offsets])
        assert tops.size, f"{thing.id} hangs in the air over {thing.on}"
        assert abs(bottom - tops.max()) < 0.01, f"{thing.id} is {bottom - tops.max():.3f} m above {thing.on}"


def heights_below(triangles: np.ndarray, point: np.ndarray, limit: float) -> np.ndarray:
    """Heights at which triangles (T, 3, 3) lie under (x, y) and below ``limit`` [m]."""
    a, b, c = triangles[:, 0, :2], triangles[:, 1, :2], triangles[:, 2, :2]
    area = cross(b - a, c - a)
    flat = np.abs(area) > 1e-9  # as seen from above
    triangles, a, b, c, area = triangles[flat], a[flat], b[flat], c[flat], area[flat]
    u, v = cross(point - a, c - a) / area, cross(b - a, point - a) / area
    hit = (u >= -1e-6) & (v >= -1e-6) & (u + v <= 1 + 1e-6)
    z = (
        triangles[:, 0, 2]
        + u * (triangles[:, 1, 2] - triangles[:, 0, 2])
        + v * (triangles[:, 2, 2] - triangles[:, 0, 2])
    )
    return z[hit & (z < limit)]


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def test_the_robot_reaches_every_room(scene: Scene) -> None:
    levels = build_levels(scene)
    for room in scene.rooms:
        grid = levels.grids[scene.floors.index(room.z)]
        points = grid.center_of(np.argwhere(grid.navigable)[::11])
        low, high = room.polygon.min(axis=0), room.polygon.max(axis=0)
        inside = np.all((points > low) & (points < high), axis=1)  # rooms are rectangles
        assert np.count_nonzero(inside) * 11 * grid.resolution**2 > 0.8, f"the robot cannot get into {room.id}"


def test_doors_that_rooms_need_are_open_and_all_are_ninety_centimetres_wide(
    scene: Scene, scene_directory: Path
) -> None:
    sidecar = json.loads((scene_directory / f"{scene.name}-{scene.seed}.json").read_text())
    doors = [o for o in scene.objects if o.category == "door"]
    bare = [d for d in sidecar["doorways"] if d.get("door") == ""]
    assert len(doors) + len(bare) == len(sidecar["doorways"]) >= len(scene.rooms)
    assert len(bare) == (2 if len(scene.floors) == 2 else 0)
    assert abs(DOOR_WIDTH - 0.9) < 1e-9
    levels = build_levels(scene)
    leaves = iter(doors)
    for doorway in sidecar["doorways"]:
        grid = levels.grids[doorway.get("floor", 0)]
        assert doorway["width"] == pytest.approx(DOOR_WIDTH)
        if len(doorway["rooms"]) == 2:
            door = None if doorway in bare else next(leaves)
            assert door is None or doorway.get("door", door.id) == door.id
            opening = door.joints[0].opening if door is not None and door.joints else 1.0
            # Before a door that is ajar the robot may stand, though it does not get through.
            assert opening > 0.0 or not grid.is_navigable(*doorway["center"])
            assert opening < 0.7 or grid.is_navigable(*doorway["center"])


def test_a_camera_at_eye_height_sees_every_category(scene: Scene) -> None:
    pytest.importorskip("open3d")
    from loci_sim.embedded import RobotParameters
    from loci_sim.rendering import Renderer

    grids = build_levels(scene).grids
    points = [grid.center_of(np.argwhere(grid.navigable)[::61]) for grid in grids]
    eyes = np.concatenate(
        [np.column_stack([p, np.full(len(p), g.z + 1.25)]) for g, p in zip(grids, points, strict=True)]
    )
    renderer = Renderer(scene, RobotParameters(width=16, height=12).camera)
    seen: dict[str, float] = defaultdict(float)
    for thing in scene.objects:
        if thing.inside:
            continue
        seen[thing.category] = max(seen[thing.category], largest_visible_share(scene, thing, eyes, renderer))
    hidden = {category: share for category, share in seen.items() if share < 0.1}
    assert not hidden


def largest_visible_share(scene: Scene, thing: SceneThing, eyes: np.ndarray, renderer) -> float:  # type: ignore[no-untyped-def]
    """Largest share of points on a thing's surface that one of the eyes (N, 3) sees, within 3.2 m and the camera's vertical view."""
    rng = np.random.default_rng(0)
    triangles = thing_triangles(scene, thing)
    if thing.joints:
        # What is shut in it cannot be seen: its outside only.
        local = np.abs((triangles.mean(axis=1) - thing.center) @ thing.T_map_box[:3, :3])
        triangles = triangles[np.any(local > thing.size / 2 - 0.015, axis=1)]
    area = np.linalg.norm(np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]), axis=1)
    chosen = triangles[rng.choice(len(triangles), 50, p=area / area.sum())]
    targets = np.einsum("nk,nkd->nd", rng.dirichlet((1, 1, 1), 50), chosen)
    distance = np.linalg.norm(eyes - thing.center, axis=1)
    eyes = eyes[(distance > 0.5) & (distance < 3.2)]
    if not len(eyes):
        return 0.0
    towards = targets[None] - eyes[:, None]
    rays = np.concatenate([np.broadcast_to(eyes[:, None], towards.shape), towards], axis=-1).reshape(-1, 6)
    _, depth, _, instances = renderer.cast(rays.astype(np.float32), towards.shape[:2], 0.001)
    elevation = np.degrees(np.arctan2(towards[..., 2], np.hypot(towards[..., 0], towards[..., 1])))
    visible = (instances == thing.instance) & (depth > 0.98) & (elevation > -45) & (elevation < 15)
    return float(visible.mean(axis=1).max())


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, apartment_files: ScenePath) -> None:
    again = generate_apartment(3, tmp_path)
    assert again.glb.read_bytes() == apartment_files.glb.read_bytes()
    assert again.sidecar.read_bytes() == apartment_files.sidecar.read_bytes()


def test_apartments_are_those_that_saved_maps_were_made_in(apartment_files: ScenePath) -> None:
    """What the files say, not their bytes: another PNG encoder may write the same texture differently."""
    digest = hashlib.sha256(apartment_files.sidecar.read_bytes())
    nodes, textures = read_glb(apartment_files.glb)
    for node in nodes:
        digest.update(node.name.encode())
        for mesh in node.meshes:
            points = transform_points(node.T_map_node, mesh.vertices)[mesh.triangles]
            for values in (points, mesh.uvs[mesh.triangles]):
                digest.update((np.rint(values * 1e4).astype(np.int32)).tobytes())
            digest.update(repr((mesh.material.color, mesh.material.texture)).encode())
    for name, image in sorted(textures.items()):
        digest.update(name.encode() + image.tobytes())
    assert digest.hexdigest() == APARTMENT_3


def test_another_seed_gives_another_apartment(apartment: Scene, scene_directory: Path) -> None:
    other = load_scene(generate_apartment(4, scene_directory))
    assert other.map_id != apartment.map_id
    assert [(o.id, o.center.tolist()) for o in other.objects] != [(o.id, o.center.tolist()) for o in apartment.objects]


def test_a_scene_of_the_same_generator_is_kept_and_one_of_another_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = generate_apartment(1, tmp_path)
    written = files.glb.stat().st_mtime_ns
    generate_apartment(1, tmp_path)
    assert files.glb.stat().st_mtime_ns == written
    before = load_scene(files).map_id
    monkeypatch.setattr(scenes, "GENERATOR", scenes.GENERATOR + 1)
    generate_apartment(1, tmp_path)
    assert files.glb.stat().st_mtime_ns != written
    assert load_scene(files).map_id != before


def test_map_ids_are_plain_names(apartment: Scene) -> None:
    assert check_name(apartment.map_id) == apartment.map_id


def test_a_scene_is_found_by_seed_and_by_path(tmp_path: Path) -> None:
    files = resolve_scene("apartment:5", tmp_path)
    assert resolve_scene(str(files.glb)) == files
    assert resolve_scene(str(files.sidecar)) == files


@pytest.mark.parametrize("name", ["apartment:", "apartment:-1", "apartment:x", "", "nowhere.glb", "../etc/passwd"])
def test_an_unknown_scene_is_refused_with_what_was_expected(name: str) -> None:
    with pytest.raises(SceneError, match="apartment:SEED"):
        resolve_scene(name)


@pytest.mark.parametrize("fault", ["cut", "not json", "other format", "missing node", "gap"])
def test_a_damaged_scene_is_refused(fault: str, tmp_path: Path, apartment_files: ScenePath) -> None:
    files = ScenePath(tmp_path / "a.glb", tmp_path / "a.json")
    files.glb.write_bytes(apartment_files.glb.read_bytes())
    sidecar = json.loads(apartment_files.sidecar.read_text())
    if fault == "cut":
        files.glb.write_bytes(files.glb.read_bytes()[:5000])
    elif fault == "other format":
        sidecar["version"] = 99
    elif fault == "missing node":
        sidecar["objects"][0]["node"] = "nothing"
    elif fault == "gap":
        sidecar["objects"][0]["instance"] = 10_000
    files.sidecar.write_text("{" if fault == "not json" else json.dumps(sidecar))
    with pytest.raises(SceneError, match=r"expected .*a\.(glb|json)"):
        load_scene(files)


@pytest.mark.parametrize("classic", [False, True])
@pytest.mark.parametrize("name", item_names())
def test_models_stand_on_zero_centred_in_a_colour_of_their_own(name: str, classic: bool) -> None:
    for seed in range(3):
        model = make_model(name, np.random.default_rng(seed), classic=classic)
        points = np.concatenate([m.vertices for m in (*model.meshes, *(m for p in model.parts for m in p.meshes))])
        np.testing.assert_allclose(points.min(axis=0), [-model.size[0] / 2, -model.size[1] / 2, 0.0], atol=1e-9)
        np.testing.assert_allclose(points.max(axis=0), [model.size[0] / 2, model.size[1] / 2, model.size[2]], atol=1e-9)
        assert model.color in COLORS
        assert np.all((model.size > 0) & (model.size < 2.6))
        for surface in model.surfaces:
            assert 0 < surface.z <= model.size[2] + 1e-9
            assert surface.low[0] < surface.high[0]
            assert surface.low[1] < surface.high[1]


def test_rooms_and_walls_of_a_plan_do_not_overlap() -> None:
    made = 0
    for seed in range(60):
        try:
            plan = make_floor_plan(np.random.default_rng(seed))
        except ValueError:
            continue
        made += 1
        for i, a in enumerate(plan.rooms):
            assert plan.bounds.contains(a.rect)
            assert not any(a.rect.overlaps(b.rect) for b in plan.rooms[i + 1 :])
        joined = {plan.rooms[0].id}
        for _ in plan.rooms:
            joined |= {r for d in plan.doors if not d.closed and joined & set(d.rooms) for r in d.rooms}
        assert joined == {r.id for r in plan.rooms}
    assert made >= 45
