"""Tentative placements shared between replicas: a bounded Redis stream that each replica appends to and follows."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable
from typing import Any

import msgspec
from redis.exceptions import RedisError
from tenacity import AsyncRetrying, retry_if_exception_type, wait_exponential_jitter

from berth.cluster.keys import INFLIGHT_STREAM
from extender.cache import SharedStore
from extender.inflight import Placement, decoder, encoder

STREAM_LENGTH = 20000
BLOCK_MS = 2000
GATHER_S = 0.05
"""Placements gathered for one append: every replica is woken by each, its own sender too."""
AGAIN_S = 0.25
"""Between two attempts to append, while Redis is slow, refuses or is left alone."""


class Sharing:
    """Sends this replica's placements and hands other replicas' to `on_other`."""

    def __init__(
        self, store: SharedStore, replica: str, expire_s: float, on_other: Callable[[Placement], None]
    ) -> None:
        self.store, self.replica, self.expire_s, self.on_other = store, replica, expire_s, on_other
        self.sender = replica.encode()
        self.outbox: asyncio.Queue[Placement] = asyncio.Queue(1000)

    def tell(self, placement: Placement) -> None:
        """Queue a placement for the others; when Redis lags far behind, the oldest give way."""
        if self.outbox.full():
            self.outbox.get_nowait()
        self.outbox.put_nowait(placement)

    async def send(self) -> None:
        """Append what is queued until cancelled, gathered for a moment: a command each costs more than the rest."""
        while True:
            first = await self.outbox.get()
            await asyncio.sleep(GATHER_S)
            rest = [self.outbox.get_nowait() for _ in range(self.outbox.qsize())]
            await self._deliver([first, *rest])

    async def _deliver(self, placements: list[Placement]) -> None:
        """Append until Redis has taken them or nobody would count them any more. Twice does no harm."""
        append = functools.partial(self._append, placements)
        while await self.store.attempt(append, 1.0) is None:
            await asyncio.sleep(AGAIN_S)
            if time.time() - placements[-1].at > self.expire_s:
                return

    async def _append(self, placements: list[Placement]) -> object:
        """One entry for all, with its sender beside them, who need not read them again. Returns its id."""
        entry: dict[Any, Any] = {b"r": self.sender, b"p": encoder.encode(placements)}  # its type is invariant
        return await self.store.client.xadd(INFLIGHT_STREAM, entry, maxlen=STREAM_LENGTH, approximate=True)

    async def follow(self) -> None:
        """Read what replicas append until cancelled, starting `expire_s` back."""
        last = str(int((time.time() - self.expire_s) * 1000.0))
        wait = wait_exponential_jitter(initial=0.2, max=5.0)
        retry = retry_if_exception_type((RedisError, OSError, TimeoutError))
        while True:
            async for attempt in AsyncRetrying(wait=wait, retry=retry):
                with attempt:
                    last = await self._read(last)

    async def _read(self, last: str) -> str:
        """One blocking read. Returns the id to go on from."""
        reply = await self.store.client.xread({INFLIGHT_STREAM: last}, count=500, block=BLOCK_MS)
        for _, entries in stream_entries(reply):
            for entry_id, fields in entries:
                last = entry_id.decode()
                if fields.get(b"r") != self.sender:
                    self._take(fields.get(b"p", b""))
        return last

    def _take(self, raw: bytes) -> None:
        """Hand over one entry; what holds no placements is passed over."""
        try:
            placements = decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        for placement in placements:
            fresh = 0.0 <= time.time() - placement.at + 5.0 <= self.expire_s + 5.0
            if placement.replica != self.replica and fresh and placement.sane:
                self.on_other(placement)


def stream_entries(reply: object) -> list[tuple[bytes, list[tuple[bytes, dict[bytes, bytes]]]]]:
    """XREAD's reply as a list, whichever protocol version shaped it."""
    if isinstance(reply, dict):
        return [
            (name, entries[0] if entries and isinstance(entries[0], list) else entries)
            for name, entries in reply.items()
        ]
    return list(reply or [])  # type: ignore[call-overload, no-any-return]
