"""The throughput benchmark's arithmetic, its committed results, and a short run of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.rounds import Row, rate, turned
from benchmarks.summary import ratio, table, twin
from benchmarks.table import RESULTS
from benchmarks.throughput import SETUPS, main
from tests.lab.binds import Bind
from tests.lab.scheduler import quantile

ROWS = [Row(**row) for row in json.loads((RESULTS / "throughput.json").read_text("utf-8"))["rows"]]


def row(setup: str, pods_per_s: float, number: int = 1) -> dict[str, Any]:
    """One line of results."""
    return {
        **{"nodes": 100, "setup": setup, "round": number, "pods": 10, "scored_share": None},
        **{"pods_per_s": pods_per_s, "attempt_p99_ms": 1.0, "extender_cpu_s": None},
    }


def test_the_rate_leaves_the_first_and_the_last_tenth_out() -> None:
    steady = [100.0 + i / 50.0 for i in range(1001)]
    late = [*steady[:950], *(at + 60.0 for at in steady[950:])]
    early = [*(at - 60.0 for at in steady[:50]), *steady[50:]]
    for times in (steady, late, early):
        binds = [Bind(str(i), "default", str(i), "n", "berth", at) for i, at in enumerate(times)]
        assert rate(binds) == pytest.approx(50.0)


def test_each_round_starts_with_another_setup_and_has_all() -> None:
    assert [turned(("a", "b", "c"), number)[0] for number in range(4)] == ["a", "b", "c", "a"]
    assert sorted(turned(("a", "b", "c"), 2)) == ["a", "b", "c"]


def test_a_setup_is_compared_with_the_no_op_that_is_called_alike() -> None:
    assert twin("berth-active-prioritize-only", "noop-go") == "noop-go-prioritize-only"
    assert twin("berth-active-one-core", "noop-fastapi") == "noop-fastapi-one-core"
    rows = [row("noop-go", 80.0), row("noop-go", 120.0, 2), row("berth-active", 90.0)]
    assert ratio(rows, 100, "berth-active", "noop-go") == pytest.approx(0.9)
    assert ratio(rows, 100, "berth-active", "noop-fastapi") is None
    assert "| 0.90 |" in table(rows)


def test_a_quantile_lies_within_its_bucket() -> None:
    buckets = {0.01: 50.0, 0.02: 100.0, float("inf"): 100.0}
    assert quantile(buckets, 0.5) == pytest.approx(0.01)
    assert quantile(buckets, 0.75) == pytest.approx(0.015)
    assert quantile({}, 0.5) != quantile({}, 0.5)


def test_committed_rows_are_of_known_setups_and_scored_where_active() -> None:
    assert ROWS
    for one in ROWS:
        assert one.setup.removesuffix("-one-core") in SETUPS
        assert one.pods_per_s > 0.0
        if one.setup.startswith("berth-active"):
            assert one.scored_share is not None
            assert one.scored_share >= 0.95


@pytest.mark.lab
@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_short_run_writes_its_rows(tmp_path: Path) -> None:
    file, picture = tmp_path / "rows.json", tmp_path / "rows.png"
    wanted = ["--nodes", "200", "--rounds", "1", "--pods", "200", "--setups", "noop-fastapi,berth-active"]
    assert main([*wanted, "--json", str(file), "--plot", str(picture)]) == 0
    rows = json.loads(file.read_text("utf-8"))["rows"]
    assert [one["setup"] for one in rows] == ["noop-fastapi", "berth-active"]
    assert rows[1]["scored_share"] >= 0.95
    assert picture.stat().st_size > 0
