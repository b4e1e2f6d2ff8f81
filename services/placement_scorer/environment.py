"""Streams of recorded pods on recorded nodes whose load follows recorded machines.

An episode draws nodes and pods from the openb trace. Each workload (a few background ones a node, then each
pod) follows one Bitbrains machine from a random moment, with its request at 20 % of what the machine was
provisioned with: it uses machine usage / 0.2 of its request. Pods arrive evenly over a day until the GPU
they ask for reaches what is free at the start; none departs. Gaps in a recording repeat its last value.

Machines and days are split: every fifth machine and all of September belong to the test alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from berth.recordings import load
from services.placement_scorer.fragmentation import (
    FragmentTables,
    PodClass,
    fragment,
    fragment_tables,
    typical_classes,
)
from services.placement_scorer.pair_features import NODE_FEATURES, TIGHT

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Split = Literal["train", "validation", "test"]

DAY = 288
AHEAD = 48
"""Steps of 5 minutes that a placement answers for: 4 hours."""
REQUEST_SHARE = 0.2
HOT = 0.8
LEAST_BACKGROUND = 0.1
MOST_BACKGROUND = (0.3, 0.9)
"""Background workloads request a share of a node's CPU and memory drawn from LEAST_BACKGROUND to a greatest
share, which is drawn once an episode: from a young cluster to a full one."""
MOST_GPU_BACKGROUND = (0.0, 0.9)
"""The same for devices in use at the start; the least share is 0."""
BACKGROUND_WORKLOADS = 5

TRAIN_MIXES = ("default", "gpushare40", "gpuspec20")
TEST_MIX = "cpu050"
HELD_OUT = slice(4, None, 5)
"""Positions of the machines that only the test sees: 14 of 70."""
DAYS: dict[str, tuple[int, int]] = {"train": (0, 48), "validation": (48, 62), "test": (62, 90)}
"""First and last day from 1 July 2013: to 17 August, to 31 August, September."""


@dataclass(frozen=True)
class Weights:
    """What one unit of each part costs; the reward of a placement is minus the sum."""

    hot: float = 2.0
    """The chosen node over 80 % of CPU or memory for all of the following 4 hours."""
    fragment: float = 1.0
    """One more device that the usual pods cannot use."""
    refused: float = 1.0
    """A pod that fits nowhere."""
    balance: float = 1.0
    """Mean load (CPU and memory) of the chosen node over the following 4 hours, less that of the cluster
    (every eighth step of them)."""
    scarce: float = 0.3
    """A pod without GPU on a node with GPU."""


@dataclass(frozen=True)
class Outcome:
    """Parts of one placement, unweighted; see `Weights`."""

    hot: float = 0.0
    fragment: float = 0.0
    refused: float = 0.0
    balance: float = 0.0
    scarce: float = 0.0

    def reward(self, weights: Weights) -> float:
        """Minus the weighted cost."""
        return -(
            weights.hot * self.hot
            + weights.fragment * self.fragment
            + weights.refused * self.refused
            + weights.balance * self.balance
            + weights.scarce * self.scarce
        )


@dataclass(frozen=True)
class Recordings:
    """usage: float32 [2, step, machine], CPU and memory as a share of the request; no NaN."""

    usage: Floats
    nodes: tuple[load.OpenbNode, ...]
    pods: dict[str, tuple[load.OpenbPod, ...]]
    tables: FragmentTables

    def steps(self, split: Split) -> range:
        """Steps of the split."""
        first, last = DAYS[split]
        return range(first * DAY, min(last * DAY, self.usage.shape[1]))

    def machines(self, split: Split) -> NDArray[np.intp]:
        """Positions of the split's machines."""
        positions = np.arange(self.usage.shape[2])
        return positions[HELD_OUT] if split == "test" else np.delete(positions, HELD_OUT)


def read_recordings() -> Recordings:
    """The shipped recordings, ready for episodes. Fragment classes come from the training mixes."""
    usage = filled(load.bitbrains().usage[:2]) / np.float32(REQUEST_SHARE)
    pods = {mix: tuple(load.openb_pods(mix)) for mix in (*TRAIN_MIXES, TEST_MIX)}
    return Recordings(usage, tuple(load.openb_nodes()), pods, fragment_tables(training_classes(pods)))


def training_classes(pods: dict[str, tuple[load.OpenbPod, ...]]) -> tuple[PodClass, ...]:
    """The usual pods of the training mixes."""
    return typical_classes([pod for mix in TRAIN_MIXES for pod in pods[mix]])


def filled(values: Floats) -> Floats:
    """float32 [metric, step, machine]: each gap holds the last value before it, 0 where there is none."""
    steps = np.arange(values.shape[1])[None, :, None]
    last = np.maximum.accumulate(np.where(np.isnan(values), 0, steps), axis=1)
    return np.nan_to_num(np.take_along_axis(values, last, axis=1))


@dataclass(frozen=True)
class Arrival:
    """A pod, the step of its arrival, and whose usage it follows from when."""

    pod: load.OpenbPod
    row: Floats
    step: int
    machine: int
    start: int


def pod_row(pod: load.OpenbPod) -> Floats:
    """float32 [len(POD_FEATURES)]; the same columns as `berth.features.pod.pod_row`."""
    share = pod.gpus * pod.gpu_milli / 1000
    values = (pod.cpu_milli / 1000, pod.memory_mib / 1024, pod.gpus, share, bool(pod.gpu_models))
    return np.array(values, np.float32)


class Episode:
    """One cluster and one stream of pods. The same seed gives every policy the same nodes, pods and loads."""

    def __init__(self, recordings: Recordings, split: Split, mix: str, seed: int, nodes: int = 96) -> None:
        self.random = np.random.default_rng(seed)
        self.recordings = recordings
        self.steps = recordings.steps(split)
        self.machines = recordings.machines(split)
        chosen = self.random.choice(len(recordings.nodes), nodes, replace=False)
        kinds = [recordings.nodes[i] for i in chosen]
        self.allocatable = np.array([[n.cpu_milli / 1000, n.memory_mib / 1024] for n in kinds], np.float32)
        self.gpus = np.array([n.gpus for n in kinds], np.float32)
        self.model = np.array([n.gpu_model for n in kinds])
        self.gpu_free = np.where(np.arange(8) < self.gpus[:, None], 1.0, np.nan).astype(np.float32)
        self.requested = np.zeros((nodes, 2), np.float32)
        self.load = np.zeros((2, DAY + AHEAD, nodes), np.float32)
        self.add_background()
        self.add_gpu_background(recordings.pods[mix])
        self.arrivals = tuple(self.draw_arrivals(recordings.pods[mix]))
        self.gpu_allocated = 0.0

    def draw_usage(self) -> tuple[int, int]:
        """A machine and the step at which a workload starts to follow it."""
        start = self.random.integers(self.steps.start, self.steps.stop - DAY - AHEAD)
        return int(self.random.choice(self.machines)), int(start)

    def add_background(self) -> None:
        """Workloads that are there before the first pod."""
        count = len(self.allocatable)
        most = self.random.uniform(*MOST_BACKGROUND)
        asked = self.random.uniform(LEAST_BACKGROUND, most, (count, 1))
        asked = np.clip(asked + self.random.normal(0.0, 0.1, (count, 2)), 0.02, 0.95)
        self.requested += (self.allocatable * asked).astype(np.float32)
        parts = self.random.dirichlet(np.ones(BACKGROUND_WORKLOADS), count)
        for node, part in np.ndindex(parts.shape):
            self.add_usage(node, self.requested[node] * parts[node, part], 0, *self.draw_usage())

    def add_gpu_background(self, pods: tuple[load.OpenbPod, ...]) -> None:
        """Devices in use before the first pod, by shares that pods of the mix ask for."""
        shares = np.array([min(pod.gpu_milli, 1000) / 1000 for pod in pods if pod.gpus], np.float32)
        use = self.random.uniform(0.0, self.random.uniform(*MOST_GPU_BACKGROUND), len(self.gpus))
        taken = self.random.choice(shares, self.gpu_free.shape)
        busy = self.random.random(self.gpu_free.shape) < use[:, None]
        self.gpu_free -= np.where(busy, taken, np.float32(0.0))

    def add_usage(self, node: int, asks: NDArray[Any], step: int, machine: int, start: int) -> None:
        """Add a workload's use (share of allocatable) to a node from `step` on."""
        length = DAY + AHEAD - step
        usage = self.recordings.usage[:, start : start + length, machine]
        self.load[:, step:, node] += usage * (asks / self.allocatable[node])[:, None].astype(np.float32)

    def draw_arrivals(self, pods: tuple[load.OpenbPod, ...]) -> Iterator[Arrival]:
        """Pods without replacement until they ask for enough GPU, spread evenly over a day."""
        order = self.random.permutation(len(pods))
        asked = np.cumsum([pods[i].gpus * pods[i].gpu_milli / 1000 for i in order])
        count = max(1, int(np.searchsorted(asked, np.nansum(self.gpu_free))))
        for position, index in enumerate(order[:count]):
            pod = pods[index]
            yield Arrival(pod, pod_row(pod), position * DAY // count, *self.draw_usage())

    def nodes(self, step: int) -> Floats:
        """float32 [N, len(NODE_FEATURES)]: what a snapshot says at `step`."""
        matrix = np.empty((len(self.gpus), len(NODE_FEATURES)), np.float32)
        matrix[:, 0:2] = self.allocatable
        matrix[:, 2] = self.gpus
        matrix[:, 3:5] = self.requested
        matrix[:, 5] = self.gpus - np.nansum(self.gpu_free, axis=1)
        matrix[:, 6:8] = np.minimum(self.load[:, step].T, 1.0)
        matrix[:, 8:] = self.gpu_free
        return matrix

    def feasible(self, pod: load.OpenbPod, row: Floats) -> Bools:
        """bool [N]: nodes with room for the pod's requests and a GPU model that it accepts."""
        room: Bools = np.all(self.requested + row[:2] <= self.allocatable + 1e-3, axis=1)
        if not pod.gpus:
            return room
        if pod.gpu_models:
            room = room & np.isin(self.model, pod.gpu_models)
        need = min(pod.gpu_milli / 1000, 1.0)
        devices: Bools = np.count_nonzero(self.gpu_free >= need - TIGHT, axis=1) >= pod.gpus
        return room & devices

    def place(self, arrival: Arrival, node: int) -> Outcome:
        """Bind the pod and say what follows on its node, from the recorded future."""
        step, window = arrival.step, slice(arrival.step, arrival.step + AHEAD)
        before = self.fragment(node)
        self.requested[node] += arrival.row[:2]
        self.take_gpu(node, arrival.pod)
        self.add_usage(node, arrival.row[:2], step, arrival.machine, arrival.start)
        load_ahead = self.load[:, window]
        mine = load_ahead[:, :, node]
        return Outcome(
            hot=float((mine > HOT).any(axis=0).mean()),
            fragment=self.fragment(node) - before,
            balance=float(np.minimum(mine, 1.0).mean() - np.minimum(load_ahead[:, ::8], 1.0).mean()),
            scarce=float(not arrival.pod.gpus and self.gpus[node] > 0),
        )

    def take_gpu(self, node: int, pod: load.OpenbPod) -> None:
        """Take devices: the tightest that fit, one after the other (lowest index among equals)."""
        share = np.float32(pod.gpu_milli / 1000)
        for _ in range(pod.gpus):
            free = self.gpu_free[node]
            fitting = np.where(free >= share - TIGHT, free, np.inf)
            device = int(fitting.argmin())
            self.gpu_free[node, device] = max(0.0, free[device] - share)
            self.gpu_allocated += float(share)

    def fragment(self, node: int) -> float:
        """Devices' worth of free GPU on the node that the usual pods cannot use."""
        cpu = np.maximum(self.allocatable[node : node + 1, 0] - self.requested[node : node + 1, 0], 0.0)
        return float(fragment(self.recordings.tables, cpu, np.nan_to_num(self.gpu_free[node : node + 1]))[0])
