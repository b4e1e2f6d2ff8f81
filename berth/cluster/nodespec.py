"""A Node's JSON to what placement reads of it.

Source: k8s.io/api/core/v1/types.go (NodeSpec, NodeStatus); labels as GPU feature discovery, Virtual Kubelet and
Fargate set them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec

from berth.cluster import quantities
from berth.cluster.pods import ANNOTATION_GPU_MODEL, GPU_RESOURCE

LABEL_GPU_PRODUCT = "nvidia.com/gpu.product"
VIRTUAL_LABELS = {"type": "virtual-kubelet", "eks.amazonaws.com/compute-type": "fargate"}
"""Nodes without a machine: no exporter runs there, and what they have is no capacity."""
OWN_ADDRESSES = ("InternalIP", "Hostname")
BLOCKING_EFFECTS = ("NoSchedule", "NoExecute")


class NodeSpecError(ValueError):
    """No node that could be read."""


class NodeMetadata(msgspec.Struct):
    """metav1.ObjectMeta."""

    name: str
    uid: str = ""
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class Taint(msgspec.Struct, frozen=True):
    """core.Taint."""

    key: str = ""
    effect: str = ""
    value: str = ""


class NodeFields(msgspec.Struct):
    """core.NodeSpec."""

    unschedulable: bool | None = None
    taints: list[Taint] | None = None


class Condition(msgspec.Struct):
    """core.NodeCondition."""

    type: str = ""
    status: str = ""


class Address(msgspec.Struct):
    """core.NodeAddress."""

    type: str = ""
    address: str = ""


class NodeStatus(msgspec.Struct):
    """core.NodeStatus; a quantity is a string, or a number written by hand."""

    allocatable: dict[str, str | int | float] | None = None
    capacity: dict[str, str | int | float] | None = None
    conditions: list[Condition] | None = None
    addresses: list[Address] | None = None


class Node(msgspec.Struct):
    """core.Node."""

    metadata: NodeMetadata
    spec: NodeFields = msgspec.field(default_factory=NodeFields)
    status: NodeStatus = msgspec.field(default_factory=NodeStatus)


@dataclass(frozen=True)
class NodeState:
    """cpu: millicores; memory: bytes; pods, gpus: how many. gpu_model is '' without GPU or where nobody names it.
    ready: the kubelet says so. blocked: names of taints that keep pods away which do not tolerate them. addresses:
    under which exporters on it may be known. machine_cpu, machine_memory: what the machine has, more than pods may
    request; 0 where nobody says."""

    name: str
    cpu: int = 0
    memory: int = 0
    pods: int = 0
    gpus: int = 0
    gpu_model: str = ""
    ready: bool = False
    cordoned: bool = False
    blocked: tuple[str, ...] = ()
    virtual: bool = False
    addresses: tuple[str, ...] = ()
    machine_cpu: int = 0
    machine_memory: int = 0


decoder = msgspec.json.Decoder(Node)


def read_node(body: bytes | msgspec.Raw) -> NodeState:
    """The node in its JSON. Raises NodeSpecError."""
    try:
        return node_state(decoder.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NodeSpecError("Node is not readable") from error
    except quantities.QuantityError as error:
        raise NodeSpecError("Node has an unreadable quantity") from error


def node_state(node: Node) -> NodeState:
    """What placement reads of a node."""
    meta, labels = node.metadata, node.metadata.labels or {}
    named = (meta.annotations or {}).get(ANNOTATION_GPU_MODEL) or labels.get(LABEL_GPU_PRODUCT, "")
    gpus = allocatable(node, GPU_RESOURCE)
    return NodeState(
        name=meta.name,
        cpu=allocatable(node, "cpu", 1000.0),
        memory=allocatable(node, "memory"),
        pods=allocatable(node, "pods"),
        gpus=gpus,
        gpu_model=named if gpus else "",
        ready=any(c.type == "Ready" and c.status == "True" for c in node.status.conditions or ()),
        cordoned=bool(node.spec.unschedulable),
        blocked=tuple(taint.key for taint in node.spec.taints or () if taint.effect in BLOCKING_EFFECTS),
        virtual=any(labels.get(key) == value for key, value in VIRTUAL_LABELS.items()),
        addresses=tuple(one.address for one in node.status.addresses or () if one.type in OWN_ADDRESSES),
        machine_cpu=amount(node.status.capacity, "cpu", 1000.0),
        machine_memory=amount(node.status.capacity, "memory"),
    )


def allocatable(node: Node, resource: str, per_unit: float = 1.0) -> int:
    """A resource that pods may request, in whole parts of `per_unit`."""
    return amount(node.status.allocatable, resource, per_unit)


def amount(of: dict[str, str | int | float] | None, resource: str, per_unit: float = 1.0) -> int:
    """A resource in whole parts of `per_unit`, rounded up as Quantity.MilliValue does; 0 where it is not named."""
    parsed = quantities.parse(str((of or {}).get(resource, "0")))
    return math.ceil(max(0.0, parsed) * per_unit - 1e-6)
