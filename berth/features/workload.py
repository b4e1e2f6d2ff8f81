"""What runs on a node: what it asks for against what it uses, of which kind it is, and how often it changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from berth.features.feature import Feature

Floats = NDArray[np.float32]

BARE = "NaN; also without requests"
EMPTY = "NaN; also without pods"


def workload(name: str, unit: str, window: str, description: str, missing: str, source: str = "pods") -> Feature:
    """A column of this family."""
    return Feature(name, "workload", unit, window, description, source, missing)


FEATURES: tuple[Feature, ...] = (
    workload("cpu_used_of_requested", "ratio", "now", "CPU in use over CPU requested", BARE, "usage, pods"),
    workload("memory_used_of_requested", "ratio", "now", "memory in use over memory requested", BARE, "usage, pods"),
    workload("burstable_share", "share", "now", "of the CPU requested, by pods that are not Guaranteed", BARE),
    workload("stateful_share", "share", "now", "of the bound pods, those of a StatefulSet", EMPTY),
    workload("job_share", "share", "now", "of the bound pods, those of a Job", EMPTY),
    workload("priority", "0 to 3", "now", "mean band of the bound pods: below 0, 0, to a million, more", EMPTY),
    workload("churn", "pods", "1 h", "bound in the last hour and still there", "NaN"),
)


@dataclass(frozen=True)
class Running:
    """Sums over a node's bound pods, each float32 [node]. burstable: cores requested by pods that are not Guaranteed;
    stateful, jobs: pods; bands: priority bands; started: pods bound in the last hour."""

    burstable: Floats
    stateful: Floats
    jobs: Floats
    bands: Floats
    started: Floats

    @classmethod
    def unknown(cls, nodes: int) -> Running:
        """Nobody tells."""
        return cls(*np.full((5, nodes), np.nan, dtype=np.float32))


def workload_columns(running: Running, used: Floats, allocatable: Floats, requested: Floats, pods: Floats) -> Floats:
    """float32 [node, len(FEATURES)]. used: float32 [2, node], shares of `allocatable`, which as `requested` is float32
    [2, node], cpu and memory; pods: float32 [node], how many are bound."""
    ratios = over(used * allocatable, requested)
    shares = [over(running.burstable, requested[0]), over(running.stateful, pods), over(running.jobs, pods)]
    return np.stack([*ratios, *shares, over(running.bands, pods), running.started], axis=1, dtype=np.float32)


def over(part: Floats, whole: Floats) -> Floats:
    """part / whole, NaN where there is no whole."""
    return np.asarray(part / np.where(whole > 0, whole, np.float32(np.nan)), dtype=np.float32)
