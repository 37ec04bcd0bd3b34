"""`loci up` starts nodes that answer and stops them cleanly; `loci doctor` sees who publishes what."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.usefixtures("ros_domain")


def test_loci_up_starts_a_memory_that_answers_and_stops_cleanly(tmp_path: Path) -> None:
    from loci.nodes.client import MemoryClient

    command = [sys.executable, "-m", "loci.cli", "up", "--memory", "home", "--storage", str(tmp_path / "memories")]
    command += ["--pose-source", "pose", "--logs", str(tmp_path / "logs"), "--config", str(ROOT / "config")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            with MemoryClient(timeout=60.0) as client:
                client.wait_until_ready(60.0)
                assert client.statistics()["name"] == "home"
        finally:
            process.send_signal(signal.SIGINT)
            output = process.communicate(timeout=60)[0]
            print(output)  # shown where the test fails
    assert process.returncode == 0, output
    assert (tmp_path / "memories/home/manifest.json").is_file()
    for name in ("memory", "perception", "planner"):
        assert (tmp_path / f"logs/{name}.log").is_file()
    assert "[memory    ]" in output


def test_loci_up_ends_with_the_reason_when_a_parameter_is_refused(tmp_path: Path) -> None:
    (tmp_path / "memory.yaml").write_text('/**: {ros__parameters: {memory_name: "../elsewhere"}}\n')
    for name in ("perception", "planner"):
        (tmp_path / f"{name}.yaml").write_text("/**: {ros__parameters: {autostart: false}}\n")
    command = [sys.executable, "-m", "loci.cli", "up", "--config", str(tmp_path), "--logs", str(tmp_path / "logs")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 1
    assert "memory ended" in done.stderr
    assert "memory_name" in done.stdout
    assert "../elsewhere" in done.stdout


def test_doctor_tells_which_topics_are_there_and_which_input_nobody_publishes(monkeypatch: pytest.MonkeyPatch) -> None:
    import rclpy
    from sensor_msgs.msg import CameraInfo, Image

    from loci import doctor

    monkeypatch.setattr(doctor, "DISCOVERY_TIME", 8.0)
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=int(os.environ["ROS_DOMAIN_ID"]))
    camera = rclpy.create_node("camera", context=context)
    perception = rclpy.create_node("perception", context=context)
    try:
        camera.create_publisher(Image, "/front/image", 1)
        camera.create_publisher(CameraInfo, "/front/camera_info", 1)
        camera.create_publisher(Image, "/rear/image", 1)
        perception.create_subscription(Image, "color/image", lambda _: None, 1)
        waits = "/perception waits for /color/image, which nobody publishes"
        findings: dict[str, Any] = {}
        for _ in range(4):  # on a busy machine nodes find one another late
            if waits not in findings:
                findings = {finding.what: finding for finding in doctor.check_topics()}
    finally:
        camera.destroy_node()
        perception.destroy_node()
        rclpy.shutdown(context=context)
    assert "image /front/image with /front/camera_info" in findings
    assert findings["image /rear/image without /rear/camera_info"].level is doctor.Level.WARN
    waiting = findings["/perception waits for /color/image, which nobody publishes"]
    assert "/front/image" in waiting.todo
    assert "no pose is published" in findings
