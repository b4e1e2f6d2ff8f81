"""Play the same unseen streams of pods with every policy and report reward and its parts.

Counting rule: an episode is a cluster and a stream of pods with one seed; every policy gets the same nodes,
pods and loads, and chooses among all feasible nodes. The reward of an episode is the mean over its pods, a
refused pod counts `Weights.refused`. Figures are means over episodes. Machines and days are the test's alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.placement_scorer.environment import (
    DAY,
    HOT,
    TEST_MIX,
    TRAIN_MIXES,
    Episode,
    Outcome,
    Recordings,
    Split,
    Weights,
    read_recordings,
)
from services.placement_scorer.model import ARTIFACT, PlacementScorer, load
from services.placement_scorer.pair_features import Typical, land
from services.placement_scorer.policies import BASELINE, Policy, heuristics

Floats = NDArray[np.float32]
Progress = Callable[[str, float], None]
SEEDS = tuple(range(1000, 1006))
MODEL = "placement-scorer"
PARTS = tuple(part.name for part in fields(Outcome))


@dataclass(frozen=True)
class Played:
    """One episode. parts: means over its pods. hot_nodes: share of the day's node-time over 80 % of CPU or
    memory. gpu: allocated devices, of those free at the start. fragments: free GPU that the usual pods
    cannot use at the end, of all devices."""

    parts: Outcome
    pods: int
    hot_nodes: float
    gpu: float
    fragments: float

    def reward(self, weights: Weights) -> float:
        """Mean reward of a pod."""
        return self.parts.reward(weights)


def play(recordings: Recordings, split: Split, mix: str, seed: int, policy: Policy) -> Played:
    """One episode."""
    episode = Episode(recordings, split, mix, seed)
    source = np.random.default_rng(seed)
    free = float(np.nansum(episode.gpu_free))
    outcomes = list(placements(episode, policy, source))
    parts = {name: float(np.mean([getattr(o, name) for o in outcomes])) for name in PARTS}
    fragments = sum(episode.fragment(node) for node in range(len(episode.gpus)))
    return Played(
        parts=Outcome(**parts),
        pods=len(outcomes),
        hot_nodes=float((episode.load[:, :DAY] > HOT).any(axis=0).mean()),
        gpu=episode.gpu_allocated / max(free, 1.0),
        fragments=fragments / max(float(episode.gpus.sum()), 1.0),
    )


def placements(episode: Episode, policy: Policy, source: np.random.Generator) -> Iterator[Outcome]:
    """What became of each pod."""
    for arrival in episode.arrivals:
        feasible = np.flatnonzero(episode.feasible(arrival.pod, arrival.row))
        if not len(feasible):
            yield Outcome(refused=1.0)
            continue
        nodes = episode.nodes(arrival.step)[feasible]
        rows = land(nodes, arrival.row, episode.recordings.tables, Typical()).rows
        yield episode.place(arrival, int(feasible[policy(rows, source).argmax()]))


def model_policy(model: PlacementScorer) -> Policy:
    """The served network as a policy."""

    def score(rows: Floats, source: np.random.Generator) -> Floats:
        return model.rows_value(rows)[:, 0]

    return score


def evaluate(
    artifact: Path = ARTIFACT,
    seeds: Sequence[int] = SEEDS,
    mixes: Sequence[str] = (TEST_MIX, *TRAIN_MIXES),
    progress: Progress | None = None,
    recordings: Recordings | None = None,
    split: Split = "test",
) -> dict[str, Any]:
    """Every policy on the same episodes of the test split; see the module's counting rule."""
    recordings = recordings or read_recordings()
    policies = {MODEL: model_policy(load(artifact)), **heuristics()}
    played: dict[str, dict[str, list[Played]]] = {}
    total = len(policies) * len(mixes)
    for mix in mixes:
        for name, policy in policies.items():
            if progress is not None:
                progress(f"{mix}: {name}", sum(map(len, played.values())) / total)
            episodes = [play(recordings, split, mix, seed, policy) for seed in seeds]
            played.setdefault(mix, {})[name] = episodes
    return {
        "split": split,
        "seeds": list(seeds),
        "baseline": BASELINE,
        "mixes": {mix: summary(by_policy) for mix, by_policy in played.items()},
    }


def summary(by_policy: dict[str, list[Played]]) -> dict[str, dict[str, float]]:
    """Figures of each policy, and how much better its reward is than random's and the baseline's."""
    weights = Weights()
    rewards = {name: np.array([p.reward(weights) for p in episodes]) for name, episodes in by_policy.items()}
    return {
        name: {
            "reward": round(float(rewards[name].mean()), 4),
            "reward_spread": round(float(rewards[name].std()), 4),
            "better_than_random_percent": gain(rewards[name], rewards["random"]),
            "better_than_baseline_percent": gain(rewards[name], rewards[BASELINE]),
            "episodes_better_than_baseline": int((rewards[name] > rewards[BASELINE]).sum()),
            "hot_node_time_percent": percent([p.hot_nodes for p in episodes], 2),
            "refused_pods_percent": percent([p.parts.refused for p in episodes]),
            "free_gpu_allocated_percent": percent([p.gpu for p in episodes]),
            "fragmented_gpu_percent": percent([p.fragments for p in episodes]),
            **{f"cost_{part}": mean_of(episodes, part) for part in PARTS},
        }
        for name, episodes in by_policy.items()
    }


def gain(rewards: NDArray[Any], other: NDArray[Any]) -> float:
    """Percent of the other's cost that is saved; rewards are negative costs."""
    return round(float(100 * (rewards.mean() - other.mean()) / abs(other.mean())), 1)


def percent(values: Sequence[float], digits: int = 1) -> float:
    """Mean of shares, in percent."""
    return round(100 * float(np.mean(values)), digits)


def mean_of(episodes: Sequence[Played], part: str) -> float:
    """Mean of one part, weighted as in the reward."""
    weight = float(getattr(Weights(), part))
    return round(weight * float(np.mean([getattr(p.parts, part) for p in episodes])), 4)
