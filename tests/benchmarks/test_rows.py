"""From times and counters to rows: quantiles, shares, and what breaks the limit."""

from __future__ import annotations

import dataclasses

import pytest

from benchmarks.client import Times
from benchmarks.latency import LIMIT_MS, over_limit, parse, plan_of
from benchmarks.mesh import scored_share
from benchmarks.runs import CASES, rows_of


def test_quantiles_of_each_verb() -> None:
    values = [float(v) for v in range(1, 1001)]
    times = Times(values, [v * 2 for v in values], [v * 3 for v in values], {"filter": 0, "prioritize": 1, "sum": 1})
    filtered, prioritized, both = rows_of("warm", 5000, None, times, 1.0)
    assert (filtered.verb, prioritized.verb, both.verb) == ("filter", "prioritize", "sum")
    assert [row.non_200 for row in (filtered, prioritized, both)] == [0, 1, 1]
    assert filtered.calls == 1000
    assert filtered.p50_ms == pytest.approx(500.5)
    assert filtered.p999_ms == pytest.approx(999.0, abs=0.1)
    assert both.p99_ms == pytest.approx(3 * filtered.p99_ms)


@pytest.mark.parametrize(
    ("after", "pods", "share"),
    [
        ({"fresh": 30.0, "cached": 60.0, "partial": 20.0}, 100, 0.8),  # 10 partial, 10 in no step: not scored either
        ({"fresh": 10.0, "cached": 0.0, "partial": 110.0}, 100, 0.0),
        ({"fresh": 110.0, "cached": 0.0, "partial": 10.0}, 100, 1.0),
        ({"fresh": 110.0, "cached": 100.0, "partial": 10.0}, 100, 1.0),  # prioritize decided again: 200 decisions
        ({"fresh": 10.0, "cached": 0.0, "partial": 10.0}, 0, 0.0),
    ],
)
def test_share_of_pods_scored_by_all_models(after: dict[str, float], pods: int, share: float) -> None:
    before = {"fresh": 10.0, "cached": 0.0, "partial": 10.0}
    assert scored_share(before, after, pods) == pytest.approx(share)


def test_the_limit_holds_for_the_sum_and_for_statuses() -> None:
    row = rows_of("cold", 100, 10.0, Times([1.0], [1.0], [2.0]), 1.0)[2]
    assert over_limit([row]) == []
    assert len(over_limit([dataclasses.replace(row, p99_ms=LIMIT_MS)])) == 1
    assert len(over_limit([dataclasses.replace(row, non_200=1)])) == 1
    assert over_limit([dataclasses.replace(row, verb="filter", p99_ms=500.0)]) == []


def test_the_command_line_is_the_plan() -> None:
    plan = plan_of(parse(["--nodes", "100,1000,5000", "--rates", "50,100", "--cases", "warm,cold", "--calls", "7"]))
    assert (plan.nodes, plan.loads, plan.cases, plan.calls) == ((100, 1000, 5000), (None, 50.0, 100.0), CASES[:2], 7)
    assert plan_of(parse(["--short"])).cases == CASES
    with pytest.raises(SystemExit):
        parse(["--cases", "lukewarm"])
