"""How nodes fare: of conditions and incidents, and nothing where nobody watched."""

from __future__ import annotations

import time

import numpy as np
import pytest

from berth.cluster.health import Condition, NodeHealth
from services.telemetry.history.incidents import Incident
from services.telemetry.live.fared import DAY_S, WEEK_S, error_lines, fared
from services.telemetry.live.health import Health
from services.telemetry.live.usage import Reading

NOW = 1_800_000_000.0
NODES = ("a", "b", "c")
LONG_AGO = NOW - 30 * DAY_S
NAN = float("nan")
NO_LINES = np.full(3, np.nan, dtype=np.float32)


def test_incidents_are_counted_in_their_window_and_absence_is_measured_in_it() -> None:
    incidents = [
        Incident(NOW - DAY_S - 3600.0, "a", "not-ready", "Ready", NOW - DAY_S + 6 * 3600.0),
        Incident(NOW - 3 * 3600.0, "a", "not-ready", "Ready"),
        Incident(NOW - 3 * DAY_S, "a", "eviction", "default/p", NOW - 3 * DAY_S),
        Incident(NOW - 60.0, "b", "pressure", "MemoryPressure"),
        Incident(NOW - 60.0, "gone", "not-ready", "Ready"),
    ]
    found = fared(NODES, incidents, [{}] * 3, NO_LINES, LONG_AGO, NOW)
    assert found.incidents_24h.tolist() == [2.0, 1.0, 0.0]
    assert found.incidents_7d.tolist() == [3.0, 1.0, 0.0]
    assert found.not_ready_24h.tolist() == [0.375, 0.0, 0.0]
    assert found.stability.tolist() == [0.0, 0.0, 168.0]


def test_stability_is_what_has_passed_since_the_newest_end() -> None:
    ends = [("a", 30.0), ("a", 5.0), ("b", 200.0)]
    incidents = [Incident(NOW - ago * 3600.0, node, "eviction", "p", NOW - ago * 3600.0) for node, ago in ends]
    assert fared(NODES, incidents, [{}] * 3, NO_LINES, LONG_AGO, NOW).stability.tolist() == [5.0, 168.0, 168.0]


@pytest.mark.parametrize(("watched", "day", "week"), [(0.49, False, False), (0.5, True, False), (3.5, True, True)])
def test_what_nobody_watched_is_not_known(watched: float, day: bool, week: bool) -> None:
    found = fared(NODES, [], [{}] * 3, NO_LINES, NOW - watched * DAY_S, NOW)
    assert np.isnan(found.incidents_24h).any() != day
    assert np.isnan(found.not_ready_24h).any() != day
    assert np.isnan(found.incidents_7d).any() != week
    assert np.isnan(found.stability).any() != week


def test_a_node_without_lines_has_none_once_it_has_been_told_of() -> None:
    readings = {"a": Reading(7.0, NOW), "b": Reading(3.0, NOW - 120.0)}
    found = error_lines(NODES, readings, NOW, NOW - 300.0)
    assert found.tolist() == pytest.approx([7.0, 0.0, NAN], nan_ok=True)
    assert np.isnan(error_lines(NODES, readings, NOW - 301.0, NOW - 300.0)).all()


def conditions(**told: tuple[str, float]) -> dict[str, Condition]:
    return {kind: Condition(kind, status, since) for kind, (status, since) in told.items()}


@pytest.mark.parametrize(
    ("told", "uptime", "pressure"),
    [
        (conditions(), NAN, NAN),
        (conditions(Ready=("True", NOW - 7200.0), MemoryPressure=("False", 1.0)), 2.0, 0.0),
        (conditions(Ready=("True", LONG_AGO), MemoryPressure=("Unknown", 1.0)), 168.0, NAN),
        (conditions(Ready=("Unknown", NOW), MemoryPressure=("Unknown", 1.0), DiskPressure=("True", 1.0)), 0.0, 1.0),
        (conditions(Ready=("True", 0.0), PIDPressure=("False", 0.0)), NAN, 0.0),
        (conditions(Ready=("True", NOW + 90.0)), 0.0, NAN),
    ],
)
def test_conditions(told: dict[str, Condition], uptime: float, pressure: float) -> None:
    found = fared(("a",), [], [told], NO_LINES[:1], LONG_AGO, NOW)
    assert [found.uptime[0], found.pressure[0]] == pytest.approx([uptime, pressure], nan_ok=True)


def test_who_takes_over_knows_what_was_watched_before() -> None:
    health, now = Health(300.0), time.time()
    health.conditions.replace([NodeHealth("a", (Condition("Ready", "True", now - 3600.0),))], now)
    assert np.isnan(health.fared(("a", "b"), NO_LINES[:2], now).incidents_7d).all()
    with health.lock:
        health.adopt([Incident(float(int(now - 5 * DAY_S)), "b", "not-ready", "Ready", now - 4 * DAY_S)], now)
    found = health.fared(("a", "b"), NO_LINES[:2], now)
    assert found.incidents_7d.tolist() == [0.0, 1.0]
    assert found.uptime.tolist() == pytest.approx([1.0, NAN], nan_ok=True)
    assert np.isnan(health.fared(("a",), NO_LINES[:1], now + WEEK_S).not_ready_24h).sum() == 0
