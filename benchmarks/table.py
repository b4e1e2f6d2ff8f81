"""The documents' tables from what was measured: `python -m benchmarks.table`.

Rewrites what stands between the markers of each section, so that no figure is typed by hand; a test compares.
latency, demo, throughput, lab-faults, sizing: the files of those names in benchmarks/results; one-core:
throughput-one-core;
models: the services' cards.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks import cards, sizing, summary

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
SERVICES = ROOT / "services"

Read = dict[str, Any]


class NoPlaceError(Exception):
    """The text has no pair of markers for a section."""


def read(path: Path) -> Read:
    """A JSON file."""
    return dict(json.loads(path.read_text("utf-8")))


PLACES = {
    "demo": ROOT / "README.md",
    "latency": ROOT / "README.md",
    "models": ROOT / "README.md",
    "throughput-summary": ROOT / "README.md",
    "throughput": ROOT / "docs" / "kube-scheduler.md",
    "one-core": ROOT / "docs" / "kube-scheduler.md",
    "lab-faults": ROOT / "docs" / "kube-scheduler.md",
    "sizing": ROOT / "docs" / "sizing.md",
}
"""Where each section stands."""


def sections() -> dict[str, str]:
    """Markdown of each section, by the name in its markers."""
    measured = read(RESULTS / "throughput.json")
    return {
        "demo": demo(read(RESULTS / "demo.json")),
        "latency": latency(read(RESULTS / "latency.json")),
        "models": cards.table({name: read(SERVICES / name / "artifact" / "card.json") for name in cards.MODELS}),
        "lab-faults": lab_faults(read(RESULTS / "lab-faults.json")),
        "throughput-summary": summary.in_words(measured["rows"]),
        "throughput": throughput(measured),
        "sizing": sized(read(RESULTS / "sizing.json")),
        "one-core": throughput(read(RESULTS / "throughput-one-core.json")),
    }


def throughput(results: Read) -> str:
    """Pods a second of each setup, and the machine that measured."""
    return "\n".join(
        [summary.table(results["rows"]), "", f"Medians of {rounds(results)} alternated rounds. {machine_line(results)}"]
    )


def lab_faults(results: Read) -> str:
    """What each fault in the middle of a stream of pods has cost."""
    lines = [
        "| fault | pods/s | slower for | longest pause | failed calls (filter, prioritize) | pods/s after recovery |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for run in results["runs"]:
        failed = f"{run['failed_filter']}, {run['failed_prioritize']}"
        times = f"{run['slow_s']:.1f} s | {run['longest_s']:.2f} s"
        lines.append(f"| {run['case']} | {run['pods_s']:.0f} | {times} | {failed} | {run['pods_s_after']:.0f} |")
    pods = results["runs"][0]["pods"]
    how = f"{pods} pods each on 200 nodes, the fault after a third of them; pods/s of the first two thirds."
    return "\n".join([*lines, "", f"{how} {where(results)}."])


def sized(results: Read) -> str:
    """What each process costs at each size."""
    rate = results["rows"][0]["pods_per_s"]
    told = f"{rate:g} pods a second, a snapshot each 15 s. {where(results)}."
    return "\n".join([sizing.table(results["rows"]), "", told])


def rounds(results: Read) -> int:
    """Rounds of the setup that was measured least."""
    counts = Counter((row["nodes"], row["setup"]) for row in results["rows"])
    return min(counts.values())


def latency(results: Read) -> str:
    """filter + prioritize of a pod: a line for each case and size, and the machine that measured."""
    rows = [row for row in results["rows"] if row["verb"] == "sum"]
    rates = sorted({row["rate"] for row in rows if row["rate"] is not None})
    heads = "".join(f" p99 at {rate:g}/s |" for rate in rates)
    lines = [
        f"| case | nodes | p50 ms | p90 ms | p99 ms |{heads} scored by all models |",
        f"|---|---:|---:|---:|---:|{'---:|' * len(rates)}---:|",
    ]
    for closed in (row for row in rows if row["rate"] is None):
        same = [row for row in rows if (row["case"], row["nodes"]) == (closed["case"], closed["nodes"])]
        at = {row["rate"]: row for row in same}
        times = " | ".join(f"{closed[key]:.1f}" for key in ("p50_ms", "p90_ms", "p99_ms"))
        fixed = "".join(f" {at[rate]['p99_ms']:.1f} |" for rate in rates)
        share = min(row["scored_share"] for row in same)
        lines.append(f"| {closed['case']} | {closed['nodes']:,} | {times} |{fixed} {share:.1%} |")
    return "\n".join([*lines, "", latency_line(results)])


def latency_line(results: Read) -> str:
    """How the latencies were measured."""
    return (
        "filter + prioritize of one pod, closed loop where no rate is given; every call names every node; the share is "
        f"the lowest of the loads. {machine_line(results)}"
    )


def machine_line(results: Read) -> str:
    """What figures hold for, and how busy it was."""
    return f"{where(results)}; 1-minute load before: {results['machine']['load_1m']:g}."


def where(results: Read) -> str:
    """What figures hold for."""
    machine = results["machine"]
    return (
        f"All processes and the client on one machine: {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['memory_gib']:g} GiB, {machine['system']}, {machine['python']}"
    )


def demo(figures: Read) -> str:
    """What `make demo` has shown, in a sentence or two."""
    warm, cold = (figures["latency_ms"][kind]["sum"] for kind in ("warm", "cold"))
    steps = ", ".join(f"{name} {count}" for name, count in figures["fallbacks"].items()) or "none"
    return (
        f"`make demo` on 2 cores: {figures['pods']} recorded pods, {figures['calls']:,} calls, {figures['unanswered']} "
        f"unanswered and {figures['non_200']} with a status other than 200, with the placement scorer and then Redis "
        f"killed on the way (fallbacks counted: {steps}). filter + prioritize over samples of feasible nodes: "
        f"p50 {warm['p50']:.1f} ms and p99 {warm['p99']:.1f} ms warm, {cold['p50']:.1f} and {cold['p99']:.1f} ms cold. "
        f"Before the first fault {figures['scored_by_all_share']:.1%} of the answers used all three models; scoring by "
        f"requests alone would have picked another node for {figures['differs_from_requests_share']:.0%} of the pods."
    )


def replaced(text: str, section: str, content: str) -> str:
    """`text` with `content` between the section's markers. Raises NoPlaceError."""
    begin_mark, end_mark = f"<!-- {section}:begin -->", f"<!-- {section}:end -->"
    begin, end = text.find(begin_mark), text.find(end_mark)
    if begin < 0 or end < begin:
        raise NoPlaceError(f"no place for it: put {begin_mark} and {end_mark} on lines of their own")
    return f"{text[: begin + len(begin_mark)]}\n{content}\n{text[end:]}"


def main() -> int:
    """Rewrite the documents; exit code 1 where one has no place for a section."""
    for section, content in sections().items():
        page = PLACES[section]
        try:
            page.write_text(replaced(page.read_text("utf-8"), section, content), "utf-8")
        except NoPlaceError as error:
            print(f"{page.name}: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
