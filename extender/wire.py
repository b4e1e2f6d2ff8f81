"""kube-scheduler's JSON, as far as Berth reads it.

Source: k8s.io/kube-scheduler/extender/v1/types.go (no JSON tags: keys are the Go field names) and
k8s.io/api/core/v1/types.go. Keys are matched without regard to case, as Go's decoder does.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import msgspec

from berth.cluster import quantities
from berth.cluster.pods import ANNOTATION_GPU_MILLI, ANNOTATION_GPU_MODEL, GPU_RESOURCE, PodRequest, Qos


class Undecodable(ValueError):
    """The body is no JSON object: status 400."""


class Invalid(ValueError):
    """JSON, but no usable ExtenderArgs; the message may be shown to the caller."""


class Owner(msgspec.Struct):
    """metav1.OwnerReference."""

    kind: str = ""
    uid: str = ""
    controller: bool | None = None


class Metadata(msgspec.Struct):
    """metav1.ObjectMeta."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: list[Owner] | None = msgspec.field(default=None, name="ownerReferences")


class Resources(msgspec.Struct):
    """core.ResourceRequirements; a quantity is a string, or a number written by hand."""

    requests: dict[str, str | int | float] | None = None
    limits: dict[str, str | int | float] | None = None


class Container(msgspec.Struct):
    """core.Container."""

    resources: Resources | None = None
    restart_policy: str | None = msgspec.field(default=None, name="restartPolicy")


class PodSpec(msgspec.Struct):
    """core.PodSpec."""

    containers: list[Container] | None = None
    init_containers: list[Container] | None = msgspec.field(default=None, name="initContainers")
    overhead: dict[str, str | int | float] | None = None
    resources: Resources | None = None
    priority: int | None = None
    scheduler_name: str | None = msgspec.field(default=None, name="schedulerName")


class PodStatus(msgspec.Struct):
    """core.PodStatus."""

    nominated_node_name: str | None = msgspec.field(default=None, name="nominatedNodeName")
    qos_class: str | None = msgspec.field(default=None, name="qosClass")


class Pod(msgspec.Struct):
    """core.Pod."""

    metadata: Metadata
    spec: PodSpec = msgspec.field(default_factory=PodSpec)
    status: PodStatus = msgspec.field(default_factory=PodStatus)


class NodeName(msgspec.Struct):
    """The only part of core.ObjectMeta read of a node."""

    name: str


class NamedNode(msgspec.Struct):
    """core.Node, its name alone."""

    metadata: NodeName


class NodeList(msgspec.Struct):
    """core.NodeList; items stay as they came, so that they can be given back unchanged."""

    items: list[msgspec.Raw] | None = None


class HostPriority(msgspec.Struct, gc=False):
    """One entry of prioritize's answer. gc=False: thousands a call would start the collector."""

    host: str = msgspec.field(name="Host")
    score: int = msgspec.field(name="Score")


class Arguments(msgspec.Struct, frozen=True):
    """A decoded call. raw_names (without repeats, as names then are) or raw_nodes holds the list, the other None."""

    pod: PodRequest
    names: list[str]
    raw_names: msgspec.Raw | None
    raw_nodes: msgspec.Raw | None
    items: list[msgspec.Raw] | None

    @property
    def distinct(self) -> list[str]:
        """Each name once, in order."""
        return self.names if self.raw_names is not None else list(dict.fromkeys(self.names))


top_level = msgspec.json.Decoder(dict[str, msgspec.Raw])
pod_decoder = msgspec.json.Decoder(Pod)
names_decoder = msgspec.json.Decoder(list[str])
nodes_decoder = msgspec.json.Decoder(NodeList)
node_decoder = msgspec.json.Decoder(NamedNode)
encoder = msgspec.json.Encoder()

NULL = b"null"
REMEMBERED_BYTES = 2**20
"""Longer lists are not kept: 8 of them are remembered at a time."""


def decode(body: bytes) -> Arguments:
    """ExtenderArgs. Raises Undecodable for what is no JSON object, Invalid for what is no usable call."""
    try:
        fields = {key.lower(): value for key, value in top_level.decode(body).items()}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Undecodable("the body is not a JSON object") from error
    pod = decode_pod(present(fields, "pod"))
    raw_names, raw_nodes = present(fields, "nodenames"), present(fields, "nodes")
    if (raw_names is None) == (raw_nodes is None):
        raise Invalid("exactly one of NodeNames and Nodes must be given")
    try:
        if raw_names is not None:
            read = recent_name_list if len(bytes(raw_names)) <= REMEMBERED_BYTES else name_list
            names, raw_names = read(bytes(raw_names))
            return Arguments(pod, names, raw_names, None, None)
        items = nodes_decoder.decode(raw_nodes or NULL).items or []
        names = [node_decoder.decode(item).metadata.name for item in items]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid("the list of nodes is not readable") from error
    return Arguments(pod, names, None, raw_nodes, items)


def name_list(raw: bytes) -> tuple[list[str], msgspec.Raw]:
    """Each name once, in order, and their JSON: as it came where none is repeated. Raises msgspec's errors."""
    names = names_decoder.decode(raw)
    once = list(dict.fromkeys(names))
    return once, msgspec.Raw(raw if len(once) == len(names) else encoder.encode(once))


recent_name_list = lru_cache(maxsize=8)(name_list)
"""`name_list`, remembered: prioritize sends what filter has just answered. Nobody changes the list."""


def present(fields: dict[str, msgspec.Raw], key: str) -> msgspec.Raw | None:
    """The field, None where it is absent or null."""
    value = fields.get(key)
    return None if value is None or bytes(value) == NULL else value


def decode_pod(raw: msgspec.Raw | None) -> PodRequest:
    """The pod of a call. Raises Invalid."""
    if raw is None:
        raise Invalid("Pod is missing")
    try:
        return pod_request(pod_decoder.decode(raw))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid("Pod is not readable") from error
    except quantities.QuantityError as error:
        raise Invalid("Pod asks for an unreadable quantity") from error


def pod_request(pod: Pod) -> PodRequest:
    """The request that kube-scheduler counts for a pod, and what else placement reads."""
    meta, spec = pod.metadata, pod.spec
    annotations = meta.annotations or {}
    owner = controller(meta.owner_references)
    gpus = min(int(total(spec, GPU_RESOURCE)), 64)
    share = gpu_milli(annotations, gpus)
    return PodRequest(
        uid=meta.uid,
        namespace=meta.namespace,
        name=meta.name,
        scheduler_name=spec.scheduler_name or "default-scheduler",
        cpu=total(spec, "cpu"),
        memory=total(spec, "memory") / quantities.GIB,
        gpus=max(gpus, int(share > 0)),
        gpu_milli=share,
        gpu_models=tuple(m for m in annotations.get(ANNOTATION_GPU_MODEL, "").split("|") if m)[:16],
        priority=spec.priority or 0,
        qos=qos(pod),
        owner_kind=owner.kind,
        owner_uid=owner.uid,
        nominated_node=pod.status.nominated_node_name or "",
        labels=meta.labels or {},
    )


def gpu_milli(annotations: dict[str, str], gpus: int) -> int:
    """Thousandths of one device that a sharing pod asks for; 0 for whole devices or none."""
    text = annotations.get(ANNOTATION_GPU_MILLI, "")
    if gpus > 1 or not text.isascii() or not text.isdigit() or len(text) > 4:
        return 0
    return min(int(text), 1000)


def controller(owners: list[Owner] | None) -> Owner:
    """The controlling owner, or the first, or none."""
    if not owners:
        return Owner()
    return next((owner for owner in owners if owner.controller), owners[0])


def qos(pod: Pod) -> Qos:
    """status.qosClass where the API server has set it (it does on creation), otherwise Burstable."""
    given = pod.status.qos_class
    return given if given in ("Guaranteed", "Burstable", "BestEffort") else "Burstable"  # type: ignore[return-value]


def total(spec: PodSpec, resource: str) -> float:
    """A pod's request of one resource, in its base unit.

    The larger of (containers + sidecars) and each init container beside the sidecars started before it, plus
    overhead; pod-level resources win. Source: k8s.io/component-helpers/resource/helpers.go (PodRequests).
    """
    if spec.resources and spec.resources.requests and resource in spec.resources.requests:
        running = amount(spec.resources.requests, resource)
    else:
        running = containers_total(spec, resource)
    return running + (amount(spec.overhead, resource) if spec.overhead else 0.0)


def containers_total(spec: PodSpec, resource: str) -> float:
    """What the containers ask for together at their peak."""
    sidecars, peak = 0.0, 0.0
    for container in spec.init_containers or ():
        asked = container_amount(container, resource)
        if container.restart_policy == "Always":
            sidecars += asked
            peak = max(peak, sidecars)
        else:
            peak = max(peak, sidecars + asked)
    main = sum(container_amount(container, resource) for container in spec.containers or ())
    return max(main + sidecars, peak)


def container_amount(container: Container, resource: str) -> float:
    """A container's request; extended resources may be given as a limit alone."""
    resources = container.resources
    if resources is None:
        return 0.0
    if resources.requests and resource in resources.requests:
        return amount(resources.requests, resource)
    return amount(resources.limits, resource) if resources.limits else 0.0


def amount(quantities_of: dict[str, str | int | float], resource: str) -> float:
    """One quantity of a resource list, 0 where it is absent; never negative."""
    return max(0.0, quantities.parse(str(quantities_of.get(resource, "0"))))


def filter_answer(call: Arguments, removed: dict[str, str]) -> bytes:
    """ExtenderFilterResult in the form that came in: all nodes but those in `removed` (name to reason)."""
    if call.raw_names is not None:
        kept = [name for name in call.names if name not in removed] if removed else call.raw_names
        lists: dict[str, object] = {"Nodes": None, "NodeNames": kept}
    else:
        lists = {"Nodes": kept_nodes(call, removed), "NodeNames": None}
    return encoder.encode({**lists, "FailedNodes": removed, "FailedAndUnresolvableNodes": None, "Error": ""})


def kept_nodes(call: Arguments, removed: dict[str, str]) -> object:
    """The Nodes of an answer: as they came, or a new list without the removed and repeated ones."""
    items = call.items or []
    kept = {name: item for name, item in zip(call.names, items, strict=True) if name not in removed}
    if len(kept) == len(items):
        return call.raw_nodes
    return {"metadata": {}, "items": list(kept.values())}


def filter_error(message: str) -> bytes:
    """ExtenderFilterResult that fails the pod's cycle (or is ignored, where the extender is ignorable)."""
    return encoder.encode({"Nodes": None, "NodeNames": None, "FailedNodes": None, "Error": message})


def priorities(names: Sequence[str], scores: Sequence[int]) -> bytes:
    """HostPriorityList: each name once, in order."""
    if len(names) != len(scores):
        raise ValueError("a score for each name")
    return encoder.encode(list(map(HostPriority, names, scores)))
