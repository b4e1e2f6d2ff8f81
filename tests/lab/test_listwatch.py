"""The copy of nodes and pods beside the API server that they come from."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry, Counter

from services.telemetry.live import listwatch
from services.telemetry.live.copies import Copies
from services.telemetry.live.kube_api import KubeApi, KubeApiError
from services.telemetry.live.listwatch import Copy, ListWatch
from tests.calls import soon
from tests.lab.control_plane import ControlPlane
from tests.lab.objects import node, pod

NUMBERS = count()
PATHS = ("/api/v1/nodes", "/api/v1/pods")
SOON_S = 20.0


class Followed:
    """Copies, who follows for them, and what failed."""

    def __init__(self, api: KubeApi) -> None:
        registry = CollectorRegistry()
        self.failures = Counter("failures", "", ["path", "reason"], registry=registry)
        self.unreadable = Counter("unreadable", "", ["kind"], registry=registry)
        self.copies = Copies(self.unreadable)
        copies: tuple[Copy, Copy] = (self.copies.nodes, self.copies.pods)
        self.watches = [ListWatch(api, path, copy, self.failures) for path, copy in zip(PATHS, copies, strict=True)]

    def failed(self, path: str, reason: str) -> float:
        return float(self.failures.labels(path, reason)._value.get())

    def requested(self) -> dict[str, tuple[int, int, int]]:
        """Millicores, bytes and pods of each node."""
        with self.copies.lock:
            return {name: (r.cpu, r.memory, r.pods) for name, r in self.copies.accounts.requested.items()}


@contextlib.asynccontextmanager
async def following(plane: ControlPlane) -> AsyncIterator[Followed]:
    """In step with the API server at the start."""
    api = await KubeApi.connect(plane.kubeconfig)
    followed = Followed(api)
    tasks = [asyncio.create_task(watch.run()) for watch in followed.watches]
    try:
        for watch in followed.watches:
            await asyncio.wait_for(watch.synced.wait(), SOON_S)
        yield followed
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await api.close()


def told(plane: ControlPlane) -> dict[str, tuple[int, int, int]]:
    """What the API server's pods ask of each node, counted here."""
    found: dict[str, tuple[int, int, int]] = {}
    for one in plane.api.pods():
        name = one["spec"].get("nodeName")
        if name:
            asks = one["spec"]["containers"][0]["resources"]["requests"]
            before = found.get(name, (0, 0, 0))
            cpu, memory = int(asks["cpu"].removesuffix("m")), int(asks["memory"].removesuffix("Mi")) * 2**20
            found[name] = before[0] + cpu, before[1] + memory, before[2] + 1
    return found


def pods(on: str, number: int) -> list[dict[str, Any]]:
    """So many on a node."""
    names = [f"watched-{next(NUMBERS)}" for _ in range(number)]
    return [pod(name, f"{101 + i}m", f"{65 + i}Mi", nodeName=on) for i, name in enumerate(names)]


async def test_the_copy_follows_what_comes_changes_and_goes(
    empty: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listwatch, "PAGE", 7)
    empty.create(node(name) for name in ("a", "b", "c"))
    empty.create([*pods("a", 20), *pods("b", 5), pod("waits", "100m", "64Mi", scheduler="nobody")])
    async with following(empty) as followed:
        accounts = followed.copies.accounts
        assert followed.requested() == told(empty)
        assert (set(accounts.nodes), accounts.waiting()) == ({"a", "b", "c"}, 1)
        empty.create([node("d"), *pods("c", 8)])
        empty.api.delete("/api/v1/namespaces/default/pods/waits?gracePeriodSeconds=0")
        empty.api.delete("/api/v1/nodes/b")
        empty.api.patch("/api/v1/nodes/a", {"spec": {"unschedulable": True}})
        await soon(lambda: followed.requested() == told(empty) and accounts.waiting() == 0)
        await soon(lambda: set(accounts.nodes) == {"a", "c", "d"} and accounts.nodes["a"].cordoned)
        assert all(followed.failed(path, "expired") == 0.0 for path in PATHS)
        assert accounts.nodes["a"].cpu == 8000


async def test_a_watch_that_has_expired_lists_again(empty: ControlPlane) -> None:
    empty.create([node("a"), *pods("a", 3)])
    async with following(empty) as followed:
        watch = followed.watches[1]
        gone = listwatch.Event("ERROR", msgspec.Raw(b'{"kind":"Status","code":410,"reason":"Expired"}'))
        with pytest.raises(listwatch.ExpiredError):
            watch.take(gone)
        empty.create(pods("a", 3))
        await soon(lambda: followed.requested() == told(empty))


async def test_a_refusal_and_a_silent_server_are_told_apart(empty: ControlPlane) -> None:
    api = await KubeApi.connect(empty.kubeconfig)
    with pytest.raises(KubeApiError) as refused:
        await api.get("/api/v1/nothing-of-the-kind", {})
    assert refused.value.status == 404
    api.client.configuration.host = "https://127.0.0.1:9"
    with pytest.raises(KubeApiError) as unreachable:
        await api.get("/api/v1/nodes", {})
    assert unreachable.value.status == 0
    await api.close()


async def test_an_unusable_kubeconfig_says_which(tmp_path: Any) -> None:
    with pytest.raises(KubeApiError, match="missing-kubeconfig"):
        await KubeApi.connect(tmp_path / "missing-kubeconfig")
