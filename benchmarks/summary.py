"""The throughput benchmark's rows as a table: medians, spread, and the share of the no-op extenders' rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

Rows = Sequence[Mapping[str, Any]]

HEAD = (
    "| nodes | setup | pods/s | lowest to highest | of no-op FastAPI | of no-op Go | attempt p99 ms "
    "| extender CPU ms a pod | scored |",
    "|---:|---|---:|---:|---:|---:|---:|---:|---:|",
)
FASTAPI, GO = "noop-fastapi", "noop-go"
ENDINGS = ("-prioritize-only", "-one-core")


def table(rows: Rows) -> str:
    """Markdown, a line for each size and setup in the order of first appearance."""
    lines = [line(rows, nodes, setup) for nodes in sizes(rows) for setup in setups(rows, nodes)]
    return "\n".join([*HEAD, *lines])


def sizes(rows: Rows) -> list[int]:
    """Numbers of nodes."""
    return sorted({row["nodes"] for row in rows})


def setups(rows: Rows, nodes: int) -> list[str]:
    """Names of setups."""
    return list(dict.fromkeys(row["setup"] for row in rows if row["nodes"] == nodes))


def rates(rows: Rows, nodes: int, setup: str) -> list[float]:
    """Pods a second of each round."""
    return [row["pods_per_s"] for row in rows if (row["nodes"], row["setup"]) == (nodes, setup)]


def twin(setup: str, noop: str) -> str:
    """The no-op that a setup is to be compared with: called by the same verbs, on the same cores."""
    return noop + "".join(ending for ending in ENDINGS if ending in setup)


def ratio(rows: Rows, nodes: int, setup: str, noop: str) -> float | None:
    """Median rate of a setup over that of its no-op twin; None where there is none."""
    of = rates(rows, nodes, twin(setup, noop))
    return median(rates(rows, nodes, setup)) / median(of) if of else None


def line(rows: Rows, nodes: int, setup: str) -> str:
    """One line."""
    mine = [row for row in rows if (row["nodes"], row["setup"]) == (nodes, setup)]
    found = rates(rows, nodes, setup)
    cpu = [1000.0 * row["extender_cpu_s"] / row["pods"] for row in mine if row["extender_cpu_s"] is not None]
    scored = [row["scored_share"] for row in mine if row["scored_share"] is not None]
    cells = [
        f"{nodes:,}",
        setup,
        f"{median(found):.0f}",
        f"{min(found):.0f} to {max(found):.0f}",
        share(ratio(rows, nodes, setup, FASTAPI)),
        share(ratio(rows, nodes, setup, GO)),
        f"{median(row['attempt_p99_ms'] for row in mine):.0f}",
        f"{median(cpu):.1f}" if cpu else "–",
        f"{min(scored):.1%}" if scored else "–",
    ]
    return f"| {' | '.join(cells)} |"


def share(value: float | None) -> str:
    """Two digits, or a dash."""
    return "–" if value is None else f"{value:.2f}"


IN_WORDS = ("berth-active", "berth-active-new-snapshots", "berth-shadow", "berth-off")


def in_words(rows: Rows) -> str:
    """Berth beside the no-op extenders and kube-scheduler alone, a line for each size."""
    lines = []
    for nodes in sizes(rows):
        known = [setup for setup in IN_WORDS if setup in setups(rows, nodes)]
        of = "; ".join(
            f"{setup.removeprefix('berth-')} {median(rates(rows, nodes, setup)):.0f} "
            f"({share(ratio(rows, nodes, setup, FASTAPI))} / {share(ratio(rows, nodes, setup, GO))})"
            for setup in known
        )
        alone = median(rates(rows, nodes, "default"))
        lines.append(f"- {nodes:,} nodes: kube-scheduler alone {alone:.0f}; Berth {of}")
    return "\n".join(lines)
