"""`berth explain`, `berth report`: a decision of the running extender, for people and for scripts."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from berth.recordings.load import openb_pods
from cli.demo.pods import manifest
from cli.endpoint import get_json, post_json
from cli.supervisor import Mesh
from tests.cli.command import berth

pytestmark = pytest.mark.mesh
POD = openb_pods("default")[7]


@pytest.fixture(scope="module")
def decided(mesh: Mesh) -> str:
    """The name of a pod that the extender has just decided about."""
    names = [node["name"] for node in get_json(f"{mesh.url('telemetry')}/replay/nodes")][:50]
    post_json(f"{mesh.url()}/scheduler/filter", {"Pod": manifest(POD), "Nodes": None, "NodeNames": names})
    end = time.monotonic() + 5
    while not get_json(f"{mesh.url()}/v1/decisions"):
        assert time.monotonic() < end
        time.sleep(0.05)
    return POD.name


def test_explains_in_words_and_numbers(mesh: Mesh, decided: str) -> None:
    ended = berth("explain", decided, "--url", mesh.url())
    assert ended.returncode == 0, ended.stderr
    for expected in (f"openb/{decided}", "Best nodes", "headroom", "placement", "health", "Models", "load-predictor"):
        assert expected in ended.stdout
    assert max(map(len, ended.stdout.splitlines())) <= 100


def test_the_record_as_json(mesh: Mesh, decided: str) -> None:
    record = json.loads(berth("explain", decided, "--url", mesh.url(), "--json").stdout)
    assert record["pod_name"] == decided
    assert record["nodes"] == 50
    assert len(record["models"]) == 3


def test_without_an_extender_the_log_is_read(mesh: Mesh, decided: str, tmp_path: Path) -> None:
    ended = berth("explain", decided, "--data-dir", str(mesh.data_dir), cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert decided in ended.stdout


def test_an_unknown_pod_gets_advice(mesh: Mesh) -> None:
    ended = berth("explain", "nobody", "--url", mesh.url())
    assert ended.returncode == 1
    assert "no decision is kept for nobody" in ended.stderr


def test_no_extender_gets_advice() -> None:
    ended = berth("explain", "nobody", "--url", "http://127.0.0.1:1")
    assert ended.returncode == 1
    assert "berth up" in ended.stderr


def test_report_sums_up(mesh: Mesh, decided: str) -> None:
    found = json.loads(berth("report", "--url", mesh.url(), "--json").stdout)
    assert found["decisions"] >= 1
    assert "decisions of this replica" in berth("report", "--url", mesh.url()).stdout
