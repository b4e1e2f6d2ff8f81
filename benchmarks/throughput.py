"""How many pods a second kube-scheduler binds: `python -m benchmarks.throughput --nodes 1000,5000 --json F`.

Real etcd, kube-apiserver and kube-scheduler (`tests/lab`), real Berth, everything on one machine. Read first what this
does not measure:
- No cores of their own: scheduler, API server, store, extender, models and the watch share this machine's cores, so
  an extender's call mostly waits for a core. Compare with the no-op extenders of the same run, which wait as well;
  --one-core shows what that waiting costs.
- No network between scheduler and extender, no kubelets, no other controllers that change pods.
- All pods are alike and exist before kube-scheduler starts. The rate is that between the 10th and the 90th
  percentile of the times of binding, as a watch sees them; start-up is not in it.
- Berth's telemetry replays recorded machines; what is bound here is not told to it, but counts as in flight.

Setups, each once a round and each round in another order:
- default, default-no-batching: kube-scheduler alone; without OpportunisticBatching, which any extender switches off.
- trimaran-tlp: an in-process rival, scheduler-plugins' TargetLoadPacking, on the same recorded load (Kubernetes 1.34).
- noop-go, noop-fastapi: extenders that answer neutrally; the second on the extender's own server stack.
- berth-off, berth-shadow, berth-active: the mode. berth-active-new-snapshots: with a new snapshot each 15 s.
- …-prioritize-only: without the filter verb.

scored_share: pods answered with scores of all three models, of all pods. extender_cpu_s: processor time of the
extender's process alone, for all pods of the round.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks import machine, rival
from benchmarks.latency import progress, whole_numbers
from benchmarks.rounds import ONE_CORE, Plan, Row, measure
from benchmarks.summary import table

SETUPS = (
    *("default", "default-no-batching", rival.SETUP, "noop-go", "noop-fastapi"),
    *("berth-off", "berth-shadow", "berth-active", "berth-active-new-snapshots"),
    *("noop-go-prioritize-only", "noop-fastapi-prioritize-only", "berth-active-prioritize-only"),
)


def main(argv: list[str] | None = None) -> int:
    """Measure, write, print the table. Rows are written as they come: an interrupted run loses none."""
    options = parse(argv)
    plan = Plan(options.nodes, options.setups, options.rounds, options.pods, options.one_core)
    described = machine.describe()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="berth-throughput-") as folder, progress(plan.steps) as tell:
        for row in measure(plan, Path(folder), tell):
            rows.append(row)
            write(options.json, described, rows)
    print(table([asdict(row) for row in rows]))
    if options.plot:
        from benchmarks.chart import draw  # a second of matplotlib, for a picture alone

        draw([asdict(row) for row in rows], options.plot)
    return 0


def write(path: Path | None, described: dict[str, object], rows: list[Row]) -> None:
    """All rows so far."""
    if path is not None:
        text = json.dumps({"machine": described, "rows": [asdict(row) for row in rows]}, indent=1) + "\n"
        path.write_text(text, "utf-8")


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.throughput",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--nodes", type=whole_numbers, default=(1000, 5000), help="sizes, separated by commas")
    parser.add_argument("--rounds", type=int, default=5, help="rounds a size")
    parser.add_argument("--pods", type=int, default=2000, help="pods a setup and round")
    parser.add_argument("--setups", type=setup_names, default=SETUPS, help=f"of {', '.join(SETUPS)}")
    parser.add_argument("--one-core", action="store_true", help=f"a core for each side; setups are named …{ONE_CORE}")
    parser.add_argument("--json", type=Path, help="file for the raw rows")
    parser.add_argument("--plot", type=Path, help="file for a picture, PNG or SVG")
    return parser.parse_args(argv)


def setup_names(text: str) -> tuple[str, ...]:
    """'default,noop-go' as names of setups. Raises argparse's error."""
    names = tuple(text.split(","))
    if not set(names) <= set(SETUPS):
        raise argparse.ArgumentTypeError(f"one or more of {', '.join(SETUPS)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
