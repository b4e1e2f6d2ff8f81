"""How a binding stands to the decision that went before it. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from berth.cluster.pods import BoundPod
from berth.decisions.record import Decision

Row = dict[str, Any]
"""Of the kind BINDINGS, by column; what is missing is null."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Bound(NamedTuple):
    """A pod and the node that it has. at: unix seconds."""

    uid: str
    namespace: str
    name: str
    node: str
    at: float

    @classmethod
    def of(cls, pod: BoundPod) -> Bound:
        """Without what the pod asks for."""
        return cls(pod.request.uid, pod.request.namespace, pod.request.name, pod.node, pod.bound)


class Standing(NamedTuple):
    """Of a node in a decision. agreed: it is the first; rank: 1 is the best, None where the record does not keep it;
    regret: in totals, None where unknown, and `at_least` that much where the node ranks behind all that are kept."""

    agreed: bool | None = None
    rank: int | None = None
    regret: float | None = None
    at_least: bool | None = None


def standing(decision: Decision, node: str) -> Standing:
    """How the node stands. A decision without scores says nothing; of a node that it did not consider it says only
    that it is not the first."""
    top = decision.top
    if not top:
        return Standing()
    for rank, one in enumerate(top, 1):
        if one.node == node:
            return Standing(rank == 1, rank, max(0.0, top[0].total - one.total), False)
    if decision.nodes <= len(top):  # all that were considered are kept
        return Standing(agreed=False)
    return Standing(False, None, max(0.0, top[0].total - top[-1].total), True)


def row_of(bound: Bound, decision: Decision, record: str) -> Row:
    """What is kept of a binding. record: the decision as it came."""
    found = standing(decision, bound.node)
    best = decision.top[0] if decision.top else None
    return {
        "at": moment(int(bound.at * 1000.0)),
        "pod_uid": bound.uid,
        "pod_namespace": bound.namespace,
        "pod_name": bound.name,
        "node": bound.node,
        "decided_at": moment(decision.decided_ms),
        "mode": decision.mode,
        "neutral_reason": decision.neutral_reason,
        "fallback": decision.fallback,
        "best_node": best.node if best else None,
        "best_score": best.score if best else None,
        "best_total": best.total if best else None,
        "agreed": found.agreed,
        "rank": found.rank,
        "regret": found.regret,
        "regret_at_least": found.at_least,
        "rejected_node": next((one.node for one in decision.top if one.node != bound.node), None),
        "decision": record,
    }


def moment(ms: int) -> datetime:
    """Unix milliseconds as a time, without rounding."""
    return EPOCH + timedelta(milliseconds=ms)
