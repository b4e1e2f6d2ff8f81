from __future__ import annotations

import numpy as np
import pytest

from services.placement_scorer.environment import Recordings
from services.placement_scorer.pair_features import PAIR_FEATURES, Landing, Typical, land, take_devices
from tests.services.placement_scorer.rows import GAP, Floats, node, pod, random_nodes


def landing(recordings: Recordings, nodes: Floats, asks: Floats) -> Landing:
    return land(nodes, asks, recordings.tables, Typical())


def value(found: Landing, name: str, row: int = 0) -> float:
    return float(found.rows[row, PAIR_FEATURES.index(name)])


def test_a_share_goes_to_the_tightest_device_that_fits() -> None:
    free = np.array([[1.0, 0.5, 0.3, 0.6, 0, 0, 0, 0], [0.2] * 8], np.float32)
    after, fits = take_devices(free, 1, 0.4)
    assert fits.tolist() == [True, False]
    np.testing.assert_allclose(after[0, :4], [1.0, 0.1, 0.3, 0.6], atol=1e-6)
    np.testing.assert_array_equal(after[1], free[1])


def test_whole_devices_need_empty_ones() -> None:
    free = np.array([[1.0, 0.9, 1.0, 1.0, 0, 0, 0, 0], [1.0, 0.9, 0, 0, 0, 0, 0, 0]], np.float32)
    after, fits = take_devices(free, 2, 2.0)
    assert fits.tolist() == [True, False]
    np.testing.assert_allclose(after[0, :4], [0.0, 0.9, 0.0, 1.0])


def test_what_is_left_after_the_pod(recordings: Recordings) -> None:
    found = landing(recordings, node([1.0, 0.5], cpu=100.0, requested=0.4)[None], pod(10.0, 38.4, 1, 0.5))
    assert value(found, "cpu_left") == pytest.approx(0.5)
    assert value(found, "memory_left") == pytest.approx(0.5)
    assert value(found, "opened_devices") == 0.0
    assert value(found, "tightest_leftover") == pytest.approx(0.0)
    assert value(found, "empty_devices_left") == pytest.approx(1 / 8)


def test_breaking_open_an_empty_device_is_seen(recordings: Recordings) -> None:
    found = landing(recordings, node([1.0, 0.2])[None], pod(gpus=1, share=0.5))
    assert value(found, "opened_devices") == 1.0
    assert value(found, "fragment_growth") > landing_growth(recordings)


def landing_growth(recordings: Recordings) -> float:
    """Growth where the pod fills a device that is half in use."""
    return value(landing(recordings, node([0.5, 1.0])[None], pod(gpus=1, share=0.5)), "fragment_growth")


def test_what_does_not_fit(recordings: Recordings) -> None:
    nodes = np.stack([node(cpu=8.0, requested=0.9), node(memory=8.0), node(), node([0.2])])
    assert landing(recordings, nodes, pod(4.0, 16.0)).fits.tolist() == [False, False, True, True]
    assert not landing(recordings, nodes, pod(1.0, 1.0, 1, 0.5)).fits.any()
    assert not landing(recordings, node([1.0] * 8)[None], pod(1.0, 1.0, 9, 9.0)).fits.any()


def test_unknown_devices_get_the_mean_free_share(recordings: Recordings) -> None:
    blind = node([0.5] * 4)
    blind[8:] = GAP
    assert value(landing(recordings, blind[None], pod()), "gpu_left") == pytest.approx(0.5)


@pytest.mark.parametrize("bad", [GAP, float("inf"), -float("inf"), -1.0, 1e30])
def test_rows_are_finite_whatever_comes_in(recordings: Recordings, bad: float) -> None:
    nodes = random_nodes(64, seed=3)
    nodes[np.random.default_rng(0).random(nodes.shape) < 0.3] = bad
    for asks in (pod(), pod(gpus=1, share=0.5), np.full(5, bad, np.float32)):
        assert np.isfinite(landing(recordings, nodes, asks).rows).all()
