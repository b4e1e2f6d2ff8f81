"""What goes wrong on nodes, put together from the watches and from usage, behind one lock.

The watches fill it on the event loop; usage comes from the source's thread, and the journal reads in another.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from berth.cluster.health import Condition, HealthError, PodHealth, read_node_health, read_pod_health, read_uid
from berth.features.node_health import Fared, Floats
from services.telemetry.history.incidents import Incident
from services.telemetry.live.conditions import Conditions
from services.telemetry.live.fared import WEEK_S, fared
from services.telemetry.live.incidents import Incidents
from services.telemetry.live.listwatch import Copy
from services.telemetry.live.mishaps import LastHour, Mishaps
from services.telemetry.live.saturation import METRICS, Saturation
from services.telemetry.live.usage import Reading

T = TypeVar("T")


class Health:
    """nodes, running, failed: copies for the watches of nodes and of pods that run and that have failed. watched_since:
    from then on all incidents are known, unix seconds."""

    def __init__(self, oldest_s: float) -> None:
        self.lock = threading.Lock()
        self.watched_since = time.time()
        self.incidents = Incidents()
        self.restarts, self.evictions = LastHour(), LastHour()
        self.conditions, self.saturation = Conditions(self.incidents), Saturation(self.incidents, oldest_s)
        self.nodes = NodesTold(self.lock, self.conditions)
        self.running, self.failed = (
            PodsTold(self.lock, Mishaps(self.incidents, self.restarts, self.evictions)) for _ in range(2)
        )

    def observe(self, readings: Mapping[str, Mapping[str, Reading]], whole: Mapping[str, Mapping[str, float]]) -> None:
        """The newest readings by metric and node, and what nodes have of it."""
        with self.lock:
            for metric in METRICS:
                self.saturation.observe(metric, readings[metric], whole[metric])

    def adopt(self, stored: Sequence[Incident], now: float) -> None:
        """Go on with the incidents that are written; whoever wrote the oldest watched before. Under the lock."""
        self.incidents.adopt(stored, now)
        self.conditions.settle(now)
        self.watched_since = min([self.watched_since, *(one.at for one in stored)])

    def fared(self, nodes: Sequence[str], lines: Floats, now: float) -> Fared:
        """How nodes fare, for a snapshot. lines: of error, float32 [node]."""
        with self.lock:
            latest, nothing = self.conditions.latest, dict[str, Condition]()
            told = [latest.get(node, nothing) for node in nodes]
            return fared(nodes, self.incidents.since(now - WEEK_S), told, lines, self.watched_since, now)

    def last_hour(self, nodes: Iterable[str], now: float) -> dict[str, dict[str, float]]:
        """Signals 'restarts' and 'evictions' of each node."""
        with self.lock:
            found = {"restarts": self.restarts.counts(now), "evictions": self.evictions.counts(now)}
        return {signal: {node: float(counts.get(node, 0)) for node in nodes} for signal, counts in found.items()}


@dataclass(frozen=True)
class NodesTold:
    """A `listwatch.Copy` that keeps conditions. What cannot be read says nothing; the accounts' copy counts it."""

    lock: threading.Lock
    conditions: Conditions

    def replace(self, objects: Sequence[msgspec.Raw]) -> None:
        """These are all there are."""
        found = readable(objects, read_node_health)
        with self.lock:
            self.conditions.replace(found, time.time())

    def put(self, thing: msgspec.Raw) -> None:
        """One is there, or has changed."""
        with self.lock:
            for node in readable([thing], read_node_health):
                self.conditions.put(node, time.time())

    def drop(self, thing: msgspec.Raw) -> None:
        """One is gone."""
        with self.lock:
            for node in readable([thing], read_node_health):
                self.conditions.drop(node.name, time.time())


@dataclass(frozen=True)
class PodsTold:
    """A `listwatch.Copy` that keeps what pods have to tell."""

    lock: threading.Lock
    mishaps: Mishaps

    def replace(self, objects: Sequence[msgspec.Raw]) -> None:
        """These are all there are."""
        found = told(objects)
        with self.lock:
            self.mishaps.replace(found, time.time())

    def put(self, thing: msgspec.Raw) -> None:
        """One is there, or has changed."""
        with self.lock:
            for pod in told([thing]):
                self.mishaps.put(pod, time.time())

    def drop(self, thing: msgspec.Raw) -> None:
        """One is gone."""
        with self.lock:
            for uid in readable([thing], read_uid):
                self.mishaps.drop(uid)


@dataclass(frozen=True)
class Together:
    """Copies that are told the same."""

    copies: tuple[Copy, ...]

    def replace(self, objects: Sequence[msgspec.Raw]) -> None:
        """These are all there are."""
        for copy in self.copies:
            copy.replace(objects)

    def put(self, thing: msgspec.Raw) -> None:
        """One is there, or has changed."""
        for copy in self.copies:
            copy.put(thing)

    def drop(self, thing: msgspec.Raw) -> None:
        """One is gone."""
        for copy in self.copies:
            copy.drop(thing)


def told(objects: Iterable[msgspec.Raw]) -> list[PodHealth]:
    """Of the pods that have something to tell."""
    return [pod for pod in readable(objects, read_pod_health) if pod is not None]


def readable(objects: Iterable[msgspec.Raw], read: Callable[[msgspec.Raw], T]) -> list[T]:
    """Those that can be read."""
    found = []
    for thing in objects:
        with suppress(HealthError):
            found.append(read(thing))
    return found
