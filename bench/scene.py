"""How good the scene memory is on generated apartments, and how fast: objects, boxes, snapshots, changes.

    make bench NAME=scene        (or: python bench/scene.py --homes 4 --only noisy --jobs 2)

Every apartment is toured once (`scene_homes`); the memory sees it with perfect detections, and again with noise. Written to
out/bench/scene.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

for _name in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
    os.environ.setdefault(f"{_name}_NUM_THREADS", "1")

import cv2  # noqa: E402
import numpy as np  # noqa: E402

from common import OUT, machine, table, write_result  # noqa: E402
from loci.lifeline import end_with_parent  # noqa: E402
from loci.scene.covisibility import choose_images, matrix  # noqa: E402
from loci.store.record import Record  # noqa: E402
from scene_homes import (  # noqa: E402
    CLEAN,
    NOISY,
    DetectionNoise,
    Match,
    Tour,
    Walk,
    box_iou,
    centre_error,
    load_tour,
    match,
    observe,
)

SECTIONS = ("clean", "noisy", "change", "speed")
NOISES = {"clean": CLEAN, "noisy": NOISY}
#: Objects and candidate images of the clustering problems, and 3D-Mem's times for them on a machine with two cores [s].
CLUSTERING = {50: (135, 0.07), 300: (1466, 0.32), 1000: (2956, 1.43)}
#: Objects in the map while the time of an update is taken.
MAP_SIZES = (100, 1000, 10_000)
#: Pixels of an object that an image has to show to count as showing it.
VISIBLE_PX = 25

Progress = Callable[[str, int, int], None]


def bar(title: str, done: int, total: int) -> None:
    """One line on stderr that fills up."""
    filled = 30 * done // max(1, total)
    end = "\n" if done >= total else ""
    print(f"\r{title:<28} [{'#' * filled}{' ' * (30 - filled)}] {done}/{total}", end=end, file=sys.stderr, flush=True)


# --- quality --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class HomeResult:
    """Counts and sums of one home, from which the shares over all homes are made.

    Attributes:
        n_objects, n_counted, n_right, n_found, n_wrong, n_duplicates: see `scene_homes.Match`; right ones are counted things that
            were found, found ones all pairs.
        errors: distance of the centres of all pairs [m]; ious: of their boxes.
        n_members, n_shown: see `coverage`; n_snapshots, n_batch: snapshots of the memory, and of everything clustered at once.
        frames, seconds: what was shown, and how long the memory took for it, images being stored included.
        failures: a line each.
    """

    scene: str
    n_objects: int
    n_counted: int
    n_right: int
    n_found: int
    n_wrong: int
    n_duplicates: int
    errors: tuple[float, ...]
    ious: tuple[float, ...]
    n_members: int
    n_shown: int
    n_snapshots: int
    n_batch: int
    frames: int
    seconds: float
    failures: tuple[str, ...]


def run_home(scene: str, noise: DetectionNoise, seed: int) -> HomeResult:
    """Tour a scene and score what the memory made of it."""
    cv2.setNumThreads(1)
    tour = load_tour(scene)
    with Walk(tour.camera, noise, seed) as walk:
        began = time.perf_counter()
        for shot in tour.shots:
            walk.show(shot, tour.labels)
        walk.finish(tour.shots[-1].stamp_ns + 10**11)
        seconds = time.perf_counter() - began
        found = match(walk.objects(), tour.truth, walk)
        n_members, n_shown = coverage(walk)
        return HomeResult(
            scene=scene,
            n_objects=len(walk.objects()),
            n_counted=found.n_counted,
            n_right=found.n_counted - len(found.missed),
            n_found=len(found.pairs),
            n_wrong=len(found.wrong),
            n_duplicates=found.duplicates,
            errors=tuple(centre_error(*pair) for pair in found.pairs),
            ious=tuple(box_iou(*pair) for pair in found.pairs),
            n_members=n_members,
            n_shown=n_shown,
            n_snapshots=len(walk.scene.snapshots()),
            n_batch=batch_snapshots(walk),
            frames=len(tour.shots),
            seconds=seconds,
            failures=failures(found),
        )


def coverage(walk: Walk) -> tuple[int, int]:
    """Objects that the memory says are there, and how many of them are in exactly one snapshot whose image shows them."""
    members = [(i, s.keyframe_id) for s in walk.scene.snapshots() for i in s.object_ids]
    once = {i for i, _ in members if sum(i == other for other, _ in members) == 1}
    images = {k: walk.shot_of[k].instance_image() for k in {k for _, k in members}}
    shown = {
        i for i, k in members if i in once and np.count_nonzero(np.isin(images[k], list(walk.sources[i]))) >= VISIBLE_PX
    }
    ids = {o.id for o in walk.objects() if o.is_there}  # what is gone has no snapshot: old images show its place only
    return len(ids), len(shown & ids)


def batch_snapshots(walk: Walk) -> int:
    """Snapshots if all keyframes are clustered at once."""
    objects = {o.id: o for o in walk.objects()}
    seen = [{i: c for i, c in visible.items() if i in objects} for visible in walk.visible.values()]
    ids = sorted({i for visible in seen for i in visible})
    chosen = choose_images(np.array([objects[i].center for i in ids]).reshape(-1, 3), matrix(ids, seen))
    return len(set(chosen.tolist()) - {-1})


def failures(found: Match) -> tuple[str, ...]:
    """What was missed and what is wrong, a line each."""
    missed = [f"missed {t.id}: {why}" for t, why in found.missed]
    return (*missed, *(f"wrong {o.id} {o.label}: {why}" for o, why in found.wrong))


def summary(homes: Sequence[HomeResult]) -> dict[str, Any]:
    """Figures over all homes, by the names of the issue."""

    def total(name: str) -> int:
        return sum(getattr(h, name) for h in homes)

    errors = np.concatenate([h.errors for h in homes])
    ious = np.concatenate([h.ious for h in homes])
    return {
        "recall": round(total("n_right") / max(1, total("n_counted")), 4),
        "precision": round(total("n_found") / max(1, total("n_found") + total("n_wrong")), 4),
        "duplicates_per_100": round(100 * total("n_duplicates") / max(1, total("n_objects")), 2),
        "centre_error_m": round(float(np.median(errors)), 4),
        "centre_error_p90_m": round(float(np.percentile(errors, 90)), 4),
        "box_iou": round(float(np.mean(ious)), 3),
        "coverage": round(total("n_shown") / max(1, total("n_members")), 4),
        "objects_per_snapshot": round(total("n_members") / max(1, total("n_snapshots")), 2),
        "snapshots_vs_batch": round(total("n_snapshots") / max(1, total("n_batch")), 3),
        "homes": len(homes),
        "counted": total("n_counted"),
        "objects": total("n_objects"),
        "frames": total("frames"),
        "seconds": round(sum(h.seconds for h in homes), 1),
        "worst_recall": round(min(h.n_right / max(1, h.n_counted) for h in homes), 4),
    }


def quality(scenes: Sequence[str], kind: str, seed: int, jobs: int, is_verbose: bool) -> dict[str, Any]:
    """All homes with one kind of noise."""
    results: list[HomeResult] = []
    with ProcessPoolExecutor(jobs, initializer=end_with_parent) as pool:
        pending = [pool.submit(run_home, scene, NOISES[kind], seed) for scene in scenes]
        bar(kind, 0, len(scenes))
        for future in as_completed(pending):
            results.append(future.result())
            bar(kind, len(results), len(scenes))
    results.sort(key=lambda h: scenes.index(h.scene))
    for h in results if is_verbose else ():
        print(f"{kind} {h.scene}: {h.n_right} of {h.n_counted} found, {h.n_wrong} wrong, {h.n_duplicates} duplicates")
        print("".join(f"  {line}\n" for line in h.failures), end="")
    return {**summary(results), "failures": {h.scene: list(h.failures) for h in results if h.failures}}


# --- changes --------------------------------------------------------------------------------------------------------------


def changes(seeds: Sequence[int]) -> dict[str, Any]:
    """Things are moved and removed, and the robot passes again; empty where that part of the benchmark is not installed."""
    try:
        from scene_changes import measure_changes
    except ModuleNotFoundError as error:
        if error.name != "scene_changes":
            raise
        print("no bench/scene_changes.py: changes are not measured", file=sys.stderr)
        return {}
    return dict(measure_changes(seeds, lambda line: print(line, file=sys.stderr, flush=True)))


# --- speed ----------------------------------------------------------------------------------------------------------------


def speed(scene: str) -> dict[str, Any]:
    """Time of an update at several sizes of the map, of clustering, and bytes kept."""
    tour = load_tour(scene)
    per_frame, kept = update_times(tour)
    clustering = {}
    for n, (n_images, reference) in CLUSTERING.items():
        centers, confidence = clustering_problem(n, n_images)
        choose_images(centers, confidence)
        spent = [timed(lambda c=centers, m=confidence: choose_images(c, m)) for _ in range(5)]
        clustering[str(n)] = round(float(np.median(spent)), 4)
        bar(f"clustering (3D-Mem {reference} s)", len(clustering), len(CLUSTERING))
    times = {str(n): round(float(np.mean(t)), 2) for n, t in per_frame.items()}
    return {
        "update_ms": times,
        "update_median_ms": {str(n): round(float(np.median(t)), 2) for n, t in per_frame.items()},
        "update_growth": round(times[str(MAP_SIZES[-1])] / times[str(MAP_SIZES[0])], 3),
        "clustering_s": clustering,
        **kept,
    }


def timed(call: Callable[[], Any]) -> float:
    """Seconds that a call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def update_times(tour: Tour, n_learn: int = 120, n_frames: int = 90) -> tuple[dict[int, list[float]], dict[str, Any]]:
    """Time per frame [ms], maintenance included, of maps of several sizes that are shown the same frames in turns.

    Each map has seen the beginning of the tour; the rest of its objects are copies of those, tens of metres away.
    """
    walks = {n: Walk(tour.camera, CLEAN, 0) for n in MAP_SIZES}
    try:
        for n, walk in walks.items():
            for shot in tour.shots[:n_learn]:
                walk.show(shot, tour.labels)
            fill(walk, n)
            bar("maps", list(walks).index(n) + 1, len(walks))
        spent: dict[int, list[float]] = {n: [] for n in walks}
        later = tour.shots[n_learn - 1].stamp_ns
        for k in range(n_frames):
            shot = tour.shots[n_learn - n_frames + k]
            observation, _ = observe(shot, tour.camera, tour.labels, CLEAN, np.random.default_rng(k))
            later += 500_000_000
            for n, walk in walks.items():
                spent[n].append(1e3 * walk.time(observation, later))
            bar("updates", k + 1, n_frames)
        return spent, bytes_kept(walks[MAP_SIZES[0]])
    finally:
        for walk in walks.values():
            walk.__exit__()


def fill(walk: Walk, n_objects: int) -> None:
    """Add copies of the objects and the snapshots until the map has so many objects."""
    records = list(walk.scene.objects_map.records())
    snapshots, visible = walk.scene.snapshots(), walk.scene.snapshots_map.visibility()
    copies, stored, candidates = [], [], []
    n_missing = n_objects - len(records)
    k = 0
    while n_missing > 0:
        k += 1
        chosen = records[:n_missing]
        n_missing -= len(chosen)
        names = {i: f"{i}-copy{k}" for i, _, _ in chosen}
        offset = np.array([40.0 * (k % 16 + 1), 40.0 * (k // 16), 0.0])
        for object_id, fields, arrays in chosen:
            anchor = np.array(fields["T_map_anchor"])
            anchor[:3, 3] += offset
            changed = {
                **fields,
                "T_map_anchor": anchor.tolist(),
                "keyframe_id": f"{fields['keyframe_id']}-copy{k}",
                "seen_with": {names[i]: c for i, c in fields["seen_with"].items() if i in names},
                "bridges": {names[i]: c for i, c in fields["bridges"].items() if i in names},
            }
            copies.append(Record("object", names[object_id], changed, arrays=arrays))
        for keyframe_id, seen in visible.items():
            mine = {names[i]: c for i, c in seen.items() if i in names}
            if mine:
                candidates.append(Record("visibility", f"{keyframe_id}-copy{k}", {"visible": mine}))
        for s in snapshots:
            members = [names[i] for i in s.object_ids if i in names]
            if members:
                fields = {"keyframe_id": f"{s.keyframe_id}-copy{k}", "object_ids": members}
                stored.append(Record("snapshot", f"{s.id}-copy{k}", fields))
    walk.scene.objects_map.restore(copies)
    walk.scene.snapshots_map.restore(stored, candidates)


def bytes_kept(walk: Walk) -> dict[str, Any]:
    """Mean bytes of an object (record and arrays) and of a snapshot (record and image, as it came)."""
    objects = [
        len(json.dumps(fields)) + sum(a.nbytes for a in arrays.values())
        for _, fields, arrays in walk.scene.objects_map.records()
    ]
    snapshots = [
        len(json.dumps({"keyframe_id": s.keyframe_id, "object_ids": s.object_ids}))
        + len(walk.shot_of[s.keyframe_id].color)
        for s in walk.scene.snapshots()
        if s.keyframe_id in walk.shot_of
    ]
    return {"bytes_per_object": round(float(np.mean(objects))), "bytes_per_snapshot": round(float(np.mean(snapshots)))}


def clustering_problem(n_objects: int, n_images: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Centres (N, 3) [m] and confidences (C, N) of a robot with a view of 90 degrees and 3.5 m on a random walk among objects."""
    rng = np.random.default_rng(seed)
    size = float(np.sqrt(n_objects * 1.5))
    centers = np.column_stack([rng.uniform(0, size, (n_objects, 2)), rng.uniform(0, 1, n_objects)])
    confidence = np.zeros((n_images, n_objects))
    position, heading = np.full(2, size / 2), 0.0
    for image in range(n_images):
        heading += rng.normal(0, 0.5)
        ahead = position + 0.5 * np.array([np.cos(heading), np.sin(heading)])
        if np.all((ahead >= 0) & (ahead <= size)):
            position = ahead
        else:
            heading += np.pi
        offset = centers[:, :2] - position
        bearing = (np.arctan2(offset[:, 1], offset[:, 0]) - heading + np.pi) % (2 * np.pi) - np.pi
        seen = (np.linalg.norm(offset, axis=1) < 3.5) & (np.abs(bearing) < np.pi / 4) & (rng.random(n_objects) > 0.1)
        confidence[image, seen] = rng.uniform(0.5, 1.0, np.count_nonzero(seen))
    return centers, confidence


# --- all -------------------------------------------------------------------------------------------------------------------


def main() -> int:
    """Run all sections, or those chosen; figures of sections that were not run are kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--homes", type=int, default=20, help="how many (default 20)")
    parser.add_argument("--seed", type=int, default=0, help="of the first home; the others follow (default 0)")
    parser.add_argument("--family", default="apartment", help="of the scenes (default apartment)")
    parser.add_argument("--only", choices=SECTIONS, action="append", help="sections to run (default: all)")
    parser.add_argument("--jobs", type=int, default=1, help="homes at the same time (default 1)")
    parser.add_argument("--verbose", action="store_true", help="print every failure")
    a = parser.parse_args()
    if a.homes < 1 or a.seed < 0 or a.jobs < 1:
        parser.error(f"expected homes >= 1, seed >= 0 and jobs >= 1, got {a.homes}, {a.seed} and {a.jobs}")
    here = machine()
    print(f"{here['cpu']}, {here['cores']} cores, load {here['load']:.1f}, commit {here['commit'] or '-'}")
    cv2.setNumThreads(1)
    seeds = range(a.seed, a.seed + a.homes)
    scenes = [f"{a.family}:{seed}" for seed in seeds]
    sections = a.only or SECTIONS
    began = time.perf_counter()
    for n, scene in enumerate(scenes):
        load_tour(scene)
        bar("rendering", n + 1, len(scenes))
    result = kept_result()
    result["rendering_s"] = round(time.perf_counter() - began, 1)
    for section in sections:
        if section == "change":
            result["change"] = changes(list(seeds)) or result.get("change", {})
        elif section == "speed":
            result.update(speed(scenes[0]))
        else:
            result[section] = quality(scenes, section, a.seed, a.jobs, a.verbose)
    rows = [
        [f"{section}.{key}", value]
        for section in ("clean", "noisy", "change", "update_ms", "clustering_s")
        for key, value in result.get(section, {}).items()
        if isinstance(value, int | float)
    ]
    rows += [[key, result[key]] for key in ("update_growth", "bytes_per_object", "bytes_per_snapshot") if key in result]
    print(table(("figure", "value"), [[name, f"{value:g}"] for name, value in rows]))
    print(f"\nwritten to {write_result('scene', result)}")
    return 0


def kept_result() -> dict[str, Any]:
    """What an earlier run wrote, without the machine."""
    path = OUT / "scene.json"
    result: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    result.pop("machine", None)
    return result


if __name__ == "__main__":
    sys.exit(main())
