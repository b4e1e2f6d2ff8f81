"""Writes a recorded week as history and breaks it: faults of random kind, place and size, and what they are.

By itself: it knows the documented layout of the files (services/telemetry/README.md) and nothing of the code that
judges them.

    python -m tests.services.telemetry.history.injector ROOT --seed 1 --truth truth.json
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from berth.recordings.load import bitbrains_week

Floats = NDArray[np.float32]
METRICS = ("cpu", "memory", "disk", "network")
STEP_S = 300
STEPS, NODES = 7 * 288, 40
CORES, MEMORY = 16.0, 64.0 * 2**30
SHORTEST_STUCK = 12
"""Steps of an hour: what is unchanged for less is none by definition."""


@dataclass
class Fault:
    """first, last: unix seconds of the steps that it is about. recorded: the recording has it by itself."""

    kind: str
    node: str
    metric: str
    first: int
    last: int
    recorded: bool = False


class History:
    """value: float32 [metric, step, node], NaN for none; teller: of each; second: a second teller's value."""

    def __init__(self, random: np.random.Generator) -> None:
        machines = bitbrains_week()
        chosen = random.choice(machines.usage.shape[2], NODES, replace=False)
        units = np.array([CORES, MEMORY, 1000.0, 1000.0], dtype=np.float32)
        self.value = machines.usage[:, :, chosen] * units[:, None, None]
        self.start = machines.start
        self.nodes = [f"machine-{number}" for number in chosen]
        self.teller = np.zeros(self.value.shape, dtype=np.int64)
        self.second = np.full(self.value.shape, np.nan, dtype=np.float32)
        self.touched = np.zeros(self.value.shape, dtype=bool)


def inject(history: History, random: np.random.Generator, faults: int) -> list[Fault]:
    """As many faults, none of which touches another, and the gaps that the recording has by itself."""
    truth = recorded_gaps(history)
    faults += len(truth)
    while len(truth) < faults:
        kind = str(random.choice(["gap", "duplicate", "out-of-range", "stuck", "label-churn"]))
        shortest, longest = {"stuck": (SHORTEST_STUCK, 576), "out-of-range": (1, 50)}.get(kind, (1, 300))
        length = int(np.exp(random.uniform(np.log(shortest), np.log(longest + 1))))
        metric, node = int(random.integers(4)), int(random.integers(NODES))
        first = int(random.integers(2, STEPS - length - 2))
        steps = slice(first, first + length)
        if kind == "label-churn":
            length = 1
        around = history.touched[metric, first - 2 : first + length + 2, node]
        if around.any() or np.isnan(history.value[metric, first - 2 : first + length + 2, node]).any():
            continue
        if not broken(history, kind, metric, steps, node, random):
            continue
        history.touched[metric, first : first + length, node] = True
        at = history.start + first * STEP_S
        truth.append(Fault(kind, history.nodes[node], METRICS[metric], at, at + (length - 1) * STEP_S))
    return truth


def recorded_gaps(history: History) -> list[Fault]:
    """Where the recording has no value, but for the ends of a machine's time."""
    there = ~np.isnan(history.value).all(axis=0)
    found = []
    for metric, name in enumerate(METRICS):
        for node, machine in enumerate(history.nodes):
            alive = np.flatnonzero(there[:, node])
            known = np.flatnonzero(~np.isnan(history.value[metric, :, node]))
            known = np.concatenate([[alive[0] - 1], known, [alive[-1] + 1]]) if len(alive) else known
            for before, after in zip(known[:-1].tolist(), known[1:].tolist(), strict=True):
                if after > before + 1:
                    at = history.start + before * STEP_S
                    found.append(Fault("gap", machine, name, at + STEP_S, at + (after - before - 1) * STEP_S, True))
    return found


def broken(history: History, kind: str, metric: int, steps: slice, node: int, random: np.random.Generator) -> bool:
    """Break it. Whether that has changed anything."""
    value = history.value[metric, :, node]
    length = steps.stop - steps.start
    if kind == "gap":
        value[steps] = np.nan
    elif kind == "duplicate":
        history.second[metric, steps, node] = value[steps] * random.choice([0.5, 1.0, 1.5])
    elif kind == "out-of-range":
        value[steps] = impossible(metric, length, random)
    elif kind == "stuck":
        if np.mean(value[steps] != value[steps.start]) < 0.5:
            return False  # the recording stood still by itself for most of it
        value[steps] = value[steps.start]
    else:
        history.teller[metric, steps.start :, node] += 1
    return True


def impossible(metric: int, length: int, random: np.random.Generator) -> Floats:
    """Values that no node can have."""
    whole = (CORES, MEMORY, 1e12, 1e12)[metric]
    kind = random.choice(["negative", "too much", "infinite"])
    if kind == "negative":
        return (-random.uniform(0.01, 1.0, length) * whole).astype(np.float32)
    return (random.uniform(1.2, 50.0, length) * (whole if kind == "too much" else np.inf)).astype(np.float32)


def rows(history: History) -> pa.Table:
    """All of it, by time."""
    at = (history.start + STEP_S * np.arange(STEPS)).astype("datetime64[s]").astype("datetime64[ms]")
    parts = []
    for metric, name in enumerate(METRICS):
        for value, series in ((history.value, "10.0"), (history.second, "10.1")):
            step, node = np.nonzero(~np.isnan(value[metric]))
            teller = history.teller[metric, step, node] if series == "10.0" else np.zeros(len(step), dtype=np.int64)
            told_by = [f"instance={series}.{n}.{t}:9100" for n, t in zip(node.tolist(), teller.tolist(), strict=True)]
            parts.append(columns(at[step], [history.nodes[n] for n in node], name, told_by, value[metric, step, node]))
    for name, whole in (("cpu_capacity", CORES), ("memory_capacity", MEMORY)):
        there = np.repeat(at, NODES)
        told = np.full(len(there), whole, dtype=np.float32)
        parts.append(columns(there, history.nodes * STEPS, name, ["node"] * len(there), told))
    return pa.concat_tables(parts).sort_by("at")


def columns(at: NDArray[np.datetime64], nodes: list[str], metric: str, told_by: list[str], value: Floats) -> pa.Table:
    """Rows of one metric."""
    return pa.table(
        {
            "at": pa.array(at, pa.timestamp("ms", tz="UTC")),
            "node": pa.array(nodes, pa.string()),
            "metric": pa.array([metric] * len(nodes), pa.string()),
            "told_by": pa.array(told_by, pa.string()),
            "value": pa.array(value, pa.float32()),
        }
    )


def write(history: History, root: Path) -> None:
    """`usage/day=…/HH-….parquet`."""
    everything = rows(history)
    hours = pc.floor_temporal(everything["at"], unit="hour")
    for hour in hours.unique().to_pylist():
        folder = root / "usage" / f"day={hour:%Y-%m-%d}"
        folder.mkdir(parents=True, exist_ok=True)
        table = everything.filter(pc.equal(hours, pa.scalar(hour, hours.type)))
        pq.write_table(table, folder / f"{hour:%H}-live-1.parquet")


def main() -> None:
    """Exit status 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("root", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--truth", type=Path, required=True)
    given = parser.parse_args()
    random = np.random.default_rng(given.seed)
    history = History(random)
    truth = inject(history, random, given.faults)
    write(history, given.root)
    given.truth.write_text(json.dumps([asdict(one) for one in truth], indent=1), "utf-8")


if __name__ == "__main__":
    main()
