"""An InferenceService of the chart, made into a Deployment, Services and an autoscaler by KServe's own controller."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.calls import until
from tests.charts.helm import CHARTS, Helm, Object
from tests.charts.kserve import namespaces, reconciling
from tests.lab.api import ApiError
from tests.lab.control_plane import ControlPlane
from tests.lab.process import LabProcess

pytestmark = [pytest.mark.long, pytest.mark.timeout(1500)]
NAMESPACE = "berth-kserve"
VALUES = CHARTS / "model-service" / "ci" / "raw-values.yaml"
NAME = "berth-placement-scorer"
MADE = f"{NAME}-predictor"


@pytest.fixture(scope="module")
def kserve(
    inference_services: None, cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LabProcess]:
    """Running."""
    apart = namespaces()
    if apart is None:
        pytest.skip("no user namespaces: KServe's controller listens on all addresses")
    with reconciling(cluster, apart, tmp_path_factory.mktemp("kserve")) as process:
        yield process
        running = psutil.Process(process.pid).children(recursive=True)
        assert running
    assert not psutil.wait_procs(running, 5.0)[1]


@pytest.fixture(scope="module")
def installed(kserve: LabProcess, helm: Helm, cluster: ControlPlane) -> Iterator[ControlPlane]:
    """The example, in a namespace that admits restricted pods alone."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.api.create("/api/v1/namespaces", {"metadata": {"name": NAMESPACE, "labels": labels}})
    helm("install", "berth", "model-service", "-n", NAMESPACE, "--values", VALUES, kubeconfig=cluster.kubeconfig)
    until(lambda: found(cluster, "apis/autoscaling/v2", "horizontalpodautoscalers"), 60.0)
    yield cluster
    helm("uninstall", "berth", "-n", NAMESPACE, kubeconfig=cluster.kubeconfig)
    until(lambda: not found(cluster, "apis/apps/v1", "deployments"), 60.0)
    cluster.delete_pods()
    cluster.api.delete(f"/api/v1/namespaces/{NAMESPACE}")


def found(cluster: ControlPlane, group: str, plural: str, name: str = MADE) -> Object | None:
    """An object of the namespace, None where there is none."""
    try:
        one: Object = cluster.api.get(f"/{group}/namespaces/{NAMESPACE}/{plural}/{name}")
    except ApiError as error:
        if error.status != 404:
            raise
        return None
    return one


def get(cluster: ControlPlane, group: str, plural: str, name: str = MADE) -> Object:
    """An object that is there."""
    one = found(cluster, group, plural, name)
    assert one is not None, (plural, name)
    return one


def test_the_deployment_is_the_chart_s_pod_as_it_stands(installed: ControlPlane) -> None:
    deployment = get(installed, "apis/apps/v1", "deployments")
    (owner,) = deployment["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"]) == ("InferenceService", NAME)
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["name"] == "kserve-container"
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == {"h2c": 8092, "http": 8082}
    for probe, path in (("startupProbe", "/readyz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        assert container[probe]["httpGet"]["path"] == path
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["resources"]["limits"]["memory"]
    assert (pod["serviceAccountName"], pod["automountServiceAccountToken"]) == (NAME, False)
    assert pod["securityContext"]["runAsNonRoot"] is True


def test_its_pods_are_admitted_and_found_by_the_chart_s_own_service_and_policy(installed: ControlPlane) -> None:
    until(functools.partial(made, installed, 3), 60.0)
    pods = installed.api.pods(NAMESPACE)
    service = get(installed, "api/v1", "services", f"{NAME}-grpc")
    policy = get(installed, "apis/networking.k8s.io/v1", "networkpolicies", NAME)
    for selector in (service["spec"]["selector"], policy["spec"]["podSelector"]["matchLabels"]):
        assert all(selector.items() <= pod["metadata"]["labels"].items() for pod in pods)


def made(cluster: ControlPlane, pods: int) -> bool:
    """Whether so many pods are there."""
    return len(cluster.api.pods(NAMESPACE)) == pods


def test_the_autoscaler_has_the_chart_s_bounds(installed: ControlPlane) -> None:
    spec = get(installed, "apis/autoscaling/v2", "horizontalpodautoscalers")["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (3, 8)
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": MADE}
    (metric,) = spec["metrics"]
    assert metric["resource"] == {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}


def test_kserve_s_own_service_reaches_the_grpc_port(installed: ControlPlane) -> None:
    spec = get(installed, "api/v1", "services")["spec"]
    pods = get(installed, "apis/apps/v1", "deployments")["spec"]["template"]["metadata"]["labels"]
    assert spec["selector"].items() <= pods.items()
    assert "h2c" in {port["name"] for port in spec["ports"]}


def test_other_values_change_what_it_made(installed: ControlPlane, helm: Helm, tmp_path: Path) -> None:
    release = ("upgrade", "berth", "model-service", "-n", NAMESPACE, "--values", VALUES)
    helm(*release, "--set", "autoscaling.maxReplicas=5", kubeconfig=installed.kubeconfig)
    until(lambda: get(installed, "apis/autoscaling/v2", "horizontalpodautoscalers")["spec"]["maxReplicas"] == 5, 60.0)
