"""MODEL_CARD.md from card.json, so that the two cannot differ."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from services.anomaly_detector.faults import KINDS

SCORERS = {
    "detector": "this model",
    "raw_forest": "Isolation Forest on raw values (named baseline)",
    "rolling_z": "rolling z-score, 60 min",
}

TEXT = """# Model card: {name}

Version `{version}`. Generated from `card.json`.

**What it says.** `health` in [0, 1] for each node: 1 is healthy, below 0.5 counts as an alarm. It tells that a
node behaves unlike itself, not why, and not whether that matters.

**How.** {trees} isolation trees ({rows_each_tree} rows and {share:.0%} of the columns each) over {columns} residual
columns, plus the mean of the `residual_magnitude` columns, added as z-scores with weight {weight}. The sum becomes
health by a piecewise linear map: {knots}. A missing value counts as the column's median; a row with no known
value gets no answer (NaN).

**Fitted to** {rows:,} rows, equal parts of: the unlabelled halves of asd and smd servers {train}; pseudo-nodes, each
the weighted sum of 10 Bitbrains machines, July and August. No label is used in the fit. The one threshold
(health 0.5) is chosen on the labelled halves of those servers and on faults injected into other Bitbrains
pseudo-nodes of July, by the best mean F1 of segment precision and recall.

**Never seen before the test:** servers {test}; Bitbrains pseudo-nodes of the other machines, September.

**Counting rule.** An alarm is a run of flagged points, gaps under 15 min merged. Precision: alarms that touch
an anomalous segment / alarms. Segment precision: segments hit / (segments hit + false alarms). Recall: segments
hit / segments. False positives: flagged / all normal points. Average precision: over single points, all machines
pooled. One threshold for all machines.

## Labelled segments, unseen machines

Each baseline has its own threshold for each recording, chosen as above on the train machines; the forest is
fitted to the tested machine's own unlabelled half (fitted to the train machines it is weaker).

{labelled}

Other seeds of the forest ({seeds}): average precision {refitted}.

## Injected faults, unseen pseudo-nodes in September

{faults} faults, seeds {fault_seeds}, one in two days of each node, half an hour to six hours long: CPU stuck at 70 to
100 %, memory leaking 20 to 60 % of the node, disk traffic times 5 to 50, network falling to 0 to 10 %.
What is flagged in the six hours after a fault counts neither way. False positives are of the same nodes without
faults; the baselines are given the threshold that makes theirs equal to the model's.

{injected}

## Limits

- Labels of asd and smd are approximate: 40 % of smd's segments are a daily job at the same minute, labelled on
  some machines and not on others; some segments stay inside every metric's normal range.
- Disk and network of Bitbrains are bursty: a storm or a drop of the size injected is often no larger than what
  the node does every week, and is missed. A plain z-score finds sudden drops of traffic better, see the table.
- Most faults are found, but alarms are not precise: where faults are as rare as here, an alarm is a hint to
  place elsewhere, not a reason to wake someone.
- Work that has just been placed on a node is a change too: a node that takes on much at once looks unlike itself
  until its medians follow.
- A fault longer than a day becomes usual; a node with less than a day of history gets no answer.
- False positives on real labels are higher than on Bitbrains: more metrics give more chances to look odd.
"""


def render(card: dict[str, Any]) -> str:
    """The card's text."""
    model, training, measured = card["model"], card["training"], card["measured"]
    return TEXT.format(
        name=card["name"],
        version=card["version"],
        trees=training["forests"] * training["trees_each"],
        rows_each_tree=training["rows_each_tree"],
        share=training["columns_each_tree"],
        columns=len(model["columns"]),
        weight=model["magnitude_weight"],
        knots=", ".join(f"{s:.2f} → {h:g}" for s, h in zip(model["scores"], model["health"], strict=True)),
        rows=3 * training["rows_each_recording"],
        train=machines(card, "train"),
        test=machines(card, "test"),
        labelled=labelled_table(measured["labelled"]),
        seeds=listed(measured["refitted"]["seeds"]),
        refitted=spreads(measured["refitted"]["average_precision"]),
        faults=measured["injected"]["faults"],
        fault_seeds=listed(measured["injected"]["seeds"]),
        injected=injected_table(measured["injected"]),
    )


def machines(card: dict[str, Any], part: str) -> str:
    """Names of one part's servers."""
    return listed(name for split in card["split"].values() for name in split[part])


def listed(items: Iterable[object]) -> str:
    """a, b, c"""
    return ", ".join(str(item) for item in items)


def spreads(by_recording: dict[str, list[float]]) -> str:
    """Least to largest of each recording."""
    return listed(f"{which} {min(found):.3f} to {max(found):.3f}" for which, found in by_recording.items())


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def labelled_table(measured: dict[str, Any]) -> str:
    """A row for each recording and scorer."""
    fields = ("average_precision", "precision", "segment_precision", "recall", "false_positive_rate")
    rows = [
        [which, text, *(f"{found[scorer][field]:.3f}" for field in fields)]
        for which, found in measured.items()
        for scorer, text in SCORERS.items()
    ]
    return table(["recording", "score", *(field.replace("_", " ") for field in fields)], rows)


def injected_table(measured: dict[str, Any]) -> str:
    """A row for each scorer."""
    kinds = [f"detected_{kind}" for kind in KINDS]
    fields = ("average_precision", "detected", *kinds, "precision", "false_positive_rate")
    rows = [[text, *(f"{measured[scorer][field]:.3f}" for field in fields)] for scorer, text in SCORERS.items()]
    return table(["score", *(field.removeprefix("detected_").replace("_", " ") for field in fields)], rows)
