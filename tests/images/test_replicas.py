"""Two of each model: shared evenly, one killed and one added without a call lost."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.calls import MODELS, until
from tests.images.composed import PATIENCE_S, Composed
from tests.images.load import Load

SNAPSHOTS = 40
EVEN = 0.4
"""Least share of a replica; connections of a few seconds make each miss a call now and then."""


@pytest.fixture(scope="module")
def doubled(composed: Composed) -> Iterator[Composed]:
    """Two of each model."""
    composed.scale(2)
    yield composed
    composed.scale(1)


def asked(composed: Composed, model: str, before: dict[str, float]) -> list[float]:
    """Calls of each replica since then."""
    return [calls - before.get(one, 0.0) for one, calls in composed.calls(model).items()]


def reached(composed: Composed) -> None:
    """Returns when every replica has been asked something from now on."""
    before = {model: composed.calls(model) for model in MODELS}

    def all_asked() -> bool:
        composed.publish()
        return all(len(found := asked(composed, model, before[model])) == 2 and min(found) > 0 for model in MODELS)

    until(all_asked, PATIENCE_S, 0.2)


def test_two_replicas_of_each_model_share_its_calls_evenly(doubled: Composed) -> None:
    with Load(doubled.ports["BERTH_PORT"], doubled.names) as load:
        reached(doubled)
        before = {model: doubled.calls(model) for model in MODELS}
        for _ in range(SNAPSHOTS):
            doubled.publish()
        shared = {model: asked(doubled, model, before[model]) for model in MODELS}
    assert load.lost == []
    for model, calls in shared.items():
        assert sum(calls) >= SNAPSHOTS, (model, calls)
        assert min(calls) / sum(calls) >= EVEN, (model, calls)


def test_one_killed_and_one_added_cost_no_call(doubled: Composed) -> None:
    with Load(doubled.ports["BERTH_PORT"], doubled.names) as load:
        reached(doubled)
        for model in MODELS:
            doubled.engine.docker("rm", "--force", doubled.containers(model)[0])
        time.sleep(3.0)
        after_kill = load.answered
        doubled.scale(2)
        reached(doubled)
    assert load.lost == []
    assert load.answered > after_kill > 50
