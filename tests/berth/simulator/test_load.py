import numpy as np
import pytest

from berth.recordings.load import bitbrains
from berth.simulator.load import (
    CPU,
    DISK,
    SEPTEMBER_STEP,
    STEPS_A_DAY,
    Floats,
    bridge_gaps,
    september_cycle,
)


@pytest.fixture(scope="module")
def recorded() -> Floats:
    return bitbrains().usage[:, SEPTEMBER_STEP : SEPTEMBER_STEP + 28 * STEPS_A_DAY]


def test_september_is_28_days_without_a_gap() -> None:
    cycle = september_cycle()
    assert (cycle.days, cycle.machines) == (28, 70)
    assert np.isfinite(cycle.load).all()
    assert cycle.load.min() >= 0.0


def test_what_was_recorded_is_kept(recorded: Floats) -> None:
    cycle = september_cycle()
    known = ~np.isnan(recorded[CPU])
    assert known.mean() > 0.99
    assert np.array_equal(cycle.load[CPU][known], recorded[CPU][known])
    assert np.allclose(np.log1p(cycle.load[DISK][known]), recorded[DISK][known], atol=1e-4)


def test_a_slot_is_a_machine_shifted_by_whole_days() -> None:
    cycle = september_cycle()
    step, shift, machine = 1000, 5, 42
    at = cycle.at(step)[:, shift * cycle.machines + machine]
    assert np.array_equal(at, cycle.load[:, step + shift * STEPS_A_DAY, machine])


@pytest.mark.parametrize("step", [-1, 0, 28 * STEPS_A_DAY - 1, 28 * STEPS_A_DAY, 100 * STEPS_A_DAY + 7])
def test_the_cycle_goes_round(step: int) -> None:
    cycle = september_cycle()
    assert np.array_equal(cycle.at(step), cycle.at(step % cycle.steps))


def test_machines_and_span_keep_training_and_test_apart() -> None:
    whole, part = september_cycle(), september_cycle([3, 7], (14, 21))
    assert (part.days, part.machines) == (7, 2)
    assert part.start == whole.start + 14 * 86400
    assert np.array_equal(part.load, whole.load[:, 14 * STEPS_A_DAY : 21 * STEPS_A_DAY][:, :, [3, 7]])


@pytest.mark.parametrize(
    ("machines", "span"), [([], None), ([70], None), ([-1], None), (None, (5, 5)), (None, (0, 29))]
)
def test_an_empty_or_unknown_choice_is_refused(machines: list[int] | None, span: tuple[int, int] | None) -> None:
    with pytest.raises(ValueError, match=r"machines|span"):
        september_cycle(machines, span)


def test_a_uid_always_gets_the_same_slot() -> None:
    cycle = september_cycle()
    slots = {f"pod-{i}": cycle.slot_of(f"pod-{i}") for i in range(500)}
    assert all(cycle.slot_of(uid) == slot for uid, slot in slots.items())
    assert len({slot % cycle.machines for slot in slots.values()}) > 60, "machines are spread"
    assert cycle.slot_of("pod-0") == 974, "stable over processes and versions"


def test_gaps_are_bridged_between_their_neighbours() -> None:
    series = np.array([np.nan, 1.0, np.nan, np.nan, 4.0, np.nan], dtype=np.float32)
    bridge_gaps(series)
    assert series.tolist() == [1.0, 1.0, 2.0, 3.0, 4.0, 4.0]
