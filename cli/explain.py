"""`berth explain POD`: what was decided for a pod, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.discover import DEFAULT_DATA_DIR

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from berth.decisions.record import Decision
    from cli.decisions import Explained

Pod = Annotated[str, typer.Argument(help="the pod's name or uid")]
Url = Annotated[str | None, typer.Option(help="the extender (default: the running `berth up`, else port 8888)")]
Telemetry = Annotated[str | None, typer.Option(help="telemetry (default: the running `berth up`'s, else port 8084)")]
DataDir = Annotated[Path, typer.Option(help="where records are looked for when no extender answers")]
AsJson = Annotated[bool, typer.Option("--json", help="print the record itself")]

OUTCOMES = {
    "fresh": "asked for this pod",
    "memory": "from memory, newest snapshot",
    "redis": "from Redis, newest snapshot",
    "older": "scores of an older snapshot stand in",
    "open": "did not answer lately: not asked (breaker open)",
    "timeout": "no answer within models.NAME.timeout_ms",
    "budget": "no answer within models.budget_ms",
    "unknown-model": "its metadata has not been read yet",
    "refused": "cannot be reached",
    "busy": "its queue is full",
    "mismatch": "its features or version are not those expected",
    "invalid": "its answer could not be used (shape, range, NaN)",
    "error": "it answered with an error",
}


def explain(
    pod: Pod, url: Url = None, telemetry: Telemetry = None, data_dir: DataDir = DEFAULT_DATA_DIR, json: AsJson = False
) -> None:
    """Show why a pod went where it went: the best nodes with their parts, the models, the time.

    The extender is asked. Where it has nothing, or none runs, telemetry is, which keeps the decisions of bound pods for
    weeks where `telemetry.history.url` is set, and the decision records in the data folder are read: it works after
    `berth demo` too. Where telemetry knows the pod, it says where it was really bound. Exit code 1 where no decision is
    kept.

    Examples:

      berth explain openb-pod-0007

      berth explain web-7d4b9c-x2x5z --url http://127.0.0.1:8888

      berth explain openb-pod-0007 --json
    """
    from cli.console import console
    from cli.decisions import find

    found = find(pod, url, telemetry, data_dir)
    if json:
        print(as_json(found))
    else:
        show(console(), found)


def as_json(found: Explained) -> str:
    """The record, with what became of it as `binding` where that is known."""
    from msgspec.json import encode
    from msgspec.structs import asdict

    more = {} if found.binding is None else {"binding": found.binding}
    return encode({**asdict(found.decision), **more}).decode()


def show(out: Console, found: Explained) -> None:
    """The record and what became of it, for people."""
    from rich.panel import Panel
    from rich.text import Text

    decision = found.decision
    title = f"{decision.pod_namespace}/{decision.pod_name or decision.pod_uid}"
    said = Text.assemble((decision.reason or "no reason recorded", "bold"), "\n", "\n".join(lines(found)))
    out.print(Panel(said, title=Text(title), title_align="left"))
    if decision.top:
        out.print(nodes_table(decision))
    if decision.models:
        out.print(models_table(decision))
    out.print("time: " + ", ".join(f"{step} {ms:.2f} ms" for step, ms in decision.took_ms.items()))


def lines(found: Explained) -> list[str]:
    """When and over what it was decided, and what became of it."""
    from datetime import UTC, datetime

    from cli.bound import in_words

    decision = found.decision
    when = datetime.fromtimestamp(decision.decided_ms / 1000.0, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    age = "" if decision.snapshot_age_s is None else f", {decision.snapshot_age_s:.1f} s old"
    said = [
        f"decided {when} by {decision.replica}, mode {decision.mode}, asked by {decision.verb}",
        f"{decision.nodes} feasible nodes"
        + (f", {decision.unknown_nodes} of them unknown to the snapshot" if decision.unknown_nodes else ""),
        f"snapshot {decision.snapshot_version}{age}; fallback step: {decision.fallback}",
    ]
    if decision.removed:
        said.append(f"left out by filter: {', '.join(decision.removed)}")
    return said + (in_words(found.binding) if found.binding else [])


def nodes_table(decision: Decision) -> Table:
    """The best nodes with the parts of their score."""
    from rich.table import Table

    table = Table(title="Best nodes", title_justify="left")
    for column in ("node", "headroom", "placement", "health", "total", "score 0–10", "notes"):
        table.add_column(column, justify="left" if column in ("node", "notes") else "right")
    for node in decision.top:
        parts = (part_text(part) for part in (node.headroom, node.placement, node.health, node.total))
        notes = (["unknown to the snapshot"] if node.unknown else []) + (
            [f"{node.in_flight} pods in flight"] if node.in_flight else []
        )
        table.add_row(node.node, *parts, str(node.score), ", ".join(notes))
    return table


def models_table(decision: Decision) -> Table:
    """What each model said, or why it said nothing."""
    from rich.table import Table

    table = Table(title="Models", title_justify="left")
    for column in ("model", "outcome", "version", "ms"):
        table.add_column(column, justify="right" if column == "ms" else "left")
    for part in decision.models:
        meaning = OUTCOMES.get(part.outcome, part.outcome)
        table.add_row(part.model, f"{part.outcome}: {meaning}", part.model_version or "–", f"{part.took_ms:.2f}")
    return table


def part_text(value: float | None) -> str:
    """Three digits, or a dash."""
    return "–" if value is None else f"{value:.3f}"
