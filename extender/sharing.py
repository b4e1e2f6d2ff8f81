"""Tentative placements shared between replicas: a bounded Redis stream that each replica appends to and reads."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import Callable
from typing import Any

import msgspec

from berth.cluster.keys import INFLIGHT_STREAM
from extender.cache import SharedStore
from extender.inflight import Placement, decoder, encoder

STREAM_LENGTH = 20000
WAITING = 1000
"""Placements that wait for Redis; of more the oldest give way."""
GATHER_S = 0.05
"""Placements gathered for one exchange: it costs more than the rest of a placement."""
LOOK_S = 0.25
"""Between two exchanges of a replica that places nothing, or that is alone."""
COUNT = 500
"""Entries read at once."""


class Sharing:
    """Tells the others this replica's placements and hands theirs to `on_other`, both in one exchange with Redis: a
    reader that waits in Redis instead is woken by each of its own placements."""

    def __init__(
        self, store: SharedStore, replica: str, expire_s: float, on_other: Callable[[Placement], None]
    ) -> None:
        self.store, self.replica, self.expire_s, self.on_other = store, replica, expire_s, on_other
        self.sender = replica.encode()
        self.outbox: list[Placement] = []
        self.told = asyncio.Event()
        self.last = ""
        self.met = float("-inf")
        """time.monotonic() at which another replica's entry was read last."""

    @property
    def alone(self) -> bool:
        """Whether no other replica has told anything for as long as placements count: nobody waits for this one's."""
        return time.monotonic() - self.met > self.expire_s

    def tell(self, placement: Placement) -> None:
        """Queue a placement for the others."""
        self.outbox.append(placement)
        if len(self.outbox) > WAITING:
            del self.outbox[0]
        self.told.set()

    async def run(self) -> None:
        """Exchange until cancelled, starting `expire_s` back. What Redis does not take waits as long as it counts."""
        self.last = str(int((time.time() - self.expire_s) * 1000.0))
        while True:
            await self._gathered()
            self.told.clear()
            sending, self.outbox = self.outbox, []
            read = await self.store.attempt(functools.partial(self._exchange, sending), 1.0)
            if read is None:
                self._keep(sending)
                await asyncio.sleep(LOOK_S)
            elif read == COUNT:
                self.told.set()  # there is more

    async def _gathered(self) -> None:
        """Returns when an exchange is due. Where others count on it, soon after a placement."""
        if self.alone:
            await asyncio.sleep(LOOK_S)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                await self.told.wait()
        await asyncio.sleep(GATHER_S)

    def _keep(self, unsent: list[Placement]) -> None:
        """For the next exchange, but what nobody would count any more."""
        oldest = time.time() - self.expire_s
        self.outbox = [placement for placement in [*unsent, *self.outbox] if placement.at >= oldest][-WAITING:]

    async def _exchange(self, placements: list[Placement]) -> int:
        """Read, then append one entry for all, in one step: nothing comes between, so the next read starts behind our
        own. Twice does no harm. Returns how many entries were read."""
        step = self.store.client.pipeline(transaction=True)
        step.xread({INFLIGHT_STREAM: self.last}, count=COUNT)
        if placements:
            entry: dict[Any, Any] = {b"r": self.sender, b"p": encoder.encode(placements)}  # its type is invariant
            step.xadd(INFLIGHT_STREAM, entry, maxlen=STREAM_LENGTH, approximate=True)
        read, *own = await step.execute()
        entries = [entry for _, found in stream_entries(read) for entry in found]
        for entry_id, fields in entries:
            self.last = entry_id.decode()
            if fields.get(b"r") != self.sender:
                self.met = time.monotonic()
                self._take(fields.get(b"p", b""))
        if own and len(entries) < COUNT:
            self.last = own[0].decode()
        return len(entries)

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
