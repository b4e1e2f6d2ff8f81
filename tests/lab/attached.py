"""What pods attach: local volumes that wait for their first consumer, and devices without a driver."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.lab.api import ApiError
from tests.lab.control_plane import ControlPlane
from tests.lab.objects import Object

STORAGE = "/apis/storage.k8s.io/v1/storageclasses"
VOLUMES = "/api/v1/persistentvolumes"
CLAIMS = "/api/v1/namespaces/default/persistentvolumeclaims"
RESOURCES = "/apis/resource.k8s.io/v1"
DRIVER = "lab.berth.dev"


@contextmanager
def created(plane: ControlPlane, objects: Sequence[tuple[str, Object]]) -> Iterator[None]:
    """Objects by their collection's path, there for a while."""
    for path, one in objects:
        plane.api.create(path, one)
    yield
    for path, one in reversed(objects):
        target = f"{path}/{one['metadata']['name']}"
        try:
            plane.api.patch(target, {"metadata": {"finalizers": None}})
            plane.api.delete(target)
        except ApiError as error:
            if error.status != 404:
                raise


def volumes(nodes: Sequence[str]) -> list[tuple[str, Object]]:
    """One local disk on each of these nodes, and a claim, `claim`, that any of them satisfies."""
    waiting = {"provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": "WaitForFirstConsumer"}
    asked = {"accessModes": ["ReadWriteOnce"], "storageClassName": "local"}
    claim = {**asked, "resources": {"requests": {"storage": "1Gi"}}}
    disks = [
        (VOLUMES, {"metadata": {"name": f"disk-{i}"}, "spec": {**asked, **disk(on)}}) for i, on in enumerate(nodes)
    ]
    return [
        (STORAGE, {"metadata": {"name": "local"}, **waiting}),
        *disks,
        (CLAIMS, {"metadata": {"name": "claim"}, "spec": claim}),
    ]


def disk(on: str) -> Object:
    """The part of a local volume's spec that says where it is."""
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [on]}]}
    return {
        "capacity": {"storage": "10Gi"},
        "local": {"path": "/nowhere"},
        "persistentVolumeReclaimPolicy": "Retain",
        "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}},
    }


def devices(nodes: Sequence[str]) -> list[tuple[str, Object]]:
    """One device on each of these nodes, as a driver would publish them, and a template, `card`, of claims for one."""
    wanted = {"requests": [{"name": "card", "exactly": {"deviceClassName": "card"}}]}
    return [
        (f"{RESOURCES}/deviceclasses", {"metadata": {"name": "card"}, "spec": {"selectors": [selector()]}}),
        *((f"{RESOURCES}/resourceslices", resource_slice(on)) for on in nodes),
        (
            f"{RESOURCES}/namespaces/default/resourceclaimtemplates",
            {"metadata": {"name": "card"}, "spec": {"spec": {"devices": wanted}}},
        ),
    ]


def selector() -> Object:
    """Devices of the lab's driver."""
    return {"cel": {"expression": f'device.driver == "{DRIVER}"'}}


def resource_slice(on: str) -> Object:
    """One device of one node."""
    pool = {"name": on, "generation": 1, "resourceSliceCount": 1}
    spec = {"driver": DRIVER, "nodeName": on, "pool": pool, "devices": [{"name": "card-0"}]}
    return {"metadata": {"name": f"{on}-cards".lower()}, "spec": spec}
