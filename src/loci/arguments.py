"""Values that options of several commands have."""

from __future__ import annotations

import argparse


def positive(text: str) -> int:
    """A whole number >= 1.

    Raises:
        ArgumentTypeError: it is smaller.
    """
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a number >= 1, got {value}")
    return value
