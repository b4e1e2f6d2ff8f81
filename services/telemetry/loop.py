"""Looks at the cluster at a steady pace and publishes what it sees, whatever the store does."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_exponential_jitter

from berth.cluster.snapshot import NodeSnapshot
from berth.ending import ended
from services.telemetry.errors import FencedOffError, StoreUnavailableError, TelemetryError
from services.telemetry.metrics import TelemetryMetrics
from services.telemetry.publish import Publisher
from services.telemetry.source import Source

log = logging.getLogger("berth.telemetry")

S = TypeVar("S", bound=Source)
LONGEST_WAIT_S = 2.0
"""Between attempts while the store is away: it is back in use this soon after it returns."""


class Telemetry(Generic[S]):
    """A source, a publisher and the pace between them. `lock` keeps steps of the loop and changes of usage apart."""

    def __init__(
        self, make_source: Callable[[], S], publisher: Publisher, metrics: TelemetryMetrics, interval_s: float
    ) -> None:
        self.make_source = make_source
        self.publisher = publisher
        self.metrics = metrics
        self.interval_s = interval_s
        self.source: S | None = None
        self.newest: NodeSnapshot | None = None
        self.last_failure = ""
        self.paused = False
        self.lock = asyncio.Lock()
        self.built = asyncio.Event()

    async def run(self) -> None:
        """Builds the source and publishes until cancelled. Nothing but cancellation ends it."""
        while self.source is None:
            await self.guarded(self.build)
        follower = asyncio.create_task(self.follow(self.source), name="follower")
        try:
            await self.keep_pace()
        finally:
            await ended([follower])

    async def follow(self, source: S) -> None:
        """The source keeps up with what it observes, whatever goes wrong meanwhile."""
        while True:
            await self.guarded(source.follow)

    async def keep_pace(self) -> None:
        """Publish at the start and then every interval, until cancelled."""
        await self.guarded(self.deliver)
        due = time.monotonic()
        while True:
            due = max(due + self.interval_s, time.monotonic())  # a late turn is not made up for
            await asyncio.sleep(due - time.monotonic())
            if not self.paused:
                await self.guarded(self.turn)

    async def build(self) -> None:
        """Makes the source, off the event loop."""
        self.source = await asyncio.to_thread(self.make_source)
        self.built.set()

    async def guarded(self, work: Callable[[], Awaitable[object]]) -> None:
        """The outermost edge: what goes wrong is logged and counted, the loop goes on."""
        try:
            await work()
        except TelemetryError:
            pass  # counted where it was raised
        except Exception:
            log.exception("a turn of the loop failed")
            self.fail("internal")
            await asyncio.sleep(1.0)

    async def turn(self) -> None:
        """One step of the source, one snapshot."""
        await self.advance(1)
        await self.deliver()

    async def advance(self, steps: int) -> None:
        """Steps of the source, in a worker thread."""
        async with self.lock:
            for _ in range(steps):
                await asyncio.to_thread(self.ready_source().advance)

    @property
    def standby(self) -> bool:
        """Whether another publishes."""
        return self.source is not None and self.source.fence() is None

    async def deliver(self, patience_s: float = math.inf) -> int:
        """Publishes; tries again for an interval, or for `patience_s` if that is less, while the store is away, each
        time with a fresh look at the cluster. Returns the version, 0 while another publishes. Raises TelemetryError."""
        attempts = AsyncRetrying(
            retry=retry_if_exception_type(StoreUnavailableError),
            stop=stop_after_delay(min(self.interval_s, patience_s)),
            wait=wait_exponential_jitter(multiplier=0.1, max=LONGEST_WAIT_S, jitter=0.1),
            reraise=True,
        )
        return await attempts(self.publish_once)

    async def publish_once(self) -> int:
        """One attempt; failures are counted. Returns the version, 0 while another publishes: asked before each attempt,
        as a term may end while the store is away. Raises TelemetryError."""
        source = self.ready_source()
        fence = source.fence()
        if fence is None:
            self.last_failure = ""
            return 0
        self.publisher.fence = fence
        try:
            async with self.lock:
                snapshot = await self.compute(await self.publisher.next_version())
                await self.publisher.publish(snapshot)
        except TelemetryError as error:
            self.fail(error.reason)
            if isinstance(error, FencedOffError):
                await source.outrun(error.fence)
            raise
        self.note(snapshot)
        return snapshot.version

    async def compute(self, version: int) -> NodeSnapshot:
        """The snapshot of now, made in a worker thread."""
        with self.metrics.compute.time():
            return await asyncio.to_thread(self.ready_source().observe, version, self.publisher.fence)

    def note(self, snapshot: NodeSnapshot) -> None:
        """A snapshot has become current."""
        self.newest = snapshot
        self.last_failure = ""
        self.metrics.published.inc()
        self.metrics.version.set(snapshot.version)
        self.metrics.nodes.set(len(snapshot.nodes))

    def fail(self, reason: str) -> None:
        """Counts; logs only when the reason is new, as a store may be away for hours."""
        self.metrics.failures.labels(reason).inc()
        if reason != self.last_failure:
            log.warning("no snapshot published: %s", reason)
        self.last_failure = reason

    def ready_source(self) -> S:
        """The source, once built."""
        assert self.source is not None
        return self.source

    def age_s(self) -> float:
        """Seconds since the newest snapshot; NaN before the first."""
        return self.newest.age_s(time.time() * 1000.0) if self.newest else math.nan
