"""The image encoder without weights: the same place is nearer than another one."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from loci.perception.descriptor import DescriptorEncoder
from loci.perception.protocols import ImageEncoder
from loci.readers import open_recording


@pytest.fixture(scope="module")
def images(kitchen):
    return [raw.color_array() for i, raw in enumerate(open_recording(kitchen).frames()) if i % 5 == 0]


def test_vectors_are_unit_and_of_the_promised_length(rng):
    encoder = DescriptorEncoder()
    assert isinstance(encoder, ImageEncoder)
    for shape in ((480, 640), (1, 1), (37, 901)):
        vector = encoder.encode(rng.integers(0, 256, (*shape, 3), dtype=np.uint8))
        assert vector.shape == (encoder.dimension,)
        assert vector.dtype == np.float32
        assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)


def test_an_even_image_has_a_vector_too():
    vector = DescriptorEncoder().encode(np.full((48, 64, 3), 128, np.uint8))
    assert np.all(np.isfinite(vector))
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)


def test_an_image_is_recognised_after_compression_in_dimmer_light_and_from_a_bit_aside(images):
    encoder = DescriptorEncoder()
    gallery = np.array([encoder.encode(image) for image in images])
    changes = {
        "jpeg": lambda im: cv2.imdecode(cv2.imencode(".jpg", im, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], cv2.IMREAD_COLOR),
        "dim": lambda im: (im * 0.6).astype(np.uint8),
        "small": lambda im: cv2.resize(im, (160, 120), interpolation=cv2.INTER_AREA),
        "aside": lambda im: cv2.resize(im[15:-15, 20:], (640, 480)),
    }
    for name, change in changes.items():
        queries = np.array([encoder.encode(change(image)) for image in images])
        found = np.argmax(queries @ gallery.T, axis=1)
        assert np.mean(np.abs(found - np.arange(len(images))) <= 1) >= 0.95, name


def test_neighbouring_views_are_more_alike_than_distant_ones(images):
    vectors = np.array([DescriptorEncoder().encode(image) for image in images])
    cosine = vectors @ vectors.T
    near = np.diag(cosine, 1)
    far = cosine[np.triu_indices(len(images), 10)]
    assert np.median(near) > np.quantile(far, 0.9)
    assert np.median(far) < 0.6


@pytest.mark.parametrize("image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)])
def test_what_is_no_image_is_refused(image):
    with pytest.raises(ValueError, match=r"expected an image \(H, W, 3\) uint8, got"):
        DescriptorEncoder().encode(image)
