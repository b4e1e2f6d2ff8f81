"""Decision records, off the request path: a bounded queue, a JSON-lines log and a bounded Redis stream.

A full queue drops records and counts them; it never delays a pod.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import IO, Any

import msgspec

from berth.cluster.keys import DECISIONS_STREAM
from berth.decisions.record import Decision, decode, encode
from extender.cache import SharedStore
from extender.metrics import Metrics
from extender.settings import Records

BATCH = 200
OUTBOX = 100
"""Batches that wait for Redis."""
GATHER_S = 0.2
"""Records gathered for one write: a write each costs more than the record."""
PATIENCE_S = 0.5
"""Who asks for records waits so long for those on their way."""


class Recorder:
    """Takes functions that make a record, so that even making it is off the request path."""

    def __init__(self, settings: Records, store: SharedStore, metrics: Metrics) -> None:
        self.settings, self.store, self.metrics = settings, store, metrics
        # Encoded: a decision as objects takes three times the memory, strewn between what pods need for a moment.
        self.recent: OrderedDict[str, bytes] = OrderedDict()
        self.queue: asyncio.Queue[Callable[[], Decision]] = asyncio.Queue(settings.queue)
        self.outbox: asyncio.Queue[list[bytes]] = asyncio.Queue(OUTBOX)
        self.coming: set[asyncio.Task[Any]] = set()
        """Work that will offer a record when it ends."""
        self.asked = asyncio.Event()
        self._log = open_log(settings.log)

    def offer(self, make: Callable[[], Decision]) -> None:
        """Enter a record, or drop it when the queue is full."""
        try:
            self.queue.put_nowait(make)
        except asyncio.QueueFull:
            self.metrics.records_dropped.labels("queue").inc()

    async def run(self) -> None:
        """Write records until cancelled."""
        while True:
            batch = [await self.queue.get()]
            await self._gather()
            while len(batch) < BATCH and not self.queue.empty():
                batch.append(self.queue.get_nowait())
            try:
                await self._enter(batch)
            finally:
                for _ in batch:
                    self.queue.task_done()

    async def _enter(self, batch: list[Callable[[], Decision]]) -> None:
        lines = []
        for make in batch:
            lines.append(self._keep(make()))
            await asyncio.sleep(0)  # a waiting pod comes first
        self._write(lines)
        self._hand_on(lines)

    async def _gather(self) -> None:
        """Let more records come, unless somebody waits for them."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GATHER_S):
                await self.asked.wait()
        self.asked.clear()

    async def accounted(self) -> None:
        """Returns when the work that was coming has ended, or after PATIENCE_S."""
        if self.coming:
            await asyncio.wait(set(self.coming), timeout=PATIENCE_S)

    async def caught_up(self) -> None:
        """Returns when every record that was offered or is coming is kept, or after PATIENCE_S."""
        await self.accounted()
        self.asked.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await self.queue.join()

    async def delivered(self) -> None:
        """Returns when every record is written and Redis has had its turn, or after three times PATIENCE_S."""
        await self.caught_up()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await self.outbox.join()

    def _keep(self, decision: Decision) -> bytes:
        """Keep the newest decision of each of the last pods. Returns its line."""
        line = encode(decision)
        self.recent.pop(decision.pod_uid, None)
        self.recent[decision.pod_uid] = line
        while len(self.recent) > self.settings.recent:
            self.recent.popitem(last=False)
        return line

    def newest(self, count: int) -> list[bytes]:
        """This replica's newest records, newest first."""
        return list(islice(reversed(self.recent.values()), count))

    def _write(self, lines: list[bytes]) -> None:
        if self._log is None:
            return
        try:
            self._log.write(b"\n".join(lines) + b"\n")
            self._log.flush()
        except (OSError, ValueError):
            self.metrics.records_dropped.labels("log").inc(len(lines))

    def _hand_on(self, lines: list[bytes]) -> None:
        """Queue lines for Redis: a Redis that is slow holds neither the log nor the records behind it."""
        try:
            self.outbox.put_nowait(lines)
        except asyncio.QueueFull:
            self.metrics.records_dropped.labels("redis").inc(len(lines))

    async def send(self) -> None:
        """Append to the Redis stream until cancelled."""
        while True:
            lines = await self.outbox.get()
            try:
                await self._stream(lines)
            finally:
                self.outbox.task_done()

    async def _stream(self, lines: list[bytes]) -> None:
        """One append; lost where Redis does not take it."""

        async def append() -> int:
            pipe = self.store.client.pipeline(transaction=False)
            for line in lines:
                pipe.xadd(DECISIONS_STREAM, {b"d": line}, maxlen=self.settings.stream_length, approximate=True)
            return len(await pipe.execute())

        if await self.store.attempt(append, 1.0) is None:
            self.metrics.records_dropped.labels("redis").inc(len(lines))

    async def read(self, count: int) -> list[bytes]:
        """The newest records of all replicas from Redis, newest first; [] where Redis does not answer."""

        async def newest() -> list[bytes]:
            entries = await self.store.client.xrevrange(DECISIONS_STREAM, count=count)
            found = (entry[1] for entry in entries or () if entry[1])
            return [d for d in (fields.get(b"d") for fields in found) if isinstance(d, bytes)]

        return await self.store.attempt(newest, 1.0) or []

    async def find(self, pod: str) -> Decision | None:
        """The newest decision for a pod, by uid or name: this replica's, then any replica's from Redis."""
        await self.caught_up()
        kept = self.recent.get(pod)
        own = [kept] if kept is not None else self.newest(self.settings.recent)
        return decision_for(pod, own) or decision_for(pod, await self.read(self.settings.stream_length))

    def close(self) -> None:
        """Close the log."""
        if self._log is not None and self._log is not sys.stdout.buffer:
            self._log.close()


def decision_for(pod: str, lines: Iterable[bytes]) -> Decision | None:
    """The first of these records that is about a pod, named by uid or name."""
    for line in lines:
        if pod.encode() in line:
            try:
                decision = decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError):  # somebody else's entry
                continue
            if pod in (decision.pod_uid, decision.pod_name):
                return decision
    return None


def open_log(target: str) -> IO[bytes] | None:
    """The log to write to: standard output, a file to append to, or none."""
    if not target:
        return None
    if target == "-":
        return sys.stdout.buffer
    path = Path(target)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("ab")
