"""The benchmark's in-process rival in earnest: a 1.34 scheduler at the newest API server, led by the served load."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from benchmarks.rival import LOAD, PLUGIN, Trimaran
from berth.cluster import keys
from berth.cluster.snapshot import NodeSnapshot, encode
from tests.lab.binds import Binds
from tests.lab.build import binary
from tests.lab.control_plane import ControlPlane
from tests.lab.objects import node, pod
from tests.lab.scheduler import Scheduler

# The first run builds the rival: 15 minutes from empty caches.
pytestmark = [pytest.mark.long, pytest.mark.lab, pytest.mark.timeout(2400)]

IDLE, NEAR_TARGET, BUSY = 0.02, 0.25, 0.9
NAMES = ("idle", "near-target", "busy")


class Store:
    """As much of Redis as is read. The loads are NAMES', in their order."""

    def __init__(self, *loads: float) -> None:
        matrix = np.array([[load] for load in loads], dtype=np.float32)
        self.raw = encode(NodeSnapshot(1, 1_000_000, NAMES, (LOAD,), matrix))

    def get(self, key: str) -> bytes:
        return b"1" if key == keys.SNAPSHOT_CURRENT else self.raw


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Three nodes of 100 cores that requests do not tell apart."""
    with ControlPlane(binary(), tmp_path_factory.mktemp("plane")) as running:
        running.create(node(name, "100", "100Gi") for name in NAMES)
        yield running


@pytest.mark.parametrize(
    ("loads", "chosen"),
    [
        ((IDLE, NEAR_TARGET, BUSY), "near-target"),  # it packs up to 40 %
        ((NEAR_TARGET, BUSY, IDLE), "idle"),  # the names mean nothing, the load does
        ((BUSY, BUSY, IDLE), "busy"),
    ],
)
def test_pods_follow_the_served_load(plane: ControlPlane, loads: tuple[float, ...], chosen: str) -> None:
    store: Any = Store(*loads)
    with Trimaran(store) as rival, Binds(plane) as binds:
        plane.create(pod(f"p{i}", "1", scheduler="rival") for i in range(5))
        with Scheduler(plane, rival.config("rival"), program=rival.program) as scheduler:
            assert {bind.node for bind in binds.wait(5)} == {chosen}
            evaluated = [line for line in scheduler.get("/metrics").splitlines() if f'plugin="{PLUGIN}"' in line]
        assert rival.server.asked >= 1
    assert any("Score" in line for line in evaluated)
    plane.delete_pods()


def test_without_a_load_every_node_is_as_good(plane: ControlPlane) -> None:
    store: Any = Store(float("nan"), float("nan"), float("nan"))
    with Trimaran(store) as rival, Binds(plane) as binds:
        plane.create(pod(f"q{i}", "1", scheduler="rival") for i in range(20))
        with Scheduler(plane, rival.config("rival"), program=rival.program):
            assert len({bind.node for bind in binds.wait(20)}) > 1
    plane.delete_pods()
