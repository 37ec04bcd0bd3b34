"""`MemoryHost`: owns the one `RobotMemory` of a process and feeds it.

Callbacks only put observations into a bounded queue; one worker decodes them and takes them in. Queries ask for the memory
with `reading` and may wait for a stamp. Opening another memory waits until nobody reads the old one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from loci.geometry import check_pose
from loci.memory import MemoryParameters, RobotMemory, TimeBackwardsError
from loci.nodes.conversions import from_observation, from_pose, to_ns
from loci.nodes.errors import BadInput, Code, RequestError, text_of
from loci.nodes.monitor import Monitor
from loci.nodes.queueing import Closed, DropOldest
from loci.observation import check_name
from loci.perception.protocols import ImageEncoder
from loci.perception.text import MiniLMTextEncoder

#: Longest wait for readers when another memory is opened [s].
SWITCH_TIMEOUT = 10.0


class MemoryHost:
    """One memory, one queue, one worker. All methods are thread-safe.

    Args:
        directory: folder that holds one folder per memory.
        parameters: of the memories that are opened.
        device: torch device.
        map_frame: frame that observations must be in.
        queue_size: observations that may wait.
        min_stamp_timeout: longest wait for a request's stamp [s].
        clock_jump: a stamp that goes back by more than this begins a new session [s].
        image_encoder: what embeds images where they come without an embedding, and those of questions.
        preload_text_encoder: load the text model in the background when a memory is opened first.
        monitor: counts and times what happens.
        complain: told the reason and the message of every observation that was refused.
    """

    def __init__(
        self,
        directory: Path,
        *,
        parameters: MemoryParameters,
        device: str,
        map_frame: str,
        queue_size: int,
        min_stamp_timeout: float,
        clock_jump: float,
        preload_text_encoder: bool,
        image_encoder: ImageEncoder,
        monitor: Monitor,
        complain: Callable[[str, str], None],
    ) -> None:
        self.directory = directory
        self.map_frame = map_frame
        self.parameters = parameters
        self.monitor = monitor
        self.queue: DropOldest[Any] = DropOldest(queue_size)
        self.min_stamp_timeout = min_stamp_timeout
        self._device = device
        self._text_encoder = MiniLMTextEncoder()
        self._image_encoder = image_encoder
        self._preload = preload_text_encoder
        self._clock_jump_ns = int(clock_jump * 1e9)
        self._complain = complain
        self._memory: RobotMemory | None = None
        self._changed = threading.Condition()
        self._n_readers = 0
        self._n_waiting = 0
        self._max_waiting = 4
        self._version = 0
        self._sequences: dict[str, int] = {}
        self._switching = threading.Lock()
        self._worker: threading.Thread | None = None

    # --- life ---------------------------------------------------------------------------------------------------------

    def open(self, name: str, map_id: str) -> None:
        """Open a memory and start taking observations in.

        Raises:
            ValueError: not a name.
            StoreError: locked, damaged or of a newer version.
        """
        self._memory = self._open(name, map_id)
        self._worker = threading.Thread(target=self._work, name="ingest")
        self._worker.start()
        if self._preload:
            threading.Thread(target=self._load_text_encoder, name="text encoder", daemon=True).start()

    def _load_text_encoder(self) -> None:
        try:
            self._text_encoder.load()
        except Exception as error:  # requests with text will say so again
            self._complain("text_encoder", text_of(error))

    def close(self) -> None:
        """Take in what waits, save and close. Harmless when closed already."""
        self.queue.close()
        if self._worker is not None:
            self._worker.join()
        memory = self._take_away()
        if memory is not None:
            memory.close()

    @property
    def is_open(self) -> bool:
        """Whether there is a memory to ask."""
        return self._memory is not None

    @property
    def version(self) -> int:
        """Counts up with every change of the memory's content."""
        return self._version

    def touch(self) -> None:
        """Note that the memory's content has changed by other means than an observation."""
        with self._changed:
            self._version += 1
            self._changed.notify_all()

    def path_of(self, name: str, what: str = "memory name") -> Path:
        """Folder of a memory.

        Raises:
            ValueError: not a name.
        """
        return self.directory / check_name(name, what)

    def saved_memory(self, name: str) -> Path:
        """Folder of a memory that exists.

        Raises:
            ValueError: not a name.
            LookupError: there is none.
        """
        path = self.path_of(name)
        if not (path / "manifest.json").is_file():
            known = sorted(p.parent.name for p in self.directory.glob("*/manifest.json"))
            raise LookupError(f"no memory {name!r} in {self.directory}: there are {', '.join(known) or 'none'}")
        return path

    # --- asking -------------------------------------------------------------------------------------------------------

    @contextmanager
    def reading(self, min_stamp_ns: int = 0) -> Iterator[RobotMemory]:
        """The memory, once observations up to a stamp are in; it is not closed while it is being read.

        Raises:
            RequestError: TIMEOUT: the stamp was not reached; UNAVAILABLE: no memory is open, or too many requests wait.
        """
        if min_stamp_ns:
            self._wait_for(min_stamp_ns)
        with self._changed:
            memory = self._memory
            if memory is None:
                raise RequestError(
                    Code.UNAVAILABLE, "no memory is open: configure the node `memory`, or wait until it has loaded"
                )
            self._n_readers += 1
        try:
            yield memory
        finally:
            with self._changed:
                self._n_readers -= 1
                self._changed.notify_all()

    def _wait_for(self, stamp_ns: int) -> None:
        with self._changed:
            if self.newest_stamp_ns >= stamp_ns:
                return
            if self._n_waiting >= self._max_waiting:
                raise RequestError(
                    Code.UNAVAILABLE, f"{self._n_waiting} requests wait for their min_stamp already: ask fewer at once"
                )
            self._n_waiting += 1
            try:
                reached = self._changed.wait_for(lambda: self.newest_stamp_ns >= stamp_ns, self.min_stamp_timeout)
            finally:
                self._n_waiting -= 1
            if not reached:
                newest = self.newest_stamp_ns
                behind = (
                    f"the newest is {newest} ns, {(stamp_ns - newest) * 1e-9:.3f} s older"
                    if newest
                    else "none came yet"
                )
                last = f"; last refused: {self.monitor.last_rejection}" if self.monitor.last_rejection else ""
                raise RequestError(
                    Code.TIMEOUT,
                    f"min_stamp {stamp_ns} ns was not reached within {self.min_stamp_timeout:g} s: {behind}{last}",
                )

    @property
    def newest_stamp_ns(self) -> int:
        """Stamp of the newest observation that was taken in [ns]; 0: none yet."""
        memory = self._memory
        return memory.newest_stamp_ns if memory is not None else 0

    # --- changing -----------------------------------------------------------------------------------------------------

    def submit(self, message: Any) -> None:
        """Put an observation message into the queue."""
        self.monitor.count("observations received")
        last = self._sequences.get(message.camera_name)
        if last is not None and message.sequence > last + 1:
            self.monitor.count("observations lost on the way", message.sequence - last - 1)
        self._sequences[message.camera_name] = message.sequence
        if self.queue.put(message) is not None:
            self.monitor.count("observations dropped")

    def correct_poses(self, message: Any) -> None:
        """Take corrected poses of keyframes from a PoseCorrections message.

        Raises:
            BadInput: another frame or map, or a bad pose.
            LookupError: no such keyframe.
        """
        if message.header.frame_id != self.map_frame:
            raise BadInput(
                "corrections_frame",
                f"expected corrections in map_frame {self.map_frame!r}, got {message.header.frame_id!r}",
            )
        with self.reading() as memory:
            if message.map_id and message.map_id != memory.map_id:
                raise BadInput(
                    "corrections_map", f"expected corrections of map {memory.map_id!r}, got {message.map_id!r}"
                )
            poses = {
                k.keyframe_id: check_pose(from_pose(k.pose, f"pose of {k.keyframe_id}")) for k in message.keyframes
            }
            memory.correct_poses(poses)
        self.touch()

    def load(self, name: str, map_id: str) -> tuple[str, int]:
        """Open another memory in place of the current one, which is saved; what waits in the queue goes to the other.

        Returns:
            UUID and number of keyframes of the memory that is open now.

        Raises:
            LookupError: there is no such memory; the current one stays open.
            StoreError: it cannot be opened; the current one is opened again.
        """
        with self._switching:
            path = self.saved_memory(name)
            old = self._take_away()
            old_map_id = old.map_id if old is not None else ""
            try:
                if old is not None:
                    old.close()
                memory = self._open(path.name, map_id)
            except BaseException:
                if old is not None:
                    self._put_in_place(self._open(old.name, old_map_id))
                raise
            self._put_in_place(memory)
            return memory.uuid, int(memory.statistics()["keyframes"])

    def _open(self, name: str, map_id: str) -> RobotMemory:
        self.directory.mkdir(parents=True, exist_ok=True)
        return RobotMemory.open(
            self.path_of(name),
            map_id=map_id or None,
            parameters=self.parameters,
            text_encoder=self._text_encoder,
            image_encoder=self._image_encoder,
            device=self._device,
        )

    def _take_away(self) -> RobotMemory | None:
        with self._changed:
            memory, self._memory = self._memory, None
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._n_readers == 0, SWITCH_TIMEOUT)
        return memory

    def _put_in_place(self, memory: RobotMemory) -> None:
        with self._changed:
            self._memory = memory
            self._sequences.clear()
            self._version += 1
            self._changed.notify_all()

    # --- the worker ---------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        period = self.parameters.commit_period_s
        n_rebuilds = 0  # the map follows corrected poses later than all else: then it is published anew
        while True:
            try:
                message = self.queue.get(timeout=period)
            except Closed:
                return
            try:
                if message is not None:
                    self._take_in(message)
                with self.reading() as memory:
                    memory.commit_if_due()
                    if memory.n_rebuilds != n_rebuilds:
                        n_rebuilds = memory.n_rebuilds
                        self.touch()
            except RequestError:
                # No memory is open just now: another one is being loaded.
                self.monitor.count("observations dropped", int(message is not None))
            except Exception as error:  # whatever it is, the node goes on and says so
                self.monitor.count("ingest errors")
                self._complain("ingest", f"{type(error).__name__}: {text_of(error)}")

    def _take_in(self, message: Any) -> None:
        began = time.perf_counter()
        try:
            observation = from_observation(message, self.map_frame)
            decoded = time.perf_counter()
            with self.reading() as memory:
                try:
                    result = memory.observe(observation)
                except TimeBackwardsError:
                    back_ns = memory.newest_stamp_ns - to_ns(message.header.stamp)
                    if back_ns <= self._clock_jump_ns:
                        raise
                    session = memory.begin_session()
                    self.monitor.count("clock jumps")
                    self._complain(
                        "clock_jump",
                        f"the clock went back by {back_ns * 1e-9:.3f} s (a bag that loops?): began {session}",
                    )
                    result = memory.observe(observation)
        except TimeBackwardsError as error:
            self._complain("time_backwards", str(error))
            return
        except BadInput as error:
            self._complain(error.reason, str(error))
            return
        except ValueError as error:
            self._complain("observation", str(error))
            return
        done = time.perf_counter()
        self.monitor.took("decode", decoded - began)
        self.monitor.took("observe", done - decoded)
        for stage, milliseconds in result.timings_ms.items():
            self.monitor.took(f"observe {stage}", milliseconds * 1e-3, count=False)
        if result.keyframe_id:
            self.monitor.count("keyframes taken")
        self.touch()
