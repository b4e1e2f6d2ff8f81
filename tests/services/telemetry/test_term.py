"""A term that ends while Redis is away: nothing is published any more, also where Redis has forgotten every fence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from redis.asyncio import Redis

from berth.cluster import keys
from berth.cluster.pods import BoundPod
from berth.cluster.snapshot import NodeSnapshot
from services.telemetry.loop import Telemetry
from services.telemetry.metrics import TelemetryMetrics
from services.telemetry.publish import Publisher

pytestmark = pytest.mark.process


class OneNode:
    """A source of one node; `term` is the publisher's."""

    term: int | None = 7

    async def follow(self) -> None:
        await asyncio.Event().wait()

    def advance(self) -> None: ...

    def observe(self, version: int, fence: int) -> NodeSnapshot:
        return NodeSnapshot(version, 1000, ("a",), ("x",), np.zeros((1, 1), dtype=np.float32), fence=fence)

    def fence(self) -> int | None:
        return self.term

    async def outrun(self, fence: int) -> None: ...

    def tell_bindings(self, tell: Callable[[BoundPod], None]) -> None: ...

    def state(self) -> dict[str, Any]:
        return {}

    def degraded(self) -> list[str]:
        return []


async def test_nothing_is_published_after_the_term(redis: Redis) -> None:
    telemetry = Telemetry(OneNode, Publisher(redis), TelemetryMetrics(), 1.0)
    await telemetry.build()
    assert await telemetry.publish_once() == 1
    assert await redis.get(keys.SNAPSHOT_FENCE) == b"7"
    telemetry.ready_source().term = None
    await redis.flushdb()
    assert await telemetry.publish_once() == 0
    assert telemetry.standby
    assert await redis.get(keys.SNAPSHOT_CURRENT) is None
