"""W-TinyLFU: the replacement policy that weighs how often a newcomer was asked for against who would have to leave for it."""

from __future__ import annotations

from collections import OrderedDict

from loci.episodic.policy import ReplacementPolicy, first_other
from loci.episodic.sketch import FrequencySketch


class WTinyLfu(ReplacementPolicy):
    """A small LRU window in front of a segmented main part that admits by frequency.

    What leaves the window enters the main part only if it was used more often lately (`FrequencySketch`) than what would have to
    leave for it. The main part is probation, where keys enter, and protected (80 %), where they move when used again. Einziger, Friedman and Manes,
    TinyLFU, ACM TOS 13 (2017), section 4; KARMA (arXiv 2409.14908) uses it with a tenth as window.

    The window's share climbs towards more hits: after every ten accesses per record (2560 at least: the rate of few accesses is
    noise) it takes a step, onwards if there were more hits than before, else back (Einziger et al., Adaptive Software Cache
    Management, Middleware 2018).

    Args:
        window_share: share of the capacity that is window at first, in (0, 1); one record at least.
        adapts: whether the share changes.
    """

    #: Share of the main part that is protected.
    PROTECTED = 0.8
    #: Accesses per record until the next step, and records at least; first step as a share of the capacity; how steps shrink; a
    #: change of the hit rate from which on they are large again.
    _SAMPLE, _LEAST, _STEP, _DECAY, _RESTART = 10, 256, 0.0625, 0.98, 0.05

    def __init__(self, capacity: int, window_share: float = 0.01, adapts: bool = True) -> None:
        super().__init__(capacity)
        if not 0.0 < window_share < 1.0:
            raise ValueError(f"expected a share of the window in (0, 1), got {window_share}")
        self._window_share = window_share
        self._adapts = adapts
        self._step = self._STEP
        self._n_hits = self._n_accesses = 0  # since the last step
        self._hit_rate: float | None = None  # before it
        self._sketch = FrequencySketch(capacity)
        self._window: OrderedDict[str, None] = OrderedDict()  # each: what leaves next is first
        self._probation: OrderedDict[str, None] = OrderedDict()
        self._protected: OrderedDict[str, None] = OrderedDict()
        self._candidate: str | None = None  # what came out of the window last

    def _inserted(self, key: str) -> None:
        self._sketch.add(key)
        self._window[key] = None
        self._shrink_window(self.capacity)
        self._climb(False)

    def _accessed(self, key: str, n: int) -> None:
        self._sketch.add(key, n)
        if key in self._window:
            self._window.move_to_end(key)
        elif key in self._protected:
            self._protected.move_to_end(key)
        else:
            del self._probation[key]
            self._protected[key] = None
            self._shrink_protected(self.capacity)
        self._climb(True)

    def _removed(self, key: str) -> None:
        for segment in (self._window, self._probation, self._protected):
            segment.pop(key, None)
        if self._candidate == key:
            self._candidate = None

    def _victim(self, keep: str) -> str:
        # A bound on bytes may leave room for fewer records than the capacity: the segments share what there is.
        room = min(self.capacity, len(self._usage) - 1)
        self._shrink_window(room)
        self._shrink_protected(room)
        victim = first_other(self._probation, keep)
        if not victim:
            return first_other(self._protected, keep) or first_other(self._window, keep) or keep
        candidate = self._candidate
        if candidate is None or candidate not in self._probation or candidate in (victim, keep):
            return victim
        admitted = self._sketch.estimate(candidate) > self._sketch.estimate(victim)
        return victim if admitted else candidate

    def _climb(self, is_hit: bool) -> None:
        self._n_accesses += 1
        self._n_hits += is_hit
        if not self._adapts or self._n_accesses < self._SAMPLE * max(self.capacity, self._LEAST):
            return
        rate = self._n_hits / self._n_accesses
        self._n_hits = self._n_accesses = 0
        change = rate - self._hit_rate if self._hit_rate is not None else 0.0
        self._hit_rate = rate
        direction = self._step if change >= 0 else -self._step
        self._window_share = min(max(self._window_share + direction, 1e-3), self.PROTECTED)
        large = self._STEP if direction > 0 else -self._STEP
        self._step = large if abs(change) >= self._RESTART else self._DECAY * direction
        self._grow_window()

    def _grow_window(self) -> None:
        """A window that has become larger takes what would leave next; a smaller one shrinks as keys come in."""
        missing = max(1, round(self._window_share * self.capacity)) - len(self._window)
        for segment in (self._probation, self._protected):
            while missing > 0 and segment and len(self._usage) >= self.capacity:
                key, _ = segment.popitem(last=False)
                self._window[key] = None
                self._window.move_to_end(key, last=False)
                missing -= 1

    def _shrink_window(self, room: int) -> None:
        while len(self._window) > max(1, round(self._window_share * room)):
            key, _ = self._window.popitem(last=False)
            self._probation[key] = None
            self._candidate = key

    def _shrink_protected(self, room: int) -> None:
        window = max(1, round(self._window_share * room))
        while len(self._protected) > max(0, int(self.PROTECTED * (room - window))):
            key, _ = self._protected.popitem(last=False)
            self._probation[key] = None

    def _restored(self) -> None:
        """What was used more than once was protected; the newest others are the window."""
        order = sorted(self._usage, key=lambda key: self._usage[key].used)
        self._sketch = FrequencySketch(self.capacity)
        self._candidate = None
        self._window, self._probation, self._protected = OrderedDict(), OrderedDict(), OrderedDict()
        for key in order:
            self._sketch.add(key, self._usage[key].frequency)
            (self._protected if self._usage[key].frequency > 1 else self._window)[key] = None
        self._shrink_window(self.capacity)
        self._shrink_protected(self.capacity)
        self._candidate = None
