"""The open-vocabulary detector and its encoders on tiny models with random weights: the real library, no download."""

from __future__ import annotations

import numpy as np
import pytest

from loci.geometry import look_at
from loci.perception import clip, masks, open_vocabulary
from loci.perception.clip import ClipEncoder
from loci.perception.masks import SamMasks, depth_mask
from loci.perception.open_vocabulary import (
    MAX_LABELS,
    OpenVocabularyDetector,
    OpenVocabularyParameters,
    parse_labels,
    suppress,
)
from loci.perception.protocols import Detector, ImageEncoder, ImageTextEncoder
from loci.perception.registry import make_detector, make_image_encoder
from synthetic import ROOM

pytest.importorskip("transformers", reason="transformers is not installed: pip install 'loci[openvocab]'")

import torch
import transformers

import tiny_models

FRAME = ROOM.observe(look_at((1.0, 1.0, 1.4), (2.5, 1.6, 0.7)), 1).frame
OTHER = ROOM.observe(look_at((4.0, 3.0, 1.4), (2.5, 1.6, 0.7)), 2).frame


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {kind: str(getattr(tiny_models, kind)(folder / kind)) for kind in ("owlv2", "clip", "siglip", "sam")}


def detector(models, **more) -> OpenVocabularyDetector:
    chosen = {"labels": ("mug", "table", "sofa"), "model": models["owlv2"], "min_score": 0.0, "device": "cpu"} | more
    return OpenVocabularyDetector(OpenVocabularyParameters(**chosen))


def test_detections_are_the_models_own_answers(models):
    """The same boxes, labels and scores as the library's own call and post-processing, which encode the words every time."""
    found = detector(models, nms_iou=1.0, max_detections=10_000).detect(FRAME)
    processor = transformers.Owlv2Processor(
        transformers.AutoImageProcessor.from_pretrained(models["owlv2"]), transformers.AutoTokenizer.from_pretrained(models["owlv2"])
    )  # fmt: skip
    model = transformers.Owlv2ForObjectDetection.from_pretrained(models["owlv2"]).eval()
    words = [[f"a photo of a {label}" for label in ("mug", "table", "sofa")]]
    with torch.no_grad():
        given = processor(
            text=words, images=FRAME.color, return_tensors="pt", padding="max_length", max_length=16, truncation=True
        )
        output = model(**given)
    logits = output.logits[0].max(dim=-1)
    expected_scores = torch.sigmoid(logits.values).numpy()
    boxes = output.pred_boxes[0].numpy() * max(FRAME.color.shape[:2])
    expected = {}
    for score, number, (x, y, w, h) in zip(expected_scores, logits.indices.tolist(), boxes, strict=True):
        x0, y0, x1, y1 = max(x - w / 2, 0), max(y - h / 2, 0), min(x + w / 2, 160), min(y + h / 2, 120)
        if x1 - x0 >= 2 and y1 - y0 >= 2:
            box = (int(np.floor(x0)), int(np.floor(y0)), int(np.ceil(x1)), int(np.ceil(y1)))
            expected.setdefault(box, []).append((("mug", "table", "sofa")[number], float(score)))
    assert len(found) > 5
    for d in found:
        assert any(d.label == label and abs(d.score - score) < 1e-4 for label, score in expected[d.box]), d
    assert [d.score for d in found] == sorted((d.score for d in found), reverse=True)


def test_it_is_a_detector_by_name_whose_detections_fit_the_image(models):
    made = make_detector("open_vocabulary", model=models["owlv2"], min_score=0.0, device="cpu", max_detections=7)
    assert isinstance(made, Detector)
    found = made.detect(FRAME)
    assert 0 < len(found) <= 7
    for d in found:
        assert d.box[2] <= 160 and d.box[3] <= 120
        assert d.label in made.labels and d.embedding is None


def test_frames_in_a_batch_give_what_they_give_alone(models):
    one = detector(models)
    together = one.detect_batch([FRAME, OTHER])
    for alone, found in zip([one.detect(FRAME), one.detect(OTHER)], together, strict=True):
        assert [(d.label, d.box) for d in alone] == [(d.label, d.box) for d in found]
        np.testing.assert_allclose([d.score for d in alone], [d.score for d in found], atol=1e-4)
    assert one.detect_batch([]) == []


def test_labels_change_at_run_time_and_bad_ones_change_nothing(models):
    one = detector(models)
    assert {d.label for d in one.detect(FRAME)} <= {"mug", "table", "sofa"}
    one.set_labels(("lamp",))
    assert {d.label for d in one.detect(FRAME)} == {"lamp"}
    for wrong in ((), ("",), ("x" * 101,), tuple(f"thing {i}" for i in range(MAX_LABELS + 1))):
        with pytest.raises(ValueError, match="expected"):
            one.set_labels(wrong)
    assert one.labels == ("lamp",)


def test_ten_thousand_labels_are_looked_for_in_batches(models):
    """Scores of a label do not depend on how many others there are; memory stays bounded by the batches."""
    many = tuple(f"thing {i}" for i in range(2_000))
    one = detector(models, labels=many[:600], nms_iou=1.0, max_detections=10_000)
    found = one.detect(FRAME)
    few = detector(models, labels=tuple({d.label for d in found}), nms_iou=1.0, max_detections=10_000).detect(FRAME)
    assert sorted((d.label, d.box) for d in few) == sorted((d.label, d.box) for d in found)
    one.set_labels(tuple(f"thing {i}" for i in range(MAX_LABELS)))
    assert len(one.labels) == MAX_LABELS


def test_masks_and_embeddings_come_with_the_detections(models):
    one = detector(models, mask_model=models["sam"], embedding_model=models["clip"], max_detections=5)
    encoder = ClipEncoder(models["clip"], "cpu")
    found = one.detect(FRAME)
    assert found
    for d in found:
        x0, y0, x1, y1 = d.box
        assert d.full_mask.shape == (y1 - y0, x1 - x0)
        np.testing.assert_allclose(d.embedding, encoder.encode(FRAME.color[y0:y1, x0:x1]), atol=1e-5)


def test_sam_gets_its_boxes_in_batches(models):
    boxes = [(5, 5, 60, 70), (40, 20, 150, 110), (0, 0, 160, 120), (80, 60, 84, 64)]
    one, batched = SamMasks(models["sam"], "cpu"), SamMasks(models["sam"], "cpu", batch_size=2)
    alone, together = one.masks(FRAME.color, boxes), batched.masks(FRAME.color, boxes)
    assert [m.shape for m in alone] == [(y1 - y0, x1 - x0) for x0, y0, x1, y1 in boxes]
    assert all(np.mean(a == b) > 0.99 for a, b in zip(alone, together, strict=True))
    assert one.masks(FRAME.color, []) == []


def test_masks_by_depth_are_the_thing_and_not_the_wall_behind_it():
    _, depth, seen = ROOM.render(FRAME.T_map_camera)
    for index in np.unique(seen[seen >= 0]):
        rows, columns = np.nonzero(seen == index)
        if len(rows) < 150:
            continue
        box = (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
        mask = depth_mask(depth, box, FRAME.camera.fx)
        truth = seen[box[1] : box[3], box[0] : box[2]] == index
        assert mask.shape == truth.shape
        size = max(mask.shape) * float(np.median(depth[seen == index])) / FRAME.camera.fx
        behind = depth[box[1] : box[3], box[0] : box[2]] > depth[seen == index].max() + size + 0.1
        assert not mask[behind].any()
        assert np.mean(mask[truth]) > 0.5
    assert depth_mask(np.zeros((20, 20), np.float32), (2, 2, 10, 12), 100.0).all()


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_images_and_texts_share_a_space_of_unit_vectors(models, kind):
    encoder = make_image_encoder("clip", model=models[kind], device="cpu")
    assert isinstance(encoder, ImageEncoder) and isinstance(encoder, ImageTextEncoder)
    image, texts = encoder.encode(FRAME.color), encoder.encode_text(["a mug", "a sofa", "a mug"])
    assert image.shape == (encoder.dimension,) and texts.shape == (3, encoder.dimension)
    np.testing.assert_allclose(np.linalg.norm(np.vstack([image, texts]), axis=1), 1.0, atol=1e-5)
    np.testing.assert_array_equal(texts[0], texts[2])
    assert not np.allclose(texts[0], texts[1])
    batch = encoder.encode_batch([FRAME.color, OTHER.color[:40, :90]])
    np.testing.assert_allclose(batch[0], image, atol=1e-5)
    assert encoder.encode_text([]).shape == (0, encoder.dimension)
    low, high = encoder.match_range
    assert low < high
    for wrong in (np.zeros((0, 4, 3), np.uint8), np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)):
        with pytest.raises(ValueError, match=r"expected an image \(H, W, 3\) uint8"):
            encoder.encode(wrong)


def test_a_model_that_is_not_there_is_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(OSError, match="expected a folder with its files, or a name that was downloaded"):
        OpenVocabularyDetector(OpenVocabularyParameters(model=str(tmp_path / "none"), device="cpu")).detect(FRAME)
    with pytest.raises(OSError, match="cannot load the image-text model"):
        ClipEncoder(str(tmp_path / "none"), "cpu").encode(FRAME.color)


def test_bad_settings_are_refused():
    for wrong in ({"min_score": 1.5}, {"nms_iou": -0.1}, {"max_detections": 0}, {"labels": ()}):
        with pytest.raises(ValueError, match="expected"):
            OpenVocabularyParameters(**wrong)
    with pytest.raises(ValueError, match="device"):
        ClipEncoder("x", "tpu")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="CUDA"):
            ClipEncoder("x", "cuda")


def test_label_lists_are_texts():
    assert parse_labels(" Mug, coffee  table;mug\nsofa ,") == ("mug", "coffee table", "sofa")
    assert len(parse_labels("")) > 50
    with pytest.raises(ValueError, match="1 to 10000 labels, got 10001"):
        parse_labels(",".join(f"thing {i}" for i in range(MAX_LABELS + 1)))


def test_overlapping_boxes_leave_the_best():
    boxes = np.array([[0, 0, 10, 10], [1, 1, 11, 11], [20, 20, 30, 30], [0, 0, 10, 10]], dtype=float)
    assert suppress(boxes, np.array([0.5, 0.9, 0.3, 0.2]), 0.5) == [1, 2]
    assert suppress(boxes[:0], np.zeros(0), 0.5) == []


def test_in_half_precision_as_on_a_gpu_the_answers_are_the_same(models, monkeypatch):
    """Every tensor that goes into a model has the model's type: no part of the path is left in single precision."""
    whole = detector(models, mask_model=models["sam"], embedding_model=models["clip"], max_detections=5).detect(FRAME)
    for module in (clip, masks, open_vocabulary):
        monkeypatch.setattr(module, "dtype_of", lambda device: torch.float16)
    halved = detector(models, mask_model=models["sam"], embedding_model=models["clip"], max_detections=5)
    found = halved.detect(FRAME)
    assert halved._model()[0].dtype == torch.float16
    assert [(d.label, d.box) for d in found] == [(d.label, d.box) for d in whole]
    for a, b in zip(found, whole, strict=True):
        assert abs(a.score - b.score) < 5e-3
        assert a.embedding is not None and b.embedding is not None
        assert a.embedding.dtype == np.float32
        assert float(a.embedding @ b.embedding) > 0.999
        assert np.mean(a.full_mask == b.full_mask) > 0.9
    assert ClipEncoder(models["siglip"], "cpu").encode_text(["a mug"]).dtype == np.float32
