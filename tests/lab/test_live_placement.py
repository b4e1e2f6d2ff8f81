"""End to end over live data: recorded machines behind exporters, a Prometheus that scrapes them, telemetry, models,
extender and kube-scheduler."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Self

import numpy as np
import pytest
from numpy.typing import NDArray

from berth.recordings.load import bitbrains
from cli.supervisor import Mesh
from tests.calls import Caller, until, version_of
from tests.lab.berth import url_at
from tests.lab.control_plane import ControlPlane
from tests.lab.objects import node, pod
from tests.lab.placing import place
from tests.lab.scheduler import Scheduler, example
from tests.mesh import PATIENT, variables
from tests.prometheus.server import Scraped, scraped

Floats = NDArray[np.float32]

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

NODES, CORES, GIB = 200, 16, 2.0**30
MEMORY = 64 * GIB
GROUP = NODES // 2
MACHINES = 15
"""Of each kind: the busiest and the calmest of the recording's last two weeks."""
PODS = 60
PACE_S = 5.0
"""A recorded step of 5 minutes passes in so many seconds."""
NAMES = tuple(f"machine-{i}" for i in range(NODES))
NUMBERS = count()
FIRST, SECOND = set(NAMES[:GROUP]), set(NAMES[GROUP:])


class Recorded(threading.Thread):
    """Tells exporters what busy and calm machines did, step by step; `busy` says which nodes are busy. A context
    manager."""

    def __init__(self, server: Scraped) -> None:
        super().__init__(name="recorded", daemon=True)
        usage = np.nan_to_num(bitbrains().usage[:, -14 * 288 :], nan=0.0)
        order = np.argsort(usage[0].mean(axis=0))
        self.kinds = {True: usage[:, :, order[-MACHINES:]], False: usage[:, :, order[:MACHINES]]}
        self.server, self.busy, self.step = server, set(FIRST), 0
        self.end, self.turned = threading.Event(), threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end.set()
        self.join(30.0)

    def swap(self) -> None:
        """Each group does what the other did; returns when all exporters say so."""
        self.busy = set(NAMES) - self.busy
        self.turned.clear()
        self.turned.wait(30.0)

    def run(self) -> None:
        """Until the end."""
        while not self.end.is_set():
            busy = self.busy
            for i, name in enumerate(NAMES):
                self.tell(name, self.kinds[name in busy][:, self.step, i % MACHINES])
            self.step += 1
            if busy is self.busy:
                self.turned.set()
            self.end.wait(PACE_S)

    def tell(self, name: str, values: Floats) -> None:
        """One node's step."""
        cpu, memory, disk, network = values.tolist()
        self.server.tell(
            name,
            cores=CORES,
            memory_total=MEMORY,
            cpu=min(cpu, 1.0) * CORES,
            memory=min(memory, 1.0) * MEMORY,
            disk=float(np.expm1(disk)) * 1000.0,
            network=float(np.expm1(network)) * 1000.0,
        )


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Scraped]:
    """Prometheus over all nodes, scraped every 5 s."""
    with scraped(tmp_path, NAMES, every="5s") as running:
        yield running


def test_swapping_the_load_of_two_groups_swaps_which_gets_the_pods(
    empty: ControlPlane, server: Scraped, tmp_path: Path
) -> None:
    empty.create(node(name, cpu=str(CORES), memory="64Gi") for name in NAMES)
    environment = variables({**PATIENT, "MODE": "active"})
    environment |= {"BERTH_TELEMETRY__PROMETHEUS__WINDOW_S": "30", "BERTH_TELEMETRY__PROMETHEUS__INTERVAL_S": "5"}
    with (
        Recorded(server) as load,
        Mesh(
            auto_ports=True,
            data_dir=tmp_path,
            kubeconfig=empty.kubeconfig,
            prometheus=server.url,
            environment=environment,
        ) as mesh,
    ):
        port = mesh.processes["extender"].http or 0
        caller = Caller(port)
        version = version_of(caller)
        until(lambda: version_of(caller) >= version + 4, 90.0)  # usage of every node has arrived
        with Scheduler(empty, example("second-scheduler", url_at(port))):
            before = share_on(SECOND, empty)
            load.swap()
            version = version_of(caller)
            until(lambda: version_of(caller) >= version + 2, 60.0)
            after = share_on(FIRST, empty)
        print(f"share of pods on the calm group: {before:.2f}, after the swap {after:.2f}")
        assert min(before, after) >= 0.9
        caller.close()
    for kind in ("usage", "bindings"):  # a mesh over a real cluster keeps its past
        assert any((tmp_path / "history" / kind).rglob("*.parquet")), kind


def share_on(group: set[str], plane: ControlPlane) -> float:
    """Place pods; the share of them that went to a group."""
    placed = place(plane, [pod(f"live-{next(NUMBERS)}", "200m", "256Mi") for _ in range(PODS)])
    return sum(bind.node in group for bind in placed.values()) / PODS
