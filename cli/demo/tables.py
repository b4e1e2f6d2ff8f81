"""What the demo shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from berth.decisions.record import Decision
from cli.demo.figures import PERCENTILES, Phase, latency
from cli.demo.pods import asks
from cli.demo.records import is_cold
from cli.demo.scheduler import Counts, Placed

if TYPE_CHECKING:
    from rich.console import Console

SHOWN = 6


def show_healthy(out: Console, phase: Phase, counts: Counts) -> None:
    """Decisions, the comparison with scoring by requests, and latency."""
    show_decisions(out, phase)
    show_comparison(out, phase, counts)
    show_latency(out, phase)


def show_decisions(out: Console, phase: Phase) -> None:
    """A few decisions, spread over the phase."""
    from rich.table import Table

    table = Table(title="Some decisions", title_justify="left", pad_edge=False, show_lines=True)
    for column in ("pod asks", "best node\nby requests", "head-\nroom", "place-\nment", "health", "total", "reason"):
        in_words = column in ("pod asks", "reason")
        table.add_column(
            column, justify="left" if in_words or column.startswith("best node") else "right", no_wrap=not in_words
        )
    for placed, record in some_decisions(phase):
        best = record.top[0]
        parts = (best.headroom, best.placement, best.health, best.total)
        nodes = f"{best.node}\n{requests_pick(placed)}"
        table.add_row(
            asks(placed.pod), nodes, *(two_digits(part) for part in parts), record.reason.removeprefix(f"{best.node} ")
        )
    out.print(table)


def some_decisions(phase: Phase) -> list[tuple[Placed, Decision]]:
    """Up to SHOWN scored pods, evenly spaced, each of another size where there are enough."""
    by_size: dict[str, tuple[Placed, Decision]] = {}
    for placed in phase.placed:
        record = phase.record(placed)
        if record is not None and record.top and not record.neutral_reason:
            by_size.setdefault(asks(placed.pod), (placed, record))
    found = list(by_size.values())
    return [found[int(i)] for i in np.linspace(0, len(found) - 1, min(SHOWN, len(found)))] if found else []


def requests_pick(placed: Placed) -> str:
    """The node that kube-scheduler's own scoring would have picked: one of them where it would have drawn."""
    if not placed.differs:
        return "the same"
    others = len(placed.by_requests) - 1
    return f"{min(placed.by_requests)}{f' +{others}' if others else ''}"


def two_digits(value: float | None) -> str:
    """Two digits, or a dash."""
    return "–" if value is None else f"{value:.2f}"


def show_comparison(out: Console, phase: Phase, counts: Counts) -> None:
    """What kube-scheduler's own scoring would have done."""
    mean = np.mean([placed.nodes for placed in phase.placed]) if phase.placed else 0.0
    out.print(
        f"{len(phase.placed)} pods bound, {mean:.0f} feasible nodes a sample on average; "
        f"{counts.skipped} pods of the trace fit nowhere and were left out."
    )
    out.print(
        f"kube-scheduler's own scoring by requests (LeastAllocated + BalancedAllocation) would have picked "
        f"another node for {phase.differs_share:.0%} of the pods."
    )
    out.print(f"Scores of all three models: {phase.scored_share:.1%} of the answers.")


def show_latency(out: Console, phase: Phase) -> None:
    """Percentiles by verb, cold and warm."""
    from rich.table import Table

    cold = sum(is_cold(record) for record in phase.records.values())
    sizes = {"warm": len(phase.records) - cold, "cold": cold}
    table = Table(title="Latency as the client sees it, ms", title_justify="left")
    table.add_column("pods")
    for verb in ("filter", "prioritize", "sum"):
        for p in PERCENTILES:
            table.add_column(f"{verb}\np{p}" if p == PERCENTILES[0] else f"\np{p}", justify="right")
    for name, verbs in latency(phase).items():
        times = [verbs[verb][f"p{p}"] for verb in ("filter", "prioritize", "sum") for p in PERCENTILES]
        table.add_row(f"{name} ({sizes[name]})", *("–" if ms is None else f"{ms:.1f}" for ms in times))
    out.print(table)
    out.print("cold: a model had to be asked for this pod; warm: all scores were at hand", style="dim")


def show_faults(out: Console, phases: list[Phase]) -> None:
    """Each phase with its fallback steps."""
    from rich.table import Table

    table = Table(title="While things break", title_justify="left")
    for column in ("phase", "pods", "all three models", "sum p99, ms", "fallback steps counted"):
        table.add_column(column, justify="left" if column in ("phase", "fallback steps counted") else "right")
    for phase in phases:
        times = [placed.filter_ms + (placed.prioritize_ms or 0.0) for placed in phase.placed]
        steps = ", ".join(f"{step} {count}" for step, count in phase.fallbacks.items() if count) or "none"
        p99 = f"{np.percentile(times, 99):.1f}" if times else "–"
        table.add_row(phase.title, str(len(phase.placed)), f"{phase.scored_share:.1%}", p99, steps)
    out.print(table)


def show_verdict(out: Console, found: dict[str, Any], counts: Counts) -> None:
    """The last line, and what went wrong, if anything did."""
    for count, words in (
        (counts.useless, "prioritize answers could not be read"),
        (counts.refused_binds, "pods were refused by the replayed cluster"),
    ):
        if count:
            out.print(f"{count} {words}", style="yellow")
    good = not counts.unanswered and not counts.non_200
    out.print(
        f"{found['pods']} pods, {counts.calls} calls: {counts.unanswered} unanswered, "
        f"{counts.non_200} with a status other than 200",
        style="bold green" if good else "bold red",
    )
