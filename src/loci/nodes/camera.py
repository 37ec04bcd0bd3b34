"""The node `perception` of one camera: pairs colour, depth and detections, finds the pose, detects, publishes observations.

Callbacks pair by stamp and put into a bounded queue; one worker does the rest.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from geometry_msgs.msg import PoseStamped
from loci_ros import msg as m
from loci_ros import srv
from nav_msgs.msg import Odometry
from rclpy.context import Context
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from loci.geometry import Camera
from loci.nodes import images
from loci.nodes.assembly import FrameAssembler, Shot
from loci.nodes.conversions import from_detection, from_extrinsic, to_detection, to_ns, to_observation
from loci.nodes.diagnostics import why_silent
from loci.nodes.errors import BadInput, Code, RequestError
from loci.nodes.lifecycle import OBSERVATION_QOS, SENSOR_QOS, ManagedNode
from loci.nodes.pairing import ApproximatePairs, ExactJoin
from loci.nodes.parameters import PERCEPTION
from loci.nodes.queueing import Closed, DropOldest
from loci.nodes.sources import Extrinsics, Frames, PoseSource, TfSource, TopicSource
from loci.nodes.tf import TfPoses
from loci.nodes.vision_detections import detection_array_type, from_detection_2d
from loci.observation import Detection, Frame, Observation
from loci.perception.open_vocabulary import OpenVocabularyDetector, parse_labels
from loci.perception.protocols import Detector, ImageEncoder
from loci.perception.registry import make_detector, make_image_encoder

#: A frame that comes this much of the period early still counts as the next one.
RATE_SLACK = 0.1


@dataclass
class _Input:
    """One subscription, and when something came on it last (monotonic [s])."""

    subscription: Any
    type_name: str
    name: str
    hint: str
    heard_at: float
    once: bool = False


class PerceptionNode(ManagedNode):
    """One camera. Its inputs are subscribed to from `configure` to `cleanup`."""

    def __init__(self, context: Context | None = None, **options: Any) -> None:
        self._inputs: list[_Input] = []
        self._queue: DropOldest[Shot] | None = None
        self._worker: threading.Thread | None = None
        self._detector: Detector | None = None
        self._encoder: ImageEncoder | None = None
        self._lock = threading.Lock()
        self._detecting = threading.Lock()  # camera images and pictures that somebody sends go through one detector
        self._sequence = 0
        self._last_used_ns = -1
        self._published_at = 0.0
        self._labels_text = ""
        self._waits_for_detections = False
        super().__init__("perception", PERCEPTION, context=context, **options)
        self.serve(srv.Detect, "detect", self._detect_picture)
        self.every(0.1, self._expire)
        self.every(1.0, self._watch)

    # --- life ---------------------------------------------------------------------------------------------------------

    def configure(self) -> None:
        v = self.values
        frames = Frames(
            map=v["map_frame"],
            child=v["pose_child_frame"] or v["base_frame"],
            camera=v["camera_frame"],
            T_child_camera=from_extrinsic(v["camera_extrinsic"], "camera_extrinsic"),
            T_color_depth=from_extrinsic(v["depth_extrinsic"], "depth_extrinsic"),
        )
        # What may fail comes before the first subscription: who configures again then has no second one.
        self_mask = _read_mask(v["self_mask"])
        self._detector = _make_detector(v)
        self._labels_text = v["detector_labels"]
        options = {"model": v["image_model"], "device": v["model_device"]} if v["image_encoder"] == "clip" else {}
        self._encoder = make_image_encoder(v["image_encoder"], **options) if v["image_encoder"] != "none" else None
        self._waits_for_detections = v["detector"] in ("external", "vision_msgs")
        outside_type = detection_array_type() if v["detector"] == "vision_msgs" else m.DetectionArray
        self._extrinsics = Extrinsics(frames, lambda: TfPoses(self))
        poses: PoseSource = (
            TfSource(self._extrinsics) if v["pose_source"] == "tf" else TopicSource(self._extrinsics, v["max_pose_gap"])
        )
        self._assembler = FrameAssembler(
            camera_name=v["camera_name"],
            map_id=v["map_id"],
            extrinsics=self._extrinsics,
            poses=poses,
            pose_timeout=v["pose_timeout"],
            depth_unit=v["depth_unit"],
            self_mask=self_mask,
        )
        self._pairs: ApproximatePairs[Any, Any] = ApproximatePairs(int(v["pairing_tolerance"] * 1e9))
        self._join: ExactJoin[Shot, Any] = ExactJoin(v["detections_timeout"], capacity=max(v["queue_size"], 2))
        # Where the detector is slower than the camera only the newest image is worth its time.
        self._queue = DropOldest(1 if getattr(self._detector, "newest_only", False) else v["queue_size"])
        self._publisher = self.create_lifecycle_publisher(m.Observation, "observations", OBSERVATION_QOS)
        self._subscribe_inputs(poses, outside_type)
        self._worker = threading.Thread(target=self._work, name="perception", args=(self._queue,))
        self._worker.start()

    def activate(self) -> None:
        now = time.monotonic()
        self._published_at = now
        for i in self._inputs:
            i.heard_at = now

    def cleanup(self) -> None:
        if self._queue is not None:
            self._queue.close(drain=False)
        if self._worker is not None:
            self._worker.join()
        for i in self._inputs:
            self.destroy_subscription(i.subscription)
        self._inputs.clear()
        self._extrinsics.close()
        self.destroy_lifecycle_publisher(self._publisher)
        self._queue = self._worker = None

    def diagnose(self) -> tuple[dict[str, Any], str]:
        with self._lock:
            values: dict[str, Any] = {
                "colour images without depth": self._pairs.n_unpaired[0],
                "depth images without colour": self._pairs.n_unpaired[1],
                "images out of order": self._pairs.n_out_of_order,
                "clock jumps": self._pairs.n_jumps,
                "images without detections": self._join.n_alone,
            }
        if self._queue is not None:
            values |= {
                "queue": len(self._queue),
                "queue_size": self._queue.capacity,
                "images dropped": self._queue.n_dropped,
            }
        return values, self.monitor.warning()

    def _subscribe_inputs(self, poses: PoseSource, outside_type: Any) -> None:
        v = self.values
        raw_color, depth_transport = v["color_transport"] == "raw", v["depth_transport"]
        self._input(
            Image if raw_color else CompressedImage,
            "color/image" if raw_color else "color/image/compressed",
            self._on_color,
            f"set color_transport to {'compressed' if raw_color else 'raw'}",
        )
        self._input(
            Image if depth_transport == "raw" else CompressedImage,
            "depth/image" if depth_transport == "raw" else f"depth/image/{depth_transport}",
            self._on_depth,
            "set depth_transport to the topic's kind",
        )
        self._input(CameraInfo, "color/camera_info", self._assembler.set_color_info)
        self._input(CameraInfo, "depth/camera_info", self._assembler.set_depth_info)
        if isinstance(poses, TopicSource):
            if v["pose_source"] == "odometry":
                self._input(Odometry, "odometry", poses.add, "set pose_source to pose")
            else:
                self._input(PoseStamped, "pose", poses.add, "set pose_source to odometry")
        if self._waits_for_detections:
            self._input(outside_type, "detections", self._on_detections)

    def _input(self, message_type: Any, name: str, callback: Any, hint: str = "") -> None:
        """Subscribe; what is refused is counted by its reason."""

        def take(message: Any) -> None:
            entry.heard_at = time.monotonic()
            self.monitor.count(f"{name} received")
            try:
                callback(message)
            except BadInput as error:
                self.complain(error.reason, f"{name}: {error}")

        reliable = self.values["reliable_inputs"]
        qos = QoSProfile(
            reliability=ReliabilityPolicy.RELIABLE if reliable else SENSOR_QOS.reliability,
            history=SENSOR_QOS.history,
            # Images are large, and only the newest matter to a camera that runs; poses are small and all are needed.
            depth=50 if reliable or message_type not in (Image, CompressedImage) else SENSOR_QOS.depth,
        )
        subscription = self.subscribe(message_type, name, take, qos)
        package = message_type.__module__.split(".", 1)[0]
        entry = _Input(
            subscription,
            f"{package}/msg/{message_type.__name__}",
            name,
            hint,
            time.monotonic(),
            message_type is CameraInfo,
        )
        self._inputs.append(entry)

    # --- callbacks: pair and queue ------------------------------------------------------------------------------------

    def _on_color(self, message: Any) -> None:
        with self._lock:
            jumps = self._pairs.n_jumps
            pairs = self._pairs.add_first(to_ns(message.header.stamp), message)
            self._after_jump(jumps)
            self._pass_on([Shot(p.stamp_ns, p.first, p.second) for p in pairs])

    def _on_depth(self, message: Any) -> None:
        with self._lock:
            jumps = self._pairs.n_jumps
            pairs = self._pairs.add_second(to_ns(message.header.stamp), message)
            self._after_jump(jumps)
            self._pass_on([Shot(p.stamp_ns, p.first, p.second) for p in pairs])

    def _on_detections(self, message: Any) -> None:
        with self._lock:
            self._queue_all(self._join.add_partner(to_ns(message.header.stamp), message))

    def _expire(self) -> None:
        if self._queue is not None:
            with self._lock:
                self._queue_all(self._join.expire(time.monotonic()))

    def _after_jump(self, n_jumps: int) -> None:
        if self._pairs.n_jumps != n_jumps:
            self._join.clear()
            self._extrinsics.start_anew()
            self._last_used_ns = -1
            self.complain(
                "time_backwards", "the stamps of the images went back by more than 1 s (a bag that loops?): began anew"
            )

    def _pass_on(self, shots: list[Shot]) -> None:
        period_ns = 1e9 / self.values["max_rate"]
        if shots and not self._publisher.get_subscription_count():
            self.monitor.count("images left out: nobody subscribes to observations", len(shots))
            return
        for shot in shots:
            if self._last_used_ns >= 0 and shot.stamp_ns - self._last_used_ns < (1.0 - RATE_SLACK) * period_ns:
                self.monitor.count("images left out by max_rate")
                continue
            self._last_used_ns = shot.stamp_ns
            if self._waits_for_detections:
                self._queue_all(self._join.add_item(shot.stamp_ns, shot, time.monotonic()))
            elif self._queue is not None:
                self._queue.put(shot)

    def _queue_all(self, ready: list[tuple[Shot, Any]]) -> None:
        for shot, detections in ready:
            if self._queue is not None:
                self._queue.put(replace(shot, detections=detections))

    # --- the worker ---------------------------------------------------------------------------------------------------

    def _work(self, queue: DropOldest[Shot]) -> None:
        while True:
            try:
                shot = queue.get(timeout=1.0)
            except Closed:
                return
            if shot is None or not self.active:
                continue
            try:
                self._process(shot)
            except BadInput as error:
                self.complain(error.reason, str(error))
                with self._lock:
                    if self._last_used_ns == shot.stamp_ns:
                        self._last_used_ns = -1  # it was not used: max_rate does not hold back the next
            except Exception as error:  # whatever it is, the node goes on and says so
                self.complain("internal", f"{type(error).__name__}: {error}", error=True)

    def _process(self, shot: Shot) -> None:
        began = time.perf_counter()
        frame, jpeg = self._assembler.assemble(shot)
        assembled = time.perf_counter()
        detections, detector = self._detect(frame, shot.detections)
        detected = time.perf_counter()
        embedding = self._encoder.encode(frame.color) if self._encoder is not None else None
        encoded = time.perf_counter()
        observation = Observation(frame, detections, embedding, jpeg)
        encoder = self._encoder.name if self._encoder is not None else ""
        message = to_observation(
            observation, self.values["map_frame"], sequence=self._sequence, encoder=encoder, detector=detector
        )
        self._sequence += 1
        self._publisher.publish(message)
        self._published_at = time.monotonic()
        done = time.perf_counter()
        for name, seconds in (
            ("assemble", assembled - began),
            ("detect", detected - assembled),
            ("encode", encoded - detected),
            ("publish", done - encoded),
        ):
            self.monitor.took(name, seconds, count=False)
        self.monitor.took("observations", done - began)

    def _detect(self, frame: Frame, outside: Any) -> tuple[tuple[Detection, ...], str]:
        """Detections of a frame and who made them; those from outside that do not fit are left out, and counted."""
        if self._detector is not None:
            with self._detecting:
                self._follow_labels(self._detector)
                return self._detector.detect(frame), self._detector.name
        if outside is None:
            return (), ""
        detections: list[Detection] = []
        for message in outside.detections:
            try:
                is_2d = self.values["detector"] == "vision_msgs"
                detection = from_detection_2d(message, frame) if is_2d else from_detection(message)
                if detection.box[2] > frame.camera.width or detection.box[3] > frame.camera.height:
                    size = f"{frame.camera.width}x{frame.camera.height}"
                    raise BadInput(
                        "detection",
                        f"expected boxes inside the {size} image, got {detection.box} ({detection.label!r})",
                    )
                detections.append(detection)
            except BadInput as error:
                self.complain(error.reason, str(error))
        return tuple(detections), str(self.values["detector"])

    def _detect_picture(self, request: Any, response: Any) -> None:
        """What the detector sees in a picture that was taken somewhere else: without depth."""
        if self._detector is None:
            named = self.values["detector"]
            raise RequestError(
                Code.UNAVAILABLE, f"this node has no detector of its own (detector: {named}): ask the one that has"
            )
        color = images.color_from_compressed(request.image)
        height, width = color.shape[:2]
        camera = Camera(width, height, width, width, (width - 1) / 2, (height - 1) / 2)
        frame = Frame(color, np.zeros((height, width), np.float32), camera, np.eye(4), 0)
        detections, response.detector = self._detect(frame, None)
        response.detections = [to_detection(d) for d in detections]

    def _follow_labels(self, detector: Detector) -> None:
        """Look for what the parameter `detector_labels` says now: it may be set while the node runs."""
        if isinstance(detector, OpenVocabularyDetector):
            text = str(self.get_parameter("detector_labels").value)
            if text != self._labels_text:
                self._labels_text = text
                detector.set_labels(parse_labels(text))
                self.get_logger().info(f"looking for {len(detector.labels)} labels")

    def _watch(self) -> None:
        now, timeout = time.monotonic(), self.values["silence_timeout"]
        for i in self._inputs:
            # A camera_info that came once is enough.
            silent = 0.0 if i.once and self.monitor.counted(f"{i.name} received") else now - i.heard_at
            self.warn_of_silence(
                i.name,
                silent,
                timeout,
                partial(why_silent, self, i.subscription.topic_name, i.type_name, i.name, i.hint),
            )
        images = self._inputs[:2]
        if not all(self.monitor.counted(f"{i.name} received") and now - i.heard_at <= timeout for i in images):
            self._published_at = now  # the time without observations begins with the images
        elif now - self._published_at > timeout:
            last = (
                "nobody subscribes to observations: start the memory, with this namespace and ROS_DOMAIN_ID"
                if not self._publisher.get_subscription_count()
                else self.monitor.last_rejection
                or "are the stamps of colour and depth further apart than pairing_tolerance?"
            )
            self.complain(
                "no_observations",
                f"images come, but gave no observation since {now - self._published_at:.0f} s: {last}",
            )


def _read_mask(path: str) -> npt.NDArray[np.bool_] | None:
    """Self-mask of an image file.

    Raises:
        ValueError: it cannot be read.
    """
    if not path:
        return None
    image = cv2.imread(str(Path(path).expanduser()), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise ValueError(f"expected self_mask to be an image file, cannot read {path}")
    return np.asarray(image > 127)


def _make_detector(values: dict[str, Any]) -> Detector | None:
    """The detector that the parameters name; None: detections come from outside, or there are none."""
    name = values["detector"]
    if name in ("external", "vision_msgs", "none"):
        return None
    if name != "open_vocabulary":
        return make_detector(name)
    return make_detector(
        name,
        labels=parse_labels(values["detector_labels"]),
        model=values["detector_model"],
        mask_model=values["mask_model"],
        embedding_model=values["embedding_model"],
        min_score=values["detector_min_score"],
        device=values["model_device"],
    )
