"""A node's monitor as diagnostic_msgs, and the reasons why an input stays silent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

if TYPE_CHECKING:
    from rclpy.node import Node


def status(
    name: str, values: Mapping[str, Any], *, warning: str = "", error: str = "", hardware_id: str = ""
) -> DiagnosticStatus:
    """Status of a node: an error wins over a warning, a warning over "ok"."""
    level = DiagnosticStatus.ERROR if error else DiagnosticStatus.WARN if warning else DiagnosticStatus.OK
    message = DiagnosticStatus(level=level, name=name, message=error or warning or "ok", hardware_id=hardware_id)
    message.values = [KeyValue(key=str(k), value=str(v)) for k, v in values.items()]
    return message


def why_silent(node: Node, topic: str, type_name: str, name: str, hint: str = "") -> str:
    """Why nothing arrives on a topic, and what to do about it.

    Args:
        node: that subscribes.
        topic: resolved name.
        type_name: e.g. ``"sensor_msgs/msg/Image"``.
        name: the input's name before remapping.
        hint: what to do if the topic has another type.
    """
    publishers = node.get_publishers_info_by_topic(topic)
    same_type = [p for p in publishers if p.topic_type == type_name]
    if same_type:
        reliability = {p.qos_profile.reliability.name for p in same_type}
        return (
            f"{len(same_type)} publisher(s) of {topic} ({', '.join(sorted(reliability)).lower()}) send nothing: is the driver "
            "running, is its clock or bag paused, does the network drop large messages?"
        )
    if publishers:
        got = ", ".join(sorted({p.topic_type for p in publishers}))
        return f"{topic} is published as {got}, expected {type_name}" + (f": {hint}" if hint else "")
    others = sorted(
        t for t, types in node.get_topic_names_and_types() if type_name in types and node.count_publishers(t)
    )
    where = (
        f"; published topics of this type: {', '.join(others[:5])}" if others else f"; nobody publishes any {type_name}"
    )
    return f"nobody publishes {topic}: start its driver, or remap {name}:=...{where}"
