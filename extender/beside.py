"""Work that no answer waits for: after the answer that is being made, or later and together."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable

from prometheus_client import Counter

log = logging.getLogger("extender.beside")

GATHER_S = 0.1
"""From the first call that waits to all of them."""
MANY = 32
"""So many do not wait for more."""
SLICE_S = 0.001
"""Then answers have their turn."""


class Backlog:
    """Calls made later, together and in order.

    Beside a busy scheduler each piece of work finds the processor's caches full of other things, and takes several
    times as long as the same work done again at once.
    """

    def __init__(self, defects: Counter) -> None:
        self.defects = defects
        self.calls: deque[Callable[[], object]] = deque()
        self._due: asyncio.Handle | None = None

    def add(self, call: Callable[[], object]) -> None:
        """Make this call within GATHER_S."""
        self.calls.append(call)
        if self._due is None:
            self._due = asyncio.get_running_loop().call_later(GATHER_S, self._slice)
        elif len(self.calls) == MANY:
            self._due.cancel()
            self._due = asyncio.get_running_loop().call_soon(self._slice)

    def once_answered(self, call: Callable[[], object]) -> None:
        """Make this call when the answer that is being made has been sent, which is before the next turn of the event
        loop: kube-scheduler waits for answers, not for accounts."""
        asyncio.get_running_loop().call_soon(self._make, call)

    def flush(self) -> None:
        """Make all of them now, and those that they add."""
        while self.calls:
            self._make(self.calls.popleft())

    def _slice(self) -> None:
        """Make calls for SLICE_S, then let others have their turn."""
        end = time.perf_counter() + SLICE_S
        while self.calls and time.perf_counter() < end:
            self._make(self.calls.popleft())
        self._due = asyncio.get_running_loop().call_soon(self._slice) if self.calls else None

    def _make(self, call: Callable[[], object]) -> None:
        """One call; a defect in it is logged and counted, and costs no other."""
        try:
            call()
        except Exception:
            log.exception("work beside the answers failed")
            self.defects.labels("beside").inc()
