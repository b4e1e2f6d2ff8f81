"""What a replayed workload uses: one Bitbrains machine's recorded load, scaled to what it asks for.

A workload is a machine of the recording, a shift in whole days (the hour of the day stays, the weekday
changes) and a requested size. The machine's recorded share applies to its provisioned size, which is
`request / REQUEST_SHARE`: on a shared cluster pods request less than the machines they ran on had.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from berth.recordings.load import METRICS, STEP_S, bitbrains

Floats = NDArray[np.float32]

CPU, MEMORY, DISK, NETWORK = range(len(METRICS))
REQUEST_SHARE = 0.22
"""Request over provisioned size. At 1.0 nodes never pass 80 % CPU; README.md has the figures."""
STEPS_A_DAY = 86400 // STEP_S
CYCLE_DAYS = 28
SEPTEMBER_STEP = 62 * STEPS_A_DAY
"""First step of 1 September in the recording, which starts on 1 July, local midnight."""


@dataclass(frozen=True)
class Cycle:
    """A span of whole days of some machines, read round and round.

    load: float32 [metric, step, machine], no NaN; CPU and memory as a share of provisioned size, disk and
    network in KB/s (not log1p, so that they can be summed). start: unix seconds of step 0.
    """

    load: Floats
    start: int

    @property
    def steps(self) -> int:
        """5-minute steps before the cycle starts again."""
        return int(self.load.shape[1])

    @property
    def days(self) -> int:
        """Whole days before the cycle starts again; also the number of shifts."""
        return self.steps // STEPS_A_DAY

    @property
    def machines(self) -> int:
        """Machines to choose from."""
        return int(self.load.shape[2])

    @property
    def slots(self) -> int:
        """Different workloads: machines times shifts."""
        return self.days * self.machines

    def at(self, step: int) -> Floats:
        """float32 [metric, slots]: the load of each slot (shift * machines + machine) at any step."""
        steps = (step + STEPS_A_DAY * np.arange(self.days)) % self.steps
        return self.load[:, steps].reshape(len(METRICS), -1)

    def slot_of(self, uid: str) -> int:
        """The slot that a pod of this uid always gets."""
        return int.from_bytes(hashlib.blake2b(uid.encode(), digest_size=8).digest(), "big") % self.slots


def september_cycle(machines: Sequence[int] | None = None, span: tuple[int, int] | None = None) -> Cycle:
    """The recorded September. machines: indexes 0 to 69 (default all); span: days [first, past) within the 28
    (default all). Raises ValueError for an empty or unknown choice."""
    first, past = span or (0, CYCLE_DAYS)
    if not 0 <= first < past <= CYCLE_DAYS:
        raise ValueError(f"span {first} to {past}: whole days within 0 to {CYCLE_DAYS}, first below past")
    load, start = september()
    chosen = range(load.shape[2]) if machines is None else list(machines)
    if not len(chosen) or min(chosen) < 0 or max(chosen) >= load.shape[2]:
        raise ValueError(f"machines: one or more indexes in 0 to {load.shape[2] - 1}")
    days = load[:, first * STEPS_A_DAY : past * STEPS_A_DAY]
    return Cycle(np.ascontiguousarray(days[:, :, chosen]), start + first * 86400)


@cache
def september() -> tuple[Floats, int]:
    """float32 [metric, 28 days of steps, 70], read-only, and its first unix second. September holds no gap of
    more than 35 minutes but one restless night; all are bridged linearly."""
    recorded = bitbrains()
    window = slice(SEPTEMBER_STEP, SEPTEMBER_STEP + CYCLE_DAYS * STEPS_A_DAY)
    load = recorded.usage[:, window].copy()
    for metric in range(load.shape[0]):
        for machine in range(load.shape[2]):
            bridge_gaps(load[metric, :, machine])
    load[DISK:] = np.expm1(load[DISK:])
    load.setflags(write=False)
    return load, recorded.start + SEPTEMBER_STEP * STEP_S


def bridge_gaps(series: Floats) -> None:
    """Replaces NaN in `series` (float32 [step]) in place, linearly between its recorded neighbours."""
    missing = np.isnan(series)
    if missing.any():
        recorded = np.flatnonzero(~missing)
        series[missing] = np.interp(np.flatnonzero(missing), recorded, series[recorded])
