"""What users ask of a place always holds with Berth active: it only chooses among nodes that kube-scheduler offers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.calls import Replay, until
from tests.extender.replica import Replica
from tests.lab.attached import created, devices, volumes
from tests.lab.berth import fresh_replicas, url_at
from tests.lab.binds import Binds
from tests.lab.control_plane import ControlPlane
from tests.lab.objects import Object, node, pod
from tests.lab.scheduler import Scheduler, example, scores_alone

ZONE = "topology.kubernetes.io/zone"
HOST = "kubernetes.io/hostname"
LIKE = {"labels": {"app": "like"}}
ALIKE = {"labelSelector": {"matchLabels": LIKE["labels"]}}


@pytest.fixture(scope="module")
def extender(recorded: Replay) -> Iterator[Replica]:
    """One of this module's own."""
    with fresh_replicas(recorded, 1) as (running,):
        yield running


@pytest.fixture(scope="module")
def scheduler(second_plane: ControlPlane, extender: Replica) -> Iterator[Scheduler]:
    """kube-scheduler with every filter plugin and no score plugin: Berth alone chooses among feasible nodes."""
    with Scheduler(second_plane, scores_alone(example("second-scheduler", url_at(extender.port)))) as running:
        yield running


@pytest.fixture
def names(recorded: Replay) -> list[str]:
    """Of nodes that Berth knows."""
    return recorded.names[:20]


@pytest.fixture
def berth_chooses(extender: Replica, scheduler: Scheduler) -> Iterator[None]:
    """Berth really scored while the test ran, and no call failed."""
    before = scored(extender)
    yield
    assert scored(extender) > before
    assert scheduler.failed_calls() == {"filter": 0, "prioritize": 0}


def scored(extender: Replica) -> float:
    """Calls that were judged so far, those among them whose few nodes were as good as each other."""
    by_reason = extender.caller.metrics("berth_pods_total")
    return by_reason.get(("active", "scored"), 0.0) + by_reason.get(("active", "too-close"), 0.0)


def place(plane: ControlPlane, pods: list[Object]) -> dict[str, str]:
    """Node of each pod, once all are bound."""
    with Binds(plane) as binds:
        already = len(binds.seen)
        plane.create(pods)
        binds.wait(already + len(pods), 30.0)
        return {name: binds.node_of[name] for name in (one["metadata"]["name"] for one in pods)}


def stays_pending(plane: ControlPlane, name: str) -> None:
    """Fails unless kube-scheduler says that the pod fits nowhere."""
    until(lambda: condition(plane, name) == "Unschedulable", 20.0)
    assert "nodeName" not in plane.api.pod(name)["spec"]


def condition(plane: ControlPlane, name: str) -> str:
    """The reason why a pod is not scheduled, or ''."""
    found = plane.api.pod(name)["status"].get("conditions", [])
    return next((one.get("reason", "") for one in found if one["type"] == "PodScheduled"), "")


@pytest.mark.usefixtures("berth_chooses")
def test_taints_and_tolerations(empty: ControlPlane, names: list[str]) -> None:
    taint = {"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}
    empty.create(node(name, taints=[taint] if i >= 10 else []) for i, name in enumerate(names))
    found = place(empty, [pod(f"plain-{i}") for i in range(20)])
    assert set(found.values()) <= set(names[:10])
    tolerant = pod("tolerant", tolerations=[{**taint, "operator": "Equal"}], nodeSelector={HOST: names[10]})
    assert place(empty, [tolerant]) == {"tolerant": names[10]}


@pytest.mark.usefixtures("berth_chooses")
def test_node_affinity(empty: ControlPlane, names: list[str]) -> None:
    empty.create(node(name, labels={"disk": "ssd" if i % 4 == 0 else "hdd"}) for i, name in enumerate(names))
    term = {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}
    found = place(empty, [pod(f"ssd-{i}", affinity=affinity) for i in range(20)])
    assert set(found.values()) <= set(names[::4])


@pytest.mark.usefixtures("berth_chooses")
def test_pod_anti_affinity(empty: ControlPlane, names: list[str]) -> None:
    empty.create(node(name) for name in names)
    term = {**ALIKE, "topologyKey": HOST}
    affinity = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    found = place(empty, [pod(f"apart-{i}", affinity=affinity, meta=LIKE) for i in range(20)])
    assert len(set(found.values())) == 20
    empty.create([pod("one-too-many", affinity=affinity, meta=LIKE)])
    stays_pending(empty, "one-too-many")


@pytest.mark.usefixtures("berth_chooses")
def test_topology_spread(empty: ControlPlane, names: list[str]) -> None:
    zone_of = {name: "a" if i < 14 else "b" if i < 18 else "c" for i, name in enumerate(names)}
    empty.create(node(name, labels={ZONE: zone}) for name, zone in zone_of.items())
    spread = [{**ALIKE, "maxSkew": 1, "topologyKey": ZONE, "whenUnsatisfiable": "DoNotSchedule"}]
    found = place(empty, [pod(f"spread-{i}", "100m", meta=LIKE, topologySpreadConstraints=spread) for i in range(31)])
    counts = Counter(zone_of[where] for where in found.values())
    assert max(counts.values()) - min(counts.values()) <= 1


@pytest.mark.usefixtures("berth_chooses")
def test_extended_resources(empty: ControlPlane, names: list[str]) -> None:
    gpus = {"nvidia.com/gpu": "2"}
    empty.create(node(name, extended=gpus if i % 2 else {}) for i, name in enumerate(names))
    found = place(empty, [pod(f"gpu-{i}", requests={"nvidia.com/gpu": "1"}) for i in range(20)])
    counts = Counter(found.values())
    assert set(counts) == set(names[1::2])
    assert set(counts.values()) == {2}
    empty.create([pod("no-gpu-left", requests={"nvidia.com/gpu": "1"})])
    stays_pending(empty, "no-gpu-left")


@pytest.mark.usefixtures("berth_chooses")
def test_a_gated_pod_waits_until_its_gate_is_gone(empty: ControlPlane, names: list[str]) -> None:
    empty.create(node(name) for name in names)
    empty.create([pod("gated", schedulingGates=[{"name": "example.com/wait"}])])
    assert len(place(empty, [pod(f"free-{i}") for i in range(5)])) == 5
    assert "nodeName" not in empty.api.pod("gated")["spec"]
    empty.api.patch("/api/v1/namespaces/default/pods/gated", {"spec": {"schedulingGates": None}})
    until(lambda: "nodeName" in empty.api.pod("gated")["spec"])


@pytest.mark.usefixtures("berth_chooses")
def test_volumes_that_wait_for_their_first_consumer(empty: ControlPlane, names: list[str]) -> None:
    empty.create(node(name) for name in names)
    with created(empty, volumes(names[:2])):
        mount = [{"name": "data", "persistentVolumeClaim": {"claimName": "claim"}}]
        found = place(empty, [pod("with-a-disk", volumes=mount)])
        assert found["with-a-disk"] in names[:2]
        empty.delete_pods()


@pytest.mark.usefixtures("berth_chooses")
def test_devices_by_dynamic_resource_allocation(empty: ControlPlane, names: list[str]) -> None:
    empty.create(node(name) for name in names)
    with created(empty, devices(names[5:8])):
        claim = [{"name": "card", "resourceClaimTemplateName": "card"}]
        found = place(empty, [pod(f"device-{i}", resourceClaims=claim) for i in range(3)])
        assert set(found.values()) == set(names[5:8])
        empty.create([pod("no-device-left", resourceClaims=claim)])
        stays_pending(empty, "no-device-left")
        empty.delete_pods()
