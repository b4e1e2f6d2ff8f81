"""Pauses between starts of a process that keeps ending."""

from __future__ import annotations

from cli.backoff import FIRST_S, LONGEST_S, STEADY_S, Backoff


def test_early_ends_double_the_pause_up_to_the_longest() -> None:
    backoff = Backoff()
    pauses = [backoff.ended(started=100.0, now=101.0) for _ in range(8)]
    assert pauses[:3] == [FIRST_S, FIRST_S * 2, FIRST_S * 4]
    assert pauses[-1] == LONGEST_S


def test_a_steady_life_starts_over() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.ended(started=0.0, now=1.0)
    assert backoff.ended(started=0.0, now=STEADY_S) == FIRST_S
    assert backoff.due == STEADY_S + FIRST_S
