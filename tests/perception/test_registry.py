"""Detectors and encoders by name, with errors that say what there is."""

from __future__ import annotations

import pytest

from loci.perception.descriptor import DescriptorEncoder
from loci.perception.geometric import GeometricDetector
from loci.perception.protocols import Detector, ImageEncoder
from loci.perception.registry import make_detector, make_image_encoder


def test_detectors_are_made_by_name_with_their_options():
    detector = make_detector("geometric", max_range=2.5)
    assert isinstance(detector, GeometricDetector)
    assert isinstance(detector, Detector)
    assert detector.parameters.max_range == 2.5
    assert make_detector("simulated", labels={1: "mug"}).name == "simulated"


def test_image_encoders_are_made_by_name():
    encoder = make_image_encoder("descriptor")
    assert isinstance(encoder, DescriptorEncoder)
    assert isinstance(encoder, ImageEncoder)


def test_unknown_names_and_options_are_refused_with_the_known_ones():
    with pytest.raises(
        ValueError, match="expected one of the detectors geometric, open_vocabulary, simulated, got 'yolo'"
    ):
        make_detector("yolo")
    with pytest.raises(ValueError, match="expected one of the image encoders clip, descriptor, got 'blip'"):
        make_image_encoder("blip")
    with pytest.raises(ValueError, match=r"among step, max_range.*got range"):
        make_detector("geometric", range=3)
    with pytest.raises(ValueError, match="expected the detector 'simulated' to be given labels"):
        make_detector("simulated")
