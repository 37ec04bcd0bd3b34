"""The node `planner`: answers questions from the memory, and carries out tasks with it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from geometry_msgs.msg import PoseStamped
from loci_ros import action, srv
from loci_ros.srv import SimulatorInteract
from rclpy.action import ActionServer, CancelResponse
from rclpy.context import Context

from loci.nodes.client import MemoryClient, MemoryServiceError
from loci.nodes.conversions import to_evidence, to_ns
from loci.nodes.errors import Code, RequestError
from loci.nodes.lifecycle import RELIABLE_QOS, ManagedNode
from loci.nodes.navigation import (
    GoalTopic,
    MemoryPose,
    ServiceHand,
    TfPose,
    drive_to_navigation,
    nav2_navigation,
    stamped_pose,
)
from loci.nodes.parameters import PLANNER
from loci.nodes.task_action import TaskAction
from loci.nodes.tf import TfPoses
from loci.perception.text import MiniLMTextEncoder
from loci.planning.cancelling import cancelled_by
from loci.planning.execution import TaskExecutor
from loci.planning.language.warming import warm_up_beside
from loci.planning.navigated import NavigatedBody, NavigationLimits
from loci.planning.offline import OfflinePlanner
from loci.planning.plan_memory import PlanMemory
from loci.planning.protocols import Planner
from loci.query import check_limit

if TYPE_CHECKING:
    from loci.planning.vision_language import VisionLanguagePlanner

#: A task has so long to stop the robot when the node is deactivated [s].
_STOP_TIME = 10.0
#: Questions that are answered at a time: a model may take a minute for each, and every one holds a thread of the node.
MAX_QUESTIONS = 8


class PlannerNode(ManagedNode):
    """Service `ask`, action `execute_task`; drives by the topic `goal_pose` or an action."""

    def __init__(self, context: Context | None = None, **options: Any) -> None:
        self._client: MemoryClient | None = None
        self._planner: Planner | None = None
        self._encoder: MiniLMTextEncoder | None = None
        self._vision_language: VisionLanguagePlanner | None = None
        self._questions = threading.BoundedSemaphore(MAX_QUESTIONS)
        self._tasks: TaskAction | None = None
        self._body: NavigatedBody | None = None
        self._navigation: Any = None
        self._tf: TfPoses | None = None
        self._hand_client: Any = None
        super().__init__("planner", PLANNER, context=context, **options)
        self.serve(srv.Ask, "ask", self._ask)
        self.action_servers.append(
            ActionServer(
                self,
                action.ExecuteTask,
                "execute_task",
                self._execute,
                cancel_callback=lambda _: CancelResponse.ACCEPT,
                callback_group=self.requests_group,
            )
        )

    def configure(self) -> None:
        self._planner = self._make_planner()
        namespace = self.values["memory_namespace"] or self.get_namespace()
        self._client = MemoryClient(
            namespace, timeout=self.values["service_timeout"], node_name=f"{self.get_name()}_memory_client"
        )
        self._goals = self.create_lifecycle_publisher(PoseStamped, "goal_pose", RELIABLE_QOS)
        self._body = self._make_body(self._client)
        self._tasks = TaskAction(self._new_task, lambda: self.active, self.values["map_frame"], self._encoder)

    def _make_body(self, memory: MemoryClient) -> NavigatedBody:
        v = self.values

        def stamped(T: Any) -> Any:
            return stamped_pose(T, v["map_frame"], self.get_clock().now().to_msg())

        if v["drive_by"] == "goal_pose":
            self._navigation = GoalTopic(self._goals.publish, stamped)
        elif v["drive_by"] == "navigate_to_pose":
            self._navigation = nav2_navigation(self.resolve_service_name, stamped)
        else:
            self._navigation = drive_to_navigation(self.resolve_service_name, stamped)
        where: MemoryPose | TfPose = MemoryPose(memory)
        if v["robot_pose"] == "tf":
            self._tf = TfPoses(self)
            where = TfPose(self._tf, v["map_frame"], v["base_frame"])
        hand = None
        if v["manipulation_service"]:
            self._hand_client = self.create_client(SimulatorInteract, v["manipulation_service"])
            hand = ServiceHand(self._hand_client, v["manipulation_timeout"])
        limits = NavigationLimits(
            arrival_distance=v["arrival_distance"],
            slowest_speed=v["slowest_speed"],
            standing_time=v["standing_time"],
            look_time=v["look_time"],
        )
        return NavigatedBody(memory, self._navigation, where, limits, hand=hand)

    def _new_task(self) -> tuple[TaskExecutor, NavigatedBody]:
        planner, memory = self._parts()
        assert self._body is not None
        plans = PlanMemory(memory) if self.values["plan_memory"] else None
        tolerance = self.values["goal_tolerance"]
        return TaskExecutor(memory, planner, self._body, plans=plans, notes=memory, tolerance=tolerance), self._body

    def deactivate(self) -> None:
        # The robot is stopped while goals can still be sent.
        if self._tasks is not None and not self._tasks.wait_until_idle(_STOP_TIME):
            self.get_logger().warning("a task is still waiting for an answer, and will be stopped after it")

    def _make_planner(self) -> Planner:
        self._encoder = self._text_encoder()
        offline = OfflinePlanner(self._encoder)
        if self.values["planner"] == "offline":
            return offline
        from loci.nodes.model import vision_language_planner
        from loci.planning.endpoint import why_no_images

        self._vision_language = vision_language_planner(self.values, offline)
        if not self._vision_language.model.takes_images:
            self.get_logger().warning(why_no_images(self.values["model_base_url"]))
        return self._vision_language

    def diagnose(self) -> tuple[dict[str, Any], str]:
        values: dict[str, Any] = {"planner": self.values["planner"]}
        if self._vision_language is not None:
            values |= self._vision_language.statistics()
        return values, ""

    def _text_encoder(self) -> MiniLMTextEncoder | None:
        """The text model, loaded, so that the first question does not wait for it; None where it is not wanted or not there."""
        if not self.values["text_encoder"]:
            return None
        encoder = MiniLMTextEncoder()
        try:
            encoder.load()
        except ModuleNotFoundError as error:
            self.complain("text_encoder", f"{error}; labels are found by words only until then")
            return None
        warm_up_beside(encoder)
        return encoder

    def give_up(self) -> None:
        if self._vision_language is not None:
            self._vision_language.close()

    def cleanup(self) -> None:
        if self._vision_language is not None:
            self._vision_language.close()
        if self._client is not None:
            self._client.close()
        if self._navigation is not None:
            self._navigation.close()
        if self._tf is not None:
            self._tf.close()
        if self._hand_client is not None:
            self.destroy_client(self._hand_client)
        self._client = self._planner = self._vision_language = None
        self._tasks = self._body = self._navigation = self._tf = self._hand_client = None
        self.destroy_lifecycle_publisher(self._goals)

    def _parts(self) -> tuple[Planner, MemoryClient]:
        if self._planner is None or self._client is None:
            raise RequestError(Code.UNAVAILABLE, "the planner is not configured")
        return self._planner, self._client

    def _ask(self, request: Any, response: Any) -> None:
        limit = check_limit(int(request.limit))
        planner, memory = self._parts()
        if not self._questions.acquire(blocking=False):
            raise RequestError(Code.UNAVAILABLE, f"{MAX_QUESTIONS} questions are being answered: ask again later")
        try:
            with _reported():
                if to_ns(request.min_stamp):
                    memory.statistics(min_stamp_ns=to_ns(request.min_stamp))  # waits
                found = planner.ask(request.question, memory, limit, request.with_images)
        finally:
            self._questions.release()
        response.answer, response.known, response.confidence = found.answer, found.known, float(found.confidence)
        response.evidence = [to_evidence(e, self.values["map_frame"]) for e in found.evidence]

    def _execute(self, handle: Any) -> Any:
        result = action.ExecuteTask.Result()
        began = time.perf_counter()
        with self._working(), cancelled_by(lambda: handle.is_cancel_requested):
            try:
                self.require_active()
                self._carry_out(handle, result)
            except Exception as error:
                result = action.ExecuteTask.Result(n_steps=result.n_steps, task_tree=result.task_tree)
                self.report("execute_task", error, result)
                (handle.canceled if handle.is_cancel_requested else handle.abort)()
        self.monitor.took("execute_task", time.perf_counter() - began)
        return result

    def _carry_out(self, handle: Any, result: Any) -> None:
        if self._tasks is None:
            raise RequestError(Code.UNAVAILABLE, "the planner is not configured")
        with _reported():
            self._tasks.carry_out(handle, result)


@contextmanager
def _reported() -> Iterator[None]:
    """Passes what the memory's services answered on to the one who asked."""
    try:
        yield
    except MemoryServiceError as error:
        raise RequestError(error.code, str(error)) from error
    except TimeoutError as error:
        raise RequestError(Code.UNAVAILABLE, str(error)) from error
