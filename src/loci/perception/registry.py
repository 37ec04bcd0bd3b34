"""Detectors and image encoders by name, so that a parameter file can choose one.

Implementations are imported only when they are made: a missing optional package is reported by the one who needs it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, cast

from loci.perception.protocols import Detector, ImageEncoder

#: name -> (module, class, dataclass of its parameters or "": the options are the class's own arguments)
DETECTORS: Mapping[str, tuple[str, str, str]] = {
    "geometric": ("loci.perception.geometric", "GeometricDetector", "GeometricParameters"),
    "open_vocabulary": ("loci.perception.open_vocabulary", "OpenVocabularyDetector", "OpenVocabularyParameters"),
    "simulated": ("loci.perception.simulated", "SimulatedDetector", ""),
}
IMAGE_ENCODERS: Mapping[str, tuple[str, str, str]] = {
    "clip": ("loci.perception.clip", "ClipEncoder", ""),
    "descriptor": ("loci.perception.descriptor", "DescriptorEncoder", ""),
}


def make_detector(name: str, **options: Any) -> Detector:
    """Detector by name, e.g. ``make_detector("geometric", max_range=3.0)``.

    Raises:
        ValueError: an unknown name or option; the message lists the known ones.
    """
    return cast(Detector, _make("detector", DETECTORS, name, options))


def make_image_encoder(name: str, **options: Any) -> ImageEncoder:
    """Image encoder by name.

    Raises:
        ValueError: an unknown name or option; the message lists the known ones.
    """
    return cast(ImageEncoder, _make("image encoder", IMAGE_ENCODERS, name, options))


def _make(what: str, known: Mapping[str, tuple[str, str, str]], name: str, options: dict[str, Any]) -> object:
    if name not in known:
        raise ValueError(f"expected one of the {what}s {', '.join(sorted(known))}, got {name!r}")
    module_name, class_name, parameters_name = known[name]
    module = import_module(module_name)
    factory = cast(Callable[..., object], getattr(module, class_name))
    takes = cast(Callable[..., object], getattr(module, parameters_name)) if parameters_name else factory
    accepted = inspect.signature(takes).parameters
    unknown = sorted(set(options) - set(accepted))
    if unknown:
        names = ", ".join(accepted) or "none"
        raise ValueError(f"expected options of the {what} {name!r} among {names}, got {', '.join(unknown)}")
    missing = [n for n, a in accepted.items() if a.default is inspect.Parameter.empty and n not in options]
    if missing:
        raise ValueError(f"expected the {what} {name!r} to be given {', '.join(missing)}")
    return factory(takes(**options)) if parameters_name else factory(**options)
