from __future__ import annotations

from extender.breaker import Breaker


def test_opens_after_failures_in_a_row_only() -> None:
    breaker = Breaker(3, 1.0, 8.0)
    for now in (0.0, 1.0):
        breaker.failure(now)
    breaker.success()
    for now in (2.0, 3.0):
        breaker.failure(now)
    assert not breaker.open
    breaker.failure(5.0)
    assert breaker.open
    assert breaker.probe_at == 6.0


def test_calls_that_wait_side_by_side_fail_as_one() -> None:
    breaker = Breaker(3, 1.0, 8.0)
    for now in (1.0, 1.001, 1.01, 1.02, 1.029):
        breaker.failure(now)
    assert not breaker.open
    breaker.failure(1.05)
    breaker.failure(1.09)
    assert breaker.open


def test_failed_probes_wait_longer_up_to_the_limit() -> None:
    breaker = Breaker(1, 1.0, 8.0)
    breaker.failure(0.0)
    waits = []
    for now in (10.0, 20.0, 30.0, 40.0):
        breaker.probe_failed(now)
        waits.append(breaker.probe_at - now)
    assert waits == [2.0, 4.0, 8.0, 8.0]
    breaker.probe_succeeded(50.0)
    assert not breaker.open


def test_opening_again_soon_after_closing_waits_longer() -> None:
    breaker = Breaker(1, 1.0, 8.0)
    breaker.failure(0.0)
    breaker.probe_succeeded(1.0)
    breaker.failure(2.0)
    assert breaker.probe_at == 4.0
    breaker.probe_succeeded(4.0)
    breaker.failure(100.0)
    assert breaker.probe_at == 101.0


def test_a_late_success_does_not_close_it() -> None:
    breaker = Breaker(1, 1.0, 8.0)
    breaker.failure(0.0)
    breaker.success()
    assert breaker.open
