"""What the in-process rival is told: load-watcher's answer, as its client decodes it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import numpy as np
import pytest

from benchmarks.rival import LOAD, PROGRAM, Trimaran, watcher_metrics
from berth.cluster import keys
from berth.cluster.snapshot import NodeSnapshot, encode
from tests.lab.build import kubernetes_version

SNAPSHOT = NodeSnapshot(
    version=7,
    published_ms=1_000_000_500,
    nodes=("idle", "busy", "silent"),
    features=("cpu_allocatable", LOAD),
    matrix=np.array([[8.0, 0.025], [8.0, 0.75], [8.0, np.nan]], dtype=np.float32),
)


class Store:
    """As much of Redis as is read."""

    def get(self, key: str) -> bytes | None:
        return {keys.SNAPSHOT_CURRENT: b"7", keys.snapshot(7): encode(SNAPSHOT)}.get(key)


@pytest.fixture
def trimaran(monkeypatch: pytest.MonkeyPatch) -> Trimaran:
    monkeypatch.setattr("benchmarks.rival.program", lambda: None)
    store: Any = Store()
    return Trimaran(store)


def test_utilisation_in_percent_and_nothing_for_a_node_without_a_sample() -> None:
    told = watcher_metrics(SNAPSHOT)["data"]["NodeMetricsMap"]
    assert {name: node["metrics"][0]["value"] for name, node in told.items()} == {"idle": 2.5, "busy": 75.0}
    assert {metric["type"] for node in told.values() for metric in node["metrics"]} == {"CPU"}


def test_the_window_ends_with_the_snapshot_so_that_later_pods_are_added() -> None:
    assert watcher_metrics(SNAPSHOT)["window"] == {"duration": "5m", "start": 999_700, "end": 1_000_000}


def test_the_load_is_served_where_the_configuration_says(trimaran: Trimaran) -> None:
    profile = trimaran.config("berth")["profiles"][0]
    address = profile["pluginConfig"][0]["args"]["watcherAddress"]
    with trimaran:
        told = json.loads(urllib.request.urlopen(f"{address}/watcher", timeout=5.0).read())
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{address}/other", timeout=5.0)
        refused.value.close()
    assert told == watcher_metrics(SNAPSHOT)
    assert trimaran.server.asked == 1
    assert profile["schedulerName"] == "berth"


def test_what_is_built_is_what_replaces_the_required_kubernetes() -> None:
    assert kubernetes_version(PROGRAM) == "v1.34.3"
