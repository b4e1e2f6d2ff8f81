"""One thread for the model, and a bounded queue before it.

The event loop stays free for health checks while the thread computes. Calls wait in the loop, not in the
thread's own queue: a call that is cancelled there frees its place and its request at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import TypeVar

from services.serving.errors import DeadlinePassedError, OverloadedError

Result = TypeVar("Result")

DEADLINE: ContextVar[float | None] = ContextVar("deadline", default=None)
"""time.monotonic() at which the caller of the current task stops waiting; None where it named no deadline."""


class Worker:
    """Runs functions one at a time, in the order they were asked for.

    max_queue: calls that may wait beside the one that runs.
    """

    def __init__(self, max_queue: int) -> None:
        self.max_queue = max_queue
        self.waiting = 0
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")

    @property
    def busy(self) -> bool:
        """Whether a function runs now."""
        return self._turn.locked()

    async def run(self, work: Callable[[], Result]) -> Result:
        """The result of `work()` in the model's thread. Work that has begun ends even when its caller is
        cancelled; only then the next begins. Raises OverloadedError and DeadlinePassedError beside."""
        await self._wait_for_turn()
        if deadline_passed():
            self._turn.release()
            raise DeadlinePassedError
        future = asyncio.get_running_loop().run_in_executor(self._thread, work)
        future.add_done_callback(self._release)
        return await asyncio.shield(future)

    def close(self) -> None:
        """Takes no further work; does not wait for what runs."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _wait_for_turn(self) -> None:
        if self.waiting >= self.max_queue:
            raise OverloadedError(self.waiting)
        self.waiting += 1
        try:
            await self._turn.acquire()
        finally:
            self.waiting -= 1

    def _release(self, future: asyncio.Future[Result]) -> None:
        if not future.cancelled():
            future.exception()  # seen, so that asyncio does not warn when the caller has gone
        self._turn.release()


def deadline_passed() -> bool:
    """Whether the caller of the current task has stopped waiting."""
    deadline = DEADLINE.get()
    return deadline is not None and time.monotonic() >= deadline
