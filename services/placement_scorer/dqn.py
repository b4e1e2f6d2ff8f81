"""Double DQN with a duelling head over nodes (Mnih 2015, van Hasselt 2016, Wang 2016). Needs torch.

A state is a pod and the nodes offered to it; an action is one of them. Q = V(mean row) + A(row) - mean A.
Only A is exported: it depends on its row alone, and it ranks the nodes as Q does. V is for training, so that
A need not explain how full the cluster is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from services.placement_scorer.export import LEAK
from services.placement_scorer.pair_features import LOAD_COLUMNS

Floats = NDArray[np.float32]
LEAST_RISE = 1e-3
"""Least weight where strain must rise with load."""


@dataclass(frozen=True)
class Hyperparameters:
    """Everything that a run depends on, beside the recordings."""

    episodes: int = 90
    """Streams of pods, one cluster each."""
    nodes: int = 96
    """Of a training cluster."""
    offered: int = 16
    """Nodes drawn from the feasible ones for each pod."""
    hidden: int = 64
    """Units of both hidden layers; half as many in the part that rises with load."""
    discount: float = 0.5
    """Of the next pod's value."""
    refused_cost: float = 0.1
    """What a refused pod costs the decision before it. Less than in reports: no single decision is to blame,
    and the noise would drown the rest."""
    scarce_cost: float = 0.8
    """Training only: of a pod without GPU on a node with GPU, more than in reports, so that the few such pods
    are heard."""
    room_bonus: float = 0.6
    """Training only: worth of the chosen node's free share of CPU, and of GPU for a pod that asks for it, once
    the pod has landed. Refusals come hundreds of pods after the choices that cause them, further than the
    discount reaches; on training days rules that keep such room refused fewer."""
    learning_rate: float = 1e-3
    """Adam's, falling linearly to a tenth."""
    batch: int = 128
    replay: int = 50_000
    """Pods kept."""
    warm_up: int = 2_000
    """Pods before the first update."""
    update_every: int = 2
    """Pods between updates."""
    target_every: int = 500
    """Updates between copies to the target network."""
    average_rate: float = 0.001
    """How far the running mean moves to the online network with each update."""
    explore_from: float = 1.0
    explore_to: float = 0.05
    explore_share: float = 0.4
    """The chance of a random node falls linearly over this share of the episodes."""
    centring: float = 0.05
    """Weight of (mean A)^2, which keeps A around 0 for every pod."""
    check_from: int = 60
    check_every: int = 15
    """Episodes before the first score on the validation days, and between scores; the best network is kept."""
    validation_seeds: int = 3
    """Episodes of each mix in such a score."""
    seed: int = 7


class Replay:
    """The newest pods: rows of the nodes offered [offered, K], how many, which was taken, what it brought."""

    def __init__(self, size: int, offered: int, features: int, random: np.random.Generator) -> None:
        self.rows = np.zeros((size, offered, features), np.float32)
        self.offered = np.zeros(size, np.int64)
        self.action = np.zeros(size, np.int64)
        self.reward = np.zeros(size, np.float32)
        self.last = np.ones(size, np.bool_)
        self.count = 0
        self.random = random

    def add(self, rows: Floats, action: int) -> int:
        """Store a decision; its slot, where `reward` and `last` are set once they are known."""
        slot = self.count % len(self.action)
        self.rows[slot, : len(rows)] = rows
        self.offered[slot], self.action[slot] = len(rows), action
        self.reward[slot], self.last[slot] = 0.0, True
        self.count += 1
        return slot

    def draw(self, batch: int) -> NDArray[np.int64]:
        """Slots, without the newest: its reward is not complete."""
        size = len(self.action)
        age = self.random.integers(1, min(self.count, size - 1), batch)
        slots: NDArray[np.int64] = (self.count - 1 - age) % size
        return slots


def perceptron(inputs: int, hidden: int) -> nn.Sequential:
    """Two hidden layers, one output."""
    return nn.Sequential(
        nn.Linear(inputs, hidden),
        nn.LeakyReLU(LEAK),
        nn.Linear(hidden, hidden),
        nn.LeakyReLU(LEAK),
        nn.Linear(hidden, 1),
    )


class Advantage(nn.Module):  # type: ignore[misc]
    """A = free(row without its load columns) - strain(row), where strain rises with every load column: more
    load is never worth more. Its weights on load and after its first layer are kept positive (`project`)."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.free = perceptron(inputs, hidden)
        self.strain = perceptron(inputs, hidden // 2)
        self.register_buffer("load", torch.zeros(inputs).index_fill(0, torch.tensor(LOAD_COLUMNS), 1.0))
        with torch.no_grad():
            for weight in self.rising():
                weight.abs_()

    def forward(self, scaled: Tensor) -> Tensor:
        """[..., K] to [..., 1]."""
        found: Tensor = self.free(scaled * (1.0 - self.load)) - self.strain(scaled)
        return found

    def rising(self) -> list[Tensor]:
        """Weights [out, in] that must stay positive, as views."""
        first, *others = linear_layers(self.strain)
        low, high = min(LOAD_COLUMNS), max(LOAD_COLUMNS) + 1
        return [first.weight[:, low:high], *(layer.weight for layer in others)]

    def project(self) -> None:
        """Back to where strain rises with load."""
        with torch.no_grad():
            for weight in self.rising():
                weight.clamp_(min=LEAST_RISE)

    def layers(self) -> list[tuple[Floats, Floats]]:
        """The two parts side by side as one network: weight [in, out] and bias [out] of each layer."""
        found = []
        pairs = zip(linear_layers(self.free), linear_layers(self.strain), strict=True)
        for depth, (free, strain) in enumerate(pairs):
            left, right = free.weight.detach().numpy().T, strain.weight.detach().numpy().T
            biases = free.bias.detach().numpy(), strain.bias.detach().numpy()
            if depth == 0:
                kept = 1.0 - self.get_buffer("load").numpy()
                found.append((np.hstack([left * kept[:, None], right]), np.concatenate(biases)))
            elif depth == 1:
                apart = np.zeros((left.shape[0] + right.shape[0], left.shape[1] + right.shape[1]), np.float32)
                apart[: left.shape[0], : left.shape[1]] = left
                apart[left.shape[0] :, left.shape[1] :] = right
                found.append((apart, np.concatenate(biases)))
            else:
                found.append((np.vstack([left, -right]), biases[0] - biases[1]))
        return found


def linear_layers(network: nn.Sequential) -> list[nn.Linear]:
    """The layers with weights."""
    return [layer for layer in network if isinstance(layer, nn.Linear)]


class QNetwork(nn.Module):  # type: ignore[misc]
    """rows [B, offered, K] and which of them are real [B, offered] to Q [B, offered]."""

    def __init__(self, centre: Floats, spread: Floats, hidden: int) -> None:
        super().__init__()
        self.register_buffer("centre", torch.from_numpy(centre))
        self.register_buffer("spread", torch.from_numpy(spread))
        self.advantage = Advantage(len(centre), hidden)
        self.value = perceptron(len(centre), hidden)

    def scaled(self, rows: Tensor) -> Tensor:
        """Rows with mean 0 and spread 1."""
        return (rows - self.centre) / self.spread

    def parts(self, rows: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """Q [B, offered] and mean A [B, 1]."""
        scaled = self.scaled(rows) * real[..., None]
        count = real.sum(dim=1, keepdim=True).clamp(min=1.0)
        advantage = self.advantage(scaled).squeeze(-1)
        mean = (advantage * real).sum(dim=1, keepdim=True) / count
        return self.value(scaled.sum(dim=1) / count) + advantage - mean, mean

    def forward(self, rows: Tensor, real: Tensor) -> Tensor:
        """Q [B, offered], -inf where no node is."""
        return self.parts(rows, real)[0].masked_fill(real == 0, -torch.inf)


class Learner:
    """Online and target network, the running mean that is exported, and one update at a time."""

    def __init__(self, centre: Floats, spread: Floats, settings: Hyperparameters) -> None:
        torch.manual_seed(settings.seed)
        self.settings = settings
        self.online = QNetwork(centre, spread, settings.hidden)
        self.target = QNetwork(centre, spread, settings.hidden)
        self.average = QNetwork(centre, spread, settings.hidden)
        for other in (self.target, self.average):
            other.load_state_dict(self.online.state_dict())
        self.optimiser = torch.optim.Adam(self.online.parameters(), lr=settings.learning_rate)
        self.updates = 0

    def advantages(self, rows: Floats, network: QNetwork) -> Floats:
        """float32 [N]: A of each row."""
        with torch.no_grad():
            found: Floats = network.advantage(network.scaled(torch.from_numpy(rows)))[:, 0].numpy()
            return found

    def update(self, replay: Replay, share_done: float) -> float:
        """One step of gradient descent; the loss."""
        s = self.settings
        slots = replay.draw(s.batch)
        rows, real = self.states(replay, slots)
        q, mean = self.online.parts(rows, real)
        action = torch.from_numpy(replay.action[slots])[:, None]
        loss = nn.functional.smooth_l1_loss(q.gather(1, action)[:, 0], self.goals(replay, slots))
        loss = loss + s.centring * mean.square().mean()
        self.optimiser.param_groups[0]["lr"] = s.learning_rate * (1.0 - 0.9 * share_done)
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.online.parameters(), 5.0)
        self.optimiser.step()
        self.online.advantage.project()
        self.follow()
        return float(loss.detach())

    def follow(self) -> None:
        """Move the running mean to the online network, and now and then set the target network to it."""
        self.updates += 1
        with torch.no_grad():
            pairs = zip(self.average.parameters(), self.online.parameters(), strict=True)
            for slow, quick in pairs:
                slow.lerp_(quick, self.settings.average_rate)
        if self.updates % self.settings.target_every == 0:
            self.target.load_state_dict(self.online.state_dict())

    def states(self, replay: Replay, slots: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Rows and which of them are real."""
        real = np.arange(self.settings.offered) < replay.offered[slots][:, None]
        return torch.from_numpy(replay.rows[slots]), torch.from_numpy(real.astype(np.float32))

    def goals(self, replay: Replay, slots: NDArray[np.int64]) -> Tensor:
        """Reward and the discounted value of the next pod: the online network chooses, the target values."""
        rows, real = self.states(replay, (slots + 1) % len(replay.action))
        with torch.no_grad():
            best = self.online(rows, real).argmax(dim=1, keepdim=True)
            following = self.target.parts(rows, real)[0].gather(1, best)[:, 0]
        goes_on = torch.from_numpy(~replay.last[slots]).float()
        return torch.from_numpy(replay.reward[slots]) + self.settings.discount * goes_on * following
