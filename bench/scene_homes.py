"""Tours through generated homes, as frames with the simulator's detections, clean or noisy, and what the scene memory made of them.

Ground truth drives the camera and scores; the memory gets images, poses and shuffled masks with labels. A tour is rendered once
and kept under out/bench/homes/.
"""

from __future__ import annotations

import itertools
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from common import OUT
from loci.geometry import Array, Camera
from loci.keyframes import Keyframes, decode_depth, encode_color, encode_depth
from loci.observation import Detection, Frame, Observation
from loci.perception.simulated import detections_from_instances
from loci.scene.memory import SceneMemory, SceneParameters
from loci.scene.tracks import SceneObject
from loci.store.store import Store
from loci_sim.embedded import EmbeddedSimulator, RobotParameters
from loci_sim.noise import noisy_depth
from loci_sim.scenes import SceneThing

#: Part of the names of kept tours: raise it when the tour or what is kept of it changes.
TOUR_VERSION = 1
#: Standpoints cover a room's floor to within this distance; frames between them lie so far apart [m]; turns in a full circle.
SPACING, STEP, N_TURNS = 1.5, 0.5, 8
#: Time between two frames [ns].
PERIOD_NS = 500_000_000
#: What shows within this distance [m] is counted, if it shows in so many frames.
COUNTED_RANGE, COUNTED_FRAMES = 3.5, 3
#: A right centre is at most this far off [m], or this share of the box's diagonal, whichever is more.
MAX_ERROR, MAX_ERROR_SHARE = 0.10, 0.25

Pose = tuple[float, float, float]
Instances = npt.NDArray[np.uint16]


@dataclass(frozen=True)
class Shot:
    """One frame of a tour, compressed. Attributes: JPEG; PNG of 16 bit [mm]; PNG of 16 bit; true pose (4, 4); stamp [ns]."""

    color: bytes = field(repr=False)
    depth: bytes = field(repr=False)
    instances: bytes = field(repr=False)
    T_map_camera: Array = field(repr=False)
    stamp_ns: int

    def instance_image(self) -> Instances:
        """(H, W) instance of every pixel; 0: structure."""
        return cv2.imdecode(np.frombuffer(self.instances, dtype=np.uint8), cv2.IMREAD_UNCHANGED)

    def depth_image(self) -> npt.NDArray[np.float32]:
        """(H, W) exact depth [m]; 0: none."""
        return decode_depth(self.depth)


@dataclass(frozen=True)
class Tour:
    """Frames of a home with its ground truth."""

    name: str
    camera: Camera
    truth: tuple[SceneThing, ...]
    shots: tuple[Shot, ...] = field(repr=False)

    @property
    def labels(self) -> dict[int, str]:
        """Category of every instance."""
        return {t.instance: t.category for t in self.truth}


@dataclass(frozen=True)
class DetectionNoise:
    """How wrong detections, depth and poses are.

    Attributes:
        missed, mislabelled: shares of the detections.
        mask_px: masks are eroded or dilated by up to this [px].
        kinect: depth as a Kinect measures it.
        translation: standard deviation of the reported camera position along each axis [m]; rotation: of the angle by which its
            orientation is turned about a random axis [rad].
        counted_px: pixels that an object has to show in a frame for the frame to count.
    """

    missed: float = 0.0
    mislabelled: float = 0.0
    mask_px: int = 0
    kinect: bool = False
    translation: float = 0.0
    rotation: float = 0.0
    counted_px: int = 400


CLEAN = DetectionNoise()
NOISY = DetectionNoise(0.10, 0.05, 4, True, 0.01, float(np.radians(0.5)), 1000)


# --- tours ----------------------------------------------------------------------------------------------------------------


def tour_poses(simulator: EmbeddedSimulator) -> list[Pose]:
    """(x, y, yaw) of a tour over the floor that the robot stands on: a full turn at standpoints all over every room, and the
    ways between them."""
    x, y, yaw = simulator.scene.start
    poses: list[Pose] = []
    left = _standpoints(simulator)
    here = (float(x), float(y))
    while left:
        lengths = [_way(simulator, here, goal)[1] for goal in left]
        best = int(np.argmin(lengths))
        goal = left.pop(best)
        if not np.isfinite(lengths[best]):
            continue
        poses += [p for p in _along(_way(simulator, here, goal)[0]) if simulator.is_navigable(*p[:2])]
        poses += [(*goal, float(yaw + 2 * np.pi * t / N_TURNS)) for t in range(N_TURNS)]
        here = goal
    return poses


def _standpoints(simulator: EmbeddedSimulator) -> list[tuple[float, float]]:
    """Points (x, y) such that every navigable point of a room is near one of them: farthest-point sampling."""
    grid = simulator.grid
    cells = grid.center_of(np.argwhere(grid.navigable & (grid.clearance > grid.radius + 0.05)))
    rooms = [r for r in simulator.scene.rooms if abs(r.z - grid.z) < 0.5]
    chosen: list[tuple[float, float]] = []
    for room in rooms:
        mine = cells[[room.contains(float(x), float(y)) for x, y in cells]]
        if not len(mine):
            continue
        at = int(np.argmin(np.linalg.norm(mine - mine.mean(axis=0), axis=1)))
        distance = np.full(len(mine), np.inf)
        while True:
            chosen.append((float(mine[at, 0]), float(mine[at, 1])))
            distance = np.minimum(distance, np.linalg.norm(mine - mine[at], axis=1))
            at = int(np.argmax(distance))
            if distance[at] <= SPACING:
                break
    return chosen


def _way(simulator: EmbeddedSimulator, a: tuple[float, float], b: tuple[float, float]) -> tuple[Array, float]:
    path = simulator.shortest_path(a, b)
    if path is None:
        return np.zeros((0, 2)), float("inf")
    points = np.asarray(path.points)[:, :2]
    return points, float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())


def _along(points: Array) -> list[Pose]:
    """Poses every `STEP` along a way (N, 2), looking ahead."""
    if len(points) < 2:
        return []
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    poses = []
    for s in np.arange(STEP, lengths[-1], STEP):
        here, ahead = (np.array([np.interp(t, lengths, c) for c in points.T]) for t in (s, s + 0.05))
        poses.append((float(here[0]), float(here[1]), float(np.arctan2(*(ahead - here)[::-1]))))
    return poses


def render(simulator: EmbeddedSimulator, poses: Iterable[Pose], start_ns: int = 1_000_000_000) -> Iterator[Shot]:
    """Frames of the world as it is now, without noise."""
    for n, (x, y, yaw) in enumerate(poses):
        seen = simulator.reset_to(x, y, yaw)
        instances = np.asarray(seen.instances, dtype=np.uint16)
        png = encode_instances(instances)
        yield Shot(encode_color(seen.color), encode_depth(seen.depth), png, seen.T_map_camera, start_ns + n * PERIOD_NS)


def encode_instances(instances: Instances) -> bytes:
    """PNG of 16 bit of an instance image (H, W)."""
    return cv2.imencode(".png", instances, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()


def load_tour(scene: str) -> Tour:
    """The tour through a scene as it was generated, e.g. ``"apartment:3"``; rendered if it is not kept yet."""
    folder = OUT / "homes"
    path = folder / f"{scene.replace(':', '-')}-tour{TOUR_VERSION}.npz"
    robot = RobotParameters()
    simulator = EmbeddedSimulator(scene, robot)
    try:
        if not path.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            write_shots(path, list(render(simulator, tour_poses(simulator))))
        return Tour(scene, robot.camera, simulator.scene.objects, tuple(read_shots(path)))
    finally:
        simulator.close()


def write_shots(path: Path, shots: Sequence[Shot]) -> None:
    """Write frames to one file."""
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "poses": np.array([s.T_map_camera for s in shots]),
        "stamps": np.array([s.stamp_ns for s in shots]),
    }
    for name in ("color", "depth", "instances"):
        blobs = [getattr(s, name) for s in shots]
        arrays[name] = np.frombuffer(b"".join(blobs), dtype=np.uint8)
        arrays[f"{name}_ends"] = np.cumsum([len(b) for b in blobs])
    temporary = path.with_suffix(".writing.npz")
    np.savez(temporary, **arrays)  # type: ignore[arg-type]
    temporary.replace(path)


def read_shots(path: Path) -> list[Shot]:
    """Frames that `write_shots` wrote."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    images = []
    for name in ("color", "depth", "instances"):
        ends = [0, *arrays[f"{name}_ends"].tolist()]
        data = arrays[name].tobytes()
        images.append([data[a:b] for a, b in itertools.pairwise(ends)])
    return [
        Shot(*blobs, T_map_camera=T, stamp_ns=int(stamp))
        for *blobs, T, stamp in zip(*images, arrays["poses"], arrays["stamps"], strict=True)
    ]


# --- observations ---------------------------------------------------------------------------------------------------------


def observe(
    shot: Shot, camera: Camera, labels: Mapping[int, str], noise: DetectionNoise, rng: np.random.Generator
) -> tuple[Observation, tuple[int, ...]]:
    """What the memory gets of a frame, and the instance of every detection, which only scoring may know."""
    instances, depth, T = shot.instance_image(), shot.depth_image(), shot.T_map_camera
    color = cv2.cvtColor(cv2.imdecode(np.frombuffer(shot.color, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    names = sorted(set(labels.values()))
    kept: list[Detection] = []
    of: list[int] = []
    for detection in detections_from_instances(instances, labels, rng):
        x0, y0, x1, y1 = detection.box
        instance = int(instances[y0:y1, x0:x1][detection.full_mask][0])
        if rng.random() < noise.missed:
            continue
        found: Detection | None = detection
        if rng.random() < noise.mislabelled:
            others = [name for name in names if name != detection.label]
            found = replace(detection, label=others[int(rng.integers(len(others)))])
        if noise.mask_px and found is not None:
            found = _worn(found, int(rng.integers(-noise.mask_px, noise.mask_px + 1)), camera)
        if found is not None:
            kept.append(found)
            of.append(instance)
    if noise.kinect:
        depth = noisy_depth(depth, camera, rng)
    if noise.translation or noise.rotation:
        T = _shaken(T, noise, rng)
    frame = Frame(color, depth, camera, T, shot.stamp_ns)
    return Observation(frame, tuple(kept), color_jpeg=shot.color), tuple(of)


def _worn(detection: Detection, pixels: int, camera: Camera) -> Detection | None:
    """The detection with its mask dilated (or eroded, if negative) by some pixels; None: nothing is left."""
    reach = abs(pixels)
    x0, y0, x1, y1 = detection.box
    low_x, low_y = max(0, x0 - reach), max(0, y0 - reach)
    high_x, high_y = min(camera.width, x1 + reach), min(camera.height, y1 + reach)
    mask = np.zeros((high_y - low_y, high_x - low_x), dtype=np.uint8)
    mask[y0 - low_y : y1 - low_y, x0 - low_x : x1 - low_x] = detection.full_mask
    if reach:
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
        # The image's border is no edge of the thing: erosion does not begin there.
        mask = cv2.dilate(mask, disc) if pixels > 0 else cv2.erode(mask, disc, borderType=cv2.BORDER_REPLICATE)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    a, b, c, d = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
    return replace(detection, box=(low_x + a, low_y + b, low_x + c, low_y + d), mask=mask[b:d, a:c].astype(np.bool_))


def _shaken(T: Array, noise: DetectionNoise, rng: np.random.Generator) -> Array:
    axis = rng.standard_normal(3)
    axis *= noise.rotation * float(rng.standard_normal()) / max(float(np.linalg.norm(axis)), 1e-9)
    shaken = T.copy()
    shaken[:3, :3] = cv2.Rodrigues(axis)[0] @ T[:3, :3]
    shaken[:3, 3] += noise.translation * rng.standard_normal(3)
    return shaken


# --- a memory that goes on the tour -----------------------------------------------------------------------------------------


class Walk:
    """A scene memory in a folder of its own that is shown frames, and what only scoring may know of them.

    Attributes:
        scene: the memory.
        sources: {object id: instances that its detections were of, with how often}; of objects that were merged, together.
        shown: in how many frames each instance showed enough of itself within range.
        visible: {keyframe id: {object id: confidence}} of all keyframes, after merges.
        shot_of: frame of every keyframe id.
    """

    def __init__(self, camera: Camera, noise: DetectionNoise, seed: int, parameters: SceneParameters | None = None):
        self._folder = tempfile.TemporaryDirectory(prefix="loci-bench-")
        self._store = Store.open(Path(self._folder.name) / "memory")
        self._keyframes = Keyframes(self._store)
        self.scene = SceneMemory(self._store, self._keyframes, parameters)
        self.camera, self.noise = camera, noise
        self._seed, self._n = seed, 0
        self.sources: dict[str, Counter[int]] = defaultdict(Counter)
        self.shown: Counter[int] = Counter()
        self.visible: dict[str, dict[str, float]] = {}
        self.shot_of: dict[str, Shot] = {}

    def __enter__(self) -> Walk:
        return self

    def __exit__(self, *_: object) -> None:
        self._store.close()
        self._folder.cleanup()

    def show(self, shot: Shot, labels: Mapping[int, str]) -> None:
        """Let the memory observe a frame."""
        self._n += 1
        rng = np.random.default_rng([self._seed, self._n])
        observation, of = observe(shot, self.camera, labels, self.noise, rng)
        depth = shot.depth_image()
        near = np.bincount(shot.instance_image()[(depth > 0) & (depth <= COUNTED_RANGE)])
        self.shown.update(i for i in np.flatnonzero(near >= self.noise.counted_px).tolist() if i)
        keyframe = self._keyframes.add(observation, session="bench", map_id="bench")
        self.shot_of[keyframe.id] = shot
        update = self.scene.observe(observation, keyframe)
        self._follow(update.merged)
        seen = self.visible[keyframe.id] = {}
        for object_id, instance, d in zip(update.seen, of, observation.detections, strict=True):
            if object_id is not None:
                self.sources[object_id][instance] += 1
                seen[object_id] = max(d.score, seen.get(object_id, 0.0))

    def time(self, observation: Observation, stamp_ns: int) -> float:
        """Seconds that the memory takes for a frame that it sees at another time; storing its images is not counted."""
        observation = replace(observation, frame=replace(observation.frame, stamp_ns=stamp_ns))
        keyframe = self._keyframes.add(observation, session="bench", map_id="bench")
        began = perf_counter()
        self._follow(self.scene.observe(observation, keyframe).merged)
        return perf_counter() - began

    def finish(self, stamp_ns: int) -> None:
        """Maintain the memory as after a long pause, so that what was never confirmed goes."""
        self._follow(self.scene.maintain(stamp_ns))
        self.scene.save()

    def objects(self) -> tuple[SceneObject, ...]:
        """What the memory knows."""
        return self.scene.objects()

    def instance_of(self, object_id: str) -> int:
        """The instance that most of an object's detections were of; 0: none."""
        counts = self.sources.get(object_id)
        return counts.most_common(1)[0][0] if counts else 0

    def _follow(self, merged: Mapping[str, str]) -> None:
        for old, new in merged.items():
            self.sources[new].update(self.sources.pop(old, Counter()))
            for seen in self.visible.values():
                if old in seen:
                    seen[new] = max(seen.pop(old), seen.get(new, 0.0))


# --- matching with the truth -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Match:
    """Objects beside the truth.

    Attributes:
        pairs: (object, thing): right label, right centre, one to one.
        missed: counted things without an object, each with why.
        wrong: objects without a thing, each with why.
        ignored: objects without a thing that show one which does not count.
        n_counted: things that count.
        duplicates: objects beyond the first that show the same instance.
    """

    pairs: tuple[tuple[SceneObject, SceneThing], ...]
    missed: tuple[tuple[SceneThing, str], ...]
    wrong: tuple[tuple[SceneObject, str], ...]
    ignored: tuple[SceneObject, ...]
    n_counted: int
    duplicates: int


def centre_error(o: SceneObject, t: SceneThing) -> float:
    """Distance of the centres [m]."""
    return float(np.linalg.norm(np.subtract(o.center, t.center)))


def tolerance(t: SceneThing) -> float:
    """How far off a right centre may be [m]."""
    return max(MAX_ERROR, MAX_ERROR_SHARE * float(np.linalg.norm(t.size)))


def match(objects: Sequence[SceneObject], truth: Sequence[SceneThing], walk: Walk) -> Match:
    """Objects and things of the same label with near centres, one to one, as many as possible."""
    value = np.zeros((len(objects), len(truth)))
    for i, o in enumerate(objects):
        for j, t in enumerate(truth):
            if o.label == t.category and (error := centre_error(o, t)) <= tolerance(t):
                value[i, j] = 2.0 - error / tolerance(t)
    rows, columns = linear_sum_assignment(value, maximize=True)
    found = {int(i): int(j) for i, j in zip(rows, columns, strict=True) if value[i, j] > 0}
    counted = {t.instance for t in truth if walk.shown[t.instance] >= COUNTED_FRAMES}
    of = [walk.instance_of(o.id) for o in objects]
    by_instance = {t.instance: t for t in truth}
    matched = {truth[j].instance for j in found.values()}
    wrong, ignored = [], []
    for i, o in enumerate(objects):
        if i in found:
            continue
        if of[i] in by_instance and of[i] not in counted:
            ignored.append(o)
        else:
            wrong.append((o, _why(o, by_instance.get(of[i]), of[i] in matched)))
    missed = []
    for t in truth:
        if t.instance not in counted or t.instance in matched:
            continue
        own = [o for o, instance in zip(objects, of, strict=True) if instance == t.instance]
        if own:
            missed.append((t, " / ".join(_why(o, t, False) for o in own)))
        else:
            partly = [o for o in objects if walk.sources[o.id][t.instance]]
            missed.append((t, f"fused into {partly[0].label} {partly[0].id}" if partly else "never an object"))
    n_duplicates = len(objects) - len(set(of))
    pairs = tuple((objects[i], truth[j]) for i, j in found.items())
    return Match(pairs, tuple(missed), tuple(wrong), tuple(ignored), len(counted), n_duplicates)


def _why(o: SceneObject, t: SceneThing | None, is_matched: bool) -> str:
    if t is None:
        return "shows nothing"
    if o.label != t.category:
        return f"label {o.label}"
    size = "x".join(f"{v:.2f}" for v in o.size)
    true = "x".join(f"{v:.2f}" for v in t.size)
    off = f"centre {centre_error(o, t):.2f} m off (of {tolerance(t):.2f}), {size} for {true}, {o.n_detections} views"
    return f"duplicate, {off}" if is_matched else off


def box_iou(o: SceneObject, t: SceneThing) -> float:
    """Intersection over union of two boxes that turn about the vertical axis."""
    z = min(o.center[2] + o.size[2] / 2, t.center[2] + t.size[2] / 2)
    z -= max(o.center[2] - o.size[2] / 2, t.center[2] - t.size[2] / 2)
    origin = t.center[:2]  # float32 is coarse far from the origin

    def rectangle(T: Array, size: Sequence[float]) -> tuple[tuple[float, float], tuple[float, float], float]:
        x, y = (T[:2, 3] - origin).tolist()
        return (x, y), (float(size[0]), float(size[1])), float(np.degrees(np.arctan2(T[1, 0], T[0, 0])))

    _, corners = cv2.rotatedRectangleIntersection(rectangle(o.T_map_box, o.size), rectangle(t.T_map_box, t.size))
    if z <= 0 or corners is None:
        return 0.0
    common = cv2.contourArea(cv2.convexHull(corners)) * z
    return float(common / (np.prod(o.size) + np.prod(t.size) - common))
