"""Decision records, off the request path: a bounded queue, a JSON-lines log and a bounded Redis stream.

A full queue drops records and counts them; it never delays a pod.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from berth.cluster.keys import DECISIONS_STREAM
from berth.decisions.record import Decision
from extender.cache import SharedStore
from extender.metrics import Metrics
from extender.recent import Recent, decision_for
from extender.settings import Records

log = logging.getLogger("extender.records")

BATCH = 200
OUTBOX = 100
"""Batches that wait for Redis."""
GATHER_S = 0.5
"""Records gathered for one write: a write each, and a message to Redis each, cost more than the record."""
TURN = 8
"""Records made at once, a tenth of a millisecond each."""
PAGE = 1000
"""Records that Redis is asked for at once in a search, a megabyte."""
PATIENCE_S = 0.5
"""Who asks for records waits so long for those on their way."""


class Recorder:
    """Takes functions that make a record, so that even making it is off the request path."""

    def __init__(self, settings: Records, store: SharedStore, metrics: Metrics) -> None:
        self.settings, self.store, self.metrics = settings, store, metrics
        self.recent = Recent(settings.recent)
        self.queue: asyncio.Queue[Callable[[], Decision]] = asyncio.Queue(settings.queue)
        self.outbox: asyncio.Queue[list[bytes]] = asyncio.Queue(OUTBOX)
        self.coming: set[asyncio.Task[Any]] = set()
        """Work that will offer a record when it ends."""
        self.settle: Callable[[], None] = lambda: None
        """Does what was put off and will offer records."""
        self.asked = asyncio.Event()
        self._log = open_log(settings.log)

    def offer(self, make: Callable[[], Decision]) -> None:
        """Enter a record, or drop it when the queue is full. A queue half full waits for no more."""
        try:
            self.queue.put_nowait(make)
        except asyncio.QueueFull:
            self.metrics.records_dropped.labels("queue").inc()
        if self.queue.qsize() * 2 >= self.queue.maxsize:
            self.asked.set()

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
        for number, make in enumerate(batch, 1):
            try:
                lines.append(self.recent.keep(make()))
            except Exception:  # the others of the batch are not lost with it
                log.exception("a record could not be made")
                self.metrics.records_dropped.labels("defect").inc()
            if number % TURN == 0:
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
        """Returns when the work that was put off or coming has ended, or after PATIENCE_S."""
        self.settle()
        if self.coming:
            await asyncio.wait(set(self.coming), timeout=PATIENCE_S)
            self.settle()

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

    async def find(self, pod: str) -> Decision | None:
        """The newest decision for a pod, by uid or name: this replica's, then any replica's from Redis."""
        await self.caught_up()
        return self.recent.find(pod) or await self._search(pod)

    async def _search(self, pod: str) -> Decision | None:
        """Page by page from the newest: all of a long stream at once takes longer than Redis is waited for."""
        last = b"+"
        for _ in range(self.settings.stream_length // PAGE + 1):
            page = await self._page(last, PAGE)
            found = decision_for(pod, [line for _, line in page])
            if found is not None or len(page) < PAGE:
                return found
            last = b"(" + page[-1][0]
        return None

    async def _page(self, last: bytes, count: int) -> list[tuple[bytes, bytes]]:
        """Ids and records of the stream up to an id, newest first; [] where Redis does not answer."""

        async def newest() -> list[tuple[bytes, bytes]]:
            entries: Any = await self.store.client.xrevrange(DECISIONS_STREAM, max=last, count=count)
            return [(entry[0], told(entry[1])) for entry in entries or ()]

        return await self.store.attempt(newest, 1.0) or []

    def close(self) -> None:
        """Close the log."""
        if self._log is not None and self._log is not sys.stdout.buffer:
            self._log.close()


def told(fields: Any) -> bytes:
    """The record in a stream's entry, b'' where there is none: anybody may have written it."""
    found = (fields or {}).get(b"d")
    return found if isinstance(found, bytes) else b""


def open_log(target: str) -> IO[bytes] | None:
    """The log to write to: standard output, a file to append to, or none."""
    if not target:
        return None
    if target == "-":
        return sys.stdout.buffer
    path = Path(target)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("ab")
