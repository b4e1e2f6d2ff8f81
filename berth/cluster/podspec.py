"""A Pod's JSON to what placement reads of it, requests counted as kube-scheduler counts them.

Source: k8s.io/api/core/v1/types.go, k8s.io/component-helpers/resource/helpers.go (PodRequests).
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

import msgspec

from berth.cluster import quantities
from berth.cluster.pods import (
    ANNOTATION_GPU_MILLI,
    ANNOTATION_GPU_MODEL,
    GPU_RESOURCE,
    BoundPod,
    PodRequest,
    Qos,
)


class PodSpecError(ValueError):
    """No pod that could be read; the message may be shown to whoever sent it."""


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
    created: msgspec.Raw = msgspec.field(default=msgspec.Raw(b"null"), name="creationTimestamp")
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
    node_name: str | None = msgspec.field(default=None, name="nodeName")


class PodStatus(msgspec.Struct):
    """core.PodStatus."""

    nominated_node_name: str | None = msgspec.field(default=None, name="nominatedNodeName")
    qos_class: str | None = msgspec.field(default=None, name="qosClass")
    phase: str | None = None
    conditions: msgspec.Raw = msgspec.Raw(b"null")


class PodCondition(msgspec.Struct):
    """core.PodCondition."""

    type: str = ""
    status: str = ""
    since: msgspec.Raw = msgspec.field(default=msgspec.Raw(b"null"), name="lastTransitionTime")


class Pod(msgspec.Struct):
    """core.Pod."""

    metadata: Metadata
    spec: PodSpec = msgspec.field(default_factory=PodSpec)
    status: PodStatus = msgspec.field(default_factory=PodStatus)


pod_decoder = msgspec.json.Decoder(Pod)
condition_decoder = msgspec.json.Decoder(list[PodCondition] | None)

REMEMBERED_BYTES = 2**16
"""Longer pods are not kept: 8 of them are remembered at a time."""


def decode_pod(raw: msgspec.Raw | None) -> PodRequest:
    """The pod of a call. Raises PodSpecError."""
    if raw is None:
        raise PodSpecError("Pod is missing")
    body = bytes(raw)
    return recent_pod(body) if len(body) <= REMEMBERED_BYTES else read_pod(body)


def read_pod(body: bytes) -> PodRequest:
    """The pod in its JSON. Raises PodSpecError."""
    return parsed(body)[1]


def read_bound_pod(body: bytes | msgspec.Raw) -> BoundPod:
    """The pod of a list or watch, with its node. Raises PodSpecError."""
    pod, request = parsed(body)
    ended, created = pod.status.phase in ("Succeeded", "Failed"), seconds(pod.metadata.created)
    return BoundPod(request, pod.spec.node_name or "", ended, created, scheduled(pod.status.conditions) or created)


def parsed(body: bytes | msgspec.Raw) -> tuple[Pod, PodRequest]:
    """The pod's fields, and what it asks for. Raises PodSpecError."""
    try:
        pod = pod_decoder.decode(body)
        return pod, pod_request(pod)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PodSpecError("Pod is not readable") from error
    except quantities.QuantityError as error:
        raise PodSpecError("Pod asks for an unreadable quantity") from error


def scheduled(conditions: msgspec.Raw) -> float:
    """When kube-scheduler bound the pod, unix seconds; 0 where the conditions do not say."""
    try:
        found = condition_decoder.decode(conditions) or ()
    except msgspec.DecodeError:
        return 0.0
    return next((seconds(one.since) for one in found if (one.type, one.status) == ("PodScheduled", "True")), 0.0)


def seconds(moment: msgspec.Raw) -> float:
    """Unix seconds of a metav1.Time; 0 for none and for anything else."""
    try:
        found = msgspec.json.decode(moment, type=datetime | None)
    except msgspec.DecodeError:
        return 0.0
    return found.timestamp() if found else 0.0


recent_pod = lru_cache(maxsize=8)(read_pod)
"""`read_pod`, remembered: prioritize sends the pod that filter has just seen. Nobody changes it."""


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
