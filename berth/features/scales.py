"""A day's residual scales, kept: they cost more than a snapshot may."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from berth.features.residuals import DAY, Floats, ResidualScales, residual_scales


class DayScales:
    """Scales from the week before a day, as training makes them, for whoever is a node on that day."""

    def __init__(self) -> None:
        self.made_for = (-1, -1)
        self.nodes: tuple[str, ...] = ()
        self.scales: ResidualScales | None = None

    def of(self, usage: Floats, step: int, nodes: Sequence[str], loaded: int = 0) -> ResidualScales:
        """usage: float32 [metric, step, node] up to `step`, counted from some midnight; nodes: its columns' names.
        loaded: rises as history is filled in backwards, and the scales are made again."""
        day, into_day = divmod(step, DAY)
        if self.scales is None or (day, loaded) != self.made_for:
            self.scales = residual_scales(before(usage, into_day))
        elif tuple(nodes) != self.nodes:
            self.scales = self._rearranged(self.scales, usage, into_day, nodes)
        self.made_for, self.nodes = (day, loaded), tuple(nodes)
        return self.scales

    def _rearranged(self, scales: ResidualScales, usage: Floats, into_day: int, nodes: Sequence[str]) -> ResidualScales:
        """Nodes have come or gone: those that stay keep their scales, the others get theirs."""
        column_of = {name: column for column, name in enumerate(self.nodes)}
        new = [column for column, name in enumerate(nodes) if name not in column_of]
        fresh = residual_scales(before(np.ascontiguousarray(usage[:, :, new]), into_day))
        origin = [column_of.get(name, -1) for name in nodes]
        parts = []
        for old, added in ((scales.scale, fresh.scale), (scales.low, fresh.low), (scales.high, fresh.high)):
            whole = old[..., origin]
            whole[..., new] = added
            parts.append(whole)
        return ResidualScales(*parts)


def before(usage: Floats, into_day: int) -> Floats:
    """Usage up to the end of the day before."""
    return usage[:, : usage.shape[1] - into_day - 1]
