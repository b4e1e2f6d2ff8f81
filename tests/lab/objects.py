"""Nodes and pods as the API server takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Object = dict[str, Any]

LAB, RECORDED = "berth.dev/lab", "recorded"
"""Label of the pods that stand for what runs on the recorded nodes already."""


def node(name: str, cpu: str = "8", memory: str = "32Gi", pods: int = 110, **more: Any) -> Object:
    """A ready node. more: `labels`, `taints`, `extended` (resource to amount), `unschedulable`."""
    amounts = {"cpu": cpu, "memory": memory, "pods": str(pods), **more.pop("extended", {})}
    labels = {"kubernetes.io/hostname": name, **more.pop("labels", {})}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": more,
        "status": {"capacity": amounts, "allocatable": amounts},
    }


def pod(name: str, cpu: str = "1", memory: str = "1Gi", scheduler: str = "berth", **more: Any) -> Object:
    """A pod to be scheduled. more: fields of its spec, and `meta` (labels, annotations, owners, namespace) and
    `requests` (extended resources)."""
    meta = {"name": name, "namespace": "default", **more.pop("meta", {})}
    asks = {"cpu": cpu, "memory": memory, **more.pop("requests", {})}
    limits = {resource: amount for resource, amount in asks.items() if "/" in resource}
    resources = {"requests": asks, **({"limits": limits} if limits else {})}
    container = {"name": "c", "image": "registry.k8s.io/pause:3.10", "resources": resources}
    spec = {"schedulerName": scheduler, "containers": [container], "terminationGracePeriodSeconds": 0, **more}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def recorded_node(row: Mapping[str, Any]) -> Object:
    """A node of the replayed cluster, as its `/replay/nodes` tells it."""
    gpus = len(row["gpu_free"])
    labels = {"nvidia.com/gpu.product": row["gpu_model"]} if row["gpu_model"] else {}
    extended = {"nvidia.com/gpu": str(gpus)} if gpus else {}
    cpu, memory = f"{int(row['cpu_allocatable'] * 1000)}m", f"{int(row['memory_allocatable'] * 1024)}Mi"
    return node(row["name"], cpu, memory, int(row["pods_allocatable"]), labels=labels, extended=extended)


def recorded_pod(row: Mapping[str, Any]) -> Object:
    """What runs on a node of the replayed cluster already, as one pod that is bound to it."""
    cpu, memory = f"{int(row['cpu_requested'] * 1000)}m", f"{int(row['memory_requested'] * 1024)}Mi"
    meta = {"labels": {LAB: RECORDED}}
    return pod(f"runs-on-{row['name']}", cpu, memory, scheduler="recorded", nodeName=row["name"], meta=meta)
