"""How long kube-scheduler waits: `python -m benchmarks.latency --nodes 100,1000,5000 --json F`.

Read first what this does not measure:
- No network: client, extender, models, telemetry and Valkey share one machine and its cores, so they also take
  processor time from each other. With a core for each, figures are lower; with a network between, higher.
- No kube-scheduler: its own work between the verbs, and its sampling of nodes, are left out. Every call names every
  node; kube-scheduler at its defaults names 10 % of 5,000 nodes (500).
- Pods are not bound. Each counts as in flight for 60 s, so every pod finds rows that others have changed, as in a
  burst. Nothing is ever condemned by filter (it is off by default), so prioritize is asked about all nodes.
- The client is Python: it adds about 0.1 ms a call (measured against a server that only echoes), and up to 0.1 ms
  where it sleeps until a pod is due.
- p99.9 of fewer than 1,000 calls is their largest value.

Cases. Each run starts on a snapshot of its own; no other comes unless the case says so.
- warm: pods of 8 classes that were seen before. Their scores are in memory but for rows changed by pods in flight.
- cold: every pod is of a class that was never seen: the placement scorer is asked about every node.
- new-snapshot: warm, with two new snapshots 15 s apart (--every) in a run of 19 s: their scores are not in memory,
  and models, Redis and the extender work on them beside the pods.
- model-stalled: cold, with the placement scorer stopped (SIGSTOP) just before the first pod: it hangs, which is
  worse than being gone.
- redis-down: cold, with Valkey stopped (SIGSTOP) just before the first pod.

Loads: closed loop (rate null) sends the next pod when the one before has its answer. A fixed rate sends pods by the
clock, and the clock of a pod starts when it was due, so that waiting behind a slow one counts. Pods still go one
after another, as in kube-scheduler, so a rate above what that allows would measure the queue alone.

`sum` is filter and prioritize of one pod. scored_share: pods answered with scores of all three models, fresh or
cached, of all pods (all are opted in). An answer with status 200 that is wrong ends the run with an error.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from benchmarks import machine
from benchmarks.runs import CASES, Plan, Row, Tell, measure

LIMIT_MS = 100.0
"""p99 of the sum in every case."""


def over_limit(rows: list[Row]) -> list[str]:
    """What breaks the limit, in words."""
    return [
        f"{row.case}, {row.nodes} nodes, rate {row.rate}: p99 {row.p99_ms} ms, {row.non_200} not 200"
        for row in rows
        if row.verb == "sum" and (row.p99_ms >= LIMIT_MS or row.non_200)
    ]


def main(argv: list[str] | None = None) -> int:
    """Measure, write, and say what is over the limit: exit code 1 then."""
    options = parse(argv)
    plan = plan_of(options)
    described = machine.describe()
    with progress(plan.runs + len(plan.nodes)) as tell:
        rows = measure(plan, tell)
    text = json.dumps({"machine": described, "rows": [asdict(row) for row in rows]}, indent=1) + "\n"
    if options.json:
        options.json.write_text(text, "utf-8")
    else:
        print(text, end="")
    for words in over_limit(rows):
        print(f"over the limit: {words}", file=sys.stderr)
    return 1 if over_limit(rows) else 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.latency", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nodes", type=whole_numbers, default=(100, 1000, 5000), help="sizes, separated by commas")
    parser.add_argument("--json", type=Path, help="file for the results (default: standard output)")
    parser.add_argument("--calls", type=int, default=400, help="pods a run, at most (new-snapshot: by time)")
    parser.add_argument("--seconds", type=float, default=6.0, help="a run, at most")
    parser.add_argument("--rates", type=numbers, default=(10.0, 25.0), help="pods a second beside the closed loop")
    parser.add_argument("--cases", type=case_names, default=CASES, help=f"of {', '.join(CASES)}")
    parser.add_argument("--every", type=float, default=15.0, help="seconds between snapshots in new-snapshot")
    parser.add_argument("--short", action="store_true", help="under a minute: 1,000 nodes, few calls")
    return parser.parse_args(argv)


def plan_of(options: argparse.Namespace) -> Plan:
    """What the command line asks for."""
    if options.short:
        return Plan((1000,), (20.0,), options.cases, calls=60, seconds=1.5, every_s=1.0, lead_s=0.8)
    return Plan(options.nodes, options.rates, options.cases, options.calls, options.seconds, options.every)


def whole_numbers(text: str) -> tuple[int, ...]:
    """'100,1000' as numbers."""
    return tuple(int(part) for part in text.split(","))


def numbers(text: str) -> tuple[float, ...]:
    """'10,20.5' as numbers; '' is none."""
    return tuple(float(part) for part in text.split(",") if part)


def case_names(text: str) -> tuple[str, ...]:
    """'warm,cold' as names of cases. Raises argparse's error."""
    names = tuple(text.split(","))
    if not set(names) <= set(CASES):
        raise argparse.ArgumentTypeError(f"one or more of {', '.join(CASES)}")
    return names


@contextlib.contextmanager
def progress(steps: int) -> Iterator[Tell]:
    """A bar on a terminal; a line a step on standard error elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda what: print(what, file=sys.stderr, flush=True)
        return
    columns = (BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=steps)
        yield lambda what: bar.update(task, advance=1, description=what)


if __name__ == "__main__":
    raise SystemExit(main())
