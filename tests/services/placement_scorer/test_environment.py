from __future__ import annotations

import numpy as np
import pytest

from services.placement_scorer.environment import DAY, TEST_MIX, TRAIN_MIXES, Episode, Recordings
from services.placement_scorer.evaluate import placements
from services.placement_scorer.policies import heuristics


def test_test_machines_and_days_are_unseen(recordings: Recordings) -> None:
    seen = set(recordings.machines("train")) | set(recordings.machines("validation"))
    assert not seen & set(recordings.machines("test"))
    assert len(recordings.machines("test")) == 14
    assert max(recordings.steps("train")) < min(recordings.steps("validation"))
    assert max(recordings.steps("validation")) < min(recordings.steps("test"))
    assert TEST_MIX not in TRAIN_MIXES


def test_workloads_follow_machines_of_their_split(recordings: Recordings) -> None:
    for split in ("train", "test"):
        episode = Episode(recordings, split, "default", seed=3)
        assert {a.machine for a in episode.arrivals} <= set(recordings.machines(split))
        assert all(a.start + DAY < recordings.steps(split).stop for a in episode.arrivals)


def test_a_seed_gives_the_same_episode(recordings: Recordings) -> None:
    one, same, other = (Episode(recordings, "train", "default", seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one.nodes(0), same.nodes(0))
    assert [a.pod.name for a in one.arrivals] == [a.pod.name for a in same.arrivals]
    assert [a.pod.name for a in one.arrivals] != [a.pod.name for a in other.arrivals]


@pytest.mark.parametrize("name", ["random", "best-fit"])
def test_nothing_is_overcommitted(recordings: Recordings, name: str) -> None:
    episode = Episode(recordings, "test", TEST_MIX, seed=1, nodes=32)
    outcomes = list(placements(episode, heuristics()[name], np.random.default_rng(0)))
    assert len(outcomes) == len(episode.arrivals)
    assert (episode.requested <= episode.allocatable + 2e-3).all()
    assert np.nanmin(episode.gpu_free) >= 0.0
    assert 0.0 < episode.gpu_allocated <= episode.gpus.sum()


def test_a_hot_future_costs(recordings: Recordings) -> None:
    episode = Episode(recordings, "train", "default", seed=8)
    arrival = episode.arrivals[0]
    calm, hot = np.flatnonzero(episode.feasible(arrival.pod, arrival.row))[:2]
    episode.load[:, :, calm], episode.load[:, :, hot] = 0.1, 0.95
    assert episode.place(arrival, int(hot)).hot == 1.0
    assert episode.place(arrival, int(calm)).hot < 1.0


def test_gaps_hold_the_last_value(recordings: Recordings) -> None:
    assert np.isfinite(recordings.usage).all()
    assert recordings.usage.min() >= 0.0
