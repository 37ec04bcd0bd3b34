"""Managed (lifecycle) nodes that start themselves, answer requests with error codes, and report to /diagnostics.

`rclpy.lifecycle` gates publishers only; here services answer UNAVAILABLE, and subscriptions and timers do nothing, unless
the node is active. Services and actions get a reentrant callback group, every subscription and timer one of its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup, ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.context import Context
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

from loci.nodes import diagnostics
from loci.nodes.errors import Code, RequestError, code_of, text_of
from loci.nodes.monitor import Monitor
from loci.nodes.parameters import Parameter, declare, read_all

#: Sensor data: newest only, nobody waits for what was lost.
SENSOR_QOS = QoSProfile(reliability=ReliabilityPolicy.BEST_EFFORT, history=HistoryPolicy.KEEP_LAST, depth=5)
#: Observations: a burst waits for its turn; what is too much is dropped, and counted, behind it.
OBSERVATION_QOS = QoSProfile(reliability=ReliabilityPolicy.RELIABLE, history=HistoryPolicy.KEEP_LAST, depth=50)
#: Small state: nothing is lost while a subscriber keeps up.
RELIABLE_QOS = QoSProfile(reliability=ReliabilityPolicy.RELIABLE, history=HistoryPolicy.KEEP_LAST, depth=10)
#: Maps: who comes late gets the newest at once.
LATCHED_QOS = QoSProfile(
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
    history=HistoryPolicy.KEEP_LAST,
    depth=1,
)
#: The same complaint is logged at most so often [s].
LOG_PERIOD = 5.0


class ManagedNode(LifecycleNode):
    """Base of all nodes of Loci. Derived classes override `configure`, `activate`, `deactivate`, `cleanup`.

    Args:
        name: of the node.
        table: its parameters; they are read at `configure` and may not change until `cleanup`.
        context: rclpy context; None: the default one.
        options: further arguments of rclpy's Node.
    """

    def __init__(
        self, name: str, table: Sequence[Parameter], *, context: Context | None = None, **options: Any
    ) -> None:
        super().__init__(name, context=context, **options)
        self.table = tuple(table)
        self.monitor = Monitor()
        self.values: dict[str, Any] = {}
        self._active = False
        self._configured = False
        self._busy = 0
        self._idle = threading.Condition()
        self._logged_at: dict[str, float] = {}
        self._silences: dict[str, float] = {}
        self.requests_group = ReentrantCallbackGroup()
        self.action_servers: list[Any] = []  # destroyed with the node
        declare(self, table)
        self.values = read_all(self, self.table)
        self.add_on_set_parameters_callback(self._refuse_late_changes)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", RELIABLE_QOS)
        self.every(self.values["diagnostics_period"], self._publish_diagnostics, always=True)

    # --- for derived classes ------------------------------------------------------------------------------------------

    def configure(self) -> None:
        """Make what the node needs; an exception leaves it unconfigured."""

    def activate(self) -> None:
        """Begin to work."""

    def deactivate(self) -> None:
        """Stop working; everything stays in place."""

    def cleanup(self) -> None:
        """Let go of what `configure` made."""

    def give_up(self) -> None:
        """Let go of what requests wait for outside this machine or for minutes: the node is being cleaned up."""

    def diagnose(self) -> tuple[dict[str, Any], str]:
        """Further values for the diagnostics, and a warning (empty: all is well)."""
        return {}, ""

    @property
    def active(self) -> bool:
        """Whether the node works."""
        return self._active

    @property
    def configured(self) -> bool:
        """Whether `configure` succeeded and `cleanup` did not happen since."""
        return self._configured

    def subscribe(self, message_type: Any, topic: str, callback: Callable[[Any], None], qos: QoSProfile) -> Any:
        """Subscription whose callback runs only while the node is active; an exception in it is counted and logged."""

        def guarded(message: Any) -> None:
            if not self._active:
                return
            try:
                callback(message)
            except Exception as error:
                self.complain("internal", f"{topic}: {error!r}", error=True)

        return self.create_subscription(
            message_type, topic, guarded, qos, callback_group=MutuallyExclusiveCallbackGroup()
        )

    def every(self, period: float, callback: Callable[[], None], *, always: bool = False) -> Any:
        """Timer on the steady clock (simulated time may stand still) that runs only while active, unless ``always``."""

        def guarded() -> None:
            if not (self._active or always):
                return
            try:
                callback()
            except Exception as error:
                self.complain("internal", f"timer: {error!r}", error=True)

        clock = Clock(clock_type=ClockType.STEADY_TIME)
        return self.create_timer(period, guarded, callback_group=MutuallyExclusiveCallbackGroup(), clock=clock)

    def serve(self, service_type: Any, name: str, handler: Callable[[Any, Any], None]) -> Any:
        """Service whose ``handler(request, response)`` fills the response or raises; errors become codes and messages."""

        def answer(request: Any, response: Any) -> Any:
            began = time.perf_counter()
            with self._working():
                try:
                    self.require_active()
                    handler(request, response)
                except Exception as error:
                    response = service_type.Response()
                    self.report(name, error, response)
            self.monitor.took(name, time.perf_counter() - began)
            return response

        return self.create_service(service_type, name, answer, callback_group=self.requests_group)

    def require_active(self) -> None:
        """Raises:
        RequestError: the node is not active.
        """
        if not self._active:
            raise RequestError(Code.UNAVAILABLE, f"{self.get_name()} is not active: configure and activate it first")

    def report(self, name: str, error: Exception, response: Any) -> None:
        """Put an error into a response or result, count it, and log it if it is a defect."""
        code = code_of(error)
        response.error_code, response.error_msg = int(code), text_of(error)
        if isinstance(error, RequestError):
            for field, value in error.fields.items():
                setattr(response, field, value)
        self.monitor.reject(f"{name} {code.name.lower()}", f"{name}: {text_of(error)}")
        if code == Code.INTERNAL:
            response.error_msg = f"{type(error).__name__}: {error}"
            self.get_logger().error(f"{name}: {error!r}: please report this", throttle_duration_sec=LOG_PERIOD)
            _log_traceback(self, error)
        else:
            self._log(name, f"{name} refused ({code.name.lower()}): {text_of(error)}")

    def warn_of_silence(self, name: str, silent: float, timeout: float, why: Callable[[], str]) -> None:
        """Say that an input was not received, and why; again whenever the silence has lasted twice as long.

        Args:
            name: of the input.
            silent: for so long [s].
            timeout: from this on it is worth a word [s].
            why: asked for only when it is said.
        """
        if silent <= timeout:
            self._silences.pop(name, None)
            return
        if silent >= self._silences.get(name, 0.0):
            self._silences[name] = 2.0 * silent
            self.monitor.count(f"silent: {name}")
            self.get_logger().warning(f"did not receive {name} since {silent:.0f} s: {why()}")

    def complain(self, reason: str, message: str, *, error: bool = False) -> None:
        """Count an input that was refused, and say why; the same reason is logged once in `LOG_PERIOD` seconds."""
        n = self.monitor.reject(reason, message)
        self._log(reason, f"refused ({reason}, {n} so far): {message}", error)

    def _log(self, key: str, text: str, error: bool = False) -> None:
        now = time.monotonic()
        if now - self._logged_at.get(key, -LOG_PERIOD) >= LOG_PERIOD:
            self._logged_at[key] = now
            # Two call sites: rclpy remembers the severity of each.
            if error:
                self.get_logger().error(text)
            else:
                self.get_logger().warning(text)

    # --- life ---------------------------------------------------------------------------------------------------------

    def bring_up(self) -> bool:
        """Configure and activate if ``autostart`` says so; returns whether the node is where it should be."""
        if not self.values["autostart"]:
            return True
        if self.trigger_configure() != TransitionCallbackReturn.SUCCESS:
            return False
        return self.trigger_activate() == TransitionCallbackReturn.SUCCESS

    def take_down(self) -> None:
        """Shut down from any state, waiting (bounded) for requests that are being answered."""
        self._active = False
        self._finish_requests()
        try:
            self.trigger_shutdown()
        except Exception as error:  # already finalized
            self.get_logger().debug(f"shutdown: {error}")

    def _finish_requests(self) -> None:
        """Wait (bounded) for requests that are being answered: what they answer from is about to go."""
        self.give_up()
        with self._idle:
            self._idle.wait_for(lambda: self._busy == 0, timeout=5.0)

    def destroy_node(self) -> None:
        # Kilted destroys nodes with their context, so that this may be the second time.
        servers, self.action_servers = self.action_servers, []
        for server in servers:
            server.destroy()
        super().destroy_node()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        self.values = read_all(self, self.table)
        return self._transition("configure", self.configure, super().on_configure, state, configured=True)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._transition("activate", self.activate, super().on_activate, state, active=True)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._active = False
        return self._transition("deactivate", self.deactivate, super().on_deactivate, state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._finish_requests()
        return self._transition("cleanup", self.cleanup, super().on_cleanup, state, configured=False)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._active = False
        if self._configured:
            self._finish_requests()
            self._transition("cleanup", self.cleanup, super().on_shutdown, state, configured=False)
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._active = False
        return TransitionCallbackReturn.SUCCESS

    def _transition(
        self,
        name: str,
        work: Callable[[], None],
        inherited: Callable[[LifecycleState], TransitionCallbackReturn],
        state: LifecycleState,
        *,
        configured: bool | None = None,
        active: bool = False,
    ) -> TransitionCallbackReturn:
        try:
            work()
        except Exception as error:
            self.get_logger().error(f"cannot {name}: {text_of(error)}")
            if code_of(error) == Code.INTERNAL:
                _log_traceback(self, error)
            return TransitionCallbackReturn.FAILURE
        result = inherited(state)
        if configured is not None:
            self._configured = configured
        self._active = active
        return result

    def _working(self) -> _Working:
        return _Working(self)

    def _refuse_late_changes(self, changes: list[Any]) -> Any:
        from rcl_interfaces.msg import SetParametersResult

        names = sorted({p.name for p in self.table if not p.live} & {c.name for c in changes})
        if self._configured and names:
            reason = f"{', '.join(names)}: read when the node is configured: deactivate and clean it up first"
            return SetParametersResult(successful=False, reason=reason)
        return SetParametersResult(successful=True)

    def _publish_diagnostics(self) -> None:
        try:
            values, warning = self.diagnose() if self._configured else ({}, "not configured")
            if self._silences:
                warning = f"did not receive {', '.join(self._silences)}" + (f"; {warning}" if warning else "")
        except RequestError as error:  # the memory is just being exchanged
            values, warning = {}, text_of(error)
        values = {"active": self._active, **values, **self.monitor.values()}
        message = DiagnosticArray()
        message.header.stamp = self.get_clock().now().to_msg()
        message.status = [diagnostics.status(f"loci: {self.get_fully_qualified_name()}", values, warning=warning)]
        self._diagnostics.publish(message)


class _Working:
    """Counts the requests that a node is answering."""

    def __init__(self, node: ManagedNode) -> None:
        self._node = node

    def __enter__(self) -> None:
        with self._node._idle:
            self._node._busy += 1

    def __exit__(self, *_: object) -> None:
        with self._node._idle:
            self._node._busy -= 1
            self._node._idle.notify_all()


def _log_traceback(node: ManagedNode, error: BaseException) -> None:
    import traceback

    node.get_logger().error("".join(traceback.format_exception(error)))
