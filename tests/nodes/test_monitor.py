"""What a node counts, and how long it complains."""

from __future__ import annotations

from loci.nodes.monitor import WARN_PERIOD, Monitor


def test_a_refused_input_is_warned_of_for_a_while_and_counted_for_ever() -> None:
    now = [100.0]
    monitor = Monitor(lambda: now[0])
    assert monitor.warning() == ""
    monitor.reject("pose", "expected a finite pose")
    assert monitor.warning() == "1 inputs refused, last: expected a finite pose"
    now[0] += WARN_PERIOD + 1.0
    assert monitor.warning() == ""
    assert monitor.values()["rejected: pose"] == "1"
    assert monitor.values()["last rejected"] == "expected a finite pose"
    monitor.reject("depth", "expected metres")
    assert monitor.warning() == "2 inputs refused, last: expected metres"
