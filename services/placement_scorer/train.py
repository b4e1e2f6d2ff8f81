"""Train the placement scorer: double DQN on streams of recorded pods. Needs the `training` extra."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from berth.recordings import load as load_recordings
from services.placement_scorer import card, evaluate
from services.placement_scorer.dqn import Hyperparameters, Learner, QNetwork, Replay
from services.placement_scorer.environment import (
    DAYS,
    TEST_MIX,
    TRAIN_MIXES,
    Arrival,
    Episode,
    Weights,
    read_recordings,
    training_classes,
)
from services.placement_scorer.export import scale_of, write_onnx
from services.placement_scorer.model import FILE
from services.placement_scorer.pair_features import PAIR_FEATURES, Typical, land
from services.placement_scorer.policies import COLUMN, Policy

Floats = NDArray[np.float32]
Progress = Callable[[str, float], None]
NORMALISING_EPISODES = 6
SCALE_EPISODES = 6


def no_progress(what: str, share: float) -> None:
    """Tells nobody."""


class Training:
    """One run: every random number comes from the seed, torch runs on one thread."""

    def __init__(self, settings: Hyperparameters) -> None:
        torch.set_num_threads(1)
        torch.use_deterministic_algorithms(True)
        self.settings = settings
        self.weights = replace(Weights(), refused=settings.refused_cost, scarce=settings.scarce_cost)
        self.typical = Typical()
        self.random = np.random.default_rng(settings.seed)
        self.recordings = read_recordings()
        self.replay = Replay(settings.replay, settings.offered, len(PAIR_FEATURES), self.random)
        centre, spread = self.normalisation()
        self.learner = Learner(centre, spread, settings)
        self.best: tuple[float, dict[str, torch.Tensor], int] | None = None

    def episode(self, number: int) -> Episode:
        """Training episode `number`: the mixes take turns."""
        seed = self.settings.seed * 1_000_000 + number
        mix = TRAIN_MIXES[number % len(TRAIN_MIXES)]
        return Episode(self.recordings, "train", mix, seed, self.settings.nodes)

    def offer(self, episode: Episode, arrival: Arrival) -> tuple[NDArray[np.intp], Floats]:
        """Some feasible nodes for the pod, and their rows."""
        feasible = np.flatnonzero(episode.feasible(arrival.pod, arrival.row))
        if len(feasible) > self.settings.offered:
            feasible = self.random.choice(feasible, self.settings.offered, replace=False)
        nodes = episode.nodes(arrival.step)[feasible]
        return feasible, land(nodes, arrival.row, self.recordings.tables, self.typical).rows

    def normalisation(self) -> tuple[Floats, Floats]:
        """Mean and spread of each column where nodes are taken at random."""
        rows = []
        for number in range(NORMALISING_EPISODES):
            episode = self.episode(-1 - number)
            for arrival in episode.arrivals:
                feasible, offered = self.offer(episode, arrival)
                if len(feasible):
                    episode.place(arrival, int(self.random.choice(feasible)))
                    rows.append(offered)
        stacked = np.concatenate(rows)
        return stacked.mean(axis=0), np.maximum(stacked.std(axis=0), 0.02)

    def run(self, progress: Progress) -> None:
        """All episodes; then the running mean is the best seen on the validation days."""
        s = self.settings
        for number in range(s.episodes):
            done = number / s.episodes
            explore = max(s.explore_to, s.explore_from - (s.explore_from - s.explore_to) * done / s.explore_share)
            self.play(self.episode(number), explore, done)
            if (number + 1 >= s.check_from and (number + 1) % s.check_every == 0) or number + 1 == s.episodes:
                self.check(number + 1)
            progress(f"episode {number + 1} of {s.episodes}", (number + 1) / s.episodes)
        if self.best is not None:
            self.learner.average.load_state_dict(self.best[1])

    def play(self, episode: Episode, explore: float, done: float) -> None:
        """One episode with updates. What a refused pod costs falls to the decision before it."""
        slot = None
        for arrival in episode.arrivals:
            feasible, rows = self.offer(episode, arrival)
            if not len(feasible):
                if slot is not None:
                    self.replay.reward[slot] -= self.weights.refused
                continue
            if slot is not None:
                self.replay.last[slot] = False
            action = self.choose(rows, explore)
            slot = self.replay.add(rows, action)
            outcome = episode.place(arrival, int(feasible[action]))
            self.replay.reward[slot] = outcome.reward(self.weights) + self.bonus(rows[action], arrival)
            if self.replay.count >= self.settings.warm_up and self.replay.count % self.settings.update_every == 0:
                self.learner.update(self.replay, done)

    def bonus(self, row: Floats, arrival: Arrival) -> float:
        """What the training adds for room that is left; see `Hyperparameters.room_bonus`."""
        gpu = row[COLUMN["gpu_left"]] if arrival.pod.gpus else 0.0
        return self.settings.room_bonus * float(row[COLUMN["cpu_left"]] + gpu)

    def choose(self, rows: Floats, explore: float) -> int:
        """Epsilon-greedy over the nodes offered."""
        if self.random.random() < explore:
            return int(self.random.integers(len(rows)))
        return int(self.learner.advantages(rows, self.learner.online).argmax())

    def check(self, episodes: int) -> None:
        """Keep the online network or its running mean if it is the best so far on the validation days."""
        for network in (self.learner.average, self.learner.online):
            rewards = [
                evaluate.play(self.recordings, "validation", mix, seed, self.policy(network)).reward(Weights())
                for mix in TRAIN_MIXES
                for seed in range(self.settings.validation_seeds)
            ]
            reward = float(np.mean(rewards))
            if self.best is None or reward > self.best[0]:
                state = {name: value.clone() for name, value in network.state_dict().items()}
                self.best = (reward, state, episodes)

    def policy(self, network: QNetwork) -> Policy:
        """A network as a policy."""
        return lambda rows, source: self.learner.advantages(rows, network)

    def facts(self) -> dict[str, Any]:
        """What the model card says of the training."""
        reward, _, episodes = self.best or (float("nan"), {}, 0)
        machines = load_recordings.bitbrains().machine
        return {
            "hyperparameters": asdict(self.settings),
            "reward_weights": asdict(Weights()),
            "validation": {"reward": round(reward, 4), "best_after_episodes": episodes},
            "days_from_1_july_2013": {split: list(days) for split, days in DAYS.items()},
            "unseen_machines": machines[self.recordings.machines("test")].tolist(),
            "mixes": {"train": list(TRAIN_MIXES), "test_only": TEST_MIX},
        }

    def advantages_met(self) -> Floats:
        """A of the rows that the greedy policy meets on training days, for the scale of the values."""
        met = []
        for number in range(SCALE_EPISODES):
            episode = self.episode(-100 - number)
            for arrival in episode.arrivals:
                feasible, rows = self.offer(episode, arrival)
                if len(feasible):
                    found = self.learner.advantages(rows, self.learner.average)
                    episode.place(arrival, int(feasible[found.argmax()]))
                    met.append(found)
        return np.concatenate(met)

    def layers(self) -> list[tuple[Floats, Floats]]:
        """Weight [in, out] and bias of each layer of A, with the normalisation folded into the first."""
        first, *others = self.learner.average.advantage.layers()
        centre = self.learner.average.get_buffer("centre").numpy()
        spread = self.learner.average.get_buffer("spread").numpy()
        weight = first[0] / spread[:, None]
        return [(weight, first[1] - centre @ weight), *others]


def fit(out: Path, settings: Hyperparameters, progress: Progress = no_progress) -> Training:
    """Train and write `value.onnx` into `out`."""
    training = Training(settings)
    training.run(progress)
    out.mkdir(parents=True, exist_ok=True)
    scale = scale_of(training.advantages_met())
    classes = training_classes(training.recordings.pods)
    write_onnx(out / FILE, training.layers(), scale, classes, training.typical)
    return training


def train(
    out: Path,
    progress: Progress = no_progress,
    settings: Hyperparameters | None = None,
    seeds: Sequence[int] = evaluate.SEEDS,
) -> None:
    """Train, evaluate on the test split (`seeds`), and write `value.onnx`, `card.json` and `MODEL_CARD.md`
    into `out`. About 5 minutes on one idle core."""
    training = fit(out, settings or Hyperparameters(), lambda what, share: progress(what, 0.8 * share))
    report = evaluate.evaluate(
        out,
        seeds=seeds,
        progress=lambda what, share: progress(what, 0.8 + 0.2 * share),
        recordings=training.recordings,
    )
    card.write(out, training.facts(), report)
