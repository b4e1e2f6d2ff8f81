"""Usage history to columns for the load predictor.

Rule for missing samples: a mean, deviation, maximum, minimum or median is NaN where fewer than half of its
samples exist; a slope is NaN where one of its two means is. Nothing is filled with zero. Only samples up to
the window's last step are read.
"""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from berth.features.feature import Feature
from berth.features.medians import median, medians_of_others

HOUR = 12
"""Steps of 5 minutes in an hour."""
DAYS = 7
HISTORY_STEPS = DAYS * 24 * HOUR
HORIZONS = (1, 2, 4)
"""Hours ahead. The slot of horizon h is the hour that ends h hours from now, on an earlier day."""
METRICS = ("cpu", "memory")
CHUNK = 1024
"""Nodes whose columns are computed at once: their hourly means, and what is made of them, fit into a processor's cache.
Nodes do not touch each other."""

Floats = NDArray[np.float32]

PER_METRIC: tuple[tuple[str, str, str], ...] = (
    ("last_5m", "5 min", "newest sample"),
    ("mean_30m", "30 min", "mean"),
    ("mean_1h", "1 h", "mean"),
    ("mean_6h", "6 h", "mean"),
    ("mean_24h", "24 h", "mean"),
    ("mean_7d", "7 d", "mean"),
    ("std_1h", "1 h", "standard deviation of samples"),
    ("std_24h", "24 h", "standard deviation of samples"),
    ("std_7d", "7 d", "standard deviation of hourly means"),
    ("max_1h", "1 h", "largest sample"),
    ("max_24h", "24 h", "largest sample"),
    ("min_24h", "24 h", "smallest sample"),
    ("slope_1h", "1 h", "change an hour: last 30 minutes against the 30 before"),
    ("slope_6h", "6 h", "change an hour: last 3 hours against the 3 before"),
    ("lag_1h", "2 h", "mean of the hour that ended 1 h ago"),
    ("lag_2h", "3 h", "mean of the hour that ended 2 h ago"),
    *((f"slot_yesterday_{h}h", "24 h", f"mean of the hour that ends {h} h from now, yesterday") for h in HORIZONS),
    *((f"slot_median_{h}h", "7 d", f"median of that hour's mean ({h} h from now) on 7 days") for h in HORIZONS),
    ("slot_median_now", "7 d", "median of the mean of the hour that ends now, on the 6 days before"),
    ("minute_median", "24 h", "median of the 24 samples at this minute of the hour, the newest included"),
    ("hour_median", "24 h", "median of the last 24 hourly means"),
    *((f"change_{h}h", "7 d", f"mean distance of an hourly mean from that {h} h before") for h in HORIZONS),
    ("change_24h", "7 d", "mean distance of an hourly mean from that 24 h before"),
    ("slot_error", "7 d", "mean distance of an hourly mean from the median of its slot on the 6 other days"),
    ("level_error", "7 d", "mean distance of an hourly mean from the median hour of the day before"),
    *((f"blend_{h}h", "7 d", f"what fits this node, {h} h ahead: see blends()") for h in HORIZONS),
)

CALENDAR: tuple[tuple[str, str], ...] = (
    ("hour_sin", "sine of the time of day, UTC"),
    ("hour_cos", "cosine of the time of day, UTC"),
    ("weekday_sin", "sine of the time of the week, UTC, from Monday"),
    ("weekday_cos", "cosine of the time of the week, UTC, from Monday"),
)


def unit(name: str) -> str:
    """The unit of one metric's column."""
    return "share of allocatable an hour" if name.startswith("slope") else "share of allocatable"


FEATURES: tuple[Feature, ...] = (
    *(
        Feature(f"{metric}_{name}", "history", unit(name), window, f"{metric}: {text}", "usage")
        for metric in METRICS
        for name, window, text in PER_METRIC
    ),
    *(Feature(name, "history", "-1 to 1", "now", text, "clock", missing="never missing") for name, text in CALENDAR),
)


def history_features(usage: Floats, end_unix_s: int) -> Floats:
    """The columns of FEATURES at the last step of `usage`: float32 [node, len(FEATURES)].

    usage: float32 [metric, step, node], cpu and memory first, 5-minute steps, oldest first; NaN is missing.
    A window shorter than HISTORY_STEPS counts as missing before its first step; of a longer one the end is
    read. end_unix_s: time of the last step. Raises ValueError on another shape.
    """
    if usage.ndim != 3 or usage.shape[0] < len(METRICS):
        raise ValueError(f"usage must be [metric, step, node] with cpu and memory, not {list(usage.shape)}")
    nodes = usage.shape[2]
    found = np.empty((nodes, len(FEATURES)), dtype=np.float32)
    for at in range(0, nodes, CHUNK):
        own = usage[: len(METRICS), :, at : at + CHUNK]
        columns = [column for values in own for column in metric_columns(window(values))]
        np.stack(columns, axis=1, out=found[at : at + CHUNK, : len(columns)])
    found[:, -len(CALENDAR) :] = calendar(end_unix_s)
    return found


def calendar(end_unix_s: int) -> tuple[float, float, float, float]:
    """Sine and cosine of the time of day and of the week."""
    at = datetime.fromtimestamp(end_unix_s, tz=UTC)
    day = (at.hour * 3600 + at.minute * 60 + at.second) / 86400.0
    angles = 2.0 * np.pi * day, 2.0 * np.pi * (at.weekday() + day) / 7.0
    return (np.sin(angles[0]), np.cos(angles[0]), np.sin(angles[1]), np.cos(angles[1]))


def window(values: Floats) -> Floats:
    """The last HISTORY_STEPS of float32 [step, node]; NaN in front of a shorter history."""
    short = HISTORY_STEPS - values.shape[0]
    if short <= 0:
        return values[-HISTORY_STEPS:]
    return np.concatenate([np.full((short, values.shape[1]), np.nan, dtype=np.float32), values])


def metric_columns(values: Floats) -> list[Floats]:
    """The columns of PER_METRIC for float32 [HISTORY_STEPS, node]: each float32 [node]."""
    filled, present = values, np.broadcast_to(np.True_, values.shape)
    sums = hourly(values)
    counts = np.broadcast_to(np.float32(HOUR), sums.shape)
    if np.isnan(sums).any():
        present = ~np.isnan(values)
        filled = np.where(present, values, np.float32(0))  # zeros only add to sums, the counts know better
        sums, counts = hourly(filled), hourly(present.view(np.int8))
    hours = mean(sums, counts, HOUR)
    by_slot, usual_hour = slots(hours), usual(hours[-24:])
    errors = [*changes(hours), slot_error(hours), level_error(hours)]
    return [
        values[-1],
        half_hour(filled, present, 0),
        hours[-1],
        *(mean(sums[-n:].sum(axis=0), counts[-n:].sum(axis=0), n * HOUR) for n in (6, 24, 24 * DAYS)),
        deviation(values[-HOUR:]),
        deviation(values[-24 * HOUR :]),
        deviation(hours),
        *extremes(values),
        *slopes(filled, present, sums, counts),
        hours[-2],
        hours[-3],
        *by_slot,
        usual(values[-1 - 23 * HOUR :: HOUR]),
        usual_hour,
        *errors,
        *blends(hours[-1], by_slot, usual_hour, errors),
    ]


def hourly(values: NDArray[np.float32] | NDArray[np.int8]) -> Floats:
    """Sums of the hours that end at the last step: float32 [hour, node], oldest first."""
    folded = values.reshape(24 * DAYS, HOUR, values.shape[1])
    return np.asarray(folded.sum(axis=1, dtype=values.dtype), dtype=np.float32)


def mean(sums: Floats, counts: Floats, samples: int) -> Floats:
    """sums / counts, NaN where fewer than half of `samples` were counted."""
    divisor = np.where(counts * 2 >= samples, counts, np.float32(np.nan))
    return np.asarray(sums / divisor, dtype=np.float32)


def half_hour(filled: Floats, present: NDArray[np.bool_], back: int) -> Floats:
    """Mean of the half hour that ended `back` half hours ago."""
    steps = HOUR // 2
    part = slice(HISTORY_STEPS - (back + 1) * steps, HISTORY_STEPS - back * steps)
    return mean(filled[part].sum(axis=0), present[part].sum(axis=0, dtype=np.float32), steps)


def known(values: Floats) -> tuple[Floats, Floats]:
    """The values with 0 where they are missing, and float32 [node], how many of the first axis are not."""
    missing = np.isnan(values)
    if not missing.any():
        return values, np.full(values.shape[1:], len(values), dtype=np.float32)
    return np.where(missing, np.float32(0), values), (~missing).sum(axis=0, dtype=np.float32)


def deviation(values: Floats) -> Floats:
    """Standard deviation over the first axis, ddof 0, about the mean of what is present."""
    filled, counts = known(values)
    centre = mean(filled.sum(axis=0), counts, len(values))
    squares = known(np.square(values - centre))[0].sum(axis=0)
    return np.sqrt(mean(squares, counts, len(values)))


def extremes(values: Floats) -> tuple[Floats, Floats, Floats]:
    """Maximum of the last hour, maximum and minimum of the last day."""
    hour, day = values[-HOUR:], values[-24 * HOUR :]
    return (extreme(hour, -np.inf), extreme(day, -np.inf), extreme(day, np.inf))


def extreme(values: Floats, neutral: float) -> Floats:
    """Maximum over the first axis (neutral -inf) or minimum (neutral inf)."""
    missing = np.isnan(values)
    filled = np.where(missing, np.float32(neutral), values) if missing.any() else values
    found = filled.max(axis=0) if neutral < 0 else filled.min(axis=0)
    return np.where(missing.sum(axis=0) * 2 <= len(values), found, np.float32(np.nan))


def slopes(filled: Floats, present: NDArray[np.bool_], sums: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """Change an hour over the last hour and over the last 6 hours."""
    short = 2.0 * (half_hour(filled, present, 0) - half_hour(filled, present, 1))
    late, early = (
        mean(sums[part].sum(axis=0), counts[part].sum(axis=0), 3 * HOUR) for part in (slice(-3, None), slice(-6, -3))
    )
    return np.asarray(short, dtype=np.float32), np.asarray((late - early) / 3.0, dtype=np.float32)


def slots(hours: Floats) -> list[Floats]:
    """For each horizon the slot yesterday, then the median of 7 days; then the median of the hour that ends
    now. hours: float32 [hour, node]."""
    by_day = [hours[h - 1 :: 24] for h in HORIZONS]  # [day, node], oldest first
    now = hours[23::24][:-1]  # its newest is the last hour itself
    return [
        *(slot[-1] for slot in by_day),
        *(usual(slot) for slot in by_day),
        usual(now),
    ]


def changes(hours: Floats) -> list[Floats]:
    """Mean distance of an hourly mean from that 1, 2, 4 and 24 hours before: the errors that persistence and
    yesterday's slot had on this node."""
    return [absolute_mean(hours[lag:] - hours[:-lag]) for lag in (*HORIZONS, 24)]


def slot_error(hours: Floats) -> Floats:
    """The error that the median of the slot had on this node: each day against the median of the others."""
    days = hours.reshape(DAYS, 24 * hours.shape[1])
    return absolute_mean((days - medians_of_others(days)).reshape(hours.shape))


def level_error(hours: Floats) -> Floats:
    """The error that the median hour of a day had on this node the day after."""
    days = hours.reshape(DAYS, 24, hours.shape[1])
    levels = usual(days.swapaxes(0, 1))
    return absolute_mean((days[1:] - levels[:-1, None]).reshape((DAYS - 1) * 24, hours.shape[1]))


def absolute_mean(values: Floats) -> Floats:
    """Mean absolute value over the first axis of what is present."""
    filled, counts = known(np.abs(values))
    return mean(filled.sum(axis=0), counts, len(values))


def blends(newest: Floats, by_slot: list[Floats], usual_hour: Floats, errors: list[Floats]) -> list[Floats]:
    """For each horizon the last hour, the slot yesterday, the median of the slot and the median hour of a day,
    each weighted by 1 / (its mean error over 7 days)². A node with a rhythm gets its slot, a jumpy one its
    median, a drifting one its last hour. by_slot: of `slots`; errors: of `changes`, the slot's, the level's."""
    result = []
    for h in range(len(HORIZONS)):
        parts = np.stack([newest, by_slot[h], by_slot[len(HORIZONS) + h], usual_hour])
        weights = 1.0 / np.square(np.maximum(np.stack([errors[h], *errors[-3:]]), np.float32(1e-4)))
        result.append(np.asarray((parts * weights).sum(axis=0) / weights.sum(axis=0), dtype=np.float32))
    return result


def usual(values: Floats) -> Floats:
    """Median over the first axis of what is present."""
    return median(np.array(values, order="C"), -(-len(values) // 2))
