"""Errors that are the user's to mend: one line that says what is wrong, and one with what to type next."""

from __future__ import annotations


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
