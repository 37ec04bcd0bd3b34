"""Errors that nodes raise and report: input that was refused, and requests that cannot be answered, with the code for the answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum


class Code(IntEnum):
    """Values of ``error_code`` in every response (msg/ErrorCode)."""

    NONE = 0
    INVALID_REQUEST = 1
    NOT_FOUND = 2
    TIMEOUT = 3
    UNAVAILABLE = 4
    NO_PATH = 5
    OTHER_MAP = 6
    STORAGE = 7
    CANCELED = 8
    INTERNAL = 9


class BadInput(ValueError):  # noqa: N818
    """A message that was refused.

    Args:
        reason: short name under which it is counted in the diagnostics, e.g. ``"encoding"``.
        message: what was got and what was expected.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@contextmanager
def refused_for(reason: str) -> Iterator[None]:
    """Turn a ValueError raised inside into `BadInput` counted under ``reason``."""
    try:
        yield
    except BadInput:
        raise
    except ValueError as error:
        raise BadInput(reason, str(error)) from error


class RequestError(Exception):
    """A request that cannot be answered, with the code to answer it with.

    Args:
        code: to answer with.
        message: what was got and what was expected.
        fields: further fields of the response that say why, by name.
    """

    def __init__(self, code: Code, message: str, **fields: int | str) -> None:
        super().__init__(message)
        self.code = code
        self.fields = fields


def code_of(error: BaseException) -> Code:
    """The code that tells what kind of thing went wrong; `Code.INTERNAL` for what nobody foresaw."""
    # Imported here: the readers of this module need neither the store nor the memory.
    from loci.planning.cancelling import GivenUpError
    from loci.store.errors import StoreError
    from loci.whereabouts import OtherMapError

    if isinstance(error, RequestError):
        return error.code
    if isinstance(error, GivenUpError):
        return Code.CANCELED
    if isinstance(error, OtherMapError):
        return Code.OTHER_MAP
    if isinstance(error, ValueError):
        return Code.INVALID_REQUEST
    if isinstance(error, LookupError):
        return Code.NOT_FOUND
    if isinstance(error, TimeoutError):
        return Code.TIMEOUT
    if isinstance(error, ModuleNotFoundError):  # an optional package: the message names the command that installs it
        return Code.UNAVAILABLE
    if isinstance(error, (StoreError, OSError)):
        return Code.STORAGE
    return Code.INTERNAL


def text_of(error: BaseException) -> str:
    """What an error says, without the quotes that KeyError puts around it; its type where it says nothing."""
    if isinstance(error, KeyError) and error.args:
        return str(error.args[0])
    return str(error) or type(error).__name__
