"""What was found in a history, as tables for people."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from services.telemetry.history.findings import FAULTS, Quality


def show(out: Console, found: Quality, most: int | None) -> None:
    """For people: by metric, then what deserves a look."""
    nodes = len({one.node for one in found.coverage})
    out.print(f"{moment(found.first)} to {moment(found.last)}, {nodes} nodes, a value each {found.step_s} s")
    out.print(metrics_table(found))
    for table, rows in ((alerts_table, found.alerts), (findings_table, found.findings)):
        if rows:
            out.print(table(found, most))
        if most and len(rows) > most:
            out.print(f"and {len(rows) - most} more: --all, --json")


def metrics_table(found: Quality) -> Table:
    """Coverage and number of findings of each metric."""
    table = Table()
    for column in ("metric", "coverage", "worst node", *FAULTS):
        table.add_column(column, justify="left" if column in ("metric", "worst node") else "right")
    for metric in dict.fromkeys(one.metric for one in found.coverage):
        covered = [one for one in found.coverage if one.metric == metric]
        worst = min(covered, key=lambda one: one.share)
        share = sum(one.known for one in covered) / max(1, sum(one.expected for one in covered))
        faults = [sum(1 for one in found.findings if (one.metric, one.fault) == (metric, fault)) for fault in FAULTS]
        table.add_row(metric, f"{share:.1%}", f"{worst.node} {worst.share:.1%}", *map(str, faults))
    return table


def alerts_table(found: Quality, most: int | None) -> Table:
    """Nodes of which too little is known, the worst first."""
    table = Table(title=f"Alerts: less than {found.demanded:.0%} known", title_justify="left")
    for column in ("node", "metric", "known", "of", "coverage"):
        table.add_column(column, justify="left" if column in ("node", "metric") else "right")
    for one in found.alerts[:most]:
        table.add_row(one.node, one.metric, str(one.known), str(one.expected), f"{one.share:.1%}")
    return table


def findings_table(found: Quality, most: int | None) -> Table:
    """The longest first."""
    table = Table(title="Findings, the longest first", title_justify="left")
    for column in ("node", "metric", "finding", "from", "for", "details"):
        table.add_column(column)
    for one in sorted(found.findings, key=lambda one: one.first - one.last)[:most]:
        lasted = duration(one.last - one.first + found.step_s)
        table.add_row(one.node, one.metric, one.fault, moment(one.first), lasted, one.details)
    return table


def moment(at: int) -> str:
    """2026-11-27 07:30 UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def duration(seconds: int) -> str:
    """30 s, 5 min, 2.5 h, 3.0 d."""
    for unit, size in (("d", 86400), ("h", 3600)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds // 60} min" if seconds >= 60 else f"{seconds} s"
