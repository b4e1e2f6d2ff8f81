"""kube-scheduler's cycle for one pod after another: sample, filter, prioritize, choose, bind.

Source: pkg/scheduler/schedule_one.go and extender.go of Kubernetes v1.36; the extender is `ignorable`. The node is the
one with the extender's highest score; where scores are equal (a neutral answer) kube-scheduler's own decide.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from berth.cluster.pods import PodRequest
from berth.recordings.load import OpenbPod
from berth.simulator.cluster import ReplayedCluster
from berth.simulator.scheduling import NodeSampler, default_scores
from cli.demo.client import Answer, Client
from cli.demo.pods import manifest, request_of

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Placed:
    """One pod's cycle. prioritize_ms: None where one node was left, as it is not called then. by_requests: the nodes
    that kube-scheduler's own scoring holds best. bound: whether the replayed cluster took the pod."""

    pod: PodRequest
    nodes: int
    node: str
    by_requests: frozenset[str]
    filter_ms: float
    prioritize_ms: float | None
    bound: bool

    @property
    def differs(self) -> bool:
        """Whether kube-scheduler's own scoring would have chosen another node, whatever its draw among equals."""
        return self.node not in self.by_requests


@dataclass
class Counts:
    """Calls to the extender. unanswered: no answer within 5 s, or a broken connection."""

    calls: int = 0
    unanswered: int = 0
    non_200: int = 0
    useless: int = 0
    skipped: int = 0
    refused_binds: int = 0

    def note(self, answer: Answer) -> None:
        """Counts one call."""
        self.calls += 1
        self.unanswered += answer.status is None
        self.non_200 += answer.status not in (None, 200)


@dataclass
class Scheduler:
    """Schedules pods onto a cluster through an extender, and binds them in the replay. running: uids of those bound."""

    cluster: ReplayedCluster
    extender: Client
    replay: Client
    counts: Counts = field(default_factory=Counts)
    sampler: NodeSampler = field(default_factory=NodeSampler)
    running: list[str] = field(default_factory=list)

    def run(self, pods: Iterable[OpenbPod]) -> Iterator[Placed]:
        """A cycle for each pod that fits anywhere; the others never reach an extender."""
        for pod in pods:
            placed = self.schedule(manifest(pod))
            if placed is None:
                self.counts.skipped += 1
            else:
                yield placed

    def schedule(self, pod: dict[str, Any]) -> Placed | None:
        """One cycle; None where no node is feasible."""
        request = request_of(pod)
        rows = self.sampler.sample(self.cluster.feasible(request))
        if not rows.size:
            return None
        names = [self.cluster.names[int(row)] for row in rows]
        own = self.own_scores(request)[rows]
        filtered = self.ask("/scheduler/filter", pod, names)
        left = survivors(filtered, names)
        kept = [position for position, name in enumerate(names) if name in left]
        scores, prioritize_ms = np.zeros(len(names)), None
        if len(kept) > 1:
            answer = self.ask("/scheduler/prioritize", pod, [names[position] for position in kept])
            scores, prioritize_ms = self.scores(answer, names), answer.ms
        best = max(kept, key=lambda position: (scores[position], own[position], -position))
        bound = self.bind(request, names[best])
        by_requests = frozenset(names[int(position)] for position in np.flatnonzero(own == own.max()))
        return Placed(request, len(names), names[best], by_requests, filtered.ms, prioritize_ms, bound)

    def own_scores(self, pod: PodRequest) -> Doubles:
        """kube-scheduler's request-based scores: float64 [nodes], 0 to 200."""
        c = self.cluster
        return default_scores(pod, c.cpu_allocatable, c.cpu_requested, c.memory_allocatable, c.memory_requested)

    def ask(self, path: str, pod: dict[str, Any], names: list[str]) -> Answer:
        """One counted call with ExtenderArgs, `nodeCacheCapable: true`."""
        answer = self.extender.post(path, json.dumps({"Pod": pod, "Nodes": None, "NodeNames": names}).encode())
        self.counts.note(answer)
        return answer

    def scores(self, answer: Answer, names: list[str]) -> Doubles:
        """float64 [names]: a failed prioritize counts as 0 everywhere, as kube-scheduler has it."""
        given = host_scores(answer)
        if given is None:
            self.counts.useless += 1
            return np.zeros(len(names))
        return np.array([float(given.get(name, 0)) for name in names])

    def bind(self, pod: PodRequest, node: str) -> bool:
        """Runs the pod in the replay and in our picture of it."""
        asked = ("uid", "namespace", "name", "cpu", "memory", "gpus", "gpu_milli", "gpu_models", "priority", "qos")
        body = {"node": node, **{name: getattr(pod, name) for name in (*asked, "owner_kind", "owner_uid")}}
        bound = self.replay.post("/replay/bind", json.dumps(body).encode()).status == 200
        if bound:
            self.cluster.bind(pod, self.cluster.row(node))
            self.running.append(pod.uid)
        self.counts.refused_binds += not bound
        return bound

    def release(self) -> None:
        """Ends what was bound, in the replay alone."""
        for uid in self.running:
            self.replay.post("/replay/release", json.dumps({"uid": uid}).encode())
        self.running.clear()


def survivors(answer: Answer, names: list[str]) -> set[str]:
    """What filter leaves; all nodes where it failed, as an ignorable extender is passed."""
    said = decoded(answer)
    if not isinstance(said, dict) or said.get("Error") or not said.get("NodeNames"):
        return set(names)
    return set(said["NodeNames"]) & set(names)


def host_scores(answer: Answer) -> dict[str, int] | None:
    """HostPriorityList by host; None where it is none."""
    said = decoded(answer)
    if not isinstance(said, list):
        return None
    return {entry["Host"]: entry["Score"] for entry in said}


def decoded(answer: Answer) -> object:
    """JSON of an answer with status 200, else None."""
    if answer.status != 200:
        return None
    try:
        return json.loads(answer.body)
    except ValueError:
        return None
