"""Errors that are the user's to mend: one line that says what is wrong, and one with what to type next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class UserError(Exception):
    """Something the user can mend.

    Attributes:
        next_command: what to type next; empty: the message says enough.
        details: more lines, e.g. the end of a log.
    """

    def __init__(self, message: str, next_command: str = "", details: str = "") -> None:
        super().__init__(message)
        self.next_command = next_command
        self.details = details


@contextmanager
def of_extra(what: str, extra: str) -> Iterator[None]:
    """What is imported in this block comes with an extra of the package, e.g. "sim".

    Raises:
        UserError: it cannot be imported; says what to install.
    """
    try:
        yield
    except ImportError as error:
        raise UserError(f"{what} cannot be imported ({error})", f"pip install 'loci[{extra}]'") from error
