import copy

import numpy as np
import pytest

from berth.cluster.pods import PodRequest
from berth.cluster.snapshot import decode, encode
from berth.features.registry import node_feature_names, node_features
from berth.features.residuals import ResidualScales
from berth.features.scales import DayScales
from berth.simulator.cluster import ReplayedCluster
from berth.simulator.load import STEPS_A_DAY
from berth.simulator.observe import Observer


@pytest.fixture(scope="module")
def built() -> ReplayedCluster:
    return ReplayedCluster.openb(2, nodes=60)


@pytest.fixture
def cluster(built: ReplayedCluster) -> ReplayedCluster:
    return copy.deepcopy(built)


def test_a_snapshot_has_all_columns_and_survives_its_byte_form(cluster: ReplayedCluster) -> None:
    snapshot = Observer(cluster).observe(7, 1234, {"pod": 3}, fence=2)
    again = decode(encode(snapshot))
    assert again.features == node_feature_names()
    assert again.nodes == cluster.names
    assert (again.version, again.published_ms, again.fence, again.source) == (7, 1234, 2, "replay")
    assert dict(again.bindings) == {"pod": 3}
    np.testing.assert_array_equal(again.matrix, snapshot.matrix)


def test_only_missing_devices_are_unknown(cluster: ReplayedCluster) -> None:
    snapshot = Observer(cluster).observe(1, 0)
    unknown = {name for name in snapshot.features if np.isnan(snapshot.column(name)).any()}
    devices = {"gpu_model", *(f"gpu{i}_free" for i in range(8))}
    untold = {feature.name for feature in node_features() if feature.family == "health"}
    untold |= {"reliability", "burstable_share", "stateful_share", "job_share", "priority", "churn"}
    untold |= {"cluster_pending_pods", "cluster_not_ready"}
    older = {"cpu_same_time_last_week", "memory_same_time_last_week"}  # than the week that is kept
    empty = {"cpu_used_of_requested", "memory_used_of_requested"}  # of a node without requests
    assert unknown - empty <= devices | untold | older
    assert untold <= unknown


def test_capacity_columns_follow_a_binding(cluster: ReplayedCluster) -> None:
    observer = Observer(cluster)
    pod = PodRequest("pod", cpu=1.5, memory=2.0, gpus=1, gpu_milli=250)
    row = int(np.flatnonzero(cluster.feasible(pod))[0])
    before = observer.observe(1, 0)
    cluster.bind(pod, row)
    after = observer.observe(2, 0)
    ratio = after.column("cpu_used")[row] * cluster.cpu_allocatable[row] / cluster.cpu_requested[row]
    assert after.column("cpu_used_of_requested")[row] == pytest.approx(ratio, rel=1e-5)
    of_family = [feature.family == "capacity" for feature in node_features()]
    change = (after.matrix - before.matrix)[:, of_family]
    changed = {before.features[c]: change[row, c] for c in np.flatnonzero(np.nan_to_num(change[row]))}
    devices = [changed.pop(name) for name in list(changed) if name.startswith("gpu") and name.endswith("_free")]
    assert devices == [pytest.approx(-0.25)]
    asked = {"cpu_requested": 1.5, "memory_requested": 2.0, "pods_requested": 1.0, "gpu_requested": 0.25}
    assert changed == pytest.approx(asked, abs=1e-3)
    assert not np.nan_to_num(np.delete(change, row, axis=0)).any()


def test_usage_columns_are_the_newest_means(cluster: ReplayedCluster) -> None:
    cluster.advance(3)
    snapshot = Observer(cluster).observe(1, 0)
    for name, metric in zip(("cpu_used", "memory_used", "disk_rate", "network_rate"), cluster.usage(), strict=True):
        np.testing.assert_array_equal(snapshot.column(name), metric)


def test_scales_are_made_once_a_day(cluster: ReplayedCluster) -> None:
    observer = Observer(cluster)
    observer.observe(1, 0)
    first = observer.scales.scales
    cluster.advance(STEPS_A_DAY - 1 - cluster.step % STEPS_A_DAY)
    observer.observe(2, 0)
    assert observer.scales.scales is first
    cluster.advance()
    observer.observe(3, 0)
    assert observer.scales.scales is not first


def scales_of(observer: Observer) -> ResidualScales:
    """Of its cluster now."""
    cluster = observer.cluster
    return observer.scales.of(cluster.history(), cluster.step, cluster.names)


def test_scales_do_not_know_today(cluster: ReplayedCluster) -> None:
    """As in training: what happens today is measured against the days before it."""
    plain, disturbed = Observer(cluster), Observer(copy.deepcopy(cluster))
    today = cluster.step % STEPS_A_DAY + 1
    disturbed.cluster.history(today)[:] = 0.5
    first, second = scales_of(plain), scales_of(disturbed)
    for before, after in zip(vars(first).values(), vars(second).values(), strict=True):
        np.testing.assert_array_equal(before, after)
    disturbed.cluster.history(today + 60)[:] = -1.0
    disturbed.scales = DayScales()
    assert not np.array_equal(first.low, scales_of(disturbed).low)
