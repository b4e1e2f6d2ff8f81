"""What quality finds in a recorded week that an independent script has broken, and in small cases."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from services.telemetry.history.findings import Quality
from services.telemetry.history.notes import Notes, rows_of
from services.telemetry.history.quality import Judging
from services.telemetry.settings import HistorySettings

Floats = NDArray[np.float32]
STEP_S = 300
FAULTS = 200
KINDS = ("gap", "duplicate", "out-of-range", "stuck", "label-churn")


def berth(*arguments: str) -> Any:
    """What the command prints, as JSON."""
    command = [sys.executable, "-c", "from cli.main import run; run()", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def overlap(one: dict[str, Any], other: dict[str, Any]) -> float:
    """Shared time by joint time, 0 to 1."""
    shared = min(one["last"], other["last"]) - max(one["first"], other["first"]) + STEP_S
    joint = max(one["last"], other["last"]) - min(one["first"], other["first"]) + STEP_S
    return float(max(0.0, shared) / joint)


def matching(one: dict[str, Any], kind: str, others: list[dict[str, Any]], key: str) -> bool:
    """Whether one of the others is the same fault of the same sensor and shares half of the time."""
    return any(
        (kind, one["node"], one["metric"]) == (other[key], other["node"], other["metric"])
        and overlap(one, other) >= 0.5
        for other in others
    )


@pytest.mark.process
@pytest.mark.parametrize("seed", [11, *(pytest.param(seed, marks=pytest.mark.long) for seed in (12, 13))])
def test_precision_and_recall_against_injected_faults(tmp_path: Path, seed: int) -> None:
    injector = [sys.executable, "-m", "tests.services.telemetry.history.injector", str(tmp_path / "history")]
    truth_file = tmp_path / "truth.json"
    subprocess.run([*injector, "--seed", str(seed), "--faults", str(FAULTS), "--truth", str(truth_file)], check=True)
    truth = json.loads(truth_file.read_text())
    found = berth("history", "quality", "--root", str(tmp_path / "history"), "--step", str(STEP_S), "--json")[
        "findings"
    ]
    injected = [fault for fault in truth if not fault["recorded"]]
    assert len(injected) == FAULTS
    caught = [matching(fault, fault["kind"], found, "fault") for fault in injected]
    right = [matching(one, one["fault"], truth, "kind") for one in found]
    recorded = sum(matching(one, one["fault"], [f for f in truth if f["recorded"]], "kind") for one in found)
    recall = float(np.mean(caught))
    precision = (sum(right) - recorded) / (len(found) - recorded)  # the recording's own gaps do not count
    print(f"seed {seed}: recall {recall:.3f}, precision {precision:.3f}, {recorded} gaps of the recording itself")
    assert recall >= 0.95
    assert precision >= 0.95
    for kind in KINDS:
        of_kind = [hit for hit, fault in zip(caught, injected, strict=True) if fault["kind"] == kind]
        assert np.mean(of_kind) >= 0.85, kind


START = datetime(2026, 11, 20, 23, tzinfo=UTC)


def judged(values: Floats, tellers: Sequence[Sequence[str]] = (), capacity: float = 64.0) -> Quality:
    """CPU of some nodes, float32 [step, node], NaN for none; tellers: of each step, of each node."""
    judging = Judging(HistorySettings(step_s=STEP_S))
    first = int(START.timestamp())
    for hour in range(0, len(values), 12):
        told_by = ["node"] * values.shape[1]
        notes = [Notes(first + hour * STEP_S, "cpu_capacity", names(values), told_by, whole(values, capacity))]
        for step in range(hour, min(hour + 12, len(values))):
            known = np.flatnonzero(~np.isnan(values[step])).tolist()
            series = tellers[step] if tellers else ["series"] * values.shape[1]
            nodes, told_by = [names(values)[i] for i in known], [series[i] for i in known]
            notes.append(Notes(first + step * STEP_S, "cpu", nodes, told_by, values[step, known]))
        judging.feed(rows_of(notes))
    return judging.close(first, first + (len(values) - 1) * STEP_S)


def names(values: Floats) -> list[str]:
    return [f"n{i}" for i in range(values.shape[1])]


def whole(values: Floats, capacity: float) -> Floats:
    return np.full(values.shape[1], capacity, dtype=np.float32)


def lively(steps: int, nodes: int = 2) -> Floats:
    return np.random.default_rng(3).uniform(1.0, 20.0, (steps, nodes)).astype(np.float32)


def said(found: Quality) -> list[tuple[str, str, int, int]]:
    """Of CPU: node, fault, first and last step."""
    first = int(START.timestamp())
    return [
        (one.node, one.fault, (one.first - first) // STEP_S, (one.last - first) // STEP_S)
        for one in found.findings
        if one.metric == "cpu"
    ]


def test_nothing_is_wrong_with_a_lively_day() -> None:
    found = judged(lively(288))
    assert said(found) == []
    assert [one.share for one in found.coverage if one.metric == "cpu"] == [1.0, 1.0]


def test_a_gap_over_midnight_is_one_and_counts_against_coverage() -> None:
    values = lively(48)
    values[6:30, 1] = np.nan
    found = judged(values)
    assert said(found) == [("n1", "gap", 6, 29)]
    assert [(one.node, one.known) for one in found.alerts if one.metric == "cpu"] == [("n1", 24)]


def test_a_node_without_exporter_is_a_gap_from_beginning_to_end() -> None:
    values = lively(48)
    values[:, 0] = np.nan
    found = judged(values)
    assert said(found) == [("n0", "gap", 0, 36)]  # as far as the API server has told of it
    assert next(one.share for one in found.alerts if one.metric == "cpu") == 0.0


def test_a_stuck_sensor_is_one_finding_over_hours() -> None:
    values = lively(288)
    values[100:140, 0] = values[100, 0]
    values[200:211, 1] = values[200, 1]  # less than an hour
    assert said(judged(values)) == [("n0", "stuck", 100, 139)]


def test_a_stuck_sensor_that_stays_so_is_found_at_the_end() -> None:
    values = lively(60)
    values[40:, 0] = 3.0
    assert said(judged(values)) == [("n0", "stuck", 40, 59)]


def test_a_sensor_that_often_stands_still_is_not_stuck() -> None:
    values = lively(288)
    for start in range(0, 280, 20):
        values[start : start + 15, 0] = 2.0
    assert said(judged(values)) == []


def test_values_that_cannot_be_are_found_and_not_known() -> None:
    values = lively(48)
    values[3:5, 0] = -0.5
    values[11:14, 1] = [np.inf, 640.0, 71.0]
    found = judged(values)
    assert said(found) == [("n0", "out-of-range", 3, 4), ("n1", "out-of-range", 11, 13)]
    assert [one.known for one in found.coverage if one.metric == "cpu"] == [46, 45]


def test_a_series_that_follows_another_is_churn_and_says_which() -> None:
    values = lively(30, 1)
    found = judged(values, [["one"]] * 13 + [["other"]] * 17)
    assert said(found) == [("n0", "label-churn", 13, 13)]
    assert found.findings[0].details == "one -> other"


def test_an_hour_without_any_row_is_a_gap_of_every_node() -> None:
    values = lively(48)
    values[12:24] = np.nan
    assert {(node, fault) for node, fault, _, _ in said(judged(values))} == {("n0", "gap"), ("n1", "gap")}


def test_of_nothing_nothing_is_said() -> None:
    assert Judging(HistorySettings(step_s=STEP_S)).close(0, 0).findings == []
