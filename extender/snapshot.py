"""The newest node snapshot: told by pub/sub, looked for every few seconds, read and checked off the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from redis.exceptions import RedisError
from tenacity import AsyncRetrying, retry_if_exception_type, wait_exponential_jitter

from berth.cluster import keys
from berth.cluster.delta import apply_delta
from berth.cluster.snapshot import NodeSnapshot, SnapshotError, decode
from berth.features.capacity import GPU_SLOTS
from extender.cache import SharedStore
from extender.metrics import Metrics

log = logging.getLogger("extender.snapshot")

FUTURE_MS = 300_000.0
"""How far ahead of this clock a publisher's may be."""
REQUIRED = (
    *("cpu_allocatable", "memory_allocatable"),
    *("cpu_requested", "memory_requested", "pods_requested", "gpu_requested"),
    *(f"gpu{slot}_free" for slot in range(GPU_SLOTS)),
)


class Watcher:
    """Calls `on_new` with each newer snapshot. What it refuses is counted and logged once a version."""

    def __init__(
        self,
        store: SharedStore,
        metrics: Metrics,
        poll_s: float,
        on_new: Callable[[NodeSnapshot], Awaitable[None]],
    ) -> None:
        self.store, self.metrics, self.poll_s, self.on_new = store, metrics, poll_s, on_new
        self.held: NodeSnapshot | None = None
        self.refused = ""
        self._told = asyncio.Event()

    async def run(self) -> None:
        """Watch until cancelled."""
        listener = asyncio.create_task(self._listen(), name="snapshot-listener")
        try:
            while True:
                await self.look(self._told.is_set())
                self._told.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self.poll_s):
                        await self._told.wait()
        finally:
            listener.cancel()

    async def look(self, told: bool = False) -> None:
        """Read the newest snapshot if it is another than the one held. told: somebody has just published, so read
        it even where its version is the same: a foreign value may have taken the number."""
        pointer = await self.store.get(keys.SNAPSHOT_CURRENT, 1.0)
        if not pointer:
            return
        if not pointer.isdigit() or len(pointer) > 19:
            self._refuse("pointer", pointer[:20].decode("ascii", "replace"), "the pointer is no version")
            return
        version = int(pointer)
        if self.held is not None and self.held.version == version and not told:
            return
        snapshot = await self._changed(version) or await self._whole(version)
        if snapshot is not None:
            await self._take(snapshot, version)

    async def _changed(self, version: int) -> NodeSnapshot | None:
        """The one held with what has changed since; None where that is not to be had: then the whole one is read."""
        if self.held is None or self.held.version != version - 1:
            return None
        raw = await self.store.get(keys.delta(version), 2.0)
        if raw is None:
            return None
        try:
            return await asyncio.to_thread(apply_delta, self.held, raw)
        except SnapshotError:
            self.metrics.snapshot_refused.labels("delta").inc()
            return None

    async def _whole(self, version: int) -> NodeSnapshot | None:
        """Read and checked; None without one that is to be used."""
        raw = await self.store.get(keys.snapshot(version), 2.0)
        try:
            return await asyncio.to_thread(checked, raw) if raw is not None else None
        except SnapshotError as error:
            self._refuse("unreadable", str(version), str(error))
            return None

    async def _take(self, snapshot: NodeSnapshot, version: int) -> None:
        if self.held is not None and snapshot.id == self.held.id:
            return
        if snapshot.version != version:
            self._refuse("misplaced", str(version), f"it says it is version {snapshot.version}")
        elif self.held is not None and snapshot.fence < self.held.fence:
            self._refuse("fenced", str(version), "its publisher has lost the lease")
        elif self.held is not None and snapshot.published_ms < self.held.published_ms:
            self._refuse("older", str(version), "it was published before the one in use")
        elif snapshot.published_ms > time.time() * 1000.0 + FUTURE_MS:
            self._refuse("future", str(version), "it was published in the future: look at the clocks")
        else:
            self.held, self.refused = share_nodes(snapshot, self.held), ""
            snapshot = self.held
            await self.on_new(snapshot)

    def _refuse(self, reason: str, version: str, why: str) -> None:
        self.metrics.snapshot_refused.labels(reason).inc()
        if self.refused != f"{reason} {version}":
            self.refused = f"{reason} {version}"
            log.warning("snapshot %s refused: %s", version, why)

    async def _listen(self) -> None:
        """Wake the watcher for each message; connect again for ever."""
        wait = wait_exponential_jitter(multiplier=0.2, max=5.0)
        retry = retry_if_exception_type((RedisError, OSError, TimeoutError))
        while True:
            async for attempt in AsyncRetrying(wait=wait, retry=retry):
                with attempt:
                    await self._subscribe()

    async def _subscribe(self) -> None:
        async with self.store.client.pubsub() as channel:
            await channel.subscribe(keys.SNAPSHOT_CHANNEL)
            while True:
                message = await channel.get_message(ignore_subscribe_messages=True, timeout=4.0)
                if message is not None:
                    self._told.set()


def share_nodes(snapshot: NodeSnapshot, held: NodeSnapshot | None) -> NodeSnapshot:
    """The snapshot with the node names and look-up table of the one before, where they are the same: memory is kept
    once, and comparing two snapshots' nodes is comparing two pointers."""
    if held is None or held.nodes != snapshot.nodes:
        return snapshot
    shared = replace(snapshot, nodes=held.nodes)
    shared.__dict__["index"] = held.index
    return shared


def checked(raw: bytes) -> NodeSnapshot:
    """A snapshot with the columns the extender itself needs, its look-up tables built. Raises SnapshotError."""
    snapshot = decode(raw)
    missing = [name for name in REQUIRED if name not in snapshot.column_of]
    if missing:
        raise SnapshotError(f"without the columns {', '.join(missing)}")
    if not snapshot.nodes:
        raise SnapshotError("without nodes")
    assert snapshot.index is not None  # built here, off the event loop
    return snapshot
