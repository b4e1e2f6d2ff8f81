"""A pod as placement sees it: what it asks for, who owns it, and which class of pods it belongs to."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, NamedTuple

Qos = Literal["Guaranteed", "Burstable", "BestEffort"]

ANNOTATION_GPU_MILLI = "berth.dev/gpu-milli"
"""Thousandths of one device that a pod asks for, where it shares one."""
ANNOTATION_GPU_MODEL = "berth.dev/gpu-model"
"""Accepted GPU models, separated by '|'."""
GPU_RESOURCE = "nvidia.com/gpu"

SYSTEM_CRITICAL_PRIORITY = 2_000_000_000
"""Priority of system-cluster-critical. Source: pkg/apis/scheduling/types.go (SystemCriticalPriority)."""


@dataclass(frozen=True)
class PodRequest:
    """cpu in cores, memory in GiB; gpus whole devices, or 1 with gpu_milli of that device (1000: all of it).
    owner_kind is '' for a bare pod."""

    uid: str
    namespace: str = "default"
    name: str = ""
    scheduler_name: str = "berth"
    cpu: float = 0.0
    memory: float = 0.0
    gpus: int = 0
    gpu_milli: int = 0
    gpu_models: tuple[str, ...] = ()
    priority: int = 0
    qos: Qos = "Burstable"
    owner_kind: str = ""
    owner_uid: str = ""
    nominated_node: str = ""
    labels: dict[str, str] = field(default_factory=dict, hash=False)

    @property
    def gpu_share(self) -> float:
        """Devices asked for: 0.25 for a quarter of one, 2.0 for two whole ones."""
        return self.gpus * (self.gpu_milli / 1000.0 if self.gpu_milli else 1.0)

    @property
    def priority_band(self) -> int:
        """0 below zero, 1 at zero, 2 to a million, 3 above: enough for a score, few enough for a cache key."""
        return int(self.priority >= 0) + int(self.priority > 0) + int(self.priority > 1_000_000)


@dataclass(frozen=True)
class BoundPod:
    """A pod, where it runs ('' while it waits), and whether it has ended. created, bound: unix seconds; where nobody
    says when it was bound, when it was created."""

    request: PodRequest
    node: str = ""
    ended: bool = False
    created: float = 0.0
    bound: float = 0.0

    @property
    def counts(self) -> bool:
        """Whether its requests are part of a node's."""
        return bool(self.node) and not self.ended


def round_up_5_percent(value: float) -> float:
    """The next value of a grid whose neighbours lie 5 % apart; 0 stays 0.

    >>> round_up_5_percent(1.0)
    1.0
    """
    if value <= 0.0:
        return 0.0
    return float(1.05 ** math.ceil(math.log(value) / math.log(1.05) - 1e-6))


def pod_class(pod: PodRequest) -> PodRequest:
    """The pod that stands for all pods scored alike: requests rounded up to 5 %, identity dropped."""
    return PodRequest(
        uid="",
        namespace="",
        cpu=round_up_5_percent(pod.cpu),
        memory=round_up_5_percent(pod.memory),
        gpus=pod.gpus,
        gpu_milli=math.ceil(pod.gpu_milli / 50) * 50,
        gpu_models=tuple(sorted(pod.gpu_models)),
        priority={0: -1, 1: 0, 2: 1, 3: 2_000_000}[pod.priority_band],
        qos=pod.qos,
        owner_kind=pod.owner_kind if pod.owner_kind in OWNER_KINDS else "",
    )


OWNER_KINDS = ("ReplicaSet", "StatefulSet", "Job")
"""Kinds the placement scorer tells apart; all others count as none."""


def class_key(representative: PodRequest) -> str:
    """A short text that names a class, for cache keys."""
    p = representative
    models = "|".join(p.gpu_models)
    return f"{p.cpu:.4g},{p.memory:.4g},{p.gpus},{p.gpu_milli},{models},{p.priority_band},{p.qos},{p.owner_kind}"


class PodClass(NamedTuple):
    """A class of pods: its key and the pod that stands for it."""

    key: str
    representative: PodRequest


def class_of(pod: PodRequest) -> PodClass:
    """The pod's class, remembered: pods of one owner come in numbers."""
    models = tuple(pod.gpu_models)
    return _class_of(pod.cpu, pod.memory, pod.gpus, pod.gpu_milli, models, pod.priority, pod.qos, pod.owner_kind)


@lru_cache(maxsize=1024)
def _class_of(
    cpu: float,
    memory: float,
    gpus: int,
    gpu_milli: int,
    gpu_models: tuple[str, ...],
    priority: int,
    qos: Qos,
    owner_kind: str,
) -> PodClass:
    """The class of pods that have these in common."""
    alike = PodRequest(
        "",
        cpu=cpu,
        memory=memory,
        gpus=gpus,
        gpu_milli=gpu_milli,
        gpu_models=gpu_models,
        priority=priority,
        qos=qos,
        owner_kind=owner_kind,
    )
    representative = pod_class(alike)
    return PodClass(class_key(representative), representative)
