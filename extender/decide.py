"""One decision for a pod: pure, from findings and a view to parts, totals and integers; and its record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from berth.cluster.pods import PodRequest
from berth.decisions.reason import in_words
from berth.decisions.record import Decision, ModelPart, ScoredNode
from extender.combine import MAX_SCORE, combine, fill_missing, integers, spread_out
from extender.headroom import headroom
from extender.ladder import Step, step
from extender.scoring import Finding
from extender.settings import Scoring
from extender.view import ClusterView

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

NO_ROWS = np.empty(0, dtype=np.bool_)
PART_OF = {"load-predictor": "headroom", "placement-scorer": "placement", "anomaly-detector": "health"}


@dataclass(frozen=True)
class Verdict:
    """What was found for a pod's nodes. scores: int32 [nodes] in 0 to 10, also where the answer will be neutral
    (shadow). unknown: how many nodes the snapshot does not have. neutral: why the scores must not be answered, or ''.
    Arrays are in the order of `names`."""

    names: Sequence[str]
    rows: Ints
    unknown: int
    parts: Mapping[str, Floats]
    totals: Floats
    scores: Ints
    in_flight: Floats
    findings: Sequence[Finding]
    step: Step
    neutral: str


def empty(names: Sequence[str], reason: str, findings: Sequence[Finding] = ()) -> Verdict:
    """A verdict that decides nothing."""
    zeros = np.zeros(len(names), dtype=np.float32)
    none = np.zeros(len(names), dtype=np.int32)
    unknown = len(names) if reason == "no-known-node" else 0
    return Verdict(names, none, unknown, {}, zeros, none, zeros, findings, Step.NEUTRAL, reason)


def judge(
    view: ClusterView,
    pod: PodRequest,
    names: Sequence[str],
    findings: Sequence[Finding],
    weights: Mapping[str, float],
    scoring: Scoring,
    spread: float,
    aged: bool,
) -> Verdict:
    """Parts, totals and integers for these nodes. spread: cost of a pod in flight (0 switches it off)."""
    rows = view.snapshot.rows(names)
    unknown = rows < 0 if int(rows.min(initial=0)) < 0 else NO_ROWS
    strangers = int(np.count_nonzero(unknown))
    if strangers == rows.size:
        return empty(names, "no-known-node", findings)
    flight = view.flight.take(rows, axis=0)
    parts, in_flight = parts_of(flight, pod, rows, findings, scoring.usage_of_request), flight[:, 4]
    if strangers:
        parts = {name: np.where(unknown, np.float32(np.nan), part) for name, part in parts.items()}
        in_flight = np.where(unknown, np.float32(0.0), in_flight)
    whole = not strangers and all(finding.scores is None or finding.scores.whole for finding in findings)
    if not whole:
        parts = {name: part for name, part in parts.items() if not np.isnan(part).all()}
    totals = totals_of(parts, weights, in_flight, 0.0 if pod.gpus else spread, whole)
    if totals is None:
        return empty(names, "no-models", findings)
    if strangers:  # pods in flight there are not counted: it must not win because of that
        totals = np.where(unknown, np.median(totals[~unknown]), totals).astype(np.float32)
    scores = integers(totals, scoring.min_spread)
    taken = step([f.outcome for f in findings], aged)
    return Verdict(names, rows, strangers, parts, totals, scores, in_flight, findings, taken, why_neutral(scores))


def totals_of(
    parts: Mapping[str, Floats], weights: Mapping[str, float], in_flight: Floats, spread: float, whole: bool
) -> Floats | None:
    """float32 [nodes]: the parts combined, less what the pods in flight cost; None where no part has weight. whole:
    no value is missing."""
    usable = {name: part for name, part in parts.items() if weights.get(name, 0.0) > 0.0}
    if not usable:
        return None
    filled = usable if whole else {name: fill_missing(part) for name, part in usable.items()}
    return spread_out(combine(filled, weights), in_flight, spread)


def why_neutral(scores: Ints) -> str:
    """'' where the scores tell the nodes apart."""
    if scores.size < 2:
        return "single-node"
    return "" if scores.any() else "too-close"


def parts_of(
    flight: Floats, pod: PodRequest, rows: Ints, findings: Sequence[Finding], usage_of_request: float
) -> dict[str, Floats]:
    """What the models say of these rows: float32 [nodes]; row -1 gets what is said of some other. flight: their rows of
    the view's."""
    parts = {}
    for finding in findings:
        if finding.scores is None:
            continue
        if finding.scores.peak is not None:
            part = headroom(finding.scores.peak.take(rows, axis=0), added_load(flight, pod, usage_of_request))
        else:
            part = finding.scores.values[:, 0].take(rows)
        parts[PART_OF[finding.model]] = part
    return parts


def added_load(flight: Floats, pod: PodRequest, usage_of_request: float) -> Floats:
    """float32 [nodes, 2]: share of CPU and memory that this pod and the pods in flight are expected to use."""
    asked = np.array([pod.cpu * usage_of_request, pod.memory * usage_of_request], dtype=np.float32)
    added: Floats = asked * flight[:, :2] + flight[:, 2:4]
    return added


def best(verdict: Verdict) -> str:
    """The node with the highest score, or '' where there is none."""
    if not verdict.scores.size:
        return ""
    position = int(verdict.scores.argmax())
    return verdict.names[position] if verdict.scores[position] == MAX_SCORE else ""


@dataclass(frozen=True)
class Circumstances:
    """What a record says beside the verdict."""

    verb: str
    mode: str
    replica: str
    decided_ms: int
    snapshot_version: int
    snapshot_age_s: float | None
    took_ms: Mapping[str, float]
    removed: Sequence[str] = ()


@dataclass(frozen=True)
class Outline:
    """What a record says of a verdict. It holds none of the verdict's lists and arrays, thousands of values each, so
    that records waiting to be made cost no memory."""

    nodes: int
    unknown: int
    neutral: str
    step: Step
    models: list[ModelPart]
    top: list[ScoredNode]


def outline(verdict: Verdict, top: int) -> Outline:
    """A verdict's outline, with its `top` best nodes."""
    models = [model_part(finding) for finding in verdict.findings]
    return Outline(len(verdict.names), verdict.unknown, verdict.neutral, verdict.step, models, top_nodes(verdict, top))


def record(pod: PodRequest, verdict: Outline, around: Circumstances) -> Decision:
    """The decision record of a verdict."""
    neutral = verdict.neutral or ("shadow" if around.mode == "shadow" else "")
    decision = Decision(
        pod_uid=pod.uid,
        pod_namespace=pod.namespace,
        pod_name=pod.name,
        decided_ms=around.decided_ms,
        verb=around.verb,
        mode=around.mode,
        replica=around.replica,
        nodes=verdict.nodes,
        neutral_reason=neutral,
        snapshot_version=around.snapshot_version,
        snapshot_age_s=around.snapshot_age_s,
        fallback=verdict.step.label,
        models=verdict.models,
        top=verdict.top,
        removed=list(around.removed),
        unknown_nodes=verdict.unknown,
        took_ms={name: round(ms, 3) for name, ms in around.took_ms.items()},
    )
    return msgspec.structs.replace(decision, reason=in_words(decision))


def model_part(finding: Finding) -> ModelPart:
    """What one model said, for a record."""
    version = finding.scores.model_version if finding.scores is not None else ""
    return ModelPart(finding.model, finding.outcome, version, round(finding.took_ms, 3))


def top_nodes(verdict: Verdict, count: int) -> list[ScoredNode]:
    """The best nodes with their parts, best first."""
    if not verdict.parts:
        return []
    rank = verdict.scores + verdict.totals  # the scores keep the totals' order, and one node alone is first
    best = np.argpartition(-rank, count)[:count] if rank.size > count else np.arange(rank.size)
    order = best[np.argsort(-rank[best], kind="stable")]
    parts = {name: part[order].tolist() for name, part in verdict.parts.items()}
    columns = (verdict.totals, verdict.scores, verdict.rows, verdict.in_flight)
    numbers = zip(*(column[order].tolist() for column in columns), strict=True)
    return [
        ScoredNode(
            node=verdict.names[position],
            total=round(total, 4),
            score=score,
            unknown=row < 0,
            in_flight=int(in_flight),
            **{name: shown(values[i]) for name, values in parts.items()},
        )
        for i, (position, (total, score, row, in_flight)) in enumerate(zip(order.tolist(), numbers, strict=True))
    ]


def shown(value: float) -> float | None:
    """A part in a record: None where it is missing."""
    return round(value, 4) if value == value else None
