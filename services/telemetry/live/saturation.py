"""Incidents that usage tells of: a node whose CPU or memory is as good as all in use for minutes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.telemetry.live.incidents import Incidents
from services.telemetry.live.usage import Reading

SATURATED = 0.95
"""Share of what pods may request."""
FOR_S = 300.0
METRICS = ("cpu", "memory")


@dataclass
class Above:
    """since: moment of the first reading above SATURATED, last: of the newest, unix seconds."""

    since: float
    last: float


class Saturation:
    """above: by node and metric, while readings are."""

    def __init__(self, incidents: Incidents, oldest_s: float) -> None:
        self.incidents, self.oldest_s = incidents, oldest_s
        self.above: dict[tuple[str, str], Above] = {}

    def observe(self, metric: str, readings: Mapping[str, Reading], whole: Mapping[str, float]) -> None:
        """The newest readings of a metric by node, as often as one likes: only the time between readings counts.
        whole: what each node has, in the readings' unit."""
        for node, reading in readings.items():
            share = reading.value / whole[node] if whole.get(node, 0.0) > 0.0 else None
            if share is not None:
                self._enter(node, metric, share, reading.at)
        for key in [key for key in self.above if key[1] == metric and key[0] not in readings]:
            del self.above[key]

    def _enter(self, node: str, metric: str, share: float, at: float) -> None:
        above = self.above.get((node, metric))
        if share <= SATURATED:
            self.above.pop((node, metric), None)
            self.incidents.end(at, node, "saturation", metric)
        elif above is None or at > above.last + self.oldest_s:
            self.above[node, metric] = Above(at, at)  # what lies between was not told
        else:
            above.last = max(above.last, at)
            if above.last - above.since >= FOR_S:
                self.incidents.begin(above.since, node, "saturation", metric, share=round(share, 3))
