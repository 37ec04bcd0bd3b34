"""Giving up what waits, for a model that thinks or for an image: who asks says how it is known, and what waits looks now and then.

The check travels with the call (a context variable), not through every signature between the one who can cancel and the one who waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

#: Time between two looks at the check while something is waited for [s].
POLL_PERIOD = 0.05

_CHECK: ContextVar[Callable[[], bool] | None] = ContextVar("loci_cancelled", default=None)


class GivenUpError(RuntimeError):
    """The one who asked has cancelled: nobody waits for an answer any more, not even for that of another planner."""


@contextmanager
def cancelled_by(check: Callable[[], bool]) -> Iterator[None]:
    """What is asked inside is given up, by `GivenUpError`, soon after a check has become true.

    Args:
        check: quick, and callable from the asking thread, e.g. ``lambda: goal_handle.is_cancel_requested``. An outer check still counts.
    """
    outer = _CHECK.get()
    token = _CHECK.set(check if outer is None else lambda: check() or outer())
    try:
        yield
    finally:
        _CHECK.reset(token)


def current_check() -> Callable[[], bool] | None:
    """The check of the call that is under way; None: it cannot be cancelled."""
    return _CHECK.get()


def give_up_if_cancelled(stage: str) -> None:
    """Look at the check.

    Args:
        stage: what is being done, for the message: "waiting for an image".

    Raises:
        GivenUpError: it is true.
    """
    check = _CHECK.get()
    if check is not None and check():
        raise GivenUpError(f"cancelled while {stage}")
