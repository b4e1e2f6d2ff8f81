"""Expected numbers are those of Kubernetes' own tests where a file is named."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from berth.cluster.pods import PodRequest
from berth.simulator.scheduling import (
    NodeSampler,
    balanced_allocation,
    default_scores,
    feasible_nodes_to_find,
    least_allocated,
    select_host,
)


def two(resource_of_first: tuple[int, int], resource_of_second: tuple[int, int]) -> NDArray[np.int64]:
    """int64 [resource, 2 nodes] of (cpu, memory) a node."""
    return np.array([resource_of_first, resource_of_second], dtype=np.int64).T


@pytest.mark.parametrize(
    ("requested", "allocatable", "expected"),
    [
        (((0, 0), (0, 0)), ((4000, 10000), (4000, 10000)), [100, 100]),
        (((3000, 5000), (3000, 5000)), ((4000, 10000), (6000, 10000)), [37, 50]),
        (((6000, 0), (6000, 5000)), ((10000, 20000), (10000, 20000)), [70, 57]),
        (((6000, 5000), (6000, 10000)), ((10000, 20000), (10000, 20000)), [57, 45]),
        (((6000, 5000), (6000, 10000)), ((10000, 20000), (10000, 50000)), [57, 60]),
        (((6000, 0), (6000, 5000)), ((4000, 10000), (4000, 10000)), [50, 25]),
        (((3000, 0), (3000, 5000)), ((0, 0), (0, 0)), [0, 0]),
    ],
)
def test_least_allocated_as_upstream(
    requested: tuple[tuple[int, int], tuple[int, int]],
    allocatable: tuple[tuple[int, int], tuple[int, int]],
    expected: list[int],
) -> None:
    """pkg/scheduler/framework/plugins/noderesources/least_allocated_test.go, TestLeastAllocatedScoringStrategy."""
    assert least_allocated(two(*requested), two(*allocatable)).tolist() == expected


@pytest.mark.parametrize(
    ("with_pod", "without_pod", "allocatable", "expected"),
    [
        ((3000, 5000), (3000, 5000), (4000, 10000), 75),  # no change
        ((4000, 0), (0, 0), (4000, 10000), 50),  # from balanced to as unbalanced as can be
        ((4000, 10000), (4000, 0), (4000, 10000), 100),  # and back
        ((3000, 5000), (0, 0), (4000, 10000), 68),  # 100 to 87: 50 + (50 - 13) // 2
        ((3000, 5000), (0, 0), (6000, 10000), 75),  # 100 to 100
        ((5, 5), (3, 3), (0, 0), 75),
    ],
)
def test_balanced_allocation_scores_the_change(
    with_pod: tuple[int, int], without_pod: tuple[int, int], allocatable: tuple[int, int], expected: int
) -> None:
    """The end points are those of kubernetes#135573; the rest is worked out by hand."""
    column = [np.array(pair, dtype=np.int64)[:, None] for pair in (with_pod, without_pod, allocatable)]
    assert balanced_allocation(*column).tolist() == [expected]


def test_default_scores_add_both_plugins() -> None:
    scores = default_scores(
        PodRequest("p", cpu=3.0, memory=5.0),
        np.array([4.0, 6.0]),
        np.zeros(2),
        np.array([10.0, 10.0]),
        np.zeros(2),
    )
    assert scores.tolist() == [37 + 68, 50 + 75]


def test_a_pod_that_asks_for_nothing_is_scored_by_least_allocated_alone() -> None:
    amounts = (np.array([1.0, 1.0]), np.array([0.0, 0.5]), np.array([1.0, 1.0]), np.zeros(2))
    # 0.1 cores and 200 MiB count: (90 + 80) // 2 and (40 + 80) // 2
    assert default_scores(PodRequest("p"), *amounts).tolist() == [85, 60]


@pytest.mark.parametrize(
    ("nodes", "percentage", "expected"),
    [
        (10, 0, 10),
        (10, 40, 10),
        (1000, 0, 420),
        (1000, 40, 400),
        (6000, 0, 300),
        (6000, 40, 2400),
        (99, 0, 99),
        (100, 0, 100),
        (1213, 0, 497),
        (5000, 0, 500),
    ],
)
def test_sample_sizes_as_upstream(nodes: int, percentage: int, expected: int) -> None:
    """The first six: pkg/scheduler/schedule_one_test.go, TestNumFeasibleNodesToFind."""
    assert feasible_nodes_to_find(nodes, percentage) == expected


def test_the_search_goes_on_where_it_stopped() -> None:
    sampler = NodeSampler()
    everywhere = np.ones(1000, dtype=np.bool_)
    first, second, third = (sampler.sample(everywhere) for _ in range(3))
    assert first.tolist() == list(range(420))
    assert second.tolist() == list(range(420, 840))
    assert third.tolist() == [*range(840, 1000), *range(260)]


def test_too_few_feasible_nodes_and_the_search_looks_at_all() -> None:
    sampler = NodeSampler(start=500)
    few = np.zeros(1000, dtype=np.bool_)
    few[[3, 700]] = True
    assert sampler.sample(few).tolist() == [700, 3]
    assert sampler.start == 500
    assert NodeSampler().sample(np.zeros(0, dtype=np.bool_)).tolist() == []


@given(st.lists(st.booleans(), min_size=1, max_size=400), st.integers(0, 1000))
def test_a_sample_is_feasible_unique_and_of_the_right_size(feasible: list[bool], start: int) -> None:
    mask = np.array(feasible)
    rows = NodeSampler(start=start % len(mask)).sample(mask)
    assert mask[rows].all()
    assert len(set(rows.tolist())) == len(rows) == min(mask.sum(), feasible_nodes_to_find(len(mask)))


def test_ties_are_drawn_evenly() -> None:
    rng = np.random.default_rng(1)
    scores = np.array([5.0, 9.0, 9.0, 1.0, 9.0])
    drawn = np.bincount([select_host(scores, rng) for _ in range(3000)], minlength=5)
    assert drawn[[0, 3]].tolist() == [0, 0]
    assert drawn[[1, 2, 4]].min() > 900
