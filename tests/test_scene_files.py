"""What the scene memory holds as files: a contact sheet that shows the right things, an object map, a scene graph for spark_dsg."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from loci.cli import main
from loci.dsg_files import node_symbol
from loci.geometry import invert_pose, pose_from_quaternion, project, transform_points
from loci.memory import RobotMemory
from loci.report.contact_sheet import sheets, write_contact_sheet
from loci.scene_files import object_map, spark_dsg
from synthetic import ROOM, tour


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("memories") / "room"
    with RobotMemory.open(folder, map_id="room") as m:
        for observation in tour():
            m.observe(observation)
    return folder


@pytest.fixture(scope="module")
def memory(path):
    with RobotMemory.open(path, read_only=True) as m:
        yield m


# --- the contact sheet ----------------------------------------------------------------------------------------------------


def test_boxes_on_the_sheet_are_where_the_things_are_in_the_images(memory):
    truth = {b.label: b for b in ROOM.boxes}
    overlaps = []
    for snapshot, sheet in zip(memory.snapshots(), sheets(memory), strict=True):
        keyframe = memory.keyframe(snapshot.keyframe_id)
        _, _, seen = ROOM.render(keyframe.T_map_camera)
        assert sheet.id == snapshot.id and sheet.image is not None
        for shown in sheet.objects:
            index = next(i for i, b in enumerate(ROOM.boxes) if b.label == shown.label)
            rows, columns = np.nonzero(seen == index)
            x0, y0, x1, y1 = shown.box
            inter = np.mean((columns >= x0) & (columns < x1) & (rows >= y0) & (rows < y1))
            overlaps.append(inter)
            center = project(
                transform_points(invert_pose(keyframe.T_map_camera), truth[shown.label].center), keyframe.camera
            )
            assert center[1] > 0  # in front of the camera
    assert len(overlaps) == len(memory.objects())
    assert np.mean(overlaps) > 0.85 and min(overlaps) > 0.5


def test_a_thing_behind_another_has_no_box(memory):
    """The mug is hidden from below the table: its box there would be drawn on the table."""
    mug = next(o for o in memory.objects() if o.label == "mug")
    for keyframe_id in (k for o in memory.objects() for k in (o.keyframe_id,)):
        _, _, seen = ROOM.render(memory.keyframe(keyframe_id).T_map_camera)
        n_seen = int(np.count_nonzero(seen == [b.label for b in ROOM.boxes].index("mug")))
        if n_seen == 0:
            assert memory.image_box(mug.id, keyframe_id) is None
        elif n_seen > 100:
            assert memory.image_box(mug.id, keyframe_id) is not None
    with pytest.raises(LookupError):
        memory.image_box("object/999", mug.keyframe_id)
    with pytest.raises(LookupError):
        memory.image_box(mug.id, "keyframe/999")


def test_the_sheet_is_png_pages_and_a_page_with_every_snapshot(memory, tmp_path):
    page = write_contact_sheet(memory, tmp_path / "sheet", per_page=2)
    n = len(memory.snapshots())
    assert len(list((tmp_path / "sheet").glob("contact-sheet-*.png"))) == -(-n // 2)
    html = page.read_text()
    assert html.count("<figure>") == n
    assert all(f"{o.label} {o.id.rsplit('/', 1)[-1]}" in html for o in memory.objects())
    for name in sorted((tmp_path / "sheet" / "images").iterdir()):
        with Image.open(name) as drawn:
            colours = {c for _, c in drawn.convert("P", palette=Image.Palette.ADAPTIVE).getcolors()}
            assert drawn.size == (160, 120) and len(colours) > 4
    with pytest.raises(FileExistsError, match="choose another folder"):
        write_contact_sheet(memory, tmp_path / "sheet")


def test_an_empty_memory_has_a_sheet_that_says_so(tmp_path):
    with RobotMemory.open(tmp_path / "empty", map_id="none") as empty:
        page = write_contact_sheet(empty, tmp_path / "sheet")
    assert "0 snapshots of 0 objects" in page.read_text()
    assert (tmp_path / "sheet" / "contact-sheet-1.png").is_file()


# --- JSON -----------------------------------------------------------------------------------------------------------------


def test_the_object_map_holds_every_object_with_its_box(memory):
    made = json.loads(json.dumps(object_map(memory)))
    assert made["memory"] == memory.uuid and made["map_id"] == "room"
    by_id = {o["id"]: o for o in made["objects"]}
    assert by_id.keys() == {o.id for o in memory.objects()}
    for o in memory.objects():
        T = pose_from_quaternion(by_id[o.id]["center"], by_id[o.id]["orientation"], "box")
        np.testing.assert_allclose(T, o.T_map_box, atol=1e-3)
        np.testing.assert_allclose(by_id[o.id]["size"], o.size, atol=1e-3)
    mug, table = (next(o for o in made["objects"] if o["label"] == label) for label in ("mug", "table"))
    assert (mug["on"], mug["in"]) == (table["id"], "")


def test_the_scene_graph_for_spark_dsg_is_a_tree_of_rooms_places_and_objects_with_edges_between_things_that_exist(
    memory,
):
    made = json.loads(json.dumps(spark_dsg(memory)))
    ids = [n["id"] for n in made["nodes"]]
    assert len(set(ids)) == len(ids)
    layer = {n["id"]: n["layer"] for n in made["nodes"]}
    keys = {(e["source"], e["target"]) for e in made["edges"]}
    assert all(a in layer and b in layer and a != b for a, b in keys)
    for n in made["nodes"]:
        parents = {a if b == n["id"] else b for a, b in keys if n["id"] in (a, b)}
        parents = {p for p in parents if layer[p] > n["layer"]}
        assert len(parents) <= 1
        if n["layer"] == 2:
            assert len(parents) == 1, "an object hangs on the nearest place"
    labels = dict(made["metadata"]["labelspaces"]["_l2p0"])
    objects = {o.id: o for o in memory.objects()}
    for n in (n for n in made["nodes"] if n["layer"] == 2):
        o = objects[n["attributes"]["metadata"]["id"]]
        assert n["id"] == node_symbol("OBJECTS", o.id)
        assert labels[n["attributes"]["semantic_label"]] == n["attributes"]["name"] == o.label
    mug = next(o for o in objects.values() if o.label == "mug")
    told = [e["info"]["metadata"] for e in made["edges"] if e["info"]["metadata"].get("subject") == mug.id]
    assert told == [{"relation": "on", "subject": mug.id}]


def test_spark_dsg_itself_loads_it(memory, tmp_path):
    dsg = pytest.importorskip("spark_dsg", reason="spark_dsg is not installed")
    (tmp_path / "graph.json").write_text(json.dumps(spark_dsg(memory)))
    graph = dsg.DynamicSceneGraph.load(str(tmp_path / "graph.json"))
    assert graph.get_layer(dsg.DsgLayers.OBJECTS).num_nodes() == len(memory.objects())
    for o in memory.objects():
        node = graph.get_node(node_symbol("OBJECTS", o.id))
        np.testing.assert_allclose(node.attributes.position, o.center, atol=1e-6)
        assert node.has_parent()


@pytest.mark.parametrize(
    ("format", "name"), [("objects", "o.json"), ("spark_dsg", "g.json"), ("contact-sheet", "sheet")]
)
def test_the_command_line_writes_each_and_never_over_what_is_there(path, tmp_path, capsys, format, name):
    arguments = ["export", str(path), "--format", format, "--out", str(tmp_path / name)]
    assert main(arguments) == 0
    assert name in capsys.readouterr().out
    assert main(arguments) == 1
    assert "exists" in capsys.readouterr().err
    assert main([*arguments[:-1], str(tmp_path / "none" / "x.json"), "--report"]) == 1
    assert "--report goes with --format files" in capsys.readouterr().err
