"""The end of background work."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable


async def ended(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel these until they have ended: a cancellation that arrives together with what a task waits for is lost."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=0.5)
