"""Telemetry over a real API server and a real Prometheus: what is there becomes a snapshot."""

from __future__ import annotations

import time
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from berth.cluster.snapshot import NodeSnapshot
from berth.features.families import HOURLY, hour_history
from berth.features.history import FEATURES as HISTORY
from berth.features.history import HISTORY_STEPS, history_features
from berth.recordings.load import bitbrains
from services.telemetry.live.week import running_step
from tests.calls import until
from tests.lab.control_plane import ControlPlane
from tests.lab.live import CORES, GIB, MEMORY, NAMES, close, live
from tests.lab.objects import node, pod
from tests.prometheus.blocks import blocks_of
from tests.prometheus.server import Scraped, scraped

Floats = NDArray[np.float32]

pytestmark = pytest.mark.long

NUMBERS = count()


def test_what_is_there_is_published_and_followed(live_nodes: ControlPlane, exporters: Scraped) -> None:
    live_nodes.create([pod(f"there-{next(NUMBERS)}", "500m", "1Gi", nodeName=NAMES[0]) for _ in range(3)])
    with live(live_nodes, exporters) as running:
        assert running.snapshot().source == "cluster"
        assert running.snapshot().nodes == NAMES  # the virtual one is left out
        assert running.value(NAMES[0], "cpu_requested") == 1.5
        assert running.value(NAMES[0], "pods_requested") == 3.0
        assert running.value(NAMES[0], "burstable_share") == 1.0
        assert running.value(NAMES[0], "churn") == 3.0
        assert running.value(NAMES[0], "cluster_not_ready") == 0.0
        assert np.isnan(running.value(NAMES[1], "burstable_share"))
        pending = running.value(NAMES[0], "cluster_pending_pods")
        live_nodes.create([pod(f"there-{next(NUMBERS)}", "500m", "1Gi", scheduler="nobody")])
        until(lambda: running.value(NAMES[5], "cluster_pending_pods") == pending + 1.0, 30.0)
        until(lambda: close(running.value(NAMES[4], "cpu_used"), 5.0 / CORES), 30.0)
        assert close(running.value(NAMES[1], "memory_used"), 3.0 / 32.0)
        assert running.value(NAMES[5], "cluster_cpu_load") > 0.0
        assert np.isnan(running.value(NAMES[5], "cpu_used"))  # nobody tells: missing, not zero
        exporters.tell(NAMES[4], cores=CORES, memory_total=MEMORY, cpu=0.4, memory=GIB)
        live_nodes.api.delete(f"/api/v1/nodes/{NAMES[1]}")
        live_nodes.create([node("new", cpu="4")])
        until(lambda: close(running.value(NAMES[4], "cpu_used"), 0.05), 30.0)
        assert set(running.snapshot().nodes) == {*NAMES, "new"} - {NAMES[1]}
        assert running.value("new", "cpu_allocatable") == 4.0


def test_a_bound_pod_is_named_for_a_while(live_nodes: ControlPlane, exporters: Scraped) -> None:
    with live(live_nodes, exporters) as running:
        made = live_nodes.api.create(
            "/api/v1/namespaces/default/pods", pod(f"named-{next(NUMBERS)}", scheduler="nobody")
        )
        uid, name = made["metadata"]["uid"], made["metadata"]["name"]
        target = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": {"name": NAMES[2]}}
        live_nodes.api.create(f"/api/v1/namespaces/default/pods/{name}/binding", target)
        until(lambda: uid in running.snapshot().bindings)
        found = running.snapshot()
        assert found.nodes[found.bindings[uid]] == NAMES[2]
        assert found.column("pods_requested")[found.row_of[NAMES[2]]] == 1.0


def test_a_week_in_prometheus_gives_the_columns_of_training(live_nodes: ControlPlane, tmp_path: Path) -> None:
    last = running_step(time.time()) + 1  # the recording goes on while the test runs
    usage = np.ascontiguousarray(bitbrains().usage[:, -HISTORY_STEPS - 20 :, : len(NAMES)])
    usage = np.minimum(usage, np.float32(12.0))
    with (
        scraped(tmp_path, (), history=blocks_of(NAMES, CORES, MEMORY, usage, last)) as server,
        live(live_nodes, server, window_s=300, interval_s=2.0) as running,
    ):
        # A step that has just ended is asked for a minute later.
        until(lambda: not unlike_training(running.snapshot(), usage, last), 150.0)
        assert not np.isnan(running.snapshot().column("cpu_mean_7d")).any()
        until(lambda: not unlike_recorded_hours(running.snapshot(), usage, last), 150.0)


COUNTED = ("idle_share", "io_suitability")
"""Counts of hours beyond a bound. The recording's rates are in steps, and many lie on the bound itself: read back from
Prometheus a hair off they fall to either side. `tests/berth/features/test_families.py` compares them on the recording
itself."""


def unlike_recorded_hours(found: NodeSnapshot, usage: Floats, last: int) -> list[str]:
    """Columns by the hour that differ from those of the recording. The oldest hour may have left the week that is kept
    since it was entered; what a week ago was is not in it."""
    step = running_step(found.published_ms / 1000.0) - 1
    ended = usage[:, : step - last or None]
    windows = [hour_history(ended[:, 1 - HISTORY_STEPS - more :], step)[1][-1] for more in range(3)]
    return min(([name for name in HOURLY if unlike(found, name, expected)] for expected in windows), key=len)


def unlike(found: NodeSnapshot, name: str, expected: Floats) -> bool:
    """Whether a column differs."""
    if name in COUNTED or "last_week" in name:
        return False
    wanted = expected[:, HOURLY.index(name)]
    return not np.allclose(found.column(name), wanted, rtol=0.0, atol=2e-4, equal_nan=True)


def unlike_training(found: NodeSnapshot, usage: Floats, last: int) -> list[str]:
    """Columns that differ from those that training computes of the same recording, whose last step is number `last`."""
    now = found.published_ms / 1000.0
    newest = np.stack([found.column(name) for name in ("cpu_used", "memory_used", "disk_rate", "network_rate")])
    ended = usage[:, : -(last - running_step(now) + 1)]
    expected = history_features(np.concatenate([ended, newest[:, None]], axis=1), int(now))
    return [
        feature.name
        for column, feature in enumerate(HISTORY)
        if not feature.name.startswith(("hour_s", "hour_c", "weekday"))
        and not np.allclose(found.column(feature.name), expected[:, column], rtol=0.0, atol=2e-4, equal_nan=True)
    ]
