"""What nodes used in the hour after: read once that hour is over, asked for again until it is too late."""

from __future__ import annotations

import math

import pytest

from services.telemetry.bindings.loads import Loads
from tests.services.telemetry.bindings.samples import AT, Counted, row, snapshot

HOUR = 3600.0


@pytest.fixture
def counted() -> Counted:
    return Counted()


@pytest.fixture
def loads(counted: Counted) -> Loads:
    made = Loads(counted.losses)
    made.add(row(node="b"))  # the best that it does not have is a
    return made


def test_both_nodes_are_read_when_the_hour_is_over(loads: Loads) -> None:
    assert loads.due(snapshot(AT + HOUR - 1.0, {"a": 0.25, "b": 0.75})) == []
    found = loads.due(snapshot(AT + HOUR, {"a": 0.25, "b": 0.75}))
    assert [(one["node_cpu"], one["rejected_cpu"], one["node_memory"]) for one in found] == [(0.75, 0.25, 0.5)]
    assert found[0].keys() == {"at", "pod_uid", "node_cpu", "node_memory", "rejected_cpu", "rejected_memory"}
    assert loads.due(snapshot(AT + HOUR + 1.0, {"a": 0.25, "b": 0.75})) == []


def test_what_is_not_told_is_missing_and_not_zero(loads: Loads) -> None:
    found = loads.due(snapshot(AT + HOUR, {"a": math.nan, "b": 0.75}))
    assert (found[0]["node_cpu"], found[0]["rejected_cpu"]) == (0.75, None)
    loads.add(row(node="b"))
    assert loads.due(snapshot(AT + HOUR, {"b": 0.75}))[0]["rejected_cpu"] is None  # the other node is gone


def test_it_is_asked_for_again_until_it_would_be_another_hours(loads: Loads) -> None:
    silent = {"a": math.nan, "b": math.nan}
    assert loads.due(snapshot(AT + HOUR, silent)) == []
    assert loads.due(snapshot(AT + HOUR + 590.0, {"a": 0.5, "b": 0.75}))[0]["node_cpu"] == 0.75
    loads.add(row(node="b"))
    assert loads.due(snapshot(AT + HOUR + 600.0, {"a": 0.5, "b": 0.75})) == []
    assert loads.awaited == []


def test_more_than_may_wait_are_not_measured_and_counted(counted: Counted) -> None:
    loads = Loads(counted.losses, most=2)
    for number in range(5):
        loads.add(row(f"u{number}"))
    assert len(loads.awaited) == 2
    assert counted.value("losses", "load") == 3.0


def test_a_recordings_hour_passes_faster(counted: Counted) -> None:
    loads = Loads(counted.losses, hour_s=6.0)
    loads.add(row(node="b"))
    assert loads.due(snapshot(AT + 5.9, {"a": 0.5, "b": 0.5})) == []
    assert len(loads.due(snapshot(AT + 6.1, {"a": 0.5, "b": 0.5}))) == 1
