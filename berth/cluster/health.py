"""A Node's and a Pod's JSON to what went wrong there: conditions, containers that ended, evictions.

Source: pkg/kubelet/eviction (reason 'Evicted'); the JSON is in `statuses.py`.
Most pods have nothing to tell: a search of their text finds that out in an eighth of the time that reading takes.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from berth.cluster.podspec import seconds
from berth.cluster.statuses import ContainerStatus, Identity, Node, Pod

TRACES = (b'"terminated"', b'"Evicted"')
"""A pod whose text holds neither has nothing to tell."""
EVICTED, OOM_KILLED = "Evicted", "OOMKilled"
READY = "Ready"
PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure")
TOLD = (READY, *PRESSURES)
LONGEST_MESSAGE = 200


class HealthError(ValueError):
    """No node or pod that could be read."""


class Condition(NamedTuple):
    """type: one of TOLD; status: 'True', 'False' or 'Unknown'; since: unix seconds, 0 where nobody says."""

    type: str
    status: str
    since: float


class NodeHealth(NamedTuple):
    """What the node's kubelet, or the API server's controllers in its place, say of it."""

    name: str
    conditions: tuple[Condition, ...]


class ContainerEnd(NamedTuple):
    """restarts: how often the container was started again; ended: unix seconds of its last end, 0 before the first;
    oom_killed: unix seconds of each end by the kernel that is still told."""

    container: str
    restarts: int
    ended: float
    oom_killed: tuple[float, ...]


class PodHealth(NamedTuple):
    """evicted: unix seconds, 0 for a pod that was not; message: the kubelet's words for it."""

    uid: str
    name: str
    node: str
    containers: tuple[ContainerEnd, ...]
    evicted: float
    message: str


nodes, pods, identities = msgspec.json.Decoder(Node), msgspec.json.Decoder(Pod), msgspec.json.Decoder(Identity)


def read_node_health(body: msgspec.Raw) -> NodeHealth:
    """Raises HealthError."""
    try:
        node = nodes.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HealthError("Node is not readable") from error
    told = [one for one in node.status.conditions or () if one.type in TOLD]
    return NodeHealth(node.metadata.name, tuple(Condition(one.type, one.status, seconds(one.since)) for one in told))


def read_pod_health(body: msgspec.Raw) -> PodHealth | None:
    """None for a pod that has nothing to tell. Raises HealthError."""
    text = bytes(body)
    if not any(trace in text for trace in TRACES):
        return None
    try:
        pod = pods.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HealthError("Pod is not readable") from error
    meta, status = pod.metadata, pod.status
    return PodHealth(
        uid=meta.uid,
        name=f"{meta.namespace}/{meta.name}",
        node=pod.spec.node or "",
        containers=tuple(container_end(one) for one in (*(status.containers or ()), *(status.init or ()))),
        evicted=evicted_at(pod) if status.reason == EVICTED else 0.0,
        message=status.message[:LONGEST_MESSAGE] if status.reason == EVICTED else "",
    )


def read_uid(body: msgspec.Raw) -> str:
    """Of any object. Raises HealthError."""
    try:
        return identities.decode(body).metadata.uid
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HealthError("object is not readable") from error


def container_end(status: ContainerStatus) -> ContainerEnd:
    """What a container's status tells of its ends: the last one, and the one before that it was started again after."""
    ends = [state.terminated for state in (status.last, status.state) if state and state.terminated]
    last = seconds(status.last.terminated.finished) if status.last and status.last.terminated else 0.0
    killed = tuple(seconds(end.finished) for end in ends if end.reason == OOM_KILLED)
    return ContainerEnd(status.name, status.restarts, last, tuple(at for at in killed if at))


def evicted_at(pod: Pod) -> float:
    """Always the same of one pod, as it tells the eviction from others: when its newest condition changed (the kubelet
    sets DisruptionTarget), else when it was made; 1 where not even that is told."""
    changes = [seconds(one.since) for one in pod.status.conditions or ()]
    return max(changes, default=0.0) or seconds(pod.metadata.created) or 1.0
