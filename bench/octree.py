"""Depth integration on the kitchen recording: Loci's octree beside OctoMap's C++ in the same run, with the quality of both maps.

`make bench NAME=octree` prints a table and writes out/bench/octree.json. Quality is measured on frames withheld from the map:
the share of points within one voxel of an occupied one, and of rays that cross one more than two voxels before their end.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial import cKDTree

from common import quantiles, table, write_result
from loci.geometry import Array, Camera, align_to_gravity, back_project, check_pose, transform_points
from loci.observation import clean_depth
from loci.spatial.octree import Octree, OctreeParameters

Shot = tuple[np.ndarray, Camera, Array, int]


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


def quality(octree: Octree, withheld: list[Shot]) -> tuple[float, float]:
    """Shares of points near an occupied voxel, and of rays that cross one before their end."""
    leaf, reach = octree.parameters.leaf_size, octree.parameters.max_range
    tree = cKDTree(octree.occupied()[0])
    near = crossing = n = 0
    for depth, camera, pose, _ in withheld:
        points = transform_points(pose, back_project(depth, camera)[(depth > 0) & (depth <= reach)])[::7]
        centres = (np.floor(points / leaf) + 0.5) * leaf
        near += int(np.isfinite(tree.query(centres, p=np.inf, distance_upper_bound=1.01 * leaf)[0]).sum())
        length = np.linalg.norm(points - pose[:3, 3], axis=1)
        hits = octree.cast_rays(np.broadcast_to(pose[:3, 3], points.shape), points - pose[:3, 3], reach * 1.5)
        crossing += int(np.sum(hits.hits & (hits.ranges < length - 2 * leaf)))
        n += len(points)
    return near / n, crossing / n


def run_loci(shots: list[Shot], withheld: list[Shot], leaf: float) -> dict[str, object]:
    """Integrate all shots and measure."""
    octree = Octree(OctreeParameters(leaf_size=leaf))
    octree.rebuild(shots[:1])  # compiles the kernels
    times = []
    for shot in shots:
        begin = time.perf_counter()
        octree.integrate(*shot)
        times.append(1e3 * (time.perf_counter() - begin))
    near, crossing = quality(octree, withheld)
    spent = quantiles(times, 50, 95)
    return {
        "system": "Loci",
        "leaf_m": leaf,
        **spent,
        "mib": octree.n_bytes / 2**20,
        "near": near,
        "crossing": crossing,
    }


def run_octomap(shots: list[Shot], leaf: float, discretize: bool) -> dict[str, object] | None:
    """The same by OctoMap, or None where its bindings are not installed."""
    try:
        import pyoctomap
    except ImportError:
        return None
    tree, times = pyoctomap.OcTree(leaf), []
    for depth, camera, pose, _ in shots:
        begin = time.perf_counter()
        points = np.ascontiguousarray(transform_points(pose, back_project(depth, camera)[depth > 0]))
        tree.insertPointCloud(points, pose[:3, 3].copy(), max_range=4.0, discretize=discretize)
        times.append(1e3 * (time.perf_counter() - begin))
    name = "OctoMap, discretised" if discretize else "OctoMap"
    return {"system": name, "leaf_m": leaf, **quantiles(times, 50, 95), "mib": tree.memoryUsage() / 2**20}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(os.environ.get("LOCI_DATA", "../shared/data")) / "kitchen_rgbd"
    parser.add_argument("--data", type=Path, default=default, help="folder of the kitchen recording")
    parser.add_argument("--every", type=int, default=4, help="OctoMap takes every n-th frame (it is slow)")
    arguments = parser.parse_args()
    if not arguments.data.is_dir():
        raise SystemExit(
            f"no recording at {arguments.data}: pass --data, or set LOCI_DATA to the folder that holds kitchen_rgbd"
        )
    shots = kitchen(arguments.data)
    withheld, used = shots[5::10], [shot for i, shot in enumerate(shots) if i % 10 != 5]
    results = []
    for leaf in (0.05, 0.02):
        results.append(run_loci(used, withheld, leaf))
        results += [r for d in (False, True) if (r := run_octomap(used[:: arguments.every], leaf, d))]
    keys = ("system", "leaf_m", "p50", "p95", "n", "mib", "near", "crossing")
    headers = ("", "leaf [m]", "p50 [ms]", "p95 [ms]", "frames", "MiB", "points near", "rays crossing")
    rows = [[f"{r[k]:.4f}" if k in ("near", "crossing") and k in r else r.get(k, "") for k in keys] for r in results]
    print(table(headers, rows))
    print(write_result("octree", {"results": results}))


if __name__ == "__main__":
    main()
