"""Berth beside the lab's control plane: the mesh, with the replayed cluster's nodes in the API server.

Telemetry replays recorded machines (a live source is its own room's work); what the scheduler binds is told to it, so
that snapshots name the pods that are there.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from berth.cluster.keys import INFLIGHT_STREAM
from cli.supervisor import Mesh
from tests.calls import Replay
from tests.extender.replica import Replica, replica
from tests.lab.binds import Bind
from tests.lab.control_plane import ControlPlane
from tests.lab.objects import recorded_node, recorded_pod
from tests.lab.ports import free_port, listens
from tests.lab.process import LabProcess

PAUSED_S = 600.0
"""Telemetry's own pace: snapshots come when a test says."""


@contextmanager
def berth(
    folder: Path,
    nodes: int,
    environment: Mapping[str, str] | None = None,
    config: Path | None = None,
    restart: bool = False,
    prepare: Callable[[Mesh], None] = lambda _: None,
) -> Iterator[Replay]:
    """A running mesh and its switches. restart: start again what has ended. prepare: told of it before it starts."""
    mesh = Mesh(
        auto_ports=True,
        config=config,
        data_dir=folder,
        nodes=nodes,
        interval_s=PAUSED_S,
        restart=restart,
        environment=environment,
    )
    prepare(mesh)
    with mesh:
        replay = Replay(mesh)
        yield replay
        replay.close()


def extender_url(replay: Replay) -> str:
    """What goes into a KubeSchedulerConfiguration's `urlPrefix`."""
    return url_at(replay.port)


def url_at(port: int) -> str:
    """The same for whatever listens there."""
    return f"http://127.0.0.1:{port}/scheduler"


@contextmanager
def fresh_replicas(replay: Replay, count: int, settings: Mapping[str, str] | None = None) -> Iterator[list[Replica]]:
    """Extenders over a running mesh's models and Redis, that know of no pod placed before."""
    replay.publish()
    replay.redis.delete(INFLIGHT_STREAM)
    with ExitStack() as running:
        yield [running.enter_context(replica(replay.mesh, settings or {})) for _ in range(count)]


@contextmanager
def balancer(plane: ControlPlane, ports: Sequence[int], *flags: str) -> Iterator[tuple[int, LabProcess]]:
    """A port that spreads connections (with `--each-request` requests) over extenders, and the process."""
    port = free_port()
    backends = ",".join(f"127.0.0.1:{backend}" for backend in ports)
    command = (f"--listen=127.0.0.1:{port}", f"--backends={backends}", *flags)
    with plane.start("balancer", *command, name=f"balancer-{port}") as process:
        process.wait(lambda: listens(port), "balancer")
        yield port, process


def populate(plane: ControlPlane, replay: Replay, occupied: bool = True) -> None:
    """The replayed nodes in the API server. occupied: with what runs on them already."""
    plane.create(recorded_node(row) for row in replay.nodes)
    if occupied:
        plane.create(recorded_pod(row) for row in replay.nodes)


class Feeder:
    """Tells telemetry what was bound, in batches from a thread of its own; a context manager that at its end tells
    that these pods are gone again. Each pod counts with the same requests (cores, GiB)."""

    def __init__(self, replay: Replay, cpu: float, memory: float) -> None:
        self.replay = replay
        self.told: list[str] = []
        self.asks = {"cpu": cpu, "memory": memory}
        self.waiting: queue.SimpleQueue[Bind | None] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._run, name="feeder", daemon=True)

    def __enter__(self) -> Feeder:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.waiting.put(None)
        self.thread.join(30.0)
        for uid in self.told:
            self.replay.telemetry("POST", "/replay/release", {"uid": uid})

    def tell(self, bind: Bind) -> None:
        """Queue a binding; give this to `Binds`."""
        self.waiting.put(bind)

    def _run(self) -> None:
        while (first := self.waiting.get()) is not None:
            batch = [first]
            while not self.waiting.empty() and len(batch) < 500:
                following = self.waiting.get()
                if following is None:
                    self.waiting.put(None)
                    break
                batch.append(following)
            bodies = [{"uid": bind.uid, "node": bind.node, "name": bind.name, **self.asks} for bind in batch]
            answers = self.replay.telemetry("POST", "/replay/bind", bodies)
            self.told += [answer["uid"] for answer in answers if answer["bound"]]
