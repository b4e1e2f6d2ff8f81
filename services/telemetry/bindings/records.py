"""Reads decision records from Redis, from where it was, whatever becomes of the stream."""

from __future__ import annotations

import time
from typing import Any

from redis.asyncio import Redis

from berth.cluster.keys import DECISIONS_STREAM

BATCH = 500
CHECK_S = 30.0
"""While nothing comes: how often the stream is asked whether it has begun anew."""


class RecordStream:
    """since: unix seconds; older records are left out."""

    def __init__(self, redis: Redis, since: float) -> None:
        self.redis = redis
        self.start = f"{int(since * 1000.0)}-0"
        self.position, self.checked_at = self.start, time.monotonic()

    async def read(self) -> tuple[list[bytes], int]:
        """The next records, and how many entries there were: with BATCH there may be more. Raises RedisError,
        OSError."""
        answer: Any = await self.redis.xread({DECISIONS_STREAM: self.position}, count=BATCH)
        entries = [entry for _, found in answer or () for entry in found]
        if entries:
            self.position = entries[-1][0].decode()
        elif time.monotonic() - self.checked_at >= CHECK_S:
            await self.check()
        return [raw for _, fields in entries if (raw := fields.get(b"d")) is not None], len(entries)

    async def check(self) -> None:
        """Start over where the stream ends before our place in it: it was lost, and the clock of Redis went back.
        Raises RedisError, OSError."""
        self.checked_at = time.monotonic()
        newest: Any = await self.redis.xrevrange(DECISIONS_STREAM, count=1)
        if newest and place(newest[0][0].decode()) < place(self.position):
            self.position = min(self.start, newest[0][0].decode(), key=place)


def place(entry: str) -> tuple[int, int]:
    """An entry's id as numbers that order it."""
    ms, _, number = entry.partition("-")
    return int(ms), int(number or 0)
