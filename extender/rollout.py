"""Which pods are scored, and which get the neutral answer at once. Pure functions of a pod and settings."""

from __future__ import annotations

import hashlib

from berth.cluster.pods import SYSTEM_CRITICAL_PRIORITY, PodRequest
from extender.settings import OptIn

NOT_OPTED_IN = "not-opted-in"
MODE_OFF = "mode-off"
OUTSIDE_ROLLOUT = "outside-rollout"


def exclusion(pod: PodRequest, opt_in: OptIn) -> str:
    """Why this pod is never scored; '' where it may be. Checked before anything is looked up."""
    if not opted_in(pod, opt_in):
        return NOT_OPTED_IN
    if pod.namespace in opt_in.own_namespaces:
        return "own-namespace"
    if pod.priority >= SYSTEM_CRITICAL_PRIORITY:
        return "system-critical"
    if pod.owner_kind == "DaemonSet":
        return "daemonset"
    if pod.nominated_node:
        return "nominated-node"
    return ""


def opted_in(pod: PodRequest, opt_in: OptIn) -> bool:
    """The pod's label decides; without it its namespace or schedulerName does."""
    label = pod.labels.get(opt_in.label, "")
    if label in ("true", "false"):
        return label == "true"
    return pod.namespace in opt_in.namespaces or pod.scheduler_name in opt_in.scheduler_names


def in_rollout(pod: PodRequest, percent: float) -> bool:
    """Whether the pod's owner belongs to the first `percent` of all owners.

    A stable hash: all pods of an owner fare alike, on every replica, and an owner once in stays in as percent grows.
    """
    if percent >= 100.0:
        return True
    identity = pod.owner_uid or pod.uid
    value = int.from_bytes(hashlib.blake2b(identity.encode("utf-8", "replace"), digest_size=8).digest(), "big")
    return value < percent / 100.0 * 2.0**64
