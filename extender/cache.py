"""Scores shared through Redis: one value holds one model's scores of all nodes of a snapshot.

Memory comes first (`extender/view.py`); here is what lies behind it. Redis is never waited for when it is slow: a
look-up has a short deadline, and after failures in a row Redis is left alone until a background ping succeeds.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import struct
import time
import zlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

import numpy as np
import redis.asyncio as redis
from numpy.typing import NDArray
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.maint_notifications import MaintNotificationsConfig
from tenacity import AsyncRetrying, wait_exponential_jitter

Floats = NDArray[np.float32]
T = TypeVar("T")

log = logging.getLogger("extender.cache")

HEAD = struct.Struct("<4sIII")
MAGIC = b"BSC1"
FAILURES_TO_REST = 2


def pack(values: Floats) -> bytes:
    """Bytes of float32 [rows, columns]: magic, shape, CRC-32, values."""
    raw = np.ascontiguousarray(values, dtype="<f4").tobytes()
    return HEAD.pack(MAGIC, values.shape[0], values.shape[1], zlib.crc32(raw)) + raw


def unpack(raw: bytes, rows: int, columns: int) -> Floats | None:
    """The values, or None for anything that is not scores of that shape: a poisoned value is a miss."""
    if len(raw) != HEAD.size + rows * columns * 4:
        return None
    magic, told_rows, told_columns, checksum = HEAD.unpack_from(raw)
    body = memoryview(raw)[HEAD.size :]
    if (magic, told_rows, told_columns) != (MAGIC, rows, columns) or zlib.crc32(body) != checksum:
        return None
    return np.frombuffer(body, dtype="<f4").reshape(rows, columns)


class SharedStore:
    """A Redis client that fails fast. `down` tells that Redis is being left alone."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self.client = redis.from_url(
            url,
            socket_connect_timeout=1.0,
            socket_timeout=5.0,
            health_check_interval=0,
            retry=Retry(NoBackoff(), 0),
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
            max_connections=32,
        )
        self.failures = 0
        self.down = False
        self.on_failure: Callable[[str], None] = lambda _: None
        self._revival: asyncio.Task[None] | None = None

    async def get(self, key: str, timeout_s: float | None = None) -> bytes | None:
        """The value, None for a miss, a failure, or while Redis is left alone. A waiting pod gives no timeout."""
        value = await self.attempt(lambda: self.client.get(key), timeout_s or self.timeout_s)
        return value if isinstance(value, bytes) else None

    async def put(self, key: str, value: bytes, ttl_s: int) -> None:
        """Store a value; failures are counted, nothing is raised. Call it off the request path."""
        await self.attempt(lambda: self.client.set(key, value, ex=ttl_s), 1.0)

    async def attempt(self, command: Callable[[], Awaitable[T]], timeout_s: float) -> T | None:
        """The command's result, or None when Redis is down, slow or refuses."""
        if self.down:
            return None
        try:
            async with asyncio.timeout(timeout_s):
                result = await command()
        except ResponseError:  # Redis answers, but refuses: out of memory, wrong type
            self.on_failure("refused")
            return None
        except (RedisError, OSError, TimeoutError) as error:
            self._failed(error)
            return None
        self.failures = 0
        return result

    def _failed(self, error: BaseException) -> None:
        self.failures += 1
        self.on_failure("timeout" if isinstance(error, TimeoutError) else "error")
        if self.failures >= FAILURES_TO_REST and not self.down:
            self.down = True
            log.warning("redis does not answer (%s): left alone until it does", type(error).__name__)
            self._revival = asyncio.create_task(self._revive(), name="redis-revival")

    async def _revive(self) -> None:
        """Ping with growing pauses until Redis answers."""
        since = time.monotonic()
        async for attempt in AsyncRetrying(wait=wait_exponential_jitter(multiplier=0.2, max=2.0, jitter=0.2)):
            with attempt:
                async with asyncio.timeout(1.0):
                    await self.client.ping()
        self.failures, self.down = 0, False
        log.info("redis answers again after %.1f s", time.monotonic() - since)

    async def close(self) -> None:
        """End the background ping and the connections."""
        if self._revival is not None:
            self._revival.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._revival
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            await self.client.aclose()
