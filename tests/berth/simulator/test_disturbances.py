import copy

import numpy as np
import pytest

from berth.simulator.cluster import ReplayedCluster
from berth.simulator.disturbances import FAULT_KINDS, FaultKind, SetLoad
from berth.simulator.load import CPU, DISK, MEMORY, NETWORK
from berth.simulator.observe import Observer


@pytest.fixture(scope="module")
def built() -> ReplayedCluster:
    return ReplayedCluster.openb(5, nodes=20)


@pytest.fixture
def cluster(built: ReplayedCluster) -> ReplayedCluster:
    return copy.deepcopy(built)


def test_a_load_is_held_from_now_until_cleared(cluster: ReplayedCluster) -> None:
    untouched = cluster.history().copy()
    future = cluster.future(3)
    cluster.set_load(4, SetLoad(cpu=0.97))
    assert cluster.usage()[CPU, 4] == np.float32(0.97)
    assert np.array_equal(cluster.usage()[MEMORY:, 4], untouched[MEMORY:, -1, 4])
    assert np.array_equal(np.delete(cluster.history(), 4, axis=2), np.delete(untouched, 4, axis=2))
    assert np.array_equal(cluster.history()[:, :-1], untouched[:, :-1]), "the past stays"
    assert (cluster.future(3)[CPU, :, 4] == np.float32(0.97)).all()
    cluster.advance()
    assert cluster.usage()[CPU, 4] == np.float32(0.97)
    cluster.set_load(4, None)
    assert np.array_equal(cluster.usage(), future[:, 0])


@pytest.mark.parametrize("kind", FAULT_KINDS)
def test_a_fault_stands_out_in_the_residuals(cluster: ReplayedCluster, kind: FaultKind) -> None:
    row = int(np.argmax(cluster.usage()[NETWORK]))
    observer = Observer(cluster)
    cluster.set_fault(row, kind)
    cluster.advance(6)
    snapshot = observer.observe(1, 0)
    oddity = snapshot.take([name for name in snapshot.features if name.startswith("residual_")]).mean(axis=1)
    assert np.argmax(oddity) == row
    cluster.set_fault(row, None)
    assert np.array_equal(cluster.usage(), cluster.measure(cluster.step))


def test_faults_have_the_shape_they_are_named_for(cluster: ReplayedCluster) -> None:
    for row, kind in enumerate(FAULT_KINDS):
        cluster.set_fault(row, kind)
    future = cluster.future(30)
    assert (future[CPU, :, 0] == np.float32(0.99)).all()
    assert future[MEMORY, -1, 1] == 1.0
    assert (np.diff(future[MEMORY, :10, 1]) > -0.2).all()
    assert (future[DISK, :, 2] > 12.0).all()
    assert not future[NETWORK, :, 3].any()
    assert np.array_equal(future[:, :, 2:4], cluster.future(30, np.array([2, 3])))
