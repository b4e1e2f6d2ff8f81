"""The week of history: what is asked for, where it goes, and nodes that come and go."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from berth.features.history import HISTORY_STEPS
from services.telemetry.live.week import CHUNK, SETTLE_S, STEP_S, Asked, Week, ended_step, oldest_step, running_step

NOW = 1_800_000_123.0
WEEK_S = HISTORY_STEPS * STEP_S


@given(st.lists(st.tuples(st.floats(1.0, WEEK_S * 1.5), st.integers(0, 60)), max_size=12))
def test_whatever_the_outages_each_step_of_the_week_is_asked_for_once(outages: list[tuple[float, int]]) -> None:
    """outages: seconds without an answer, then so many answers."""
    now, asked, seen = NOW, Asked.nothing(NOW), set[int]()
    for silence_s, answers in [*outages, (0.0, HISTORY_STEPS)]:
        now += silence_s
        for _ in range(answers):
            steps = asked.next(now)
            if steps is None:
                break
            assert 0 < len(steps) <= CHUNK
            assert oldest_step(now) <= steps.start <= steps.stop - 1 <= ended_step(now)
            assert not seen & set(steps)
            seen |= set(steps)
            asked.done(steps)
    assert set(range(oldest_step(now), ended_step(now) + 1)) <= seen
    assert asked.share(now) == 1.0


def test_the_newest_is_asked_for_first_and_only_once_it_has_settled() -> None:
    asked = Asked.nothing(NOW)
    first = asked.next(NOW)
    assert first is not None
    assert first.stop - 1 == ended_step(NOW)
    assert (first.stop - 1) * STEP_S <= NOW - SETTLE_S
    assert asked.share(NOW) == 0.0


def filled(nodes: int) -> Week:
    """A week whose values say where they are."""
    week = Week(NOW)
    week.arrange([f"n{i}" for i in range(nodes)])
    first = week.running - HISTORY_STEPS + 1
    steps = np.arange(first, week.running + 1, dtype=np.float32)[:, None] % 1000.0
    for metric in range(4):
        week.enter(metric, first, np.repeat(steps, nodes, axis=1) + 1000.0 * np.arange(nodes, dtype=np.float32))
    return week


def test_values_stay_with_their_step_while_time_goes_on() -> None:
    week = filled(2)
    at = week.window()[0, 500, 1]
    week.go_on(NOW + 3 * STEP_S)
    assert week.window()[0, 497, 1] == at
    assert np.isnan(week.window()[:, -3:]).all()
    week.go_on(NOW + 3 * WEEK_S)
    assert np.isnan(week.window()).all()
    assert week.running == running_step(NOW + 3 * WEEK_S)


def test_a_clock_that_goes_back_changes_nothing() -> None:
    week = filled(1)
    before = week.window().copy()
    week.go_on(NOW - 10 * STEP_S)
    np.testing.assert_array_equal(week.window(), before)


def test_nodes_that_stay_keep_their_history() -> None:
    week = filled(3)
    before = week.window().copy()
    week.arrange(["new", "n2", "n0"])
    assert np.isnan(week.window()[:, :, 0]).all()
    np.testing.assert_array_equal(week.window()[:, :, 1:], before[:, :, [2, 0]])
    week.arrange([])
    assert week.window().shape == (4, HISTORY_STEPS, 0)


def test_what_is_missing_in_an_answer_leaves_what_is_known_and_what_is_too_old_is_passed_over() -> None:
    week = filled(1)
    known = week.window()[2].copy()
    first = week.running - HISTORY_STEPS - 1
    week.enter(2, first, np.array([[1.0], [2.0], [np.nan], [5.0]], dtype=np.float32))
    assert week.window()[2, 0, 0] == known[0, 0]
    assert week.window()[2, 1, 0] == 5.0
    np.testing.assert_array_equal(week.window()[2, 2:], known[2:])


def test_the_running_step_holds_the_newest_readings() -> None:
    week = filled(2)
    week.set_running(np.full((4, 2), 0.5, dtype=np.float32))
    assert (week.window()[:, -1] == 0.5).all()
    week.go_on(NOW + STEP_S)
    assert (week.window()[:, -2] == 0.5).all()
