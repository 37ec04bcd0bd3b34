"""Pretrained models of the transformers library: where they are found, on which device they run, and what to do if they are missing.

In one place, so that the detectors and encoders of `loci[openvocab]` fail with the same words. Nothing is imported before it is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def transformers() -> Any:
    """The library.

    Raises:
        ModuleNotFoundError: it is not installed; the message names the command that installs it.
    """
    try:
        import transformers as library
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{error.name} is needed for pretrained detectors and encoders: pip install 'loci[openvocab]'"
        ) from error
    return library


def load(what: str, model: str, make: Callable[[str], T]) -> T:
    """``make(model)``, with an error that says what to do.

    Args:
        what: e.g. ``"detector model"``.
        model: name on the Hugging Face hub, or a folder.

    Raises:
        OSError: the weights are neither in the folder nor in the cache, and cannot be downloaded.
    """
    try:
        return make(model)
    except (OSError, ValueError) as error:
        raise OSError(
            f"cannot load the {what} {model!r}: expected a folder with its files, or a name that was downloaded before "
            f"(`hf download {model}` on a machine with network access): {str(error).splitlines()[0]}"
        ) from error


def device_of(device: str) -> str:
    """``"auto"`` as the device there is.

    Raises:
        ValueError: not ``auto``, ``cpu`` or ``cuda``, or CUDA where there is none.
    """
    import torch

    if device not in ("auto", "cpu", "cuda"):
        raise ValueError(f"expected a device among auto, cpu, cuda, got {device!r}")
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("expected a machine with CUDA for device 'cuda': torch finds none; take 'auto' or 'cpu'")
    return ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device


def dtype_of(device: str) -> Any:
    """Half precision on a GPU, single on a CPU, where halves are slower."""
    import torch

    return torch.float16 if device == "cuda" else torch.float32


def pooled(output: Any) -> Any:
    """Features (N, D) of ``get_*_features``: a tensor before transformers 5, an output with a pooled one since."""
    return getattr(output, "pooler_output", output)
