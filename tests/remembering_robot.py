"""A simulated robot whose every image goes into a memory, as planners drive it."""

from __future__ import annotations

from loci.memory import RobotMemory
from loci.observation import Observation
from loci.perception.simulated import SimulatedDetector
from loci.planning.protocols import Action, Point, StepResult
from loci_sim.embedded import EmbeddedSimulator


class RememberingRobot:
    """`Robot` in the embedded simulator.

    Args:
        detects: detections, as the ground truth has them, go into the memory as well.

    Attributes:
        way: where its base was, at first and after every action [m].
    """

    def __init__(self, simulator: EmbeddedSimulator, memory: RobotMemory, *, detects: bool = True) -> None:
        self.simulator, self._memory = simulator, memory
        self._detector = SimulatedDetector(simulator.instance_labels) if detects else None
        self.way: list[Point] = [simulator.position()]

    def position(self) -> Point:
        return self.simulator.position()

    def heading(self) -> float:
        return self.simulator.heading()

    def step(self, action: Action) -> StepResult:
        result = self.simulator.step(action)
        seen = self.simulator.observe()
        detections = self._detector.detect_instances(seen.instances) if self._detector is not None else ()
        self._memory.observe(Observation(seen.frame(), detections))
        self.way.append(self.position())
        return result
