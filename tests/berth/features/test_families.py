"""The families beside history and residuals: fed a step at a time, over a whole recording, and by a plain loop."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from berth.features import families, history
from berth.features.calendar import calendar_columns
from berth.features.cluster_state import cluster_columns
from berth.features.families import Families, hour_columns, hour_history
from berth.features.history import HISTORY_STEPS, history_features
from berth.features.hours import HOUR, KEPT, METRICS, PLANES, WEEK, KeptHours, hourly
from berth.features.node_health import Fared, reliability
from berth.features.registry import node_feature_names
from berth.features.ring import UsageRing
from berth.features.trends import BY_STEP, spikes, step_columns
from berth.features.workload import Running, workload_columns
from berth.recordings.load import STEP_S, Machines, bitbrains

Floats = NDArray[np.float32]
Span = tuple[Floats, int]
NODES = 4
NAMES = tuple(f"n{i}" for i in range(NODES))
NAN = float("nan")


@pytest.fixture(scope="module")
def machines() -> Machines:
    return bitbrains()


@pytest.fixture(scope="module")
def span(machines: Machines) -> Span:
    """17 days over the gap of 31 hours, with more that is missing, and the number of the last step."""
    first, past = 2_000, 2_000 + 17 * 288
    usage = machines.usage[:, first:past, :NODES].copy()
    assert np.isnan(usage[:, 3_000 - first : 5_500 - first]).any()
    rng = np.random.default_rng(1)
    usage[rng.random(usage.shape) < 0.1] = np.nan
    usage[1, 700:1_400, 2] = np.nan  # half of a week of one metric of one node
    return usage, machines.start // STEP_S + past - 1


def middle_of_an_hour(last: int) -> int:
    return last - last % HOUR - 5


def same(got: Floats, wanted: Floats) -> bool:
    return np.allclose(got, wanted, rtol=0.0, atol=1e-5, equal_nan=True)


def test_fed_a_step_at_a_time_it_is_what_the_whole_recording_gives(span: Span) -> None:
    """One that starts in the middle of an hour 9 days in, as after a restart, agrees once it has kept a week."""
    usage, last = span
    first = last - usage.shape[1] + 1
    start, whole = hour_history(usage, last)
    lived, restarted = Families(), Families()
    ring = UsageRing(4, NODES, HISTORY_STEPS)
    restart = middle_of_an_hour(first + 9 * 288)
    compared = 0
    for step in range(first, last + 1):
        ring.append(usage[:, step - first])
        window = ring.newest(min(HISTORY_STEPS, step - first + 1))
        lived.follow(NAMES, window, step)
        if step >= restart:
            restarted.follow(NAMES, window, step)
        if step // HOUR > start:
            wanted = whole[step // HOUR - start - 1]
            assert same(lived.by_hour, wanted), step
            if step >= restart + 2 * HOUR:
                compared += 1
                assert same(restarted.by_hour, wanted), step
    assert compared > 6 * 288
    assert np.isfinite(whole).any(axis=(0, 1)).all()
    assert np.isnan(whole[WEEK:]).any(axis=(0, 1)).sum() > 4


def test_what_is_told_later_changes_the_hours_it_belongs_to(span: Span) -> None:
    usage, last = span
    late = usage.copy()
    late[:, -300:-200] = np.nan
    families_of = Families()
    families_of.follow(NAMES, late, last)
    assert not same(families_of.by_hour, hour_columns(one_go(usage, last)))
    families_of.follow(NAMES, usage, last, changed=last - 299)
    assert same(families_of.by_hour, hour_columns(one_go(usage, last)))


def one_go(usage: Floats, last: int) -> Floats:
    """float32 [plane, KEPT, node]: the last hours of a recording."""
    return np.asarray(hourly(usage, last)[1][:, -KEPT:])


def test_nodes_keep_their_hours_when_others_come_and_go(span: Span) -> None:
    usage, last = span
    kept = KeptHours()
    kept.arrange(NAMES)
    kept.follow(usage, last)
    before = kept.planes.copy()
    kept.arrange(("new", "n3", "n1"))
    assert np.array_equal(kept.planes[:, :, 1:], before[:, :, [3, 1]], equal_nan=True)
    assert np.isnan(kept.planes[:, :, 0]).all()


@settings(max_examples=40)
@given(
    steps=st.integers(1, 400),
    last=st.integers(2_000, 2_040),
    passes=st.lists(st.integers(1, 200), max_size=4),
    back=st.integers(0, 30),
    missing=st.floats(0.0, 1.0),
)
def test_whatever_pace_it_is_followed_at(steps: int, last: int, passes: list[int], back: int, missing: float) -> None:
    """Some steps at a time, and a clock that went back: the hours are those of the window."""
    rng = np.random.default_rng(steps)
    usage = rng.random((4, last + 1, 2), dtype=np.float32)
    usage[rng.random(usage.shape) < missing] = np.nan
    kept = KeptHours()
    kept.arrange(("a", "b"))
    ends = [*np.minimum(np.cumsum([max(steps, 1), *passes]), last).tolist(), last - back, last]
    for end in ends:
        kept.follow(usage[:, : end + 1], end)
    start, planes = hourly(usage, last)
    assert start + planes.shape[1] == kept.ended == last // HOUR
    assert same(kept.planes[:, -min(KEPT, planes.shape[1]) :], planes[:, -KEPT:])


def test_a_plain_loop_gives_the_same(span: Span) -> None:
    usage, last = span
    hours = one_go(usage, last)
    got = hour_columns(hours)
    traffic = hours[2, -WEEK:] + hours[3, -WEEK:]
    known = np.sort(traffic[~np.isnan(traffic)])
    busy = known[round(0.9 * (len(known) - 1))]
    for node in range(NODES):
        wanted = [figure for metric in range(2) for figure in plain_trends(hours[metric::METRICS, :, node])]
        week = hours[:, -WEEK:, node]
        sustained = [enough(plane, float(np.nanmax(plane))) for plane in week[:2]]
        idle = enough(week[0], float((week[0] < 0.1).sum() / (~np.isnan(week[0])).sum()))
        io = 1.0 - float((traffic[:, node] > busy).sum() / (~np.isnan(traffic[:, node])).sum())
        wanted += [*sustained, idle, *(1.0 - np.minimum(sustained, 1.0)), enough(traffic[:, node], io)]
        assert got[node] == pytest.approx(wanted, abs=1e-5, nan_ok=True), node


def enough(values: Floats, figure: float) -> float:
    return figure if 2 * np.isfinite(values).sum() >= len(values) else float("nan")


def rank(values: Floats) -> float:
    known = sorted(value for value in values.tolist() if value == value)
    return enough(values, known[round(0.9 * (len(known) - 1))])


def plain_trends(planes: Floats) -> list[float]:
    """p90_24h, p90_7d, same_time_last_week, growth_24h, max_7d and growth_7d, each written out."""

    def mean(values: Floats) -> float:
        return enough(values, float(np.nanmean(values)))

    hours, peaks = planes
    growth = 2.0 * (mean(hours[-12:]) - mean(hours[-24:-12]))
    slow = (mean(hours[-84:]) - mean(hours[-168:-84])) / 3.5
    largest = enough(peaks[-168:], float(np.nanmax(peaks[-168:])))
    return [rank(hours[-24:]), rank(hours[-168:]), float(hours[-169]), growth, largest, slow]


def test_an_hour_is_its_twelve_steps(span: Span) -> None:
    usage, last = span
    start, planes = hourly(usage, last)
    first = last - usage.shape[1] + 1
    assert planes.shape[0] == PLANES
    for hour in (start, start + 20, start + 40, last // HOUR - 1):
        steps = usage[:, hour * HOUR + 1 - first :][:, :HOUR]
        for node in range(NODES):
            means = [enough(of, float(np.nanmean(of))) for of in steps[:, :, node]]
            peaks = [enough(of, float(np.nanmax(of))) for of in steps[:2, :, node]]
            assert planes[:, hour - start, node] == pytest.approx([*means, *peaks], abs=1e-5, nan_ok=True)


def test_columns_by_the_step_are_what_a_plain_loop_gives(span: Span) -> None:
    usage, _ = span
    compared = 0
    for end in range(288, usage.shape[1], 97):
        day = usage[0, end - 288 : end]
        nothing = np.full(NODES, np.nan, dtype=np.float32)
        got = np.stack(step_columns(day, nothing, nothing), axis=1)
        for node in range(NODES):
            hour, late = day[-12:, node], day[-72:, node]
            if np.isfinite(hour).any():
                compared += 1
                deviation = enough(late, float(np.nanstd(late)))
                wanted = [rank(hour), rank(late), deviation, enough(late, float(np.nanmax(late))), NAN]
                assert got[node] == pytest.approx(wanted, abs=1e-5, nan_ok=True), (end, node)
    assert compared > 100
    assert [name for name, *_ in BY_STEP] == ["p90_1h", "p90_6h", "std_6h", "max_6h", "spikes_24h"]


def test_history_from_a_ring_is_that_of_the_recording(span: Span) -> None:
    """Of every kind of step: over the gap, at a day's end, after the ring has moved its planes to the front."""
    usage, last = span
    first = last - usage.shape[1] + 1
    ring = UsageRing(4, NODES, HISTORY_STEPS)
    for step in range(usage.shape[1]):
        ring.append(usage[:, step])
        if step % 211 == 0 or step == usage.shape[1] - 1:
            at = (first + step) * STEP_S
            got = history_features(ring.newest(min(HISTORY_STEPS, step + 1)), at)
            assert same(got, history_features(usage[:, : step + 1], at)), step


def test_spikes_are_steps_that_stand_out() -> None:
    day = np.full((288, 3), 0.2, dtype=np.float32)
    day[[10, 50, 90], 0] = 0.9
    day[100, 1] = 0.2001
    day[:, 2] = NAN
    of_history = history_features(np.stack([day, day]), 0)
    names = [feature.name for feature in history.FEATURES]
    mean, deviation = (of_history[:, names.index(f"cpu_{name}_24h")] for name in ("mean", "std"))
    assert np.array_equal(spikes(day, mean, deviation), np.array([3.0, 0.0, NAN]), equal_nan=True)


def test_growth_is_a_day() -> None:
    hours = np.full((PLANES, KEPT, 1), 0.3, dtype=np.float32)
    hours[0, -24:, 0] = 0.1 + np.arange(24) / 24 * 0.2
    assert hour_columns(hours)[0, 3] == pytest.approx(0.2, abs=1e-5)


def test_holidays_are_days_in_utc() -> None:
    days = [date(2026, 12, 25)]
    eve = datetime(2026, 12, 24, 23, 59, tzinfo=UTC).timestamp()
    assert calendar_columns(days, eve, 2).tolist() == [[0.0, 1.0]] * 2
    assert calendar_columns(days, eve + 60, 1).tolist() == [[1.0, 0.0]]
    assert calendar_columns((), eve, 1).tolist() == [[0.0, 0.0]]


def test_reliability_falls_with_absence_and_incidents() -> None:
    fared = replace(
        Fared.unknown(3),
        incidents_7d=np.array([0, 7, NAN], "f4"),
        not_ready_24h=np.array([0, 0.5, 0], "f4"),
    )
    assert np.array_equal(reliability(fared), np.array([1.0, 0.25, NAN], "f4"), equal_nan=True)


def test_workload_is_nan_where_there_is_none() -> None:
    used, whole = np.full((2, 2), 0.5, "f4"), np.full((2, 2), 8.0, "f4")
    asked, pods = np.array([[2, 0], [16, 0]], "f4"), np.array([4, 0], "f4")
    part = np.array([1, 0], "f4")
    found = workload_columns(Running(part, part, 2 * part, 6 * part, 3 * part), used, whole, asked, pods)
    assert found[0].tolist() == [2.0, 0.25, 0.5, 0.25, 0.5, 1.5, 3.0]
    assert np.isnan(found[1, :-1]).all()
    assert found[1, -1] == 0.0


def test_the_cluster_is_the_sum_of_the_nodes_that_tell() -> None:
    used = np.array([[0.5, 0.1, NAN], [NAN, NAN, NAN]], "f4")
    whole = np.array([[4, 12, 100], [1, 1, 1]], "f4")
    found = cluster_columns(used, whole, np.array([2, 6, 50], "f4"), 3.0, NAN)
    assert found.shape == (3, 5)
    for row in found:
        assert row == pytest.approx([0.2, NAN, 0.5, 3.0, NAN], nan_ok=True)
    assert cluster_columns(used[:, :0], whole[:, :0], used[0, :0], 0.0, NAN).shape == (0, 5)


def test_columns_are_named_once_and_come_last() -> None:
    names = node_feature_names()
    assert len(names) == len(set(names))
    assert names[-len(families.FEATURES) :] == tuple(feature.name for feature in families.FEATURES)
