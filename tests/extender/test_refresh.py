"""Placement values of rows that pods in flight have changed are asked again for classes whose pods go on coming."""

from __future__ import annotations

import time
from itertools import count

import pytest

from tests.calls import Caller, Replay, pod, scores_of

pytestmark = pytest.mark.mesh

UIDS = (f"refresh-{i}" for i in count())
CLASSES = 40
REFRESH_S = 0.5


def asked(caller: Caller) -> float:
    """Answers of the placement scorer so far."""
    return caller.metrics("berth_model_outcome_total").get(("placement-scorer", "fresh"), 0.0)


def place(caller: Caller, names: list[str], size: int) -> None:
    """A pod is placed. size: another class for each; classes are requests rounded to 5 %."""
    of = pod(next(UIDS), cpu=f"{400 * 1.06**size:.0f}m", memory="3Gi")
    caller.filter(of, names)
    assert max(scores_of(caller.prioritize(of, names)).values()) == 10


def test_a_class_whose_pods_have_ended_is_asked_no_more(replay: Replay, caller: Caller) -> None:
    replay.publish()
    names = replay.names[:200]
    before = asked(caller)
    for i in range(CLASSES):
        place(caller, names, i)
    time.sleep(2 * REFRESH_S)
    assert CLASSES / 2 < asked(caller) - before <= CLASSES


def test_pods_of_one_class_are_gathered(replay: Replay, caller: Caller) -> None:
    replay.publish()
    names = replay.names[200:400]
    place(caller, names, CLASSES)
    before, started = asked(caller), time.monotonic()
    for _ in range(CLASSES):
        place(caller, names, CLASSES)
    took_s = time.monotonic() - started
    time.sleep(2 * REFRESH_S)
    assert 1 <= asked(caller) - before <= 1 + took_s / REFRESH_S
