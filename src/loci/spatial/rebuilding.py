"""An octree made anew from the stored depth of keyframes, after their poses changed: all of it, or only what is touched.

A brick follows from the scans that say something about it, in their order. So those that no corrected keyframe saw or sees
stay as they are; the others are made of all keyframes that may see them. What runs when, and the swap, is the caller's.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt
import torch

from loci.keyframes import Keyframe
from loci.spatial.octree import Octree
from loci.store.errors import StoreError

log = logging.getLogger("loci.spatial")

#: Depth image (H, W) float32 [m] of a keyframe by its id; StoreError where it cannot be read.
DepthOf = Callable[[str], npt.NDArray[np.float32]]
#: If more of the keyframes moved than this, hardly a brick would be left alone: all are made anew.
MAX_MOVED_SHARE = 0.5


class Stopped(Exception):  # noqa: N818
    """The work was called off."""


def check_going(stop: threading.Event) -> None:
    """Raises:
    Stopped: the event is set.
    """
    if stop.is_set():
        raise Stopped


def poses_digest(keyframes: Iterable[Keyframe]) -> str:
    """What tells octrees made of other keyframes, or of other poses, apart: SHA-256, hexadecimal."""
    digest = hashlib.sha256()
    for keyframe in keyframes:
        digest.update(f"{keyframe.id}\n".encode())
        digest.update(np.ascontiguousarray(keyframe.T_map_camera, dtype="<f8").tobytes())
    return digest.hexdigest()


def integrate_stored(octree: Octree, keyframe: Keyframe, depth_of: DepthOf, within: torch.Tensor | None = None) -> None:
    """Take a keyframe's stored depth into an octree; one whose file is damaged says nothing, with a warning.

    Args:
        octree: written to.
        keyframe: with the pose to use.
        depth_of: reads depth images.
        within: (B,) keys of the only bricks that are changed; None: all.
    """
    if within is None or octree.may_see(keyframe.camera, keyframe.T_map_camera, within):
        try:
            depth = depth_of(keyframe.id)
        except StoreError as error:
            log.warning("the octree is made without %s: %s", keyframe.id, error)
        else:
            octree.integrate(depth, keyframe.camera, keyframe.T_map_camera, keyframe.stamp_ns, within=within)
            return
    octree.pass_over(keyframe.stamp_ns)


def touched_bricks(
    before: Sequence[Keyframe],
    after: Sequence[Keyframe],
    depth_of: DepthOf,
    empty: Octree,
    stop: threading.Event,
) -> torch.Tensor | None:
    """Which bricks differ between octrees of the same keyframes with other poses.

    Args:
        before, after: keyframes in the order of their integration.
        depth_of: reads depth images.
        empty: an octree of the right parameters that nobody else uses; not changed.
        stop: calls the work off.

    Returns:
        (B,) ascending keys; None: all may differ, since the keyframes are not the same ones or most of them moved.

    Raises:
        Stopped: it was called off.
    """
    if [k.id for k in before] != [k.id for k in after]:
        return None
    moved = [(a, b) for a, b in zip(before, after, strict=True) if not np.array_equal(a.T_map_camera, b.T_map_camera)]
    if len(moved) > MAX_MOVED_SHARE * len(after):
        return None
    touched = [torch.zeros(0, dtype=torch.int64, device=empty.device)]
    for old, new in moved:
        check_going(stop)
        if new.is_faded:
            continue  # its depth was forgotten: what it showed stays where it was
        try:
            depth = depth_of(new.id)
        except StoreError as error:
            log.warning("which voxels %s showed is not known, all are made anew: %s", new.id, error)
            return None
        touched += [empty.seen_bricks(depth, k.camera, k.T_map_camera) for k in (old, new)]
    return torch.unique(torch.cat(touched))


class BackgroundJob:
    """Work on a thread of its own, which can be called off and waited for.

    Args:
        work: gets the event that calls it off; may raise `Stopped`. Other errors are logged.
        name: of the thread.
    """

    def __init__(self, work: Callable[[threading.Event], None], name: str) -> None:
        self._work = work
        self._stop = threading.Event()
        # No daemon: at the interpreter's end, compiled code must not be running on.
        self._thread = threading.Thread(target=self._run, name=name)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._work(self._stop)
        except Stopped:
            log.debug("%s was called off", self._thread.name)
        except Exception:
            log.exception("%s failed; what was there before stays in use", self._thread.name)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._thread.is_alive()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for its end, at most ``timeout`` seconds; whether it has ended."""
        self._thread.join(timeout)
        return not self.is_running

    def call_off(self) -> None:
        """Stop it, and wait until it has stopped."""
        self._stop.set()
        self._thread.join()
