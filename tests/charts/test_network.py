"""NetworkPolicies, judged by np-guard's analyzer: exactly the flows that are needed, and no other."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.charts.helm import Helm, Object

NAMESPACE = "berth-system"
MODELS = {"load-predictor": (8081, 8091), "placement-scorer": (8082, 8092), "anomaly-detector": (8083, 8093)}
STATIC_POD, API_SERVER = "192.0.2.10-192.0.2.10", "192.0.2.1-192.0.2.1"
"""A kube-scheduler on its host's network, and the API server, as the analyzer writes addresses."""
KNOWN = {"cidrs": ["192.0.2.1/32"], "ports": [6443]}
VALUES = {
    "extender": {
        "scheduler": {"enabled": True},
        "networkPolicy": {"schedulers": ["192.0.2.10/32"], "apiServer": KNOWN},
    },
    "telemetry": {"networkPolicy": {"apiServer": KNOWN}},
}


def bystander(namespace: str, name: str, port: int) -> list[Object]:
    """A namespace with a workload that is not Berth's."""
    labels = {"app": name}
    spec = {"containers": [{"name": name, "image": name, "ports": [{"containerPort": port}]}]}
    return [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": namespace, "labels": {"kubernetes.io/metadata.name": namespace}},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": spec}},
        },
    ]


OTHERS = [
    *bystander("monitoring", "prometheus", 9090),
    *bystander("kube-system", "coredns", 53),
    *bystander("tenant", "stranger", 80),
]


@pytest.fixture(scope="module")
def allowed(helm: Helm, netpolicy: Path, tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, str, str]]:
    """(from, to, what) of every connection that the rendered objects allow to or from Berth's workloads."""
    folder = tmp_path_factory.mktemp("network")
    values = folder.parent / "network-values.yaml"
    values.write_text(yaml.safe_dump(VALUES), "utf-8")
    objects = [one for one in helm.rendered("mesh", "--values", values) if one["kind"] != "Pod"]
    for one in objects:
        one["metadata"].setdefault("namespace", NAMESPACE)
    (folder / "objects.yaml").write_text(yaml.safe_dump_all([*objects, *OTHERS]), "utf-8")
    listed = subprocess.run(
        [netpolicy, "list", "--dirpath", str(folder), "--output", "csv", "--quiet"], capture_output=True, text=True
    )
    assert listed.returncode == 0, listed.stderr
    rows = [line.split(",", 2) for line in listed.stdout.splitlines()[1:]]
    found = {(short(source), short(to), what.strip('"')) for source, to, what in rows}
    return {row for row in found if any(end.startswith("berth-") for end in row[:2])}


def short(end: str) -> str:
    """'berth-extender' of 'berth-system/berth-extender[Deployment]'."""
    return end.removeprefix(f"{NAMESPACE}/").removesuffix("[Deployment]")


def expected() -> set[tuple[str, str, str]]:
    """All flows that Berth needs, of the workloads in the test."""
    flows = {
        ("berth-scheduler", "berth-extender", "TCP 8888"),
        (STATIC_POD, "berth-extender", "TCP 8888"),
        ("monitoring/prometheus", "berth-extender", "TCP 8888"),
        ("monitoring/prometheus", "berth-telemetry", "TCP 8084"),
        ("berth-telemetry", "monitoring/prometheus", "TCP 9090"),
        ("berth-extender", "berth-redis", "TCP 6379"),
        ("berth-telemetry", "berth-redis", "TCP 6379"),
        ("berth-telemetry", API_SERVER, "TCP 6443"),
        ("berth-scheduler", API_SERVER, "TCP 6443"),
    }
    for model, (rest, grpc) in MODELS.items():
        flows |= {
            ("berth-extender", f"berth-{model}", f"TCP {grpc}"),
            ("monitoring/prometheus", f"berth-{model}", f"TCP {rest}"),
        }
    for asks in ("extender", "telemetry", "scheduler"):
        flows.add((f"berth-{asks}", "kube-system/coredns", "TCP 53,UDP 53"))
    return flows


def test_exactly_the_needed_flows_are_allowed(allowed: set[tuple[str, str, str]]) -> None:
    assert allowed == expected()


def test_a_tenant_reaches_nothing_and_is_reached_by_nothing(allowed: set[tuple[str, str, str]]) -> None:
    assert not [row for row in allowed if "tenant/stranger" in row]
