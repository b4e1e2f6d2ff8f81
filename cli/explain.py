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

Pod = Annotated[str, typer.Argument(help="the pod's name or uid")]
Url = Annotated[str | None, typer.Option(help="the extender (default: the running `berth up`, else port 8888)")]
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


def explain(pod: Pod, url: Url = None, data_dir: DataDir = DEFAULT_DATA_DIR, json: AsJson = False) -> None:
    """Show why a pod went where it went: the best nodes with their parts, the models, the time.

    The extender is asked. Where it has nothing, or none runs, the decision records in the data folder are read: it
    works after `berth demo` too. Exit code 1 where no decision is kept.

    Examples:

      berth explain openb-pod-0007

      berth explain web-7d4b9c-x2x5z --url http://127.0.0.1:8888

      berth explain openb-pod-0007 --json
    """
    from berth.decisions.record import encode
    from cli.console import console

    decision = find(pod, url, data_dir)
    if json:
        print(encode(decision).decode())
    else:
        show(console(), decision)


def find(pod: str, url: str | None, data_dir: Path) -> Decision:
    """The newest decision for a pod. Raises CliError with advice."""
    from urllib.parse import quote

    from berth.decisions.record import decode
    from cli.discover import extender_url
    from cli.endpoint import call
    from cli.errors import CliError, UnreachableError

    where = extender_url(url)
    try:
        status, raw = call("GET", f"{where}/v1/decisions/{quote(pod, safe='')}")
    except UnreachableError as error:
        if url is None and (found := in_logs(pod, data_dir)):
            return found
        raise UnreachableError(f"{error}. Is `berth up` running, or is --url right?") from error
    if status == 404:
        if url is None and (found := in_logs(pod, data_dir)):
            return found
        raise CliError(
            f"no decision is kept for {pod}. Records are kept of the newest pods that opted in (schedulerName berth, "
            f"or the label berth.dev/scoring=true) while the mode is shadow or active; see {where}/v1/decisions"
        )
    if status != 200:
        raise UnreachableError(f"{where} answers with status {status}: is it an extender?")
    return decode(raw)


def in_logs(pod: str, data_dir: Path) -> Decision | None:
    """The newest record in the logs that `berth up` and `berth demo` leave behind."""
    import msgspec

    from berth.decisions.record import decode

    found: list[Decision] = []
    for path in (data_dir / "decisions.jsonl", data_dir / "demo" / "decisions.jsonl"):
        if not path.is_file():
            continue
        with path.open("rb") as lines:
            for line in lines:
                if pod.encode() in line:
                    try:
                        found.append(decode(line))
                    except msgspec.DecodeError:
                        continue  # the last line of a process that was killed
    matching = [decision for decision in found if pod in (decision.pod_uid, decision.pod_name)]
    return max(matching, key=lambda decision: decision.decided_ms, default=None)


def show(out: Console, decision: Decision) -> None:
    """The record for people."""
    from datetime import UTC, datetime

    from rich.panel import Panel
    from rich.text import Text

    when = datetime.fromtimestamp(decision.decided_ms / 1000.0, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    age = "" if decision.snapshot_age_s is None else f", {decision.snapshot_age_s:.1f} s old"
    lines = [
        f"decided {when} by {decision.replica}, mode {decision.mode}, asked by {decision.verb}",
        f"{decision.nodes} feasible nodes"
        + (f", {decision.unknown_nodes} of them unknown to the snapshot" if decision.unknown_nodes else ""),
        f"snapshot {decision.snapshot_version}{age}; fallback step: {decision.fallback}",
    ]
    if decision.removed:
        lines.append(f"left out by filter: {', '.join(decision.removed)}")
    title = f"{decision.pod_namespace}/{decision.pod_name or decision.pod_uid}"
    said = Text.assemble((decision.reason or "no reason recorded", "bold"), "\n", "\n".join(lines))
    out.print(Panel(said, title=Text(title), title_align="left"))
    if decision.top:
        out.print(nodes_table(decision))
    if decision.models:
        out.print(models_table(decision))
    out.print("time: " + ", ".join(f"{step} {ms:.2f} ms" for step, ms in decision.took_ms.items()))


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
