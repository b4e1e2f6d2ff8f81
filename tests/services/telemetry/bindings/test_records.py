"""The stream of records in a real Valkey: from where it was, over its loss."""

from __future__ import annotations

import time

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from berth.cluster.keys import DECISIONS_STREAM
from services.telemetry.bindings.records import BATCH, CHECK_S, RecordStream
from services.telemetry.publish import connect
from tests.lab.ports import free_port

pytestmark = pytest.mark.process


async def test_everything_is_read_once_in_batches(redis: Redis) -> None:
    for number in range(BATCH + 3):
        await redis.xadd(DECISIONS_STREAM, {b"d": b"%d" % number})
    stream = RecordStream(redis, time.time() - 60.0)
    first, entries = await stream.read()
    assert (len(first), entries, first[0]) == (BATCH, BATCH, b"0")
    rest, entries = await stream.read()
    assert (rest, entries) == ([b"500", b"501", b"502"], 3)
    assert await stream.read() == ([], 0)
    await redis.xadd(DECISIONS_STREAM, {b"other": b"field"})
    assert await stream.read() == ([], 1)


async def test_older_records_are_left_out(redis: Redis) -> None:
    await redis.xadd(DECISIONS_STREAM, {b"d": b"old"}, id="1000-0")
    await redis.xadd(DECISIONS_STREAM, {b"d": b"new"})
    assert await RecordStream(redis, time.time() - 60.0).read() == ([b"new"], 1)


async def test_a_stream_that_was_lost_is_read_from_its_start(redis: Redis) -> None:
    stream = RecordStream(redis, time.time() - 60.0)
    a_second_ago = int((time.time() - 1.0) * 1000.0)  # within one millisecond both would have the same id
    await redis.xadd(DECISIONS_STREAM, {b"d": b"before"}, id=f"{a_second_ago}-0")
    assert (await stream.read())[0] == [b"before"]
    await redis.flushdb()
    assert await stream.read() == ([], 0)
    await redis.xadd(DECISIONS_STREAM, {b"d": b"after"})
    assert (await stream.read())[0] == [b"after"]


async def test_after_a_clock_that_went_back_too(redis: Redis) -> None:
    stream = RecordStream(redis, time.time() - 60.0)
    ahead = int((time.time() + 7200.0) * 1000.0)
    await redis.xadd(DECISIONS_STREAM, {b"d": b"ahead"}, id=f"{ahead}-0")
    assert (await stream.read())[0] == [b"ahead"]
    await redis.flushdb()
    await redis.xadd(DECISIONS_STREAM, {b"d": b"now"})
    assert await stream.read() == ([], 0)  # before our place in it
    stream.checked_at -= CHECK_S
    assert await stream.read() == ([], 0)
    assert (await stream.read())[0] == [b"now"]


async def test_a_redis_that_is_away_or_holds_something_else_is_an_error(redis: Redis) -> None:
    away = connect(f"redis://127.0.0.1:{free_port()}/0", 0.5)
    with pytest.raises((RedisError, OSError)):
        await RecordStream(away, 0.0).read()
    await away.aclose()
    await redis.set(DECISIONS_STREAM, "a string")
    with pytest.raises(RedisError):
        await RecordStream(redis, 0.0).read()
