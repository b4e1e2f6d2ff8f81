import copy

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from berth.cluster.pods import PodRequest
from berth.recordings.load import STEP_S, OpenbNode
from berth.simulator.cluster import ReplayedCluster
from berth.simulator.errors import AlreadyBoundError, PodDoesNotFitError, UnknownNodeError, UnknownPodError
from berth.simulator.load import CPU, MEMORY, REQUEST_SHARE, STEPS_A_DAY, september_cycle

NODES = [
    OpenbNode("small", 4000, 8192, 0, ""),
    OpenbNode("t4", 32000, 131072, 2, "T4"),
    OpenbNode("g2", 96000, 393216, 8, "G2"),
]
SMALL, T4, G2 = range(3)


def empty_cluster(history_steps: int = 12) -> ReplayedCluster:
    cluster = ReplayedCluster(NODES, september_cycle(), step=5000, history_steps=history_steps)
    cluster.fill_history()
    return cluster


@pytest.fixture(scope="module")
def filled() -> ReplayedCluster:
    """Module-wide: tests copy it before they change it."""
    return ReplayedCluster.openb(7, nodes=120, history_steps=STEPS_A_DAY)


PODS = st.builds(
    PodRequest,
    uid=st.uuids().map(str),
    cpu=st.sampled_from([0.0, 0.1, 0.25, 1.0, 3.7, 12.0, 40.0]),
    memory=st.sampled_from([0.0, 0.3, 1.0, 6.0, 30.5, 200.0]),
    gpus=st.sampled_from([0, 0, 1, 2, 8]),
    gpu_models=st.sampled_from([(), ("T4",), ("G2", "P100"), ("P100",)]),
) | st.builds(
    PodRequest,
    uid=st.uuids().map(str),
    cpu=st.sampled_from([0.1, 2.0]),
    gpus=st.just(1),
    gpu_milli=st.sampled_from([50, 110, 230, 333, 500, 810, 1000]),
)


def state(cluster: ReplayedCluster) -> list[NDArray[np.float64]]:
    return [cluster.cpu_requested, cluster.memory_requested, cluster.pods_requested, cluster.gpu_free]


def fits_by_hand(cluster: ReplayedCluster, pod: PodRequest, row: int) -> bool:
    """Kubernetes' rule, one node and one device at a time."""
    if cluster.pods_requested[row] >= 110:
        return False
    if pod.cpu and pod.cpu > cluster.cpu_allocatable[row] - cluster.cpu_requested[row] + 1e-6:
        return False
    if pod.memory and pod.memory > cluster.memory_allocatable[row] - cluster.memory_requested[row] + 1e-6:
        return False
    if not pod.gpus:
        return True
    model = NODES[row].gpu_model
    share = pod.gpu_milli / 1000 if pod.gpu_milli else 1.0
    devices = [free for free in cluster.gpu_free[row] if not np.isnan(free) and free + 1e-6 >= share]
    return len(devices) >= pod.gpus and (not pod.gpu_models or model in pod.gpu_models)


@given(st.lists(PODS, max_size=40, unique_by=lambda pod: pod.uid), st.randoms(use_true_random=False))
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_binding_never_overfills_and_releasing_leaves_no_trace(pods: list[PodRequest], random: object) -> None:
    cluster = empty_cluster(history_steps=1)
    before = [array.copy() for array in state(cluster)]
    bound: list[str] = []
    for pod in pods:
        feasible = cluster.feasible(pod)
        assert feasible.tolist() == [fits_by_hand(cluster, pod, row) for row in range(3)]
        for row in range(3):
            if feasible[row]:
                cluster.bind(pod, row)
                bound.append(pod.uid)
                break
            with pytest.raises(PodDoesNotFitError):
                cluster.bind(pod, row)
        assert (cluster.cpu_requested <= cluster.cpu_allocatable + 1e-6).all()
        assert (cluster.memory_requested <= cluster.memory_allocatable + 1e-6).all()
        assert np.nanmin(cluster.gpu_free) >= 0.0
        assert np.nanmax(cluster.gpu_free) <= 1.0
    random.shuffle(bound)  # type: ignore[attr-defined]
    for uid in bound:
        cluster.release(uid)
    for was, now in zip(before, state(cluster), strict=True):
        np.testing.assert_array_equal(was, now)


def test_a_share_takes_the_tightest_device_that_has_it() -> None:
    cluster = empty_cluster()
    cluster.bind(PodRequest("a", gpus=1, gpu_milli=500), T4)
    assert cluster.gpu_free[T4, :2].tolist() == [0.5, 1.0]
    cluster.bind(PodRequest("b", gpus=1, gpu_milli=600), T4)
    assert cluster.gpu_free[T4, :2].tolist() == [0.5, 0.4]
    cluster.bind(PodRequest("c", gpus=1, gpu_milli=300), T4)
    assert cluster.gpu_free[T4, :2].tolist() == [0.5, 0.1]


def test_whole_devices_must_be_wholly_free() -> None:
    cluster = empty_cluster()
    cluster.bind(PodRequest("share", gpus=1, gpu_milli=50), T4)
    assert cluster.feasible(PodRequest("two", gpus=2)).tolist() == [False, False, True]
    assert cluster.feasible(PodRequest("one", gpus=1)).tolist() == [False, True, True]
    assert cluster.feasible(PodRequest("eight", gpus=8)).tolist() == [False, False, True]
    assert cluster.gpu_requested.tolist() == [0.0, 0.05, 0.0]


def test_110_pods_a_node() -> None:
    cluster = empty_cluster()
    for i in range(110):
        cluster.bind(PodRequest(f"pod-{i}"), SMALL)
    assert not cluster.feasible(PodRequest("more"))[SMALL]


def test_refusals_are_typed_and_change_nothing() -> None:
    cluster = empty_cluster()
    cluster.bind(PodRequest("a", cpu=1.0), SMALL)
    before = [array.copy() for array in state(cluster)]
    with pytest.raises(AlreadyBoundError):
        cluster.bind(PodRequest("a", cpu=1.0), G2)
    with pytest.raises(PodDoesNotFitError):
        cluster.bind(PodRequest("b", cpu=3.5), SMALL)
    with pytest.raises(UnknownNodeError):
        cluster.bind(PodRequest("b"), 3)
    with pytest.raises(UnknownPodError):
        cluster.release("b")
    with pytest.raises(UnknownNodeError):
        cluster.row("nowhere")
    for was, now in zip(before, state(cluster), strict=True):
        np.testing.assert_array_equal(was, now)


def test_a_bound_pod_uses_its_own_recording_from_the_next_step_on() -> None:
    cluster = empty_cluster()
    assert not cluster.history(12).any()
    cluster.bind(PodRequest("pod", cpu=8.0, memory=16.0), G2)
    assert not cluster.usage().any()
    cluster.advance()
    recorded = cluster.cycle.at(cluster.step)[:, cluster.cycle.slot_of("pod")]
    usage = cluster.usage()
    assert usage[CPU, G2] == pytest.approx(recorded[CPU] * 8.0 / REQUEST_SHARE / 96.0, rel=1e-5)
    assert usage[MEMORY, G2] == pytest.approx(recorded[MEMORY] * 16.0 / REQUEST_SHARE / 384.0, rel=1e-5)
    assert np.allclose(usage[2:, G2], np.log1p(recorded[2:]), rtol=1e-5)
    cluster.release("pod")
    cluster.advance()
    assert not cluster.usage().any()
    assert cluster.history(2)[CPU, 0, G2] > 0.0, "what was used stays in the history"


def test_future_is_what_happens(filled: ReplayedCluster) -> None:
    cluster = copy.deepcopy(filled)
    future, some = cluster.future(6), cluster.future(6, np.array([5, 90]))
    assert np.array_equal(some, future[:, :, [5, 90]])
    cluster.advance(6)
    assert np.array_equal(cluster.history(6), future)


def test_history_is_kept_over_days_and_agrees_with_usage(filled: ReplayedCluster) -> None:
    cluster = copy.deepcopy(filled)
    seen = [cluster.usage().copy()]
    for _ in range(STEPS_A_DAY + 17):
        cluster.advance()
        seen.append(cluster.usage().copy())
    kept = cluster.history(STEPS_A_DAY)
    assert np.array_equal(kept, np.stack(seen[-STEPS_A_DAY:], axis=1))
    assert cluster.clock == filled.clock + (len(seen) - 1) * STEP_S
    with pytest.raises(ValueError, match="steps asked for"):
        cluster.history(STEPS_A_DAY + 1)


def test_openb_nodes_are_filled_as_stated(filled: ReplayedCluster) -> None:
    cpu = filled.cpu_requested / filled.cpu_allocatable
    assert cpu.min() > 0.2
    assert cpu.max() < 0.96
    assert cpu.std() > 0.15
    assert ((filled.pods_requested >= 5) & (filled.pods_requested <= 12)).all()
    assert 0.1 < filled.gpu_requested.sum() / filled.gpu_allocatable.sum() < 0.6
    assert (filled.gpu_model >= 0).tolist() == (filled.gpu_allocatable > 0).tolist()
    released = filled.workloads.entry_of.keys()
    assert len(released) == filled.pods_requested.sum(), "background workloads can be released too"


def test_same_seed_same_cluster() -> None:
    one, two, other = (ReplayedCluster.openb(seed, nodes=30, history_steps=3) for seed in (1, 1, 2))
    assert one.names == two.names
    assert np.array_equal(one.history(3), two.history(3))
    assert not np.array_equal(one.history(3), other.history(3))


@pytest.mark.parametrize("count", [1, 1600])
def test_node_counts_below_and_above_the_trace(count: int) -> None:
    cluster = ReplayedCluster.openb(3, nodes=count, history_steps=1)
    assert len(set(cluster.names)) == count


def test_load_is_realistic() -> None:
    """About 3 % of node-time above 80 % CPU. A sample of nodes and of a week, three seeds."""
    shares = [
        ReplayedCluster.openb(seed, nodes=400, history_steps=STEPS_A_DAY // 2).share_at(0.8) for seed in (1, 2, 3)
    ]
    assert 0.015 < np.mean([cpu for cpu, _ in shares]) < 0.05
    assert 0.005 < np.mean([memory for _, memory in shares]) < 0.05
