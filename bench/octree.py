"""Depth integration beside OctoMap's C++, frame by frame in one run: speed, and how far both maps agree.

`make bench NAME=octree` prints tables and writes out/bench/octree.json. On a recorded kitchen: the time of each frame against
OctoMap's `insertPointCloud` (full resolution and `discretize=True`; the time of the call alone, without making its points), and the
agreement of both maps by volume. In a generated building of 40 m: agreement with its true surfaces, what a ten times larger map
costs, with all of it in memory and with an eighth, memory, and queries. `--device cuda` runs Loci's part on a GPU.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from scipy.spatial import cKDTree
from tqdm import tqdm

from common import quantiles, table, write_result
from loci.geometry import Array, Camera, align_to_gravity, back_project, check_pose, transform_points
from loci.observation import clean_depth
from loci.spatial.octree import FREE_STATE, OCCUPIED_STATE, Octree, OctreeParameters

Shot = tuple[np.ndarray, Camera, Array, int]
#: The same range limit for both [m].
MAX_RANGE = 4.0
N_QUERIES, N_RAYS = 1_000_000, 20_000
#: Views at each spot of the building.
N_TURNS = 8
#: A folder on a disk, for what is not in memory.
SCRATCH = Path(__file__).resolve().parents[1] / "out"


def kitchen(folder: Path) -> list[Shot]:
    """The recording's depth images with poses in a z-up map."""
    K = np.loadtxt(folder / "camera-intrinsics.txt")
    T = align_to_gravity(np.loadtxt(folder / "gravity-direction.txt"))
    shots = []
    for i, file in enumerate(sorted(folder.glob("*.depth.png"))):
        depth = clean_depth(cv2.imread(str(file), cv2.IMREAD_UNCHANGED))
        camera = Camera(depth.shape[1], depth.shape[0], K[0, 0], K[1, 1], K[0, 2], K[1, 2])
        pose = T @ check_pose(np.loadtxt(str(file).replace("depth.png", "pose.txt")))
        shots.append((depth, camera, pose, i * 100_000_000))
    return shots


def timed(work: Callable[[], Any]) -> float:
    """Wall time of a call [ms]."""
    begin = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - begin)


def world_points(shot: Shot) -> np.ndarray:
    """The shot's points in the map, (N, 3) float64 [m]."""
    depth, camera, pose, _ = shot
    return np.ascontiguousarray(transform_points(pose, back_project(depth, camera)[depth > 0]), dtype=np.float64)


def integrate(octree: Octree, shot: Shot) -> None:
    """One shot, until the device has done it."""
    octree.integrate(*shot)
    if octree.device.type == "cuda":
        torch.cuda.synchronize()


# --- beside OctoMap ---------------------------------------------------------------------------------------------------


def leaves(tree: Any, leaf: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Voxels (N, 3) counted from the origin and log-odds (N,) of OctoMap's leaves, pruned ones expanded, by size of the leaf."""
    found = [(leafs.getCoordinate(), leafs.getSize(), leafs.current_node.getLogOdds()) for leafs in tree.begin_leafs()]
    centres, sizes, values = (np.array(column) for column in zip(*found, strict=True))
    edges = np.rint(sizes / leaf).astype(int)
    for edge in np.unique(edges):
        some = edges == edge
        lowest = np.rint(centres[some] / leaf - edge / 2).astype(int)
        inside = np.stack(np.meshgrid(*[np.arange(edge)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
        yield (lowest[:, None] + inside).reshape(-1, 3), np.repeat(values[some], edge**3)


def agreement(octree: Octree, tree: Any) -> dict[str, float]:
    """Shares of OctoMap's voxels that are the same here, and of those here that are free there."""
    leaf = octree.parameters.leaf_size
    both = list(leaves(tree, leaf))
    voxels, values = np.concatenate([v for v, _ in both]), np.concatenate([v for _, v in both])
    states, _ = octree.query((voxels + 0.5) * leaf)
    occupied, free = values > 0, values <= 0
    contradicted = int(np.sum(states[free] == OCCUPIED_STATE))
    return {
        "occupied_agreement": float(np.mean(states[occupied] == OCCUPIED_STATE)),
        "free_covered": float(np.mean(states[free] == FREE_STATE)),
        "free_contradicted": contradicted / int(free.sum()),
        "occupied_invented": contradicted / len(octree.occupied()[0]),
        "octomap_occupied": int(occupied.sum()),
        "octomap_free": int(free.sum()),
        "occupied": len(octree.occupied()[0]),
        "bytes_per_observed_voxel": octree.n_bytes / observed(octree),
        "octomap_bytes_per_observed_voxel": tree.memoryUsage() / len(values),
    }


def observed(octree: Octree) -> int:
    """Voxels that are known."""
    b = octree.bricks
    known = b.occupied_bits[b.rows] | b.free_bits[b.rows]
    return int(np.bitwise_count(known.cpu().numpy()).sum())


def beside_octomap(shots: Iterable[Shot], leaf: float, device: str) -> tuple[dict[str, Any], Octree, Any]:
    """Every frame by Loci (all threads, then one), OctoMap, and OctoMap discretised, one after the other."""
    import pyoctomap

    ours = {
        "Loci": Octree(OctreeParameters(leaf_size=leaf, max_range=MAX_RANGE), device),
        "Loci, one thread": Octree(OctreeParameters(leaf_size=leaf, max_range=MAX_RANGE, n_threads=1), device),
    }
    theirs = {"OctoMap": pyoctomap.OcTree(leaf), "OctoMap, discretised": pyoctomap.OcTree(leaf)}
    warm = Camera(8, 8, 8.0, 8.0, 3.5, 3.5)
    integrate(Octree(device=device), (np.ones((8, 8), dtype=np.float32), warm, np.eye(4), 0))  # compiles the kernels
    times: dict[str, list[float]] = {name: [] for name in (*ours, *theirs)}
    for shot in shots:
        points, origin = world_points(shot), shot[2][:3, 3].copy()
        for name, octree in ours.items():
            times[name].append(timed(partial(integrate, octree, shot)))
        for name, tree in theirs.items():
            insert = partial(tree.insertPointCloud, points, origin, max_range=MAX_RANGE, discretize=name != "OctoMap")
            times[name].append(timed(insert))
    result = {name: quantiles(spent, 50, 95) for name, spent in times.items()}
    return result, ours["Loci"], theirs["OctoMap"]


def withheld_quality(octree: Octree, withheld: list[Shot]) -> tuple[float, float]:
    """Shares of withheld points within a voxel of an occupied one, and of rays stopped more than two voxels before their end."""
    leaf, reach = octree.parameters.leaf_size, octree.parameters.max_range
    tree = cKDTree(octree.occupied()[0])
    near = crossing = n = 0
    for shot in withheld:
        points, origin = world_points(shot)[::7], shot[2][:3, 3]
        length = np.linalg.norm(points - origin, axis=1)
        points, length = points[length <= reach], length[length <= reach]
        centres = (np.floor(points / leaf) + 0.5) * leaf
        near += int(np.isfinite(tree.query(centres, p=np.inf, distance_upper_bound=1.01 * leaf)[0]).sum())
        hits = octree.cast_rays(np.broadcast_to(origin, points.shape), points - origin, reach * 1.5)
        crossing += int(np.sum(hits.hits & (hits.ranges < length - 2 * leaf)))
        n += len(points)
    return near / n, crossing / n


def queries(octree: Octree, tree: Any, rng: np.random.Generator) -> dict[str, float]:
    """Points and rays per second; OctoMap's `search` and `castRay` take one at a time, called from Python."""
    bounds = octree.bounds()
    assert bounds is not None
    points = rng.uniform(*bounds, size=(N_QUERIES, 3))
    centres = octree.occupied()[0].astype(np.float64)
    origins = centres[rng.integers(len(centres), size=N_RAYS)] + (0.0, 0.0, 0.3)
    directions = rng.normal(size=(N_RAYS, 3))
    cast = partial(octree.cast_rays, origins, directions, MAX_RANGE, stop_at="occupied")
    octree.query(points[:1000])
    cast()
    n = N_RAYS // 10
    end = np.zeros(3)

    def their_rays() -> None:
        for origin, direction in zip(origins[:n], directions[:n], strict=True):
            tree.castRay(origin, direction, end, True, MAX_RANGE)

    def their_points() -> None:
        for point in points[:n]:
            tree.search(point)

    def rate(work: Callable[[], Any], count: int) -> float:
        return 1e3 * count / float(np.median([timed(work) for _ in range(5)]))

    return {
        "query_points_per_s": rate(partial(octree.query, points), N_QUERIES),
        "octomap_query_points_per_s": rate(their_points, n),
        "raycasts_per_s": rate(cast, N_RAYS),
        "octomap_raycasts_per_s": rate(their_rays, n),
    }


# --- a large building -------------------------------------------------------------------------------------------------


def building(n: int) -> tuple[list[Shot], Any]:
    """Views from all over the generated building of 40 m, eight at a spot, and the renderer that knows its surfaces."""
    from loci_sim.embedded import EmbeddedSimulator, RobotParameters
    from loci_sim.meshes import planar_pose
    from loci_sim.rendering import Renderer

    robot = RobotParameters()
    simulator = EmbeddedSimulator("building:0", robot)
    renderer = Renderer(simulator.scene, robot.camera, robot.max_range)
    cells = simulator.grid.center_of(np.argwhere(simulator.grid.navigable))
    rng, shots = np.random.default_rng(0), []
    spot = np.asarray(simulator.scene.start[:2], dtype=np.float64)
    for _ in tqdm(range(0, n, N_TURNS), desc="views of the building"):
        for yaw in np.arange(N_TURNS) * 2 * np.pi / N_TURNS:
            pose = planar_pose(float(spot[0]), float(spot[1]), 0.0, float(yaw)) @ robot.T_base_camera
            shots.append((clean_depth(renderer.render(pose)[1]), robot.camera, pose, len(shots)))
        away = np.linalg.norm(cells - spot, axis=1)
        spot = cells[int(rng.choice(np.flatnonzero((away > 2.0) & (away < 5.0))))]
    return shots, renderer


def true_share(octree: Octree, renderer: Any) -> float:
    """Share of occupied voxels with a true surface in them: within half a diagonal of the centre in one of 26 directions."""
    centres, leaf = octree.occupied()[0], octree.parameters.leaf_size
    steps = np.array([d for d in np.ndindex(3, 3, 3) if d != (1, 1, 1)], dtype=np.float32) - 1
    steps /= np.linalg.norm(steps, axis=1, keepdims=True)
    nearest = np.full(len(centres), np.inf, dtype=np.float32)
    for step in steps:
        rays = np.hstack([centres, np.broadcast_to(step, centres.shape)]).astype(np.float32)
        nearest = np.minimum(nearest, renderer.depth_along(rays)[0])
    return float(np.mean(nearest <= leaf * np.sqrt(3) / 2 + 1e-3))


def in_a_building(n: int, device: str) -> dict[str, float]:
    """Quality against the building's surfaces, what a larger map costs, memory and queries."""
    import pyoctomap

    shots, renderer = building(n)
    withheld = shots[N_TURNS // 2 :: 5 * N_TURNS]
    octree, tree = Octree(OctreeParameters(max_range=MAX_RANGE), device), pyoctomap.OcTree(0.05)
    first = shots[: 2 * N_TURNS]
    rest = [shot for shot in shots if not any(shot is w for w in withheld)]
    for _ in range(2):  # the second time the bricks are there: what remains depends on the size of the map alone
        small = [timed(partial(integrate, octree, shot)) for shot in first]
    n_small = octree.n_bricks
    octree = Octree(octree.parameters, device)
    for shot in tqdm(rest, desc="building"):
        integrate(octree, shot)
        tree.insertPointCloud(world_points(shot), shot[2][:3, 3].copy(), max_range=MAX_RANGE, discretize=True)
    near, crossing = withheld_quality(octree, withheld)
    found = {
        "building_frames": float(len(rest)),
        "building_points_near": near,
        "building_rays_crossing": crossing,
        "building_occupied_true": true_share(octree, renderer),
        "building_bytes_per_observed_voxel": octree.n_bytes / observed(octree),
        "octomap_building_bytes_per_observed_voxel": tree.memoryUsage() / sum(len(v) for _, v in leaves(tree, 0.05)),
        **queries(octree, tree, np.random.default_rng(0)),
    }
    # The same views in a map ten times larger: copies of the building stand beside it until it is.
    copies = 0
    while octree.n_bricks < 10 * n_small:
        copies += 1
        for depth, camera, pose, stamp in rest:
            moved = pose.copy()
            moved[0, 3] += 60.0 * copies
            integrate(octree, (depth, camera, moved, stamp))
    for _ in range(2):
        large = [timed(partial(integrate, octree, shot)) for shot in first]
    found |= {"map_ratio": octree.n_bricks / n_small, "growth_10x": float(np.median(large) / np.median(small))}
    if octree.device.type == "cpu":
        found |= within_a_budget(octree, first, rest)
    return found


def within_a_budget(octree: Octree, first: list[Shot], rest: list[Shot]) -> dict[str, float]:
    """What it costs to keep an eighth of a large map in memory: where the robot stays, and where it goes through all of it."""
    bounded = replace(octree.parameters, memory_budget=octree.n_bytes // 8)
    SCRATCH.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        small = Octree(bounded, scratch=Path(folder))
        large = Octree.from_arrays(octree.arrays(), bounded, scratch=Path(folder))
        staying: dict[str, list[float]] = {}
        for _ in range(2):
            staying = {
                name: [timed(partial(integrate, o, shot)) for shot in first]
                for name, o in (("small", small), ("large", large), ("unbounded", octree))
            }
        going: dict[str, list[float]] = {"large": [], "unbounded": []}
        most = 0
        for shot in rest:
            for name, o in (("large", large), ("unbounded", octree)):
                going[name].append(timed(partial(integrate, o, shot)))
            most = max(most, large.n_resident_bytes)
        return {
            "bounded_growth_10x": float(np.median(staying["large"]) / np.median(staying["small"])),
            "bounded_staying_ratio": float(np.median(staying["large"]) / np.median(staying["unbounded"])),
            "bounded_going_ratio": float(np.mean(going["large"]) / np.mean(going["unbounded"])),
            "bounded_resident_share": most / octree.n_bytes,
        }


# --- all of it --------------------------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(os.environ.get("LOCI_DATA", "../shared/data")) / "kitchen_rgbd"
    parser.add_argument("--data", type=Path, default=default, help="folder of the kitchen recording")
    parser.add_argument("--every", type=int, default=4, help="take every n-th frame of the recording (OctoMap is slow)")
    parser.add_argument("--views", type=int, default=400, help="of the building; 0: leave it out")
    parser.add_argument("--device", default="cpu", help="torch device that holds Loci's voxels")
    arguments = parser.parse_args()
    if not arguments.data.is_dir():
        raise SystemExit(
            f"no recording at {arguments.data}: pass --data, or set LOCI_DATA to the folder that holds kitchen_rgbd"
        )
    shots = kitchen(arguments.data)
    withheld, used = shots[5::10], [shot for i, shot in enumerate(shots) if i % 10 != 5][:: arguments.every]
    result: dict[str, Any] = {"device": arguments.device, "frames": len(used), "max_range_m": MAX_RANGE}
    rows = []
    for leaf in (0.05, 0.02):
        name = f"{100 * leaf:.0f}cm"
        times, octree, tree = beside_octomap(tqdm(used, desc=f"kitchen, {name}"), leaf, arguments.device)
        near, crossing = withheld_quality(octree, withheld)
        quality = {**agreement(octree, tree), "points_near": near, "rays_crossing": crossing}
        for system, spent in times.items():
            rows.append([system, name, spent["p50"], spent["p95"], spent["n"]])
            result[f"ms_{name}_{system.lower().replace(', ', '_').replace(' ', '_')}"] = spent
        for suffix, ours in (("", "Loci"), ("_1thread", "Loci, one thread")):
            result[f"speedup_{name}{suffix}"] = times["OctoMap"]["p50"] / times[ours]["p50"]
            result[f"speedup_{name}_discretised{suffix}"] = times["OctoMap, discretised"]["p50"] / times[ours]["p50"]
        result |= quality if name == "5cm" else {f"{key}_{name}": value for key, value in quality.items()}
    print(table(("", "leaf", "p50 [ms]", "p95 [ms]", "frames"), rows))
    if arguments.views:
        result |= in_a_building(arguments.views, arguments.device)
    figures = {key: value for key, value in result.items() if isinstance(value, int | float)}
    print(table(("figure", "value"), [[key, f"{value:.4g}"] for key, value in figures.items()]))
    print(write_result("octree", result))


if __name__ == "__main__":
    main()
