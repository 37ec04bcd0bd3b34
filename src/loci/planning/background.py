"""An event loop in a thread of its own: network traffic that no thread of a node waits in, and that can be given up at any moment.

`asyncio.run` in the asking thread would not do: it waits for look-ups of host names that hang, long after a deadline or a cancellation.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

#: Longest wait for what is cancelled at the end [s].
_END_TIMEOUT = 5.0


class BackgroundLoop:
    """Runs coroutines. The thread starts with the first one; it ends with `close`, or when nobody holds the loop any more.

    Args:
        name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: weakref.finalize[..., BackgroundLoop] | None = None
        self._closed = False

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine. Cancelling the future cancels the coroutine, and does not wait for it.

        Raises:
            RuntimeError: the loop is closed.
        """
        with self._lock:
            if self._closed:
                coroutine.close()
                raise RuntimeError(f"{self._name} is closed")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                thread = threading.Thread(target=_run, args=(self._loop,), name=self._name, daemon=True)
                thread.start()
                self._end = weakref.finalize(self, _stop, self._loop, thread)
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def close(self) -> None:
        """Cancel what runs, and end the thread; harmless when closed already."""
        with self._lock:
            self._closed = True
            end = self._end
        if end is not None:
            end()


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()  # look-ups of names that hang are left to themselves


def _stop(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    async def cancel_all() -> None:
        end = loop.time() + _END_TIMEOUT
        # Again and again: what is being waited for can swallow a cancellation.
        while (tasks := asyncio.all_tasks() - {asyncio.current_task()}) and loop.time() < end:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=0.05)
        await loop.shutdown_asyncgens()
        loop.stop()

    if loop.is_closed():
        return
    asyncio.run_coroutine_threadsafe(cancel_all(), loop)
    if thread is not threading.current_thread():
        thread.join(2 * _END_TIMEOUT)
