"""Detectors in the node `perception`: open vocabulary with labels that change while it runs, and detections of vision_msgs."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("loci_ros", reason="loci_ros cannot be imported: run `make setup`, or source ROS 2 and build it")

from loci_ros import srv
from rclpy.parameter import Parameter
from rig import until
from test_perception_node import started

from loci.geometry import look_at
from loci.nodes import conversions as c
from loci.nodes import images
from loci.nodes.errors import BadInput, Code
from loci.nodes.vision_detections import detection_array_type, from_detection_2d
from synthetic import ROOM

FRAME = ROOM.observe(look_at((1.0, 1.0, 1.4), (2.5, 1.6, 0.7)), 1).frame


def test_labels_change_while_the_node_runs_and_only_the_newest_image_waits(ros_domain: int, tmp_path: Any) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed: pip install 'loci[openvocab]'")
    import tiny_models

    (tmp_path / "owlv2").mkdir()
    model = str(tiny_models.owlv2(tmp_path / "owlv2"))
    settings = {
        "detector_model": model,
        "detector_labels": "mug, table",
        "detector_min_score": 0.0,
        "model_device": "cpu",
    }
    rig = started(detector="open_vocabulary", queue_size=50, **settings)
    try:
        rig.send_infos()
        rig.shoot()
        first = rig.next_observation(0)
        assert first.detector == "open_vocabulary"
        assert {d.label for d in first.detections} <= {"mug", "table"} and first.detections
        assert c.from_observation(first, "map").detections[0].full_mask.any()
        picture = rig.call(srv.Detect, "detect", {"image": c.to_jpeg(images.encode_color(FRAME.color))})
        assert picture.error_code == 0 and picture.detector == "open_vocabulary"
        assert {d.label for d in picture.detections} <= {"mug", "table"} and picture.detections
        assert rig.call(srv.Detect, "detect").error_code == Code.INVALID_REQUEST
        assert rig.node._queue is not None and rig.node._queue.capacity == 1
        (refused,) = rig.node.set_parameters(
            [Parameter("detector_labels", value=",".join(f"x{i}" for i in range(10_001)))]
        )
        assert not refused.successful and "1 to 10000 labels" in refused.reason
        (taken,) = rig.node.set_parameters([Parameter("detector_labels", value="lamp")])
        assert taken.successful
        n = len(rig.observations)
        rig.shoot()
        assert {d.label for d in rig.next_observation(n).detections} == {"lamp"}
    finally:
        rig.close()


def test_a_model_that_is_missing_is_told_and_the_node_lives(ros_domain: int, tmp_path: Any) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed: pip install 'loci[openvocab]'")
    rig = started(detector="open_vocabulary", detector_model=str(tmp_path / "none"), model_device="cpu")
    try:
        rig.send_infos()
        rig.shoot()
        assert until(lambda: rig.n_rejected("internal"))
        assert "cannot load the detector model" in rig.node.monitor.last_rejection
    finally:
        rig.close()


# --- vision_msgs ----------------------------------------------------------------------------------------------------------


def detection_2d(x: float, y: float, w: float, h: float, *results: tuple[str, float], theta: float = 0.0) -> Any:
    """As `vision_msgs/Detection2D` is laid out since ROS 2 Humble."""
    return SimpleNamespace(
        results=[SimpleNamespace(hypothesis=SimpleNamespace(class_id=name, score=score)) for name, score in results],
        bbox=SimpleNamespace(
            center=SimpleNamespace(position=SimpleNamespace(x=x, y=y), theta=theta), size_x=w, size_y=h
        ),
        id="",
    )


def test_boxes_of_vision_msgs_become_detections_with_masks_by_depth() -> None:
    (mug,) = (d for d in ROOM.observe(FRAME.T_map_camera, 1).detections if d.label == "mug")
    x0, y0, x1, y1 = mug.box
    middle = ((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0)
    found = from_detection_2d(detection_2d(*middle, ("bowl", 0.2), ("Mug", 0.7)), FRAME)
    assert (found.label, found.box) == ("mug", mug.box)
    assert found.score == pytest.approx(0.7)
    assert np.mean(found.full_mask[mug.full_mask]) > 0.8
    turned = from_detection_2d(detection_2d(80, 60, 40, 20, ("mug", 0.5), theta=np.pi / 2), FRAME)
    assert turned.box == (70, 40, 90, 80)
    cut = from_detection_2d(detection_2d(0, 0, 40, 20, ("mug", 0.5)), FRAME)
    assert cut.box == (0, 0, 20, 10)


@pytest.mark.parametrize(
    "message",
    [
        detection_2d(10, 10, 5, 5),
        detection_2d(float("nan"), 10, 5, 5, ("mug", 0.5)),
        detection_2d(10, 10, 0, 5, ("mug", 0.5)),
        detection_2d(10, 10, 5, 5, ("mug", 1.5)),
        detection_2d(-100, 10, 5, 5, ("mug", 0.5)),
    ],
)
def test_detections_of_vision_msgs_that_do_not_fit_are_refused(message: Any) -> None:
    with pytest.raises(BadInput, match="expected"):
        from_detection_2d(message, FRAME)


def test_without_vision_msgs_the_error_names_the_package() -> None:
    if importlib.util.find_spec("vision_msgs") is not None:
        pytest.skip("vision_msgs is installed")
    with pytest.raises(ModuleNotFoundError, match="vision-msgs"):
        detection_array_type()


def test_the_real_message_has_the_fields_that_are_read() -> None:
    msg = pytest.importorskip(
        "vision_msgs.msg", reason="vision_msgs is on no wheel: install it with a ROS distribution"
    )
    made = msg.Detection2D()
    made.results = [msg.ObjectHypothesisWithPose()]
    made.results[0].hypothesis.class_id, made.results[0].hypothesis.score = "mug", 0.5
    made.bbox.center.position.x, made.bbox.center.position.y = 80.0, 60.0
    made.bbox.size_x, made.bbox.size_y = 20.0, 10.0
    assert from_detection_2d(made, FRAME).box == (70, 55, 90, 65)
