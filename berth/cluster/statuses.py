"""The parts of a Node's and a Pod's JSON that tell how they are, and no more.

Source: k8s.io/api/core/v1/types.go (NodeCondition, PodStatus, ContainerStatus).
"""

from __future__ import annotations

import msgspec

NULL = msgspec.Raw(b"null")


class TimedCondition(msgspec.Struct):
    """core.NodeCondition, core.PodCondition."""

    type: str = ""
    status: str = ""
    since: msgspec.Raw = msgspec.field(default=NULL, name="lastTransitionTime")


class Named(msgspec.Struct):
    """metav1.ObjectMeta."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    created: msgspec.Raw = msgspec.field(default=NULL, name="creationTimestamp")


class NodeStatus(msgspec.Struct):
    """core.NodeStatus."""

    conditions: list[TimedCondition] | None = None


class Node(msgspec.Struct):
    """core.Node."""

    metadata: Named
    status: NodeStatus = msgspec.field(default_factory=NodeStatus)


class Terminated(msgspec.Struct):
    """core.ContainerStateTerminated."""

    reason: str = ""
    finished: msgspec.Raw = msgspec.field(default=NULL, name="finishedAt")


class State(msgspec.Struct):
    """core.ContainerState."""

    terminated: Terminated | None = None


class ContainerStatus(msgspec.Struct):
    """core.ContainerStatus."""

    name: str = ""
    restarts: int = msgspec.field(default=0, name="restartCount")
    state: State | None = None
    last: State | None = msgspec.field(default=None, name="lastState")


class PodStatus(msgspec.Struct):
    """core.PodStatus."""

    reason: str = ""
    message: str = ""
    conditions: list[TimedCondition] | None = None
    containers: list[ContainerStatus] | None = msgspec.field(default=None, name="containerStatuses")
    init: list[ContainerStatus] | None = msgspec.field(default=None, name="initContainerStatuses")


class PodSpec(msgspec.Struct):
    """core.PodSpec."""

    node: str | None = msgspec.field(default=None, name="nodeName")


class Pod(msgspec.Struct):
    """core.Pod."""

    metadata: Named
    spec: PodSpec = msgspec.field(default_factory=PodSpec)
    status: PodStatus = msgspec.field(default_factory=PodStatus)


class Identity(msgspec.Struct):
    """Any object."""

    metadata: Named
