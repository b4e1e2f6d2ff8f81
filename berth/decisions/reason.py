"""A decision in words, for people."""

from __future__ import annotations

from berth.decisions.record import Decision, ScoredNode

NEUTRAL = {
    "not-opted-in": "the pod did not opt in: default scheduling",
    "mode-off": "Berth is off: default scheduling",
    "shadow": "shadow mode: scored and recorded, answered neutrally",
    "outside-rollout": "the pod's owner is outside the rollout share",
    "system-critical": "system-critical pods are left to the default scheduler",
    "daemonset": "DaemonSet pods are left to the default scheduler",
    "nominated-node": "the pod has a nominated node: preemption goes on undisturbed",
    "own-namespace": "Berth does not score its own pods",
    "snapshot-missing": "no snapshot of the nodes yet: default scheduling",
    "snapshot-expired": "the newest snapshot is too old: default scheduling",
    "no-models": "no model answered and no older scores were left: default scheduling",
    "too-close": "the nodes are too close to matter: the default scheduler decides",
    "no-known-node": "the snapshot knows none of these nodes: default scheduling",
    "single-node": "one feasible node: nothing to decide",
    "defect": "Berth itself failed, its log says how: default scheduling",
}

PARTS = (("headroom", "forecast headroom"), ("placement", "placement value"), ("health", "health"))


def in_words(decision: Decision) -> str:
    """One sentence or two: why the best node won, or why the answer is neutral, and what was missing."""
    said = [NEUTRAL[decision.neutral_reason]] if decision.neutral_reason in NEUTRAL else []
    if decision.top and decision.neutral_reason in ("", "shadow"):
        said.append(winner(decision.top))
    silent = [p.model for p in decision.models if p.outcome not in ("fresh", "memory", "redis", "older")]
    if silent:
        said.append(f"without {' and '.join(silent)}")
    elif any(p.outcome == "older" for p in decision.models):
        said.append("with scores of an older snapshot")
    return "; ".join(said)


def winner(top: list[ScoredNode]) -> str:
    """Why the first node beats the second: the part that differs most in its favour."""
    best = top[0]
    if len(top) < 2:
        return f"{best.node} is the best of its kind"
    gaps = [(gap(best, top[1], name), words) for name, words in PARTS]
    largest, words = max(gaps)
    if largest <= 0.0005:
        return f"{best.node} is first among equals"
    return f"{best.node} beats {top[1].node} by {words} (+{largest:.2f})"


def gap(one: ScoredNode, other: ScoredNode, part: str) -> float:
    """How much more of a part the first node has; 0 where either lacks it."""
    a, b = getattr(one, part), getattr(other, part)
    return 0.0 if a is None or b is None else float(a - b)
