"""What nodes use now: the newest value of each metric and node, with its age."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.telemetry.live.prometheus import Sample

Floats = NDArray[np.float32]

METRICS = ("cpu", "memory", "disk", "network")
"""In the order of a snapshot's and a history's planes."""
NODE_LABELS = ("node", "nodename", "instance", "kubernetes_node", "node_name")
"""Labels that may name a node, the first that does wins."""
LARGEST = sys.float_info.max


class Reading(NamedTuple):
    """value: in the query's unit, never NaN; at: unix seconds by our clock."""

    value: float
    at: float


@dataclass
class Usage:
    """The newest readings. Missing is not zero: what no sample tells keeps its last value, which ages."""

    readings: dict[str, dict[str, Reading]] = field(default_factory=lambda: {metric: {} for metric in METRICS})

    def take(
        self, metric: str, samples: Iterable[Sample], names: Mapping[str, str], now: float, most: float = LARGEST
    ) -> Counter[str]:
        """Enter what one query has answered. names: the node of each name and address; most: the largest value that can
        be. Returns how many samples were left out, by reason: 'stranger' (no node of the cluster), 'out-of-range',
        'duplicate' (a larger value of the same node is there: an exporter that was replaced is told of for some minutes
        more)."""
        best, left_out = dict[str, float](), Counter[str]()
        for sample in samples:
            node = node_of(sample.labels, names)
            if not node:
                left_out["stranger"] += 1
            elif not 0.0 <= sample.value <= most:
                left_out["out-of-range"] += 1
            else:
                left_out["duplicate"] += node in best
                best[node] = max(sample.value, best.get(node, 0.0))
        self.readings[metric].update({node: Reading(value, now) for node, value in best.items()})
        return +left_out

    def keep(self, nodes: Iterable[str]) -> None:
        """Only these nodes are there."""
        there = set(nodes)
        for kept in self.readings.values():
            for name in kept.keys() - there:
                del kept[name]

    def values(self, nodes: Sequence[str], since: float) -> Floats:
        """float32 [metric, node]: in the queries' units, NaN where there is no reading as new as `since`."""
        columns = [[value_since(self.readings[metric].get(name), since) for name in nodes] for metric in METRICS]
        return np.array(columns, dtype=np.float32).reshape(len(METRICS), len(nodes))

    def ages(self, now: float) -> dict[str, float | None]:
        """Age of each metric's newest reading, s; None without one."""
        newest = {
            metric: max((r.at for r in list(kept.values())), default=None) for metric, kept in self.readings.items()
        }
        return {metric: None if at is None else now - at for metric, at in newest.items()}


def value_since(reading: Reading | None, since: float) -> float:
    """Its value; NaN without one or for an older one."""
    return reading.value if reading is not None and reading.at >= since else math.nan


def node_of(labels: Mapping[str, str], names: Mapping[str, str]) -> str:
    """The node that a series is about, '' for none: a label's value, or its part before the port, is a node's name or
    address."""
    for label in NODE_LABELS:
        value = labels.get(label)
        if value:
            found = names.get(value) or names.get(value.rpartition(":")[0].strip("[]"))
            if found:
                return found
    return ""


def believable(values: Floats) -> Floats:
    """The same with NaN for what no node can use."""
    return np.where((values >= 0.0) & (values < np.inf), values, np.float32(np.nan))


def told(samples: Iterable[Sample], names: Mapping[str, str]) -> list[tuple[str, str, float]]:
    """Node, series and value of each sample that is about a node, as history keeps them: odd values too."""
    return [
        (node, origin(sample.labels), sample.value) for sample in samples if (node := node_of(sample.labels, names))
    ]


def origin(labels: Mapping[str, str]) -> str:
    """Of which series a value is: the labels that may name a node."""
    return ",".join(f"{label}={labels[label]}" for label in NODE_LABELS if labels.get(label))


def in_units(metric: str, raw: Floats, whole: Mapping[str, Floats]) -> Floats:
    """Values of a metric, float32 [..., node], as models were trained: cores and bytes as shares of what a node has,
    bytes a second as log1p of KB/s. whole: of 'cpu' and 'memory', float32 [node], NaN for a node that has none."""
    found = raw / whole[metric] if metric in whole else np.log1p(raw / np.float32(1000.0))
    return np.asarray(found, dtype=np.float32)
