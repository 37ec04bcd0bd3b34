"""GLB files hold the same geometry when they are read again, by this reader and by others."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from loci.geometry import transform_points
from loci_sim.glb import Y_UP_TO_Z_UP, GlbError, Node, linear_to_srgb, read_glb, srgb_to_linear, write_glb
from loci_sim.meshes import Material, MeshBuilder, planar_pose
from loci_sim.scenes import ScenePath
from loci_sim.textures import TEXTURES, make_texture


def written(path: Path) -> tuple[Node, ...]:
    """Two nodes: a textured box, turned and moved, and a ball of two colours."""
    box, ball = MeshBuilder(), MeshBuilder()
    box.box((-0.5, -1.0, 0.0), (0.5, 1.0, 0.3), Material((120, 80, 40), "grain", (0.5, 0.25)))
    ball.ball((0.0, 0.0, 0.5), 0.5, Material((10, 200, 90)))
    ball.cylinder((0.0, 0.0), (1.0, 1.5), 0.2, Material((250, 128, 3)), top_radius=0.0)
    nodes = (Node("box", planar_pose(1.0, 2.0, 0.5, 0.7), box.meshes()), Node("ball", np.eye(4), ball.meshes()))
    write_glb(path, nodes, {"grain": make_texture("grain", 0)})
    return nodes


def test_nodes_come_back_as_they_were(tmp_path: Path) -> None:
    before = written(tmp_path / "a.glb")
    after, textures = read_glb(tmp_path / "a.glb")
    np.testing.assert_array_equal(textures["grain"], make_texture("grain", 0))
    assert [n.name for n in after] == [n.name for n in before]
    for a, b in zip(before, after, strict=True):
        np.testing.assert_allclose(b.T_map_node, a.T_map_node, atol=1e-6)
        for x, y in zip(a.meshes, b.meshes, strict=True):
            np.testing.assert_allclose(y.vertices, x.vertices, atol=1e-6)
            np.testing.assert_array_equal(y.triangles, x.triangles)
            assert (y.material.color, y.material.texture) == (x.material.color, x.material.texture)
            if x.material.texture:
                np.testing.assert_allclose(y.uvs, x.uvs, atol=1e-6)


def test_an_apartment_reads_the_same_with_trimesh(apartment_files: ScenePath) -> None:
    trimesh = pytest.importorskip("trimesh")
    theirs = trimesh.load_scene(apartment_files.glb)
    ours, _ = read_glb(apartment_files.glb)
    vertices = np.concatenate(
        [transform_points(n.T_map_node, m.vertices)[m.triangles].reshape(-1, 3) for n in ours for m in n.meshes]
    )
    # Theirs stays y-up; triangles may come in another order.
    parts = []
    for name in theirs.graph.nodes_geometry:
        T, geometry = theirs.graph[name]
        mesh = theirs.geometry[geometry]
        parts.append(transform_points(Y_UP_TO_Z_UP @ T, mesh.vertices)[mesh.faces].reshape(-1, 3))
    other = np.concatenate(parts)
    assert len(other) == len(vertices)
    np.testing.assert_allclose(sorted_rows(other), sorted_rows(vertices), atol=2e-3)
    np.testing.assert_allclose(other.sum(axis=0), vertices.sum(axis=0), rtol=1e-4)


def sorted_rows(points: np.ndarray) -> np.ndarray:
    return points[np.lexsort(np.round(points, 3).T)]


def test_the_file_is_y_up_as_the_format_demands(tmp_path: Path) -> None:
    tower = MeshBuilder()
    tower.box((0, 0, 0), (1, 1, 5), Material((1, 2, 3)))
    write_glb(tmp_path / "tower.glb", (Node("tower", np.eye(4), tower.meshes()),), {})
    raw = (tmp_path / "tower.glb").read_bytes()
    document = json.loads(raw[20 : 20 + struct.unpack_from("<I", raw, 12)[0]])
    position = document["meshes"][0]["primitives"][0]["attributes"]["POSITION"]
    assert document["accessors"][position]["max"] == [1.0, 5.0, 0.0]
    assert document["accessors"][position]["min"] == [0.0, 0.0, -1.0]


def test_faces_look_outwards() -> None:
    """The volume that a closed mesh's triangles enclose is positive only if all of them are counter-clockwise from outside."""
    shapes = MeshBuilder(), MeshBuilder(), MeshBuilder(), MeshBuilder(), MeshBuilder()
    shapes[0].box((0, 0, 0), (1, 2, 3), Material((0, 0, 0)))
    shapes[1].ball((1, 1, 1), 1.0, Material((0, 0, 0)), sides=40)
    for shape, axis in zip(shapes[2:], ("x", "y", "z"), strict=True):
        shape.cylinder((0.5, 0.5), (1.0, 3.0), 1.0, Material((0, 0, 0)), axis=axis, sides=60)  # type: ignore[arg-type]
    volumes = []
    for shape in shapes:
        (mesh,) = shape.meshes()
        a, b, c = (mesh.vertices[mesh.triangles[:, i]] for i in range(3))
        volumes.append(float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6))
    np.testing.assert_allclose(volumes, [6.0, 4 / 3 * np.pi, 2 * np.pi, 2 * np.pi, 2 * np.pi], rtol=0.15)


@given(arrays(np.float64, (5, 3), elements=st.floats(0, 1)))
def test_srgb_goes_to_linear_light_and_back(values: np.ndarray) -> None:
    np.testing.assert_allclose(linear_to_srgb(srgb_to_linear(values)), values, atol=1e-6)


@given(st.data())
def test_a_file_cut_anywhere_is_refused(data: st.DataObject) -> None:
    raw = RAW
    path = DIRECTORY / "cut.glb"
    path.write_bytes(raw[: data.draw(st.integers(0, len(raw) - 1))])
    with pytest.raises(GlbError, match="expected"):
        read_glb(path)


@pytest.fixture(autouse=True, scope="module")
def _small_file(tmp_path_factory: pytest.TempPathFactory) -> None:
    global RAW, DIRECTORY
    DIRECTORY = tmp_path_factory.mktemp("cut")
    written(DIRECTORY / "whole.glb")
    RAW = (DIRECTORY / "whole.glb").read_bytes()


RAW, DIRECTORY = b"", Path()


@pytest.mark.parametrize("change", [{"extensionsRequired": ["KHR_draco_mesh_compression"]}, {"scenes": []}])
def test_what_is_not_supported_is_named(change: dict[str, object], tmp_path: Path) -> None:
    written(tmp_path / "a.glb")
    raw = (tmp_path / "a.glb").read_bytes()
    length = struct.unpack_from("<I", raw, 12)[0]
    text = json.dumps(json.loads(raw[20 : 20 + length]) | change).encode()
    body = struct.pack("<II", len(text), 0x4E4F534A) + text + raw[20 + length :]
    (tmp_path / "b.glb").write_bytes(struct.pack("<III", 0x46546C67, 2, 12 + len(body)) + body)
    with pytest.raises(GlbError, match=r"draco|IndexError"):
        read_glb(tmp_path / "b.glb")


@pytest.mark.parametrize("kind", sorted(TEXTURES))
def test_textures_are_the_same_for_the_same_seed_and_differ_between_seeds(kind: str) -> None:
    image = make_texture(kind, 1)
    assert image.shape[0] == image.shape[1] == 1 << int(np.log2(image.shape[0]))
    np.testing.assert_array_equal(image, make_texture(kind, 1))
    if kind != "dial":  # a clock face has no chance in it
        assert np.any(image != make_texture(kind, 2))
