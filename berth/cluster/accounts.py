"""What nodes have and what is requested of them, kept while nodes and pods come, change and go.

Counted as kube-scheduler's cache counts (pkg/scheduler/framework/types.go, NodeInfo.AddPodInfo): every pod that has a
node and has not ended, also one that is being deleted. Sums are whole numbers, so that what comes and goes leaves no
trace of float arithmetic. Objects come in any order: a pod may be known before its node.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from berth.cluster.nodespec import NodeState
from berth.cluster.pods import BoundPod
from berth.cluster.quantities import GIB

WHOLE_DEVICE = 1000
"""Thousandths of a device."""


@dataclass
class Requested:
    """Of one node, in sum. cpu: millicores, burstable those of pods that are not Guaranteed; memory: bytes; gpu:
    thousandths of a device; stateful, jobs: pods of such owners; bands: priority bands."""

    cpu: int = 0
    memory: int = 0
    pods: int = 0
    gpu: int = 0
    burstable: int = 0
    stateful: int = 0
    jobs: int = 0
    bands: int = 0
    uids: set[str] = field(default_factory=set)

    def add(self, pod: BoundPod, sign: int) -> None:
        """Enter a pod (sign 1) or take it out (-1)."""
        request = pod.request
        cpu = sign * math.ceil(request.cpu * 1000.0 - 1e-6)
        self.cpu += cpu
        self.burstable += cpu if request.qos != "Guaranteed" else 0
        self.memory += sign * math.ceil(request.memory * GIB - 1e-6)
        self.pods += sign
        self.gpu += sign * request.gpus * (request.gpu_milli or WHOLE_DEVICE)
        self.stateful += sign * (request.owner_kind == "StatefulSet")
        self.jobs += sign * (request.owner_kind == "Job")
        self.bands += sign * request.priority_band


class Accounts:
    """Nodes by name and pods by uid."""

    def __init__(self) -> None:
        self.nodes: dict[str, NodeState] = {}
        self.pods: dict[str, BoundPod] = {}
        self.requested: dict[str, Requested] = {}
        self.pending = 0

    def put_node(self, node: NodeState) -> None:
        """A node is there, or has changed."""
        self.nodes[node.name] = node

    def drop_node(self, name: str) -> None:
        """A node is gone; its pods follow by themselves, and count until they do."""
        self.nodes.pop(name, None)

    def put_pod(self, pod: BoundPod) -> None:
        """A pod is there, or has changed."""
        self.drop_pod(pod.request.uid)
        self.pods[pod.request.uid] = pod
        self.pending += waits(pod)
        if pod.counts:
            of = self.requested.setdefault(pod.node, Requested())
            of.add(pod, 1)
            of.uids.add(pod.request.uid)

    def drop_pod(self, uid: str) -> None:
        """A pod is gone."""
        before = self.pods.pop(uid, None)
        if before is None:
            return
        self.pending -= waits(before)
        if not before.counts:
            return
        of = self.requested[before.node]
        of.add(before, -1)
        of.uids.discard(uid)
        if not of.uids:
            del self.requested[before.node]

    def keep_nodes(self, names: Iterable[str]) -> None:
        """A new list says which nodes there are: others are gone."""
        known = set(names)
        for name in [name for name in self.nodes if name not in known]:
            self.drop_node(name)

    def keep_pods(self, uids: Iterable[str]) -> None:
        """A new list says which pods there are: others are gone."""
        known = set(uids)
        for uid in [uid for uid in self.pods if uid not in known]:
            self.drop_pod(uid)

    def of(self, name: str) -> Requested:
        """What is requested of a node."""
        return self.requested.get(name) or Requested()

    def bound_since(self, moment: float) -> dict[str, str]:
        """Node by uid of the counted pods that were bound at or after a moment, unix seconds."""
        return {uid: pod.node for uid, pod in self.pods.items() if pod.bound >= moment and pod.counts}

    def waiting(self) -> int:
        """Pods without a node that have not ended."""
        return self.pending

    def free_devices(self, name: str) -> list[float]:
        """Free share of each device of a node. Who has which device only its kubelet knows: the oldest pods take the
        tightest devices with enough room, as device plugins do that pack."""
        free = [WHOLE_DEVICE] * (self.nodes[name].gpus if name in self.nodes else 0)
        asking = [self.pods[uid] for uid in self.of(name).uids if self.pods[uid].request.gpus]
        for pod in sorted(asking, key=lambda pod: (pod.created, pod.request.uid)):
            share = pod.request.gpu_milli or WHOLE_DEVICE
            fitting = sorted((room, device) for device, room in enumerate(free) if room >= share)
            for _, device in fitting[: pod.request.gpus]:
                free[device] -= share
        return [room / WHOLE_DEVICE for room in free]


def waits(pod: BoundPod) -> bool:
    """Whether it has neither a node nor ended."""
    return not pod.node and not pod.ended
