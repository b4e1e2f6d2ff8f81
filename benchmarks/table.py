"""README's latency table, from benchmarks/results/latency.json: `python -m benchmarks.table`.

Rewrites what stands between the markers, so that no figure is typed by hand; a test compares the two.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "latency.json"
BEGIN, END = "<!-- latency:begin -->", "<!-- latency:end -->"
HEADER = (
    "| case | nodes | load | p50 ms | p90 ms | p99 ms | scored by all models |",
    "|---|---:|---|---:|---:|---:|---:|",
)


class NoPlaceError(Exception):
    """The text has no pair of markers."""


def table(results: dict[str, Any]) -> str:
    """Markdown: filter + prioritize of a pod, a line a run, and the machine that measured."""
    lines = [line(row) for row in results["rows"] if row["verb"] == "sum"]
    return "\n".join([*HEADER, *lines, "", machine_line(results["machine"])])


def line(row: dict[str, Any]) -> str:
    """One run."""
    load = "closed loop" if row["rate"] is None else f"{row['rate']:g}/s"
    times = " | ".join(f"{row[key]:.1f}" for key in ("p50_ms", "p90_ms", "p99_ms"))
    return f"| {row['case']} | {row['nodes']:,} | {load} | {times} | {row['scored_share']:.1%} |"


def machine_line(machine: dict[str, Any]) -> str:
    """What the figures hold for."""
    return (
        f"filter + prioritize of one pod; every call names every node. All processes and the client on one machine: "
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']:g} GiB, {machine['system']}, "
        f"{machine['python']}; 1-minute load before: {machine['load_1m']:g}."
    )


def replaced(text: str, content: str) -> str:
    """`text` with `content` between the markers. Raises NoPlaceError."""
    begin, end = text.find(BEGIN), text.find(END)
    if begin < 0 or end < begin:
        raise NoPlaceError(f"no place for the table: put {BEGIN} and {END} on lines of their own")
    return f"{text[: begin + len(BEGIN)]}\n{content}\n{text[end:]}"


def main() -> int:
    """Rewrite README.md; without markers print the table and say where it belongs: exit code 1 then."""
    content = table(json.loads(RESULTS.read_text("utf-8")))
    readme = ROOT / "README.md"
    try:
        readme.write_text(replaced(readme.read_text("utf-8"), content), "utf-8")
    except NoPlaceError as error:
        print(content)
        print(f"README.md: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
