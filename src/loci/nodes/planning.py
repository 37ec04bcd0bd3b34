"""The node `planner`: answers questions from the memory, and sends the robot to what it remembers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from geometry_msgs.msg import PoseStamped
from loci_ros import action, srv
from rclpy.action import ActionServer, CancelResponse
from rclpy.context import Context

from loci.nodes.client import MemoryClient, MemoryServiceError
from loci.nodes.conversions import to_evidence, to_ns, to_pose
from loci.nodes.errors import Code, RequestError
from loci.nodes.lifecycle import RELIABLE_QOS, ManagedNode
from loci.nodes.parameters import PLANNER
from loci.nodes.tasks import plan_task
from loci.perception.text import MiniLMTextEncoder
from loci.planning.cancelling import cancelled_by
from loci.planning.offline import OfflinePlanner
from loci.planning.protocols import Planner
from loci.query import check_limit

if TYPE_CHECKING:
    from loci.planning.vision_language import VisionLanguagePlanner

MAX_STEPS = 10_000
#: Questions that are answered at a time: a model may take a minute for each, and every one holds a thread of the node.
MAX_QUESTIONS = 8


class PlannerNode(ManagedNode):
    """Service `ask`, action `execute_task`, topic `goal_pose`."""

    def __init__(self, context: Context | None = None, **options: Any) -> None:
        self._client: MemoryClient | None = None
        self._planner: Planner | None = None
        self._vision_language: VisionLanguagePlanner | None = None
        self._questions = threading.BoundedSemaphore(MAX_QUESTIONS)
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

    def _make_planner(self) -> Planner:
        offline = OfflinePlanner(self._text_encoder())
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
        return encoder

    def give_up(self) -> None:
        if self._vision_language is not None:
            self._vision_language.close()

    def cleanup(self) -> None:
        if self._vision_language is not None:
            self._vision_language.close()
        if self._client is not None:
            self._client.close()
        self._client = self._planner = self._vision_language = None
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
                result = action.ExecuteTask.Result()
                self.report("execute_task", error, result)
                (handle.canceled if result.error_code == Code.CANCELED else handle.abort)()
        self.monitor.took("execute_task", time.perf_counter() - began)
        return result

    def _carry_out(self, handle: Any, result: Any) -> None:
        goal = handle.request
        check_limit(int(goal.max_steps), MAX_STEPS)
        planner, memory = self._parts()
        handle.publish_feedback(action.ExecuteTask.Feedback(stage="recalling"))
        with _reported():
            plan = plan_task(goal.instruction, planner, memory, self.values["goal_tolerance"])
        if handle.is_cancel_requested:
            raise RequestError(Code.CANCELED, "cancelled before a goal was sent")
        result.answer = plan.answer
        result.evidence = [to_evidence(e, self.values["map_frame"]) for e in plan.evidence]
        if plan.T_map_goal is None:
            # Not an error of the request: the answer says what is missing.
            handle.abort()
            return
        pose = PoseStamped()
        pose.header.frame_id = self.values["map_frame"]
        pose.header.stamp = self.get_clock().now().to_msg()
        pose.pose = to_pose(plan.T_map_goal)
        self._goals.publish(pose)
        handle.publish_feedback(action.ExecuteTask.Feedback(step=1, stage="goal sent", goal=pose))
        result.success, result.n_steps = True, 1
        handle.succeed()


@contextmanager
def _reported() -> Iterator[None]:
    """Passes what the memory's services answered on to the one who asked."""
    try:
        yield
    except MemoryServiceError as error:
        raise RequestError(error.code, str(error)) from error
    except TimeoutError as error:
        raise RequestError(Code.UNAVAILABLE, str(error)) from error
