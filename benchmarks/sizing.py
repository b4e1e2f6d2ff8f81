"""What Berth's processes cost by the cluster's size: `python -m benchmarks.sizing --json FILE`.

For each size a mesh over so many recorded nodes, a snapshot each 15 s, pods at a fixed rate with every node named in
each call. Read first what this does not measure:
- Telemetry replays: a real one watches the API server and asks Prometheus besides. Nothing is written to history.
- One replica of each process; a call costs the same where there are three, as each pod asks one.
- Nodes are recorded ones with 170 columns each; above 1,523 they repeat.
- Processor time is all of the process's, in cores; memory is the largest resident size, sampled each second.

redis_mib: what the store holds at the end; network_kib_s: what a reader takes of it for snapshots is not in it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil
from redis import Redis

from benchmarks import machine
from benchmarks.client import Run, drive
from benchmarks.latency import progress, whole_numbers
from benchmarks.mesh import Mesh, running

PROCESSES = ("extender", "load-predictor", "placement-scorer", "anomaly-detector", "telemetry", "valkey")
INTERVAL_S = 15.0
SETTLING_S = 20.0
"""The first snapshots load what is loaded once."""


@dataclass(frozen=True)
class Cost:
    """One process at one size. cores: processor time by time; memory_mib: largest resident size."""

    nodes: int
    process: str
    pods_per_s: float
    cores: float
    memory_mib: float
    redis_mib: float | None = None


def main(argv: list[str] | None = None) -> int:
    """Measure each size, write, print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sizing", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nodes", type=whole_numbers, default=(50, 500, 5000), help="sizes, separated by commas")
    parser.add_argument("--rate", type=float, default=5.0, help="pods a second")
    parser.add_argument("--seconds", type=float, default=60.0, help="measured of each size, s")
    parser.add_argument("--json", type=Path, help="file for the rows")
    options = parser.parse_args(argv)
    described, rows = machine.describe(), list[Cost]()
    with progress(len(options.nodes)) as tell:
        for nodes in options.nodes:
            rows += costs(nodes, options.rate, options.seconds)
            tell(f"{nodes} nodes")
    made = [asdict(row) for row in rows]
    if options.json:
        options.json.write_text(json.dumps({"machine": described, "rows": made}, indent=1) + "\n", "utf-8")
    print(table(made))
    return 0


def costs(nodes: int, rate: float, seconds: float) -> Iterator[Cost]:
    """Of each process of a mesh over so many nodes."""
    with (
        tempfile.TemporaryDirectory(prefix="berth-sizing-") as folder,
        running(nodes, INTERVAL_S, Path(folder)) as mesh,
    ):
        time.sleep(SETTLING_S)
        watched = {name: psutil.Process(int(mesh.processes[name]["pid"])) for name in PROCESSES}
        run = Run(mesh.port(), tuple(mesh.nodes()), "sizing", rate, 0, seconds, False, 0)
        before = {name: cpu_s(process) for name, process in watched.items()}
        memory = loaded(run, watched)
        for name, process in watched.items():
            used = (cpu_s(process) - before[name]) / seconds
            held = held_mib(mesh) if name == "valkey" else None
            yield Cost(nodes, name, rate, round(used, 4), round(memory[name], 1), held)


def loaded(run: Run, watched: dict[str, psutil.Process]) -> dict[str, float]:
    """Largest memory of each process while pods are sent, MiB."""
    most = dict.fromkeys(watched, 0.0)
    client = get_context("spawn").Process(target=drive, args=(run,))
    client.start()
    while client.is_alive():
        for name, process in watched.items():
            most[name] = max(most[name], process.memory_info().rss / 2**20)
        client.join(1.0)
    if client.exitcode:
        raise SystemExit("the client has failed; what was measured is worth nothing")
    return most


def cpu_s(process: psutil.Process) -> float:
    """Processor time so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


def held_mib(mesh: Mesh) -> float:
    """What the store holds."""
    with Redis.from_url(mesh.redis_url) as redis:
        return round(float(redis.info("memory")["used_memory"]) / 2**20, 1)


def table(rows: list[dict[str, Any]]) -> str:
    """A line a process, a pair of columns a size."""
    sizes = sorted({row["nodes"] for row in rows})
    heads = "".join(f" {size:,} nodes: cores | MiB |" for size in sizes)
    lines = [f"| process |{heads}", f"|---|{'---:|---:|' * len(sizes)}"]
    for name in PROCESSES:
        cells = {row["nodes"]: row for row in rows if row["process"] == name}
        told = "".join(f" {cells[size]['cores']:.3f} | {cells[size]['memory_mib']:.0f} |" for size in sizes)
        lines.append(f"| {name} |{told}")
    held = {row["nodes"]: row["redis_mib"] for row in rows if row["redis_mib"] is not None}
    return "\n".join([*lines, f"| held in the store |{''.join(f' | {held[size]:.0f} |' for size in sizes)}"])


if __name__ == "__main__":
    sys.exit(main())
