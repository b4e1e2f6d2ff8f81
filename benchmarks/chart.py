"""The throughput benchmark's rows as a picture: every round a dot, every median a bar."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.summary import Rows, rates, setups, sizes

COLOURS = {"default": "#6b7280", "trimaran": "#a16207", "noop": "#2563eb", "berth": "#15803d"}


def draw(rows: Rows, path: Path) -> None:
    """Write the picture, a panel for each size. The format follows the file's ending."""
    names = list(dict.fromkeys(row["setup"] for row in rows))
    figure = Figure(figsize=(9.0, 0.6 + 0.36 * len(names)), layout="constrained")
    panels = figure.subplots(1, len(sizes(rows)), sharey=True, squeeze=False)[0]
    for axes, nodes in zip(panels, sizes(rows), strict=True):
        panel(axes, rows, nodes, names)
    undated = {"Date": None} if path.suffix == ".svg" else None
    figure.savefig(path, dpi=110, metadata=undated)


def panel(axes: Axes, rows: Rows, nodes: int, names: list[str]) -> None:
    """One size."""
    known = set(setups(rows, nodes))
    for place, name in enumerate(names):
        if name in known:
            found = rates(rows, nodes, name)
            colour = COLOURS[name.split("-")[0]]
            axes.barh(place, median(found), color=colour, alpha=0.35)
            axes.scatter(found, [place] * len(found), s=12, color=colour, zorder=3)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlim(left=0.0)
    axes.set_xlabel("pods bound a second")
    axes.set_title(f"{nodes:,} nodes")
    axes.spines[["top", "right"]].set_visible(False)
