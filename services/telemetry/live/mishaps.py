"""What pods tell of: evictions and OOM kills as incidents, restarts and evictions of the last hour as counts. Pure.

Each is known by the pod's uid and what tells it from the pod's others, so that a pod may be told of in any order, by
several watches, and again.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from berth.cluster.health import ContainerEnd, PodHealth
from services.telemetry.live.incidents import Incidents

HOUR_S = 3600.0
MOST_AT_ONCE = 1000
"""Restarts between two words of one container."""


class LastHour:
    """Things that happened on nodes, each once, and forgotten after an hour."""

    def __init__(self) -> None:
        self.moments: dict[str, dict[Hashable, float]] = {}

    def add(self, node: str, thing: Hashable, at: float, now: float) -> None:
        """at: unix seconds; of two words the first counts."""
        if node and at > now - HOUR_S:
            self.moments.setdefault(node, {}).setdefault(thing, min(at, now))

    def counts(self, now: float) -> dict[str, int]:
        """How many by node; a node without any is left out."""
        for node, moments in list(self.moments.items()):
            self.moments[node] = {thing: at for thing, at in moments.items() if at > now - HOUR_S}
        self.moments = {node: moments for node, moments in self.moments.items() if moments}
        return {node: len(moments) for node, moments in self.moments.items()}


class Mishaps:
    """Of the pods of one watch; incidents, restarts and evictions may be shared with another's. seen: restarts of each
    container by pod."""

    def __init__(self, incidents: Incidents, restarts: LastHour, evictions: LastHour) -> None:
        self.incidents, self.restarts, self.evictions = incidents, restarts, evictions
        self.seen: dict[str, dict[str, int]] = {}

    def replace(self, pods: Iterable[PodHealth], now: float) -> None:
        """These are all that have something to tell. now: unix seconds."""
        found = {pod.uid: pod for pod in pods}
        self.seen = {uid: seen for uid, seen in self.seen.items() if uid in found}
        for pod in found.values():
            self.put(pod, now)

    def put(self, pod: PodHealth, now: float) -> None:
        """One has something to tell."""
        for container in pod.containers:
            self._restarted(pod, container, now)
            for at in container.oom_killed:
                self.incidents.happened(at, pod.node, "oom-kill", f"{pod.name}/{container.container}", now)
        if pod.evicted:
            self.evictions.add(pod.node, pod.uid, pod.evicted, now)
            self.incidents.happened(pod.evicted, pod.node, "eviction", pod.name, now, message=pod.message)

    def drop(self, uid: str) -> None:
        """One is gone; what it has told stays."""
        self.seen.pop(uid, None)

    def _restarted(self, pod: PodHealth, container: ContainerEnd, now: float) -> None:
        """Each restart since the last word; of those before the first word only the last has a time."""
        seen = self.seen.setdefault(pod.uid, {})
        before = seen.get(container.container, container.restarts - 1)
        for number in range(max(before, container.restarts - MOST_AT_ONCE), container.restarts):
            if container.ended:
                self.restarts.add(pod.node, (pod.uid, container.container, number), container.ended, now)
        seen[container.container] = max(before, container.restarts)
