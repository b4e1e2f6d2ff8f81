"""What anyone would expect of a placement, asked of the committed artifact."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.placement_scorer.model import PlacementScorer, load
from tests.services.placement_scorer.rows import Floats, node, pod, random_nodes

CLEAR = 0.05


@cache
def load_once() -> PlacementScorer:
    """Hypothesis runs a test many times with one fixture."""
    return load()


def values(scorer: PlacementScorer, nodes: list[Floats], asks: Floats) -> list[float]:
    found: list[float] = scorer.predict(np.stack(nodes), asks)[:, 0].tolist()
    return found


@pytest.mark.parametrize("asks", [pod(), pod(16, 64), pod(gpus=1, share=0.25), pod(8, 32, 1, 1.0)])
@pytest.mark.parametrize("column", [6, 7], ids=["cpu", "memory"])
def test_a_hot_node_is_clearly_worse(scorer: PlacementScorer, asks: Floats, column: int) -> None:
    calm = node([1.0] * 4, requested=0.4)
    hot = calm.copy()
    calm[column], hot[column] = 0.2, 0.9
    good, bad = values(scorer, [calm, hot], asks)
    assert good > bad + CLEAR


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), raised=st.floats(0.01, 1.0), column=st.sampled_from([6, 7]))
def test_more_load_is_never_worth_more(seed: int, raised: float, column: int) -> None:
    scorer = load_once()
    nodes = random_nodes(64, seed)
    nodes[:, column] = np.nan_to_num(nodes[:, column], nan=0.3)
    hotter = nodes.copy()
    hotter[:, column] += np.float32(raised)
    for asks in (pod(), pod(gpus=1, share=0.5), pod(16, 64, 2, 2.0)):
        before, after = scorer.predict(nodes, asks), scorer.predict(hotter, asks)
        assert (np.nan_to_num(after) <= np.nan_to_num(before) + 1e-6).all()


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_a_share_fills_a_device_in_use_before_it_opens_an_empty_one(scorer: PlacementScorer, share: float) -> None:
    filled = node([share] + [1.0] * 7)
    opened = node([1.0] * 8)
    good, bad = values(scorer, [filled, opened], pod(6, 24, 1, share))
    assert good > bad + CLEAR


def test_a_cpu_pod_leaves_gpu_nodes_alone(scorer: PlacementScorer) -> None:
    for asks in (pod(), pod(16, 64)):
        plain, with_gpu = values(scorer, [node(), node([1.0] * 8)], asks)
        assert plain > with_gpu + CLEAR


def test_what_a_pod_asks_changes_the_values(scorer: PlacementScorer) -> None:
    nodes = random_nodes(500, seed=11)
    small = scorer.predict(nodes, pod(2, 8))
    for other in (pod(32, 8), pod(2, 8, 1, 0.5), pod(2, 8, 1, 1.0)):
        difference = np.nan_to_num(scorer.predict(nodes, other) - small)
        assert np.abs(difference).mean() > CLEAR


def test_a_node_without_room_gets_nothing(scorer: PlacementScorer) -> None:
    full = node([0.1] * 8, requested=0.98)
    assert values(scorer, [full], pod(16, 64)) == [0.0]
    assert values(scorer, [full], pod(0.1, 0.1, 1, 0.5)) == [0.0]
