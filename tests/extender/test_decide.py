from __future__ import annotations

import json
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from berth.decisions.record import decode, encode
from extender.decide import Circumstances, Verdict, best, empty, judge, outline, record
from extender.inflight import Change
from extender.ladder import Step
from extender.scoring import Finding
from extender.view import ClusterView
from tests.extender.samples import placement, pod, scores, view

WEIGHTS = {"headroom": 0.3, "placement": 0.4, "health": 0.3}
NAMES = [f"n{i}" for i in range(6)]
MIN_SPREAD = 0.02


def findings(of: ClusterView, **values: object) -> list[Finding]:
    """A finding for each model: `load`, `value`, `health`; a string is the reason why there is none."""
    models = {"load": "load-predictor", "value": "placement-scorer", "health": "anomaly-detector"}
    found = []
    for short, model in models.items():
        given = values.get(short)
        if given is None or isinstance(given, str):
            found.append(Finding(model, None, given or "refused"))
            continue
        made = scores(given, of)
        if short == "load":
            of.enter((model, ""), made)
        found.append(Finding(model, made, "fresh"))
    return found


def verdict(of: ClusterView, names: list[str], found: list[Finding], **pod_is: Any) -> Verdict:
    return judge(of, pod(**pod_is), names, found, WEIGHTS, MIN_SPREAD, 0.25, False)


def headroom(of: Verdict) -> NDArray[np.float32]:
    """Of each node of the cluster."""
    assert of.board is not None
    return of.board.parts["headroom"]


def test_a_verdict_keeps_the_order_of_the_names_that_came_in() -> None:
    seen = view()
    found = findings(seen, load=np.full((6, 6), 0.2), value=np.linspace(0, 1, 6), health=np.ones(6))
    one = verdict(seen, NAMES, found)
    other = verdict(seen, NAMES[::-1], found)
    assert one.scores.tolist() == other.scores.tolist()[::-1]
    assert one.step is Step.FRESH
    assert best(one) == "n5"
    assert one.board is not None
    assert list(one.board.parts) == ["headroom", "placement", "health"]


def test_an_unknown_node_gets_the_median_and_is_marked() -> None:
    seen = view()
    found = findings(seen, load=np.full((6, 6), 0.2), value=[0, 0.1, 0.2, 0.6, 0.8, 1.0], health=np.ones(6))
    got = verdict(seen, [*NAMES, "new"], found)
    assert got.rows[-1] == -1
    told = outline(got, 7).top
    assert [(one.node, one.placement) for one in told if one.unknown] == [("new", None)]
    assert got.totals[-1] == pytest.approx(np.median(got.totals[:-1]), abs=1e-6)
    assert 0 < got.scores[-1] < 10


def test_a_burst_does_not_run_to_an_unknown_node() -> None:
    seen = view()
    found = findings(seen, value=[0, 0.1, 0.2, 0.6, 0.8, 1.0])
    for i in range(6):
        for j in range(5):
            seen.apply(Change(None, placement(uid=f"{i}-{j}", node=f"n{i}")))
    assert verdict(seen, [*NAMES, "new"], found).scores[-1] < 10
    seen.apply(Change(None, placement(uid="more", node="n5")))
    assert verdict(seen, ["new", *NAMES], found).scores[0] < 10


def test_only_unknown_nodes_are_answered_neutrally() -> None:
    seen = view()
    found = findings(seen, value=np.linspace(0, 1, 6))
    got = verdict(seen, ["a", "b"], found)
    assert (got.neutral, got.step, got.scores.tolist()) == ("no-known-node", Step.NEUTRAL, [0, 0])


def test_no_model_is_neutral_and_one_is_partial() -> None:
    seen = view()
    assert verdict(seen, NAMES, findings(seen)).neutral == "no-models"
    got = verdict(seen, NAMES, findings(seen, value=np.linspace(0, 1, 6), load="timeout", health="open"))
    assert got.step is Step.PARTIAL
    assert got.scores.any()


def test_a_model_that_says_nan_everywhere_is_no_part() -> None:
    seen = view()
    found = findings(seen, load=np.full((6, 6), np.nan), value=np.linspace(0, 1, 6), health=np.full(6, np.nan))
    got = verdict(seen, NAMES, found)
    assert got.totals.tolist() == pytest.approx(np.linspace(0, 1, 6))
    assert [(one.placement, one.headroom, one.health) for one in outline(got, 1).top] == [(1.0, None, None)]


def test_a_part_without_weight_does_not_count() -> None:
    seen = view()
    found = findings(seen, value=np.linspace(0, 1, 6))
    got = judge(seen, pod(), NAMES, found, {"headroom": 1.0, "placement": 0.0, "health": 0.0}, MIN_SPREAD, 0.0, False)
    assert got.neutral == "no-models"


def test_the_pod_itself_and_pods_in_flight_lower_headroom() -> None:
    seen = view()
    found = findings(seen, load=np.full((6, 6), 0.2))
    small = headroom(verdict(seen, NAMES, found, cpu=1.0, memory=1.0))
    large = headroom(verdict(seen, NAMES, found, cpu=8.0, memory=1.0))
    assert (small - large).tolist() == pytest.approx([7 * 0.5 / 16] * 6, abs=1e-6)
    seen.apply(Change(None, placement(node="n2", cpu=8.0)))
    after = verdict(seen, NAMES, found, cpu=1.0, memory=1.0)
    assert headroom(after)[2] < small[2]
    assert np.array_equal(np.delete(headroom(after), 2), np.delete(small, 2))
    assert after.in_flight.tolist() == [0, 0, 1, 0, 0, 0]


def test_close_totals_are_neutral_and_one_node_needs_no_decision() -> None:
    seen = view()
    found = findings(seen, value=np.linspace(0.5, 0.505, 6))
    assert verdict(seen, NAMES, found).neutral == "too-close"
    assert verdict(seen, ["n3"], found).neutral == "single-node"
    assert best(verdict(seen, NAMES, found)) == ""


def test_a_record_tells_the_parts_of_the_best_nodes_and_survives_json() -> None:
    seen = view()
    found = findings(seen, load=np.full((6, 6), 0.2), value=np.linspace(0, 1, 6), health="timeout")
    around = Circumstances("filter", "active", "r", 5, 7, 1.5, {"total": 1.23456})
    made = record(pod(), outline(verdict(seen, [*NAMES, "new"], found), 3), around)
    assert decode(encode(made)) == made
    assert [n.node for n in made.top] == ["n5", "n4", "n3"]
    assert (made.top[0].score, made.top[0].health, made.unknown_nodes) == (10, None, 1)
    assert (made.fallback, made.neutral_reason, made.nodes) == ("partial", "", 7)
    assert {m.model: m.outcome for m in made.models}["anomaly-detector"] == "timeout"
    assert "without anomaly-detector" in made.reason
    assert "n5 beats n4 by placement value" in made.reason
    assert "NaN" not in json.dumps(msgspec.to_builtins(made), allow_nan=False)


def test_a_shadow_record_says_so_and_keeps_the_scores() -> None:
    seen = view()
    found = findings(seen, value=np.linspace(0, 1, 6))
    made = record(pod(), outline(verdict(seen, NAMES, found), 3), Circumstances("filter", "shadow", "r", 5, 7, 1.5, {}))
    assert made.neutral_reason == "shadow"
    assert made.top[0].score == 10


def test_an_empty_verdict_decides_nothing() -> None:
    got = empty(["a", "b"], "snapshot-missing")
    assert (got.scores.tolist(), got.step, best(got)) == ([0, 0], Step.NEUTRAL, "")
    assert not (got.rows < 0).any()
