from __future__ import annotations

from typing import Any

import pytest

from extender.retreat import Judge, Outcome
from extender.settings import Retreat

GOOD = Outcome(False, False, 5.0)


def judge(**more: Any) -> Judge:
    return Judge(Retreat(enabled=True, window=20, **more))


@pytest.mark.parametrize(
    ("outcome", "cause"),
    [
        (Outcome(True, False, 5.0), "fallbacks"),
        (Outcome(False, True, 5.0), "flat-scores"),
        (Outcome(False, False, 95.0), "latency"),
        (GOOD, ""),
    ],
)
def test_a_window_of_bad_calls_is_one_retreat(outcome: Outcome, cause: str) -> None:
    looked = judge()
    causes = [looked.add(outcome) for _ in range(60)]
    assert [c for c in causes if c] == ([cause] if cause else [])
    assert looked.cause == cause


def test_needs_a_full_window_and_being_on() -> None:
    looked = judge()
    assert not any(looked.add(Outcome(True, True, 999.0)) for _ in range(19))
    off = Judge(Retreat(enabled=False, window=20))
    assert not any(off.add(Outcome(True, True, 999.0)) for _ in range(100))


def test_half_of_the_calls_may_fall_back() -> None:
    looked = judge()
    assert not any(looked.add(Outcome(i % 2 == 0, False, 5.0)) for i in range(100))


def test_an_operator_forgives() -> None:
    looked = judge()
    for _ in range(25):
        looked.add(Outcome(True, False, 5.0))
    assert looked.cause
    looked.forgive()
    assert not looked.cause
    assert not any(looked.add(GOOD) for _ in range(50))


def test_a_smaller_window_keeps_the_newest() -> None:
    looked = Judge(Retreat(enabled=True, window=40))
    for _ in range(39):
        looked.add(Outcome(True, False, 5.0))
    looked.reconfigure(Retreat(enabled=True, window=20))
    assert looked.add(Outcome(True, False, 5.0)) == "fallbacks"
