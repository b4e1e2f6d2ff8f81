"""What kube-scheduler sends: pods of known or new classes, names in a new order for every pod."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator

from berth.cluster.pods import ANNOTATION_GPU_MILLI, GPU_RESOURCE

KNOWN_CLASSES = 8
"""Classes that `warm` pods cycle through: as many as the extender scores ahead on a new snapshot."""
SIZES = 40
"""Steps of 5 % for CPU and for memory: 0.5 to 3.3 cores, 1 to 6.7 GiB."""
OWNERS = ("ReplicaSet", "StatefulSet", "Job", "")
GPU_MILLI = (0, 500, 1000)
"""Most of the first classes ask for no device, as most pods do."""
CLASSES = SIZES * SIZES * len(OWNERS) * len(GPU_MILLI)
"""Different classes before they start over."""
ORDERS = 24
"""Node lists prepared: kube-scheduler starts each pod's list elsewhere and checks nodes in parallel."""


def grid(base: float, step: int) -> float:
    """A size in the middle of a step of 5 %, away from the edges at which classes are rounded."""
    return float(base * 1.05 ** (step + 0.5))


def pod(uid: str, number: int) -> dict[str, object]:
    """A v1.Pod of class `number` as the API server holds it. Numbers below CLASSES are classes of their own."""
    number, cpu = divmod(number, SIZES)
    number, memory = divmod(number, SIZES)
    number, owner = divmod(number, len(OWNERS))
    milli = GPU_MILLI[number % len(GPU_MILLI)]
    asked = {"cpu": f"{grid(500.0, cpu):.0f}m", "memory": f"{grid(1024.0, memory):.0f}Mi"}
    if milli:
        asked[GPU_RESOURCE] = "1"
    return document(uid, asked, OWNERS[owner], milli)


def document(uid: str, asked: dict[str, str], owner: str, milli: int) -> dict[str, object]:
    """The pod's JSON, with the parts that Berth does not read but has to pass over."""
    account = "/var/run/secrets/kubernetes.io/serviceaccount"
    return {
        "metadata": {
            "name": f"app-{uid}",
            "generateName": "app-",
            "namespace": "default",
            "uid": uid,
            "resourceVersion": "184467",
            "creationTimestamp": "2026-01-05T10:00:00Z",
            "labels": {"app.kubernetes.io/name": "app", "pod-template-hash": "6d4cf56db6"},
            "annotations": {ANNOTATION_GPU_MILLI: str(milli)} if milli else {},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": owner, "name": "app", "uid": "o", "controller": True}]
            if owner
            else [],
            "managedFields": [
                {
                    "manager": "kube-controller-manager",
                    "operation": "Update",
                    "apiVersion": "v1",
                    "time": "2026-01-05T10:00:00Z",
                    "fieldsType": "FieldsV1",
                    "fieldsV1": {"f:spec": {"f:containers": {f'k:{{"name":"c{i}"}}': {".": {}} for i in range(20)}}},
                }
            ],
        },
        "spec": {
            "schedulerName": "berth",
            "containers": [
                {
                    "name": "app",
                    "image": "registry.k8s.io/pause:3.10",
                    "resources": {"requests": asked, "limits": asked},
                    "env": [{"name": f"VARIABLE_{i}", "value": "x" * 20} for i in range(20)],
                    "volumeMounts": [{"name": "token", "readOnly": True, "mountPath": account}],
                }
            ],
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "priority": 0,
            "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}],
        },
        "status": {"phase": "Pending", "qosClass": "Burstable"},
    }


def orders(names: list[str], seed: int) -> list[bytes]:
    """ORDERS JSON lists of the same names: each starts elsewhere, with neighbours mixed."""
    drawn = random.Random(seed)
    lists = []
    for _ in range(ORDERS):
        start = drawn.randrange(len(names))
        turned = names[start:] + names[:start]
        mixed = sorted(range(len(turned)), key=lambda i: i + drawn.random() * 32.0)
        lists.append(json.dumps([turned[i] for i in mixed], separators=(",", ":")).encode())
    return lists


def bodies(lists: list[bytes], run: str, new_classes: bool, first: int) -> Iterator[bytes]:
    """ExtenderArgs without end, one a pod. first: number of the first new class."""
    for number in itertools.count():
        chosen = (first + number) % CLASSES if new_classes else number % KNOWN_CLASSES
        text = json.dumps(pod(f"{run}-{number}", chosen), separators=(",", ":")).encode()
        yield b'{"Pod":%s,"Nodes":null,"NodeNames":%s}' % (text, lists[number % len(lists)])
