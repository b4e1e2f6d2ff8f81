"""Bindings as they happen: from the source and the stream of records to rows of history."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from redis.exceptions import RedisError

from berth.cluster.pods import BoundPod
from berth.features.history import HOUR as STEPS_AN_HOUR
from services.telemetry.bindings.join import MOST, Join
from services.telemetry.bindings.keeper import Keeper
from services.telemetry.bindings.loads import Loads
from services.telemetry.bindings.lookup import written_since
from services.telemetry.bindings.records import BATCH, RecordStream
from services.telemetry.bindings.verdict import Bound
from services.telemetry.history.errors import HistoryError
from services.telemetry.loop import Telemetry
from services.telemetry.settings import TelemetrySettings
from services.telemetry.source import Source

S = TypeVar("S", bound=Source)

log = logging.getLogger("berth.telemetry.bindings")

TURN_S = 1.0
FLUSH_S = 60.0
"""Between two files, where `history.flush_s` is not shorter."""
BACK_S = 3600.0
"""A start takes in what was bound and decided so long before it; what was kept of that is not kept twice."""


class Following(Generic[S]):
    """`run` follows on the event loop; `saw` may be called in any thread."""

    def __init__(self, telemetry: Telemetry[S], settings: TelemetrySettings) -> None:
        self.telemetry, self.metrics = telemetry, telemetry.metrics
        self.flush_s = min(FLUSH_S, settings.history.flush_s)
        self.join = Join(self.metrics.bindings, self.metrics.binding_losses)
        self.loads = Loads(self.metrics.binding_losses, hour_s(settings))
        self.keeper = Keeper(settings.history, self.metrics)
        self.seen: deque[Bound] = deque()
        self.since = time.time() - BACK_S
        self.stream = RecordStream(telemetry.publisher.redis, self.since)
        self.failing, self.version = "", 0

    def saw(self, pod: BoundPod) -> None:
        """A pod is bound."""
        if pod.bound < self.since:
            return
        if len(self.seen) < MOST:
            self.seen.append(Bound.of(pod))
        else:
            self.metrics.binding_losses.labels("binding").inc()

    async def run(self) -> None:
        """Follow until cancelled, and write once more then."""
        await self.telemetry.built.wait()
        self.telemetry.ready_source().tell_bindings(self.saw)
        await self.guarded(self.recall)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.repeat(self.turn, TURN_S))
                group.create_task(self.repeat(self.flush, self.flush_s))
        finally:
            await self.flush()

    async def repeat(self, work: Callable[[], Awaitable[object]], every_s: float) -> None:
        """Work at a steady pace, until cancelled."""
        while True:
            await asyncio.sleep(every_s)
            await self.guarded(work)

    async def guarded(self, work: Callable[[], Awaitable[object]]) -> None:
        """The outermost edge: what goes wrong is logged and counted."""
        try:
            await work()
        except Exception:
            log.exception("bindings: a turn failed")
            self.metrics.binding_failures.labels("turn", "internal").inc()

    async def recall(self) -> None:
        """What was kept before this start: done, but for loads that nobody has measured."""
        try:
            rows = await asyncio.to_thread(
                written_since, self.keeper.store, datetime.fromtimestamp(self.since, UTC), MOST
            )
        except HistoryError as error:
            log.warning("%s", error)
            return
        for row in rows:
            self.join.remember(row["pod_uid"])
            if row["node_cpu"] is None and row["node_memory"] is None:
                self.loads.add(row)

    async def turn(self) -> None:
        """Take in what came, keep what is known."""
        now = time.monotonic()
        while self.seen:
            self.join.take_bound(self.seen.popleft(), now)
        if await self.read(now):
            for row in self.join.due(now):
                self.keeper.keep(row)
                self.loads.add(row)
        self.measure()

    async def read(self, now: float) -> bool:
        """Take in the records that are there. Whether Redis gave them all."""
        try:
            entries = BATCH
            while entries == BATCH:
                records, entries = await self.stream.read()
                unreadable = sum(not self.join.take_record(raw, now) for raw in records)
                self.metrics.binding_losses.labels("unreadable record").inc(unreadable)
        except (RedisError, OSError) as error:
            self.failed(error)
            return False
        self.failing = ""
        return True

    def failed(self, error: Exception) -> None:
        """Count; the log gets a line where the reason is new, as Redis may be away for hours."""
        reason = type(error).__name__
        self.metrics.binding_failures.labels("records", reason).inc()
        if self.failing != reason:
            log.warning("decision records cannot be read: %s", reason)
        self.failing = reason

    def measure(self) -> None:
        """Keep the loads that a new snapshot tells."""
        newest = self.telemetry.newest
        if newest is not None and newest.version != self.version:
            self.version = newest.version
            for row in self.loads.due(newest):
                self.keeper.keep(row)

    async def flush(self) -> None:
        """Write, or leave it to the publisher that leads."""
        if self.telemetry.standby:
            self.keeper.stand_by()
        else:
            await asyncio.to_thread(self.keeper.flush)

    def degraded(self) -> list[str]:
        """What is wrong, in words."""
        found = ["Redis does not tell of decisions"] if self.failing else []
        return found + ([f"bindings are not written: {self.keeper.failing}"] if self.keeper.failing else [])

    def state(self) -> dict[str, Any]:
        """For /v1/state: how much waits for what."""
        return {
            "without_record": len(self.join.bound),
            "records": len(self.join.records),
            "rows": len(self.keeper.rows()),
            "loads": len(self.loads.awaited),
        }


def hour_s(settings: TelemetrySettings) -> float:
    """Seconds that an hour of the cluster takes."""
    if settings.source == "cluster":
        return 3600.0
    return STEPS_AN_HOUR / settings.steps_per_snapshot * settings.interval_s
