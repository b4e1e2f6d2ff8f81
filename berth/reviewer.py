"""Asks the API server who shows a token, in threads of its own. Answers are kept for a while: a token that is withdrawn
counts as long."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable

from berth.reviews import Review, ReviewError, reviewed

KEPT_S = {200: 60.0, 401: 10.0, 403: 10.0}
"""Seconds that an answer is kept; that the API server could not be asked is not kept."""
KNOWN = 1024
"""Answers that are kept; the oldest goes first."""
AT_ONCE = 4
"""Questions under way at once; others wait for their turn."""


class Reviewer:
    """Asks in threads of their own. review: the settings in force; clock: monotonic seconds."""

    def __init__(self, review: Callable[[], Review], clock: Callable[[], float]) -> None:
        self.review, self.clock = review, clock
        self.kept: dict[bytes, tuple[int, float]] = {}
        self.turns = asyncio.Semaphore(AT_ONCE)

    async def verdict(self, token: str, verb: str, path: str) -> int:
        """200, 401 for a token that nobody knows, 403 for an account without the right, 503 where nobody could be
        asked. verb: as rights name it, such as `get`."""
        review = self.review()
        if not (review.enabled and token):
            return 401
        key = hashlib.sha256(f"{verb} {path} {token}".encode()).digest()
        status, until = self.kept.get(key, (0, 0.0))
        if self.clock() < until:
            return status
        async with self.turns:
            try:
                status = await asyncio.to_thread(reviewed, review, token, verb, path)
            except ReviewError:
                return 503
        self._keep(key, status)
        return status

    def _keep(self, key: bytes, status: int) -> None:
        self.kept.pop(key, None)
        self.kept[key] = (status, self.clock() + KEPT_S[status])
        if len(self.kept) > KNOWN:
            del self.kept[next(iter(self.kept))]
