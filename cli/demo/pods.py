"""Pods of the openb trace as kube-scheduler sends them: whole v1 Pod objects."""

from __future__ import annotations

import json
import uuid
from typing import Any

import msgspec

from berth.cluster.pods import ANNOTATION_GPU_MILLI, ANNOTATION_GPU_MODEL, GPU_RESOURCE, PodRequest
from berth.cluster.podspec import decode_pod
from berth.recordings.load import OpenbPod

NAMESPACE = "openb"
UIDS = uuid.uuid5(uuid.NAMESPACE_DNS, "openb.berth.dev")
OWNERS = {"BE": ("batch/v1", "Job")}
"""The trace names no owner: its best-effort pods stand for jobs, all others for services."""
SERVICE = ("apps/v1", "ReplicaSet")


def manifest(pod: OpenbPod, scheduler_name: str = "berth") -> dict[str, Any]:
    """The pod as the API server would give it to kube-scheduler, waiting to be scheduled."""
    requests = {"cpu": f"{pod.cpu_milli}m", "memory": f"{pod.memory_mib}Mi"}
    gpus = {GPU_RESOURCE: str(pod.gpus)} if pod.gpus else {}
    limits = requests | gpus if pod.qos == "Guaranteed" else gpus
    api_version, kind = OWNERS.get(pod.qos, SERVICE)
    owner = f"{pod.name}-{kind.lower()}"
    return {
        "metadata": {
            "name": pod.name,
            "namespace": NAMESPACE,
            "uid": uid_of(pod.name),
            "resourceVersion": "1",
            "labels": {"app": owner, "openb.dev/qos": pod.qos},
            "annotations": gpu_annotations(pod),
            "ownerReferences": [
                {"apiVersion": api_version, "kind": kind, "name": owner, "uid": uid_of(owner), "controller": True}
            ],
        },
        "spec": {
            "containers": [
                {
                    "name": "main",
                    "image": "registry.k8s.io/pause:3.10",
                    "resources": {"requests": requests | gpus, "limits": limits},
                    "imagePullPolicy": "IfNotPresent",
                }
            ],
            "restartPolicy": "Never" if kind == "Job" else "Always",
            "schedulerName": scheduler_name,
            "priority": 0,
            "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}],
        },
        "status": {"phase": "Pending", "qosClass": "Guaranteed" if pod.qos == "Guaranteed" else "Burstable"},
    }


def gpu_annotations(pod: OpenbPod) -> dict[str, str]:
    """GPU share and accepted models."""
    given = {}
    if pod.gpus == 1 and 0 < pod.gpu_milli < 1000:
        given[ANNOTATION_GPU_MILLI] = str(pod.gpu_milli)
    if pod.gpu_models:
        given[ANNOTATION_GPU_MODEL] = "|".join(pod.gpu_models)
    return given


def uid_of(name: str) -> str:
    """The same name has the same uid in every run."""
    return str(uuid.uuid5(UIDS, name))


def request_of(pod: dict[str, Any]) -> PodRequest:
    """What a manifest asks for, read as the extender reads it."""
    return decode_pod(msgspec.Raw(json.dumps(pod).encode()))


def asks(pod: PodRequest) -> str:
    """'12 CPU, 16 GiB, 0.46 GPU'."""
    gpu = f", {pod.gpu_share:.3g} GPU" if pod.gpus else ""
    return f"{pod.cpu:.3g} CPU, {pod.memory:.3g} GiB{gpu}"
