from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extender.inflight import Change, Placement
from extender.view import ClusterView
from tests.extender.samples import placement, scores, snapshot, view


def put(on: ClusterView, made: Placement) -> None:
    on.apply(Change(None, made))


def cell(of: ClusterView, node: str, name: str) -> float:
    return float(of.matrix[of.snapshot.row_of[node], of.column[name]])


def test_a_pod_in_flight_raises_requests_usage_and_number_of_its_node_alone() -> None:
    seen = view()
    put(seen, placement(node="n1"))
    changed = (seen.matrix != seen.snapshot.matrix) & ~np.isnan(seen.matrix)
    assert np.flatnonzero(changed.any(axis=1)).tolist() == [1]
    found = [cell(seen, "n1", name) for name in ("cpu_requested", "memory_requested", "pods_requested")]
    assert found == [4.0, 8.0, 1.0]
    assert seen.usage[1].tolist() == pytest.approx([0.5 * 4 / 16, 0.5 * 8 / 64])
    assert seen.in_flight.tolist() == [0, 1, 0, 0, 0, 0]


def test_a_shared_device_is_taken_from_the_tightest_that_fits() -> None:
    seen = view()
    put(seen, placement(gpus=1, gpu_milli=500))
    assert (cell(seen, "n1", "gpu0_free"), cell(seen, "n1", "gpu1_free")) == (1.0, 0.0)
    assert cell(seen, "n1", "gpu_requested") == 1.0
    put(seen, placement(uid="q", gpus=1, gpu_milli=600))
    assert cell(seen, "n1", "gpu0_free") == pytest.approx(0.4)


def test_whole_devices_are_taken_where_they_are_free() -> None:
    seen = view()
    put(seen, placement(gpus=1))
    assert (cell(seen, "n1", "gpu0_free"), cell(seen, "n1", "gpu1_free")) == (0.0, 0.5)
    put(seen, placement(uid="q", gpus=1))  # none is left: counted in the sum, no device invented
    assert cell(seen, "n1", "gpu1_free") == 0.5


@given(
    st.lists(
        st.tuples(
            st.integers(0, 7), st.floats(0, 30), st.floats(0, 90), st.integers(0, 3), st.sampled_from([0, 250, 500])
        ),
        min_size=1,
        max_size=12,
    ),
    st.randoms(use_true_random=False),
)
def test_undo_restores_the_rows(asks: list[tuple[int, float, float, int, int]], order: object) -> None:
    seen = view()
    placed = [
        placement(uid=f"p{i}", node=f"n{row}", cpu=cpu, memory=memory, gpus=gpus, gpu_milli=milli)
        for i, (row, cpu, memory, gpus, milli) in enumerate(asks)
    ]
    for one in placed:
        put(seen, one)
    order.shuffle(placed)  # type: ignore[attr-defined]
    for one in placed:
        seen.apply(Change(one, None))
    assert np.allclose(seen.matrix, seen.snapshot.matrix, atol=1e-4, equal_nan=True)
    assert np.allclose(seen.usage, 0.0, atol=1e-5)
    assert not seen.in_flight.any()
    assert not seen.placed
    assert not seen.devices


def test_one_undo_is_exact() -> None:
    seen = view()
    made = placement(gpus=1, gpu_milli=250)
    put(seen, made)
    seen.apply(Change(made, None))
    assert np.array_equal(seen.matrix, seen.snapshot.matrix, equal_nan=True)


def test_a_pod_that_telemetry_counts_already_adds_no_request() -> None:
    seen = ClusterView(snapshot(bindings={"p": 1}), 0.5, 16)
    made = placement(node="n1")
    put(seen, made)
    assert np.array_equal(seen.matrix, seen.snapshot.matrix, equal_nan=True)
    assert seen.usage[1, 0] > 0  # its load is not in the measured usage yet
    seen.apply(Change(made, None))
    assert not seen.usage.any()


def test_a_move_leaves_nothing_behind() -> None:
    seen = view()
    first, moved = placement(node="n1"), placement(node="n3", at=200.0)
    put(seen, first)
    seen.apply(Change(first, moved))
    assert seen.in_flight.tolist() == [0, 0, 0, 1, 0, 0]
    assert np.array_equal(seen.matrix[1], seen.snapshot.matrix[1], equal_nan=True)


def test_a_node_that_the_snapshot_does_not_know_changes_nothing() -> None:
    seen = view()
    made = placement(node="elsewhere")
    put(seen, made)
    seen.apply(Change(made, None))
    assert np.array_equal(seen.matrix, seen.snapshot.matrix, equal_nan=True)


def test_only_changed_rows_are_stale_and_only_until_they_are_asked() -> None:
    seen = view()
    known = scores(np.zeros(6), seen)
    assert seen.stale_rows(known).size == 0
    put(seen, placement(node="n2"))
    assert seen.stale_rows(known).tolist() == [2]
    known.epochs[[2]] = seen.clock
    assert seen.stale_rows(known).size == 0


def test_the_least_recently_used_class_goes_first_and_forecasts_stay() -> None:
    seen = view(classes=2)
    seen.enter(("load-predictor", ""), scores(np.zeros((6, 6)), seen))
    for name in ("a", "b"):
        seen.enter(("placement-scorer", name), scores(np.zeros(6), seen))
    assert seen.get(("placement-scorer", "a")) is not None
    seen.enter(("placement-scorer", "c"), scores(np.zeros(6), seen))
    assert list(seen.scores) == [("load-predictor", ""), ("placement-scorer", "a"), ("placement-scorer", "c")]


def test_an_older_snapshot_stands_in_by_node_name() -> None:
    before, now = view(4), view(6)
    before.enter(("anomaly-detector", ""), scores([0.1, 0.2, 0.3, 0.4], before))
    now.inherit(before, 0.0)
    found = now.stand_in(("anomaly-detector", ""), 0.0)
    assert found is not None
    assert found.origin == "older"
    assert found.values[:4, 0].tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert np.isnan(found.values[4:]).all()
    assert now.stand_in(("anomaly-detector", ""), 9e15) is None
    assert now.stand_in(("placement-scorer", "a"), 0.0) is None


def test_many_classes_never_push_out_the_stand_ins_of_forecast_and_health() -> None:
    previous = view(classes=4)
    for model, columns in (("load-predictor", 6), ("anomaly-detector", 1)):
        previous.enter((model, ""), scores(np.zeros((6, columns)), previous))
    for turn in range(6):
        now = view(classes=4)
        now.inherit(previous, 0.0)
        for i in range(4):  # both other models are silent all the while
            now.enter(("placement-scorer", f"{turn}-{i}"), scores(np.zeros(6), now))
        previous = now
    for model in ("load-predictor", "anomaly-detector"):
        assert previous.stand_in((model, ""), 0.0) is not None
    assert len(previous.older) <= 6
