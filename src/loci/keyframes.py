"""The keyframes that every memory hangs on: poses that may be corrected later, with their images.

Only keyframes are integrated and kept; objects, places and episodes store the id of theirs and a pose relative to it.
Images lie in the store; all else is in memory too, so that no reader waits for the disk. One thread writes.
"""

from __future__ import annotations

import dataclasses
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from loci.geometry import Array, Camera, check_pose, invert_pose, project, rotation_angle, transform_points
from loci.observation import Observation
from loci.store.errors import StoreError
from loci.store.store import Record, Store
from loci.store.vectors import GrowingArray

KIND = "keyframe"
_JPEG_QUALITY = 90
_CACHED_DEPTHS = 8


class FadedError(StoreError):
    """The images of a keyframe were forgotten under the memory's byte budget; nothing is damaged."""


@dataclass(frozen=True)
class KeyframeParameters:
    """When a frame becomes a keyframe.

    Attributes:
        translation: the camera moved further than this [m].
        rotation: it turned by more than this [rad].
        changed_depth: a point counts as changed if its depth differs by more than this [m] ...
        changed_depth_relative: ... and by more than this share of its distance, where sensors are noisy.
        changed_share: more than this share of the points changed: something moved in front of a camera at rest.
        grid: the comparison looks at every so-many-th row and column [px].
    """

    translation: float = 0.1
    rotation: float = float(np.radians(10.0))
    changed_depth: float = 0.1
    changed_depth_relative: float = 0.04
    changed_share: float = 0.05
    grid: int = 16

    def __post_init__(self) -> None:
        for name in ("translation", "rotation", "changed_depth", "changed_depth_relative", "changed_share", "grid"):
            if not getattr(self, name) > 0:
                raise ValueError(f"expected {name} > 0, got {getattr(self, name)}")


_PARAMETERS = KeyframeParameters()


@dataclass(frozen=True)
class Keyframe:
    """One image that was kept, with its pose.

    Attributes:
        id: "keyframe/88".
        session, map_id: when the robot was started, and which map the pose refers to.
        stamp_ns: time of the image [ns].
        camera, camera_name: rectified intrinsics of both images, and which camera it was.
        T_map_camera: (4, 4) pose of the camera's optical frame, as corrected last.
        color_blob, depth_blob: digests of the JPEG and of the depth image (16-bit PNG, millimetres); empty: faded (see `fade`).
        labels: categories seen in it, each once, sorted.
        object_ids: objects seen in it.
        place: id of the place where it was taken; empty: none.
        embedding: (D,) float32 of the image, or None.
        depth_grid: (h, w) float32 [m], every so-many-th row and column of the depth, to compare later frames with; None
            in a memory that was reopened.
        grid: how many rows and columns apart these are [px].
    """

    id: str
    session: str
    map_id: str
    stamp_ns: int
    camera: Camera
    camera_name: str
    T_map_camera: Array = field(repr=False)
    color_blob: str
    depth_blob: str
    labels: tuple[str, ...] = ()
    object_ids: tuple[str, ...] = ()
    place: str = ""
    embedding: npt.NDArray[np.float32] | None = field(default=None, repr=False)
    depth_grid: npt.NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    grid: int = 16

    @property
    def is_faded(self) -> bool:
        """Whether its images were forgotten, and only words, pose and embedding are left."""
        return not self.color_blob


class Keyframes:
    """All keyframes of a memory. Changes are durable after the store's `commit`.

    Args:
        store: where they are kept; those in it are loaded.
        grid: sampling of `Keyframe.depth_grid` [px].
    """

    def __init__(self, store: Store, grid: int = KeyframeParameters.grid) -> None:
        self._store = store
        self._grid = grid
        self._by_id: dict[str, Keyframe] = {record.id: _from_record(record) for record in store.records(KIND)}
        # Poses as rows, (N, 4, 4) float64, to compare views as a whole; NaN: removed. Used by the writer only.
        self._pose_rows = GrowingArray((4, 4), np.float64)
        self._row_of: dict[str, int] = {}
        self._id_of_row: list[str] = []
        self._newest: dict[str, int] = {}  # stamp of the keyframe taken last, by map
        for keyframe in self._by_id.values():
            self._note(keyframe)
        self._depths: OrderedDict[str, npt.NDArray[np.float32]] = OrderedDict()
        self._depths_lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, id: object) -> bool:
        return id in self._by_id

    def get(self, id: str) -> Keyframe:
        """Raises:
        KeyError: there is no such keyframe.
        """
        try:
            return self._by_id[id]
        except KeyError:
            raise KeyError(f"there is no keyframe {id!r} in memory {self._store.name}") from None

    def ids(self, map_id: str | None = None) -> tuple[str, ...]:
        """Ids in the order in which they were taken; only those of a map, if one is given."""
        return tuple(k.id for k in self.all() if map_id is None or k.map_id == map_id)

    def all(self) -> tuple[Keyframe, ...]:
        """All keyframes in the order in which they were taken."""
        return tuple(self._by_id.values())

    def pose(self, id: str) -> Array:
        """``T_map_camera`` (4, 4) as corrected last.

        Raises:
            KeyError: there is no such keyframe.
        """
        try:
            return self._by_id[id].T_map_camera  # asked for all keyframes at once: without the detour over `get`
        except KeyError:
            return self.get(id).T_map_camera

    def color_jpeg(self, id: str) -> bytes:
        """The colour image.

        Raises:
            KeyError: there is no such keyframe.
            StoreError: its file is missing or damaged.
        """
        return self._store.blob(self._with_images(id).color_blob)

    def depth(self, id: str) -> npt.NDArray[np.float32]:
        """The depth image, (H, W) float32 [m], 0 where nothing was measured; exact to half a millimetre; read-only.

        Raises:
            KeyError: there is no such keyframe.
            StoreError: its file is missing or damaged.
        """
        digest = self._with_images(id).depth_blob
        with self._depths_lock:
            if digest in self._depths:
                self._depths.move_to_end(digest)
                return self._depths[digest]
        depth = decode_depth(self._store.blob(digest))
        depth.flags.writeable = False
        with self._depths_lock:
            self._depths[digest] = depth
            while len(self._depths) > _CACHED_DEPTHS:
                self._depths.popitem(last=False)
        return depth

    def _with_images(self, id: str) -> Keyframe:
        keyframe = self.get(id)
        if keyframe.is_faded:
            raise FadedError(f"the images of {id} were forgotten, because the memory may not grow any more")
        return keyframe

    def fade(self, id: str) -> None:
        """Forget the images of a keyframe; pose, labels and embedding stay. Harmless if they are gone already.

        Raises:
            KeyError: there is no such keyframe.
        """
        keyframe = self.get(id)
        if keyframe.is_faded:
            return
        with self._depths_lock:
            self._depths.pop(keyframe.depth_blob, None)
        self._put(dataclasses.replace(keyframe, color_blob="", depth_blob=""))

    def image_bytes(self, id: str) -> int:
        """Bytes of both images on disk; 0 if they were forgotten, or their files are missing.

        Raises:
            KeyError: there is no such keyframe.
        """
        keyframe = self.get(id)
        return sum(self._store.blob_size(b) for b in (keyframe.color_blob, keyframe.depth_blob) if b)

    def add(
        self, observation: Observation, *, session: str, map_id: str, place: str = "", object_ids: Sequence[str] = ()
    ) -> Keyframe:
        """Keep the images and the pose of an observation as a new keyframe."""
        frame = observation.frame
        jpeg = observation.color_jpeg if observation.color_jpeg is not None else encode_color(frame.color)
        keyframe = Keyframe(
            id=self._store.new_id(KIND),
            session=session,
            map_id=map_id,
            stamp_ns=frame.stamp_ns,
            camera=frame.camera,
            camera_name=frame.camera_name,
            T_map_camera=frame.T_map_camera,
            color_blob=self._store.put_blob(jpeg),
            depth_blob=self._store.put_blob(encode_depth(frame.depth)),
            labels=tuple(sorted({d.label for d in observation.detections if d.label})),
            object_ids=tuple(object_ids),
            place=place,
            embedding=observation.embedding,
            depth_grid=np.ascontiguousarray(_sample(frame.depth, self._grid)),
            grid=self._grid,
        )
        self._put(keyframe)
        return keyframe

    def replace(self, id: str, /, **changes: Any) -> Keyframe:
        """Change fields of a keyframe (not its id); the new state of it.

        Raises:
            KeyError: there is no such keyframe.
            ValueError: a field that does not exist or may not change, or a pose that is none.
        """
        wrong = set(changes) - ({f.name for f in dataclasses.fields(Keyframe)} - {"id"})
        if wrong:
            raise ValueError(f"expected fields of a keyframe (other than its id), got {', '.join(sorted(wrong))}")
        if "T_map_camera" in changes:
            changes["T_map_camera"] = check_pose(changes["T_map_camera"], f"pose of {id}")
        keyframe = dataclasses.replace(self.get(id), **changes)
        self._put(keyframe)
        return keyframe

    def correct_poses(self, poses: Mapping[str, npt.ArrayLike]) -> dict[str, Array]:
        """Give keyframes better poses: all of them, or, if one is wrong, none.

        Args:
            poses: ``T_map_camera`` (4, 4) by keyframe id.

        Returns:
            By id, ``T_new @ inv(T_old)``: what moves map points seen from it to where they belong.

        Raises:
            KeyError: there is no such keyframe.
            ValueError: a pose that is none.
        """
        checked = {id: check_pose(pose, f"pose of {id}") for id, pose in poses.items()}
        before = {id: self.pose(id) for id in checked}
        for id, pose in checked.items():
            self._put(dataclasses.replace(self._by_id[id], T_map_camera=pose))
        return {id: pose @ invert_pose(before[id]) for id, pose in checked.items()}

    def replace_objects(self, changed: Mapping[str, str | None]) -> int:
        """Rename objects (old id -> new id; None: gone) in all keyframes; how many changed."""
        affected = [k for k in self.all() if any(i in changed for i in k.object_ids)]
        for keyframe in affected:
            ids = (changed.get(i, i) for i in keyframe.object_ids)
            self._put(dataclasses.replace(keyframe, object_ids=tuple(dict.fromkeys(i for i in ids if i))))
        return len(affected)

    def newest_map_id(self) -> str:
        """Map of the keyframe taken last; empty: there is none."""
        return next(reversed(self._newest), "")

    def newest_id(self, map_id: str) -> str:
        """Keyframe taken last in a map; empty: there is none."""
        return next((k.id for k in reversed(self._by_id.values()) if k.map_id == map_id), "")

    def order(self, id: str) -> int:
        """Number of a keyframe in the order in which they were taken in.

        Raises:
            KeyError: there is no such keyframe.
        """
        return self._row_of[self.get(id).id]

    def newest_stamp_ns(self, map_id: str) -> int:
        """Stamp of the keyframe taken last in a map [ns]; 0: there is none."""
        return self._newest.get(map_id, 0)

    def best_view(self, point: npt.ArrayLike, map_id: str, max_distance: float = 5.0) -> str:
        """Keyframe that shows a point best: near, in the middle of the image and not behind something else.

        Args:
            point: (3,) [m], map frame.
            map_id: only keyframes of this map.
            max_distance: farthest [m].

        Returns:
            Its id; empty if none has the point in its image and range.
        """
        target = np.asarray(point, dtype=np.float64)
        T = np.asarray(self._pose_rows.view())  # (N, 4, 4)
        away = target - T[:, :3, 3]
        distance = np.linalg.norm(away, axis=1)
        ahead = np.einsum("ni,ni->n", away, T[:, :3, 2])  # along the optical axis
        with np.errstate(invalid="ignore", divide="ignore"):
            score = ahead / distance - 0.1 * distance
            score[~((ahead > 0.5 * distance) & (distance > 0.2) & (distance <= max_distance))] = -np.inf
        hidden = ""
        for row in np.argsort(-score, kind="stable"):
            if not np.isfinite(score[row]):
                break
            keyframe = self._by_id[self._id_of_row[row]]
            usable = keyframe.map_id == map_id and not keyframe.is_faded
            shown = _shows(keyframe, target) if usable else None
            if shown:
                return keyframe.id
            if shown is False:
                hidden = hidden or keyframe.id
        return hidden

    def earlier_views(
        self, point: npt.ArrayLike, before: str, max_distance: float = 3.5, limit: int = 4
    ) -> list[Keyframe]:
        """Keyframes that had a point in their image before another keyframe was taken, in its map, newest first.

        Args:
            point: (3,) [m], map frame.
            before: id of the keyframe.
            max_distance: farthest along the optical axis [m].
            limit: at most so many.

        Raises:
            KeyError: there is no such keyframe.
        """
        last = self.get(before)
        n = self._row_of[before]
        target = np.asarray(point, dtype=np.float64)
        T = np.asarray(self._pose_rows.view())[:n]  # (N, 4, 4)
        away = target - T[:, :3, 3]
        with np.errstate(invalid="ignore"):
            ahead = np.einsum("ni,ni->n", away, T[:, :3, 2])  # along the optical axis
            rows = np.flatnonzero((ahead > 0.2) & (ahead <= max_distance))
        found: list[Keyframe] = []
        for row in rows[::-1].tolist():
            keyframe = self._by_id[self._id_of_row[row]]
            if keyframe.map_id == last.map_id and _shows(keyframe, target):
                found.append(keyframe)
                if len(found) == limit:
                    break
        return found

    def remove(self, id: str) -> None:
        """Take a keyframe out; its images go when the store commits (`Store.purge` wipes them).

        Raises:
            KeyError: there is no such keyframe.
        """
        digest = self.get(id).depth_blob
        del self._by_id[id]
        self._pose_rows.view()[self._row_of.pop(id)] = np.nan
        with self._depths_lock:
            self._depths.pop(digest, None)
        self._store.delete(KIND, id)

    def _put(self, keyframe: Keyframe) -> None:
        keyframe.T_map_camera.flags.writeable = False
        fields = {
            "camera": dataclasses.asdict(keyframe.camera),
            "camera_name": keyframe.camera_name,
            "T_map_camera": keyframe.T_map_camera.tolist(),
            "color": keyframe.color_blob,
            "depth": keyframe.depth_blob,
            "labels": keyframe.labels,
            "object_ids": keyframe.object_ids,
            "place": keyframe.place,
        }
        self._store.put(
            KIND,
            keyframe.id,
            fields,
            stamp_ns=keyframe.stamp_ns,
            session=keyframe.session,
            map_id=keyframe.map_id,
            arrays={} if keyframe.embedding is None else {"embedding": keyframe.embedding},
            blobs=tuple(b for b in (keyframe.color_blob, keyframe.depth_blob) if b),
        )
        self._by_id[keyframe.id] = keyframe
        self._note(keyframe)

    def _note(self, keyframe: Keyframe) -> None:
        row = self._row_of.get(keyframe.id)
        if row is not None:
            self._pose_rows.view()[row] = keyframe.T_map_camera
            return
        self._row_of[keyframe.id] = self._pose_rows.append(keyframe.T_map_camera)
        self._id_of_row.append(keyframe.id)
        self._newest.pop(keyframe.map_id, None)  # so that the order of maps is that of their newest keyframes
        self._newest[keyframe.map_id] = keyframe.stamp_ns


def _shows(keyframe: Keyframe, target: Array) -> bool | None:
    """Whether a keyframe shows a map point; False: something is in front of it; None: it is outside the image."""
    pixel, z = project(transform_points(invert_pose(keyframe.T_map_camera), target), keyframe.camera)
    if not (0 <= pixel[0] < keyframe.camera.width and 0 <= pixel[1] < keyframe.camera.height):
        return None
    if keyframe.depth_grid is None:
        return True
    row, column = (min(int(pixel[i]) // keyframe.grid, keyframe.depth_grid.shape[1 - i] - 1) for i in (1, 0))
    measured = float(keyframe.depth_grid[row, column])
    return measured == 0.0 or measured > float(z) - 0.3


def is_keyframe(observation: Observation, last: Keyframe | None, parameters: KeyframeParameters = _PARAMETERS) -> bool:
    """Whether a frame shows enough that is new to be kept.

    Args:
        observation: the frame.
        last: the newest keyframe of the *same camera* and session; None: there is none.
        parameters: what is enough.
    """
    frame = observation.frame
    if last is None or (frame.map_id and frame.map_id != last.map_id) or frame.camera != last.camera:
        return True
    T_last_camera = invert_pose(last.T_map_camera) @ frame.T_map_camera
    if float(np.linalg.norm(T_last_camera[:3, 3])) > parameters.translation:
        return True
    if rotation_angle(last.T_map_camera, frame.T_map_camera) > parameters.rotation:
        return True
    return changed_share(frame.depth, T_last_camera, last, parameters) > parameters.changed_share


def changed_share(
    depth: npt.NDArray[np.float32], T_last_camera: Array, last: Keyframe, parameters: KeyframeParameters
) -> float:
    """Share of a keyframe's points that a new image shows elsewhere.

    The keyframe's coarse points are moved into the new camera and compared with the depth measured there: with all of
    the 3 x 3 pixels of the coarse grid around, so that edges seen from a slightly other side do not count as change.

    Args:
        depth: (H, W) [m], the new image.
        T_last_camera: (4, 4), from the new camera to the keyframe's.
        last: a keyframe of the same camera.

    Returns:
        [0, 1]; 0 if too little is comparable (under 5 % of the grid).
    """
    if last.depth_grid is None:
        return 0.0
    camera, step = last.camera, last.grid
    rows, columns = np.indices(last.depth_grid.shape) * step + step // 2
    z = last.depth_grid
    points = np.stack([(columns - camera.cx) / camera.fx * z, (rows - camera.cy) / camera.fy * z, z], axis=-1)[z > 0]
    moved = transform_points(invert_pose(T_last_camera), points)  # (n, 3), new camera frame
    moved = moved[moved[:, 2] > 0.05]
    u = np.round(camera.fx * moved[:, 0] / moved[:, 2] + camera.cx).astype(np.int64)
    v = np.round(camera.fy * moved[:, 1] / moved[:, 2] + camera.cy).astype(np.int64)
    inside = (u >= 0) & (u < depth.shape[1]) & (v >= 0) & (v < depth.shape[0])
    u, v, expected = u[inside], v[inside], moved[inside, 2]
    offsets = np.array([-1, 0, 1]) * max(1, step // 2)
    around_u = np.clip(u[:, None] + np.tile(offsets, 3), 0, depth.shape[1] - 1)  # (n, 9)
    around_v = np.clip(v[:, None] + np.repeat(offsets, 3), 0, depth.shape[0] - 1)
    measured = depth[around_v, around_u]  # (n, 9)
    comparable = measured[:, 4] > 0
    if np.count_nonzero(comparable) < 0.05 * last.depth_grid.size:
        return 0.0
    measured, expected = measured[comparable], expected[comparable]
    difference = np.abs(measured - expected[:, None])
    difference[measured == 0] = np.inf
    limit = np.maximum(parameters.changed_depth, parameters.changed_depth_relative * expected)
    return float(np.mean(difference.min(axis=1) > limit))


def encode_color(color: npt.NDArray[np.uint8]) -> bytes:
    """JPEG of an RGB image (H, W, 3) uint8."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(color, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not done:
        raise ValueError(f"expected an RGB image that can be a JPEG, got {color.shape} {color.dtype}")
    return data.tobytes()


def encode_depth(depth: npt.NDArray[np.float32]) -> bytes:
    """16-bit PNG in millimetres of a depth image (H, W) [m] with 0 for "nothing measured"."""
    # Fast and no larger: PNG's filters are made for 8-bit photographs, and trying them all takes twice as long.
    flags = [cv2.IMWRITE_PNG_COMPRESSION, 1]
    if hasattr(cv2, "IMWRITE_PNG_FILTER"):  # OpenCV >= 4.12
        flags += [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE]
    done, data = cv2.imencode(".png", _millimetres(depth), flags)
    if not done:
        raise ValueError(f"expected a depth image (H, W), got {depth.shape} {depth.dtype}")
    return data.tobytes()


def quantize_depth(depth: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """A depth image (H, W) [m] as `decode_depth` will give it back: a map built from it can be rebuilt exactly."""
    return _metres(_millimetres(depth))


def _millimetres(depth: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    return np.minimum(depth * np.float32(1000.0) + np.float32(0.5), np.float32(65534.0)).astype(np.uint16)


def _metres(millimetres: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    # Not through `clean_depth`: 60.000 m are a little more than its limit of 60 m in float32, and would be lost.
    return np.asarray(millimetres, dtype=np.float32) * np.float32(0.001)


def decode_depth(data: bytes) -> npt.NDArray[np.float32]:
    """Depth (H, W) float32 [m] from `encode_depth`.

    Raises:
        StoreError: it is not a 16-bit PNG.
    """
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if image is None or image.dtype != np.uint16 or image.ndim != 2:
        raise StoreError(f"expected a 16-bit PNG with depth, got {len(data)} other bytes")
    return _metres(image)


def _sample(depth: npt.NDArray[np.float32], step: int) -> npt.NDArray[np.float32]:
    return depth[step // 2 :: step, step // 2 :: step]


def _from_record(record: Record) -> Keyframe:
    fields = record.fields
    camera = dict(fields["camera"])
    camera["distortion"] = tuple(camera["distortion"])
    return Keyframe(
        id=record.id,
        session=record.session,
        map_id=record.map_id,
        stamp_ns=record.stamp_ns,
        camera=Camera(**camera),
        camera_name=fields["camera_name"],
        T_map_camera=np.array(fields["T_map_camera"], dtype=np.float64).reshape(4, 4),
        color_blob=fields["color"],
        depth_blob=fields["depth"],
        labels=tuple(fields["labels"]),
        object_ids=tuple(fields["object_ids"]),
        place=fields["place"],
        embedding=record.arrays.get("embedding"),
    )
