"""OctoMap's files, both ways against OctoMap itself, and what becomes of damaged ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from spatial_worlds import CAMERA, World, box

from loci.geometry import look_at
from loci.spatial import octomap_files
from loci.spatial.octomap_files import OctoMapError, read_octomap, write_octomap
from loci.spatial.octree import Octree, OctreeParameters

pyoctomap = pytest.importorskip("pyoctomap")


@pytest.fixture(scope="module")
def octree() -> Octree:
    """Two walls and what lies before them, seen from a few sides, on both sides of the map's origin."""
    world = World(np.array([box(2.01, -3, -3, 2.2, 3, 3), box(-3.0, 1.5, -3, 3.0, 1.6, 3)]))
    octree = Octree()
    for i in range(4):
        pose = look_at((0.1 * i, -0.7, 0.3), (1.0, 0.4 * i - 0.5, 0.1 * i))
        octree.integrate(world.depth(pose), CAMERA, pose, i)
    return octree


def everywhere(octree: Octree) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centres, states and log-odds of all known voxels."""
    bounds = octree.bounds()
    assert bounds is not None
    parts, at = (
        [],
        np.stack(np.meshgrid(*[np.arange(a, b, 0.4) for a, b in bounds.T], indexing="ij"), -1).reshape(-1, 3),
    )
    for low in at:
        parts.append(octree.query_box(low, low + 0.4))
    centres = np.vstack([p.centres for p in parts])
    states = np.concatenate([p.states for p in parts])
    probabilities = np.concatenate([p.probabilities for p in parts]).astype(float)
    return centres, states, np.log(probabilities / (1 - probabilities))


def theirs(tree: Any, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    nodes = [tree.search(point) for point in points]
    states = np.array([-1 if node is None else int(tree.isNodeOccupied(node)) for node in nodes])
    return states, np.array([np.nan if node is None else node.getLogOdds() for node in nodes])


def opened(path: Path) -> Any:
    tree = pyoctomap.OcTree(0.05)
    if path.suffix == ".bt":
        assert tree.readBinary(str(path))
        return tree
    return pyoctomap.OcTree.read(str(path)) if isinstance(tree.read, type(len)) else tree.read(str(path))


@pytest.mark.parametrize("format", ["bt", "ot"])
def test_octomap_reads_what_is_written_with_the_same_states(octree: Octree, tmp_path: Path, format: Any) -> None:
    path = tmp_path / f"map.{format}"
    n_nodes = write_octomap(octree, path, format)
    tree = opened(path)
    assert tree.size() == n_nodes and tree.getResolution() == 0.05
    centres, states, log_odds = everywhere(octree)
    rng = np.random.default_rng(0)
    some = rng.permutation(len(centres))[:6000]
    got_states, got_log_odds = theirs(tree, centres[some])
    np.testing.assert_array_equal(got_states, states[some])
    if format == "ot":
        np.testing.assert_allclose(got_log_odds, log_odds[some], atol=1.1e-3)
    unknown = rng.uniform(-3, 4, size=(3000, 3))
    unknown = unknown[octree.query(unknown)[0] == -1]
    assert len(unknown) > 500 and set(theirs(tree, unknown)[0]) == {-1}


def test_octomap_counts_as_many_voxels_of_each_kind(octree: Octree, tmp_path: Path) -> None:
    write_octomap(octree, tmp_path / "map.bt", "bt")
    tree = opened(tmp_path / "map.bt")
    volume = {0: 0, 1: 0}
    for leaf in tree.begin_leafs():
        volume[int(tree.isNodeOccupied(leaf))] += round(leaf.getSize() / 0.05) ** 3
    _, states, _ = everywhere(octree)
    assert volume == {0: int((states == 0).sum()), 1: int((states == 1).sum())}
    assert tree.size() < len(states) / 2  # cubes in which all is the same are one node


@pytest.fixture(scope="module")
def tree() -> Any:
    """An OctoMap tree of its own, with pruned cubes: a block of 16^3 voxels that is free, and random points seen from the origin."""
    tree = pyoctomap.OcTree(0.05)
    points = np.random.default_rng(1).uniform((0.5, -1.5, -1.0), (2.5, 1.5, 1.0), size=(400, 3))
    tree.insertPointCloud(points, np.zeros(3))
    block = np.stack(np.meshgrid(*[np.arange(-31.5, -16.0) * 0.05] * 3, indexing="ij"), -1).reshape(-1, 3)
    for _ in range(6):
        for point in block:
            tree.updateNode(point, False)
    tree.updateInnerOccupancy()
    return tree


@pytest.mark.parametrize("format", ["bt", "ot"])
def test_what_octomap_writes_is_read_with_the_same_states(tree: Any, tmp_path: Path, format: Any) -> None:
    path = str(tmp_path / f"map.{format}")
    assert tree.writeBinary(path) if format == "bt" else tree.write(path)
    reference = opened(Path(path))  # writing a .bt prunes
    octree = read_octomap(Path(path), stamp_ns=77)
    expected = {0: 0, 1: 0}
    for leaf in reference.begin_leafs():
        expected[int(reference.isNodeOccupied(leaf))] += round(leaf.getSize() / 0.05) ** 3
    centres, states, log_odds = everywhere(octree)
    assert {0: int((states == 0).sum()), 1: int((states == 1).sum())} == expected
    some = np.random.default_rng(2).permutation(len(centres))[:6000]
    want_states, want_log_odds = theirs(reference, centres[some])
    np.testing.assert_array_equal(states[some], want_states)
    if format == "ot":
        np.testing.assert_allclose(log_odds[some], want_log_odds, atol=1.1e-3)
    assert octree.stamp_ns == 77
    if format == "bt":  # nothing was rounded: written again, it is the same stream
        write_octomap(octree, tmp_path / "again.bt", "bt")
        streams = [p.read_bytes().split(b"data\n", 1)[1] for p in (Path(path), tmp_path / "again.bt")]
        assert streams[0] == streams[1]
    middle = np.full((1, 3), -24 * 0.05)
    assert octree.query(middle)[0].tolist() == [0] and octree.query(middle, 3)[0].tolist() == [0]


@pytest.mark.parametrize("format", ["bt", "ot"])
@pytest.mark.parametrize("levels", [12, 16, 18])
def test_writing_and_reading_gives_the_same_voxels_in_a_world_of_any_size(
    tmp_path: Path, format: Any, levels: int, octree: Octree
) -> None:
    p = OctreeParameters(levels=levels)
    write_octomap(octree, tmp_path / "first", format)
    first = read_octomap(tmp_path / "first", p)
    n_nodes = write_octomap(first, tmp_path / "second", format)
    assert n_nodes > 1000 and (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
    points = np.random.default_rng(3).uniform(-3, 4, size=(4000, 3))
    np.testing.assert_array_equal(first.query(points)[0], octree.query(points)[0])


def test_even_odds_keep_their_meaning_on_both_sides(tmp_path: Path) -> None:
    """OctoMap takes log-odds of 0 for occupied, Loci for free."""
    tree = pyoctomap.OcTree(0.05)
    point = np.array([0.01, 0.01, 0.01])
    tree.updateNode(point, True)
    tree.search(point).setLogOdds(0.0)
    tree.write(str(tmp_path / "theirs.ot"))
    read = read_octomap(tmp_path / "theirs.ot")
    assert read.query(point[None])[0].tolist() == [1]
    arrays = read.arrays()
    arrays["log_odds"] = np.zeros_like(arrays["log_odds"])
    ours = Octree.from_arrays(arrays)
    assert ours.query(point[None])[0].tolist() == [0]
    write_octomap(ours, tmp_path / "ours.ot", "ot")
    assert theirs(opened(tmp_path / "ours.ot"), point[None])[0].tolist() == [0]


@pytest.mark.parametrize("format", ["bt", "ot"])
def test_an_empty_octree_is_an_empty_file(tmp_path: Path, format: Any) -> None:
    assert write_octomap(Octree(), tmp_path / "map", format) == 0
    assert read_octomap(tmp_path / "map").n_bricks == 0


# --- damaged files ----------------------------------------------------------------------------------------------------


def test_a_file_that_ends_early_is_refused_wherever_it_ends(octree: Octree, tmp_path: Path) -> None:
    for format in ("bt", "ot"):
        path = tmp_path / f"map.{format}"
        write_octomap(octree, path, format)  # type: ignore[arg-type]
        whole = path.read_bytes()
        for n in (0, 10, 60, 120, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:n])
            with pytest.raises(OctoMapError, match=r"line \d+: expected|byte \d+: expected \d+ nodes"):
                read_octomap(path)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (b"# Octomap OcTree file", b"# Octomap ColorOcTree", "line 1: expected '# Octomap OcTree binary file' or"),
        (b"# Octomap OcTree file", b"\x89PNG\x00", "line 1: expected"),
        (b"id OcTree", b"id ColorOcTree", "line 4: expected a tree of type OcTree, got 'ColorOcTree'"),
        (b"id OcTree\n", b"", "missing: id"),
        (b"res 0.05", b"res 0.1", "line 6: expected the octree's leaf size 0.05 m, got a resolution of 0.1"),
        (b"res 0.05", b"res fine", "line 6: expected a resolution"),
        (b"res 0.05", b"res nan", "line 6: expected the octree's leaf size"),
        (b"size ", b"size -", "line 5: expected a number of nodes"),
        (b"size ", b"size 1", r"byte \d+: expected 1\d+ nodes"),
    ],
)
def test_files_of_another_kind_are_refused_with_the_line(
    octree: Octree, tmp_path: Path, before: bytes, after: bytes, message: str
) -> None:
    path = tmp_path / "map.ot"
    write_octomap(octree, path, "ot")
    content = path.read_bytes().replace(b"res 0.050000000000000003", b"res 0.05")
    assert before in content
    path.write_bytes(content.replace(before, after, 1))
    with pytest.raises(OctoMapError, match=message):
        read_octomap(path)


def test_values_that_are_no_numbers_and_nodes_below_voxels_are_refused(tmp_path: Path) -> None:
    header = b"# Octomap OcTree file\nid OcTree\nsize 1\nres 0.05\ndata\n"
    path = tmp_path / "map.ot"
    path.write_bytes(header + np.array([np.nan], dtype="<f4").tobytes() + b"\0")
    with pytest.raises(OctoMapError, match=rf"byte {len(header)}: expected finite log-odds, got nan"):
        read_octomap(path)
    path.write_bytes(header + b"\0\0\0\0\1" * 17 + b"\0\0\0\0\0")
    with pytest.raises(OctoMapError, match=rf"byte {len(header) + 80}: expected at most 16 levels"):
        read_octomap(path)
    path.write_bytes(header.replace(b"file", b"binary file") + b"\3\0" * 17)
    with pytest.raises(OctoMapError, match=rf"byte {len(header) + 7 + 30}: expected at most 16 levels"):
        read_octomap(path)


def test_a_pruned_cube_of_a_cubic_kilometre_and_one_outside_of_the_world_are_refused(tmp_path: Path) -> None:
    header = b"# Octomap OcTree file\nid OcTree\nsize 2\nres 0.05\ndata\n"
    path = tmp_path / "map.ot"
    path.write_bytes(header + b"\0\0\0\xc0\1" + b"\0\0\0\xc0\0")
    with pytest.raises(OctoMapError, match="when expanded, got 68719476736"):
        read_octomap(path)
    with pytest.raises(OctoMapError, match=r"expected voxels within 1.6 m of the origin, got some at \[-1638"):
        read_octomap(path, OctreeParameters(levels=6))


def test_another_format_is_refused(octree: Octree, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'bt' or 'ot', got 'ply'"):
        write_octomap(octree, tmp_path / "map", "ply")  # type: ignore[arg-type]
    assert not (tmp_path / "map").exists() and octomap_files.MAX_BRICKS > 0
