"""One decision for a pod: pure, from findings and a view to parts, totals and integers; and its record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from berth.cluster.pods import PodRequest
from berth.decisions.reason import in_words
from berth.decisions.record import Decision, ModelPart, ScoredNode
from extender.board import Board
from extender.combine import MAX_SCORE, combine, fill_missing, integers, shares, spread_out
from extender.ladder import Step, step
from extender.scoring import Finding
from extender.view import ClusterView

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]


class Verdict(msgspec.Struct, frozen=True):
    """What was found for a pod's nodes. scores: int32 [nodes] in 0 to 10, also where the answer will be neutral
    (shadow). unknown: how many nodes the snapshot does not have. board: what the totals stand on, None where nothing
    was decided. neutral: why the scores must not be answered, or ''. Arrays are in the order of `names`."""

    names: Sequence[str]
    rows: Ints
    unknown: int
    board: Board | None
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
    return Verdict(names, none, unknown, None, zeros, none, zeros, findings, Step.NEUTRAL, reason)


def judge(
    view: ClusterView,
    pod: PodRequest,
    names: Sequence[str],
    findings: Sequence[Finding],
    weights: Mapping[str, float],
    min_spread: float,
    spread: float,
    aged: bool,
) -> Verdict:
    """Totals and integers for these nodes. spread: cost of a pod in flight (0 switches it off)."""
    rows = view.snapshot.rows(names)
    unknown = rows < 0
    strangers = int(np.count_nonzero(unknown))
    if strangers == rows.size:
        return empty(names, "no-known-node", findings)
    board, in_flight = view.boards.board(view, pod, findings, weights), view.in_flight.take(rows)
    if board.totals is not None and not strangers:
        totals: Floats | None = board.totals.take(rows)
    else:
        totals = with_gaps(board, rows, unknown, weights)
        in_flight[unknown] = 0.0
    if totals is None:
        return empty(names, "no-models", findings)
    totals = spread_out(totals, in_flight, 0.0 if pod.gpus else spread)
    if strangers:  # pods in flight there are not counted: it must not win because of that
        totals = np.where(unknown, np.median(totals[~unknown]), totals).astype(np.float32)
    scores = integers(totals, min_spread)
    taken = step([f.outcome for f in findings], aged)
    return Verdict(names, rows, strangers, board, totals, scores, in_flight, findings, taken, why_neutral(scores))


def with_gaps(board: Board, rows: Ints, unknown: NDArray[np.bool_], weights: Mapping[str, float]) -> Floats | None:
    """float32 [nodes]: totals where values are missing or nodes unknown; None where no part with weight is left."""
    taken = {name: np.where(unknown, np.float32(np.nan), part.take(rows)) for name, part in board.parts.items()}
    said = {name: fill_missing(part) for name, part in taken.items() if not np.isnan(part).all()}
    return combine(said, weights) if shares(said, weights) else None


def why_neutral(scores: Ints) -> str:
    """'' where the scores tell the nodes apart."""
    if scores.size < 2:
        return "single-node"
    return "" if scores.any() else "too-close"


def best(verdict: Verdict) -> str:
    """The node with the highest score, or '' where there is none."""
    if not verdict.scores.size:
        return ""
    position = int(verdict.scores.argmax())
    return verdict.names[position] if verdict.scores[position] == MAX_SCORE else ""


class Circumstances(msgspec.Struct, frozen=True):
    """What a record says beside the verdict."""

    verb: str
    mode: str
    replica: str
    decided_ms: int
    snapshot_version: int
    snapshot_age_s: float | None
    took_ms: Mapping[str, float]
    removed: Sequence[str] = ()


class Outline(msgspec.Struct, frozen=True):
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
    board, totals, scores = verdict.board, verdict.totals, verdict.scores
    if board is None:
        return []
    best = totals.argpartition(-count)[-count:].tolist() if totals.size > count else range(totals.size)
    winner = int(scores.argmax())  # of nodes with the same total one alone is first
    order = sorted({*best, winner}, key=lambda at: (-scores.item(at), -totals.item(at), at))[:count]
    return [scored_node(verdict, board, at) for at in order]


def scored_node(verdict: Verdict, board: Board, at: int) -> ScoredNode:
    """The node at a position."""
    row = verdict.rows.item(at)
    return ScoredNode(
        node=verdict.names[at],
        total=round(verdict.totals.item(at), 4),
        score=verdict.scores.item(at),
        unknown=row < 0,
        in_flight=int(verdict.in_flight.item(at)),
        **({name: shown(part) for name, part in board.at(row).items()} if row >= 0 else {}),
    )


def shown(value: float) -> float | None:
    """A part in a record: None where it is missing."""
    return round(value, 4) if value == value else None
