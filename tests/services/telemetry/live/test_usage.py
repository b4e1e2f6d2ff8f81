"""Samples that are not what they should be, and readings that age."""

from __future__ import annotations

import math

import numpy as np
import pytest

from services.telemetry.live.prometheus import PrometheusError, Sample, answer_in, at_steps, newest_of
from services.telemetry.live.usage import Usage, believable, in_units, node_of

NODES = ("n1", "n2", "n3")
NAMES = {name: name for name in NODES} | {"10.0.0.1": "n1", "fd00::2": "n2"}


def sample(value: float, **labels: str) -> Sample:
    return Sample(labels or {"node": "n1"}, 100.0, value)


def test_a_reading_stays_and_ages_until_there_is_a_newer_one() -> None:
    usage = Usage()
    assert not usage.take("cpu", [sample(2.0)], NAMES, 100.0)
    assert not usage.take("cpu", [], NAMES, 130.0)
    assert usage.values(NODES, 70.0)[0].tolist()[0] == 2.0
    assert usage.ages(130.0) == {"cpu": 30.0, "memory": None, "disk": None, "network": None}
    assert math.isnan(usage.values(NODES, 101.0)[0, 0])


def test_what_is_missing_is_not_zero() -> None:
    usage = Usage()
    usage.take("cpu", [sample(2.0)], NAMES, 100.0)
    assert np.isnan(usage.values(NODES, 0.0)).tolist() == [[False, True, True], *([[True] * 3] * 3)]
    assert usage.values((), 0.0).shape == (4, 0)


def test_odd_samples_are_left_out_and_counted() -> None:
    usage = Usage()
    odd = [*(sample(value) for value in (math.nan, math.inf, -1.0)), sample(1.0, node="somebody-else")]
    assert usage.take("cpu", odd, NAMES, 100.0) == {"out-of-range": 3, "stranger": 1}
    assert usage.readings["cpu"] == {}


def test_of_two_series_of_a_node_the_larger_counts_and_the_next_answer_replaces_it() -> None:
    usage = Usage()
    assert usage.take("cpu", [sample(3.0), sample(2.0, instance="n1:9100")], NAMES, 100.0) == {"duplicate": 1}
    assert usage.readings["cpu"]["n1"].value == 3.0
    usage.take("cpu", [sample(1.0)], NAMES, 110.0)
    assert usage.readings["cpu"]["n1"].value == 1.0


def test_nodes_that_are_gone_are_forgotten() -> None:
    usage = Usage()
    usage.take("cpu", [sample(3.0), sample(2.0, node="n2")], NAMES, 100.0)
    usage.keep(["n2"])
    assert set(usage.readings["cpu"]) == {"n2"}


@pytest.mark.parametrize(
    ("labels", "node"),
    [
        ({"node": "n1", "instance": "n2"}, "n1"),
        ({"node": "x", "instance": "n2:9100"}, "n2"),
        ({"instance": "10.0.0.1:9100"}, "n1"),
        ({"instance": "[fd00::2]:9100"}, "n2"),
        ({"nodename": "n3"}, "n3"),
        ({"instance": "10.0.0.9:9100"}, ""),
        ({}, ""),
    ],
)
def test_which_node_a_series_is_about(labels: dict[str, str], node: str) -> None:
    assert node_of(labels, NAMES) == node


def test_units_are_those_of_training() -> None:
    whole = {"cpu": np.array([4.0, np.nan], np.float32), "memory": np.array([2.0**30, 2.0**31], np.float32)}
    raw = np.array([2.0, 1.0], np.float32)
    np.testing.assert_array_equal(in_units("cpu", raw, whole), [0.5, np.nan])
    np.testing.assert_allclose(in_units("memory", raw * 2**29, whole), [1.0, 0.25])
    np.testing.assert_allclose(in_units("disk", raw * 1000.0, whole), np.log1p([2.0, 1.0]), rtol=1e-6)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b'{"status":"error","errorType":"x"}', b'{"status":"success"}', b"\xff", b"[" * 9999],
)
def test_anything_but_an_answer_is_an_error(body: bytes) -> None:
    with pytest.raises(PrometheusError):
        answer_in(body)


def test_an_answer_with_warnings_is_partial_and_text_that_is_no_number_is_missing() -> None:
    body = b'{"status":"success","warnings":["a store is away"],"data":{"resultType":"vector","result":'
    body += b'[{"metric":{"node":"n1"},"value":[7,"NaN"]},{"metric":{},"value":[7,"many"]}]}}'
    found = newest_of(answer_in(body))
    assert found.partial
    assert all(math.isnan(one.value) for one in found.samples)


def test_points_go_to_their_steps() -> None:
    points = [(600.0, "1"), (900.4, "2"), (1200.0, "NaN"), (1500.0, "-3"), (9000.0, "4")]
    found = at_steps(points, range(1, 6), 300)
    np.testing.assert_array_equal(found, [np.nan, 1.0, 2.0, np.nan, -3.0])  # history keeps what was told
    np.testing.assert_array_equal(believable(found), [np.nan, 1.0, 2.0, np.nan, np.nan])
