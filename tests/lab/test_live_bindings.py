"""Over a real API server and kube-scheduler: where pods were really bound is known while they run, and explained after
everybody else has forgotten them."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from cli.endpoint import call, get_json
from cli.supervisor import Mesh
from services.telemetry.bindings.keeper import table_of
from services.telemetry.history.files import Files
from services.telemetry.history.kinds import BINDINGS
from services.telemetry.history.store import HistoryStore
from tests.calls import until
from tests.cli.command import berth
from tests.lab.berth import url_at
from tests.lab.control_plane import ControlPlane
from tests.lab.objects import node, pod
from tests.lab.placing import place
from tests.lab.scheduler import Scheduler, example
from tests.mesh import PATIENT, variables

pytestmark = pytest.mark.long

NAMES = tuple(f"bindings-{i}" for i in range(7))
PODS = 8
NUMBERS = count()


def test_yesterdays_pod_is_explained_after_the_extender_has_forgotten_it(empty: ControlPlane, tmp_path: Path) -> None:
    empty.create(node(name, cpu="16", memory="64Gi") for name in NAMES)
    history = tmp_path / "history"
    environment = variables({**PATIENT, "MODE": "active"}) | {
        "BERTH_TELEMETRY__HISTORY__URL": str(history),
        "BERTH_TELEMETRY__HISTORY__FLUSH_S": "1",
        "BERTH_TELEMETRY__INTERVAL_S": "1",
    }
    with Mesh(
        auto_ports=True,
        data_dir=tmp_path / ".berth",
        kubeconfig=empty.kubeconfig,
        environment=environment,
        restart=False,
    ) as mesh:
        with Scheduler(empty, example("second-scheduler", url_at(mesh.processes["extender"].http or 0))):
            placed = place(empty, [pod(f"bound-{next(NUMBERS)}", "200m", "256Mi") for _ in range(PODS)])
        for name, bind in placed.items():
            found = until(lambda name=name: binding(mesh, name), 30.0)
            assert (found["node"], found["pod_uid"]) == (bind.node, bind.uid)
            assert found["decision"]["pod_name"] == name
        until(lambda: get_json(f"{mesh.url('telemetry')}/v1/agreement")["scored"] == PODS, 30.0)
        write_yesterday(history, found)
        forget(mesh)
        for name, rank in (("yesterday-0", "rank 2, regret 0.250"), (found["pod_name"], "really bound to")):
            ended = berth("explain", name, cwd=tmp_path)
            assert ended.returncode == 0, ended.stderr
            assert rank in ended.stdout, ended.stdout
        again = json.loads(berth("explain", "yesterday-0", "--json", cwd=tmp_path).stdout)
        assert (again["pod_name"], again["binding"]["node_cpu"]) == ("yesterday-0", 0.5)
        assert f"% of {PODS} pods" in berth("report", cwd=tmp_path).stdout


def binding(mesh: Mesh, name: str) -> dict[str, Any] | None:
    """What telemetry knows of a pod."""
    status, raw = call("GET", f"{mesh.url('telemetry')}/v1/bindings/{name}")
    return json.loads(raw) if status == 200 else None


def write_yesterday(history: Path, of: dict[str, Any]) -> None:
    """A pod as one of today's, bound a day and two hours ago."""
    store = HistoryStore(Files(str(history)), BINDINGS)
    rows = until(lambda: [row for row in written(store) if row["pod_uid"] == of["pod_uid"]])
    row = rows[0]
    record = {**json.loads(row["decision"]), "pod_uid": "of-yesterday", "pod_name": "yesterday-0"}
    row |= {"pod_uid": "of-yesterday", "pod_name": "yesterday-0", "decision": json.dumps(record), "node_cpu": 0.5}
    row |= {"agreed": False, "rank": 2, "regret": 0.25, "at": row["at"] - timedelta(hours=26)}
    store.write(table_of([row]), "live-yesterday")


def written(store: HistoryStore) -> list[dict[str, Any]]:
    """All rows on disk."""
    return [row for day in store.days() for row in store.read(day).to_pylist()]


def forget(mesh: Mesh) -> None:
    """The extender begins anew, and Redis and the logs have nothing."""
    mesh.kill("extender")
    until(lambda: not mesh.alive("extender"))
    with Redis.from_url(mesh.redis_url) as redis:
        redis.flushall()
    (mesh.data_dir / "decisions.jsonl").unlink(missing_ok=True)
    mesh.start_process("extender")
    mesh.wait_ready()
