"""The `simulator` ROS node: a robot with one RGB-D camera or several in a scene, driven by a service.

In lock-step: images, pose and clock are published after each step and not otherwise, unless `rate_hz` says so. Instance ids, object
positions and navigability stay inside. With a rate the robot also takes velocities from `cmd_vel`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from loci.nodes.process import pin_threads, run

pin_threads()

from geometry_msgs.msg import PoseStamped, Twist  # noqa: E402
from loci_ros.srv import (  # noqa: E402
    GetRobotPose,
    SimulatorGroundTruth,
    SimulatorInteract,
    SimulatorReset,
    SimulatorShortestPath,
    SimulatorStep,
)
from rosgraph_msgs.msg import Clock  # noqa: E402

from loci.nodes.answers import path  # noqa: E402
from loci.nodes.conversions import from_point, from_pose, header, to_pose, to_time  # noqa: E402
from loci.nodes.errors import Code, RequestError  # noqa: E402
from loci.nodes.lifecycle import RELIABLE_QOS, ManagedNode  # noqa: E402
from loci.perception.simulated import SimulatedDetector  # noqa: E402
from loci_sim.camera_topics import CameraTopics  # noqa: E402
from loci_sim.further_cameras import optical_frame, parse_cameras  # noqa: E402
from loci_sim.motion import MAX_ANGULAR, MAX_LINEAR  # noqa: E402
from loci_sim.parameters import SIMULATOR, noise_parameters, robot_parameters  # noqa: E402
from loci_sim.person import plan_day  # noqa: E402
from loci_sim.pointing import interact_with  # noqa: E402
from loci_sim.protocol import SIMULATOR_ACTIONS, SimulatorObservation  # noqa: E402
from loci_sim.sightings import Sightings  # noqa: E402
from loci_sim.simulators import AnySimulator, open_simulator  # noqa: E402
from loci_sim.viewpoints import nearest_goal, viewpoints  # noqa: E402

#: Largest numbers of objects and goals in one request.
MAX_VIEWED, MAX_GOALS = 100, 1000


class SimulatorNode(ManagedNode):
    """Publishes what the simulated camera sees after every step.

    Args:
        context: rclpy context; None: the default one.
        options: further arguments of rclpy's Node.
    """

    def __init__(self, *, context: Any = None, **options: Any) -> None:
        super().__init__("simulator", SIMULATOR, context=context, **options)
        self._simulator: AnySimulator | None = None
        # One step at a time: services run in several threads.
        self._lock = threading.Lock()
        self._time = self.create_publisher(Clock, "/clock", RELIABLE_QOS)
        self._pose_publisher = self.create_publisher(PoseStamped, "pose", RELIABLE_QOS)
        self._topics = CameraTopics(self, self.values, self.values["camera_frame"])
        # Their values were checked when the parameters were declared.
        self._mounts = parse_cameras(self.values["further_cameras"], self.values["max_range"])
        self._further = {
            m.name: CameraTopics(self, self.values, optical_frame(m.name), f"{m.name}/") for m in self._mounts
        }
        self.serve(SimulatorStep, "step", self._step)
        self.serve(GetRobotPose, "get_robot_pose", self._get_robot_pose)
        self.serve(SimulatorReset, "reset", self._reset)
        self.serve(SimulatorInteract, "interact", self._interact)
        self.serve(SimulatorGroundTruth, "get_ground_truth", self._get_ground_truth)
        self.serve(SimulatorShortestPath, "get_shortest_path", self._get_shortest_path)
        # The newest velocity (linear, angular) and how long it still holds, in simulated time [s].
        self._velocity, self._velocity_left = (0.0, 0.0), 0.0
        rate = self.values["rate_hz"]
        if rate > 0:
            self.subscribe(Twist, "cmd_vel", self._take_velocity, RELIABLE_QOS)
            self.every(1.0 / rate, partial(self._tick, 1.0 / rate))

    def configure(self) -> None:
        v = self.values
        cache = Path(v["scene_directory"]).expanduser() if v["scene_directory"] else None
        simulator = open_simulator(
            v["simulator"],
            v["scene"],
            robot_parameters(v),
            scene_directory=cache,
            scene_dataset=v["scene_dataset"],
            habitat_python=v["habitat_python"],
            habitat_physics=v["habitat_physics"],
            added_objects=Path(v["added_objects"]).expanduser() if v["added_objects"] else None,
            noise=noise_parameters(v),
            threads=v["threads"],
            report=self.get_logger().warning,
        )
        if v["person_events"]:
            if simulator.scene is None:
                raise ValueError(f"expected a scene of Loci's for a person to move things in, got {v['scene']}")
            day = plan_day(simulator.scene, v["seed"], v["person_day"], v["person_events"])
            simulator.add_person(day, v["seed"])
        simulator.observe()  # compiles the renderer, so that the first step is as quick as the others
        world = getattr(simulator, "world", None)  # only of Loci's own scenes
        self._detector = SimulatedDetector(
            simulator.instance_labels,
            seed=v["seed"],
            min_pixels=v["min_mask_pixels"],
            attributes=world.visible_states if world is not None else None,
        )
        self._sightings = Sightings(v["min_mask_pixels"])
        self._simulator, self._velocity_left = simulator, 0.0
        self.get_logger().info(f"scene {v['scene']}: map {simulator.map_id}")

    def cleanup(self) -> None:
        with self._lock:
            if self._simulator is not None:
                self._simulator.close()
            self._simulator = None

    def diagnose(self) -> tuple[dict[str, Any], str]:
        simulator = self._simulator
        return ({"map_id": simulator.map_id, "stamp_ns": simulator.stamp_ns} if simulator is not None else {}), ""

    def _step(self, request: Any, response: Any) -> None:
        if request.action not in (*SIMULATOR_ACTIONS, "reset"):
            known = ", ".join((*SIMULATOR_ACTIONS, "reset"))
            raise RequestError(Code.INVALID_REQUEST, f"expected an action among {known}, got {request.action!r}")
        with self._lock:
            simulator = self._require_simulator()
            if request.action == "reset":
                simulator.reset()
            else:
                response.collided = simulator.step(request.action).collided
            observation = simulator.observe()
            self._publish(observation)
        response.stamp = to_time(observation.stamp_ns)
        response.pose = to_pose(observation.T_map_base)

    def _reset(self, request: Any, response: Any) -> None:
        T = from_pose(request.pose) if request.has_pose else None
        with self._lock:
            simulator = self._require_simulator()
            if T is None:
                simulator.reset()
            else:
                simulator.reset_to(float(T[0, 3]), float(T[1, 3]), float(np.arctan2(T[1, 0], T[0, 0])), float(T[2, 3]))
            if request.restore_objects:
                simulator.restore_objects()
            observation = simulator.observe()
            self._publish(observation)
        response.stamp, response.pose = to_time(observation.stamp_ns), to_pose(observation.T_map_base)

    def _interact(self, request: Any, response: Any) -> None:
        position = from_point(request.position) if request.has_position else None
        with self._lock:
            simulator = self._require_simulator()
            if request.object_id:
                result = simulator.interact(request.interaction, request.object_id)
            else:
                result = interact_with(simulator, request.interaction, request.label, position)
            if result.done:
                self._publish(simulator.observe())
        response.done, response.reason, response.stamp = result.done, result.reason, to_time(result.stamp_ns)

    def _get_ground_truth(self, request: Any, response: Any) -> None:
        wanted = list(request.viewpoints_of)
        if len(wanted) > MAX_VIEWED:
            raise ValueError(f"expected at most {MAX_VIEWED} objects in viewpoints_of, got {len(wanted)}")
        with self._lock:
            simulator = self._require_simulator()
            truth = simulator.ground_truth()
            truth["seen"] = {o["id"]: self._sightings.n_images(o["instance"]) for o in truth["objects"]}
            distance = float(request.viewpoint_distance) or 1.0
            truth["viewpoints"] = {i: np.round(viewpoints(simulator, i, distance), 4).tolist() for i in wanted}
            response.stamp = to_time(simulator.stamp_ns)
        response.json = json.dumps(truth)

    def _get_shortest_path(self, request: Any, response: Any) -> None:
        if not 1 <= len(request.goals) <= MAX_GOALS:
            raise ValueError(f"expected 1 to {MAX_GOALS} goals, got {len(request.goals)}")
        goals = [from_point(p) for p in request.goals]
        with self._lock:
            simulator = self._require_simulator()
            start = from_point(request.start) if request.has_start else simulator.position()
            found = nearest_goal(simulator, start, goals)
        if found is not None:
            response.found, response.goal_index, response.length = True, found[0], found[1].length
            response.path = path(found[1].points, self.values["map_frame"], simulator.stamp_ns)

    def _get_robot_pose(self, request: Any, response: Any) -> None:
        with self._lock:
            response.pose = self._pose_message(self._require_simulator().observe())

    def _tick(self, seconds: float) -> None:
        with self._lock:
            simulator = self._simulator
            if simulator is not None:
                # Velocities hold for whole ticks, so that a run does not depend on when a message came in between.
                if self._velocity_left > 1e-9 and any(self._velocity):
                    simulator.drive(*self._velocity, seconds)
                else:
                    simulator.advance(seconds)
                self._velocity_left -= seconds
                self._publish(simulator.observe())

    def _take_velocity(self, message: Any) -> None:
        linear, angular = float(message.linear.x), float(message.angular.z)
        if not (np.isfinite(linear) and np.isfinite(angular)):
            self.complain("cmd_vel", f"expected finite velocities, got {linear} m/s and {angular} rad/s")
            linear = angular = 0.0
        with self._lock:
            # A base drives as fast as it can, however much is asked for.
            self._velocity = (
                float(np.clip(linear, -MAX_LINEAR, MAX_LINEAR)),
                float(np.clip(angular, -MAX_ANGULAR, MAX_ANGULAR)),
            )
            self._velocity_left = self.values["cmd_vel_timeout"]

    def _require_simulator(self) -> AnySimulator:
        if self._simulator is None:
            raise RequestError(Code.UNAVAILABLE, "the simulator has no scene: configure and activate it first")
        return self._simulator

    def _publish(self, o: SimulatorObservation) -> None:
        """Everything that is seen now, all with one stamp; the robot's own camera comes last."""
        self._time.publish(Clock(clock=to_time(o.stamp_ns)))
        self._pose_publisher.publish(self._pose_message(o))
        if self._mounts:
            for name, seen in self._require_simulator().observe_cameras(self._mounts).items():
                self._sightings.add(seen.instances, seen.depth)
                self._further[name].publish(seen, self._detector)
        self._sightings.add(o.instances, o.depth)
        self._topics.publish(o, self._detector)

    def _pose_message(self, o: SimulatorObservation) -> PoseStamped:
        return PoseStamped(header=header(self.values["map_frame"], o.stamp_ns), pose=to_pose(o.T_map_base))


def make_nodes(context: Any) -> Sequence[ManagedNode]:
    """The nodes of the simulator's process."""
    return [SimulatorNode(context=context)]


def main(args: Sequence[str] | None = None) -> int:
    """Entry point of the executable `simulator`."""
    return run(make_nodes, args, threads=3)


if __name__ == "__main__":
    raise SystemExit(main())
