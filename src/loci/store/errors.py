"""The one error of the store: what was asked cannot be done, or what lies on disk is not as it was written."""

from __future__ import annotations


class StoreError(RuntimeError):
    """A memory on disk cannot be opened, read or written; the message says which file and why."""
