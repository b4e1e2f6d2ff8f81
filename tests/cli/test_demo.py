"""`berth demo` in a short form, and its parts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from berth.cluster.pods import PodRequest
from berth.recordings.load import OpenbPod, openb_pods
from berth.simulator.cluster import ReplayedCluster
from cli.demo.client import Answer
from cli.demo.cluster import local_cluster
from cli.demo.elsewhere import wait_in_order
from cli.demo.pods import asks, manifest, request_of
from cli.demo.scheduler import host_scores, survivors
from cli.endpoint import get_json
from cli.errors import UnreachableError
from cli.ports import free_ports
from cli.supervisor import Mesh
from services.telemetry.replay import ReplaySource
from tests.cli.command import berth
from tests.mesh import PATIENT, variables

pytestmark = pytest.mark.process

VERBS = {"filter", "prioritize", "sum"}
NUMBERS = {"p50", "p90", "p99"}


@pytest.mark.mesh
def test_short_form(tmp_path: Path) -> None:
    file = tmp_path / "demo.json"
    arguments = ("demo", "--pods", "60", "--nodes", "200", "--json", str(file))
    ended = berth(*arguments, cwd=tmp_path, environment=variables(PATIENT), timeout=150)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = json.loads(file.read_text())
    assert set(found) == {
        "pods", "calls", "unanswered", "non_200", "differs_from_requests_share", "scored_by_all_share", "fallbacks",
        "latency_ms",
    }  # fmt: skip
    assert found["pods"] == 100
    assert found["pods"] < found["calls"] <= 2 * found["pods"]
    assert found["unanswered"] == found["non_200"] == 0
    assert found["scored_by_all_share"] >= 0.99
    assert 0.0 < found["differs_from_requests_share"] <= 1.0
    assert set(found["fallbacks"]) <= {"aged-snapshot", "older-scores", "partial", "neutral"}
    assert sum(found["fallbacks"].values()) > 0
    assert set(found["latency_ms"]) == {"warm", "cold"}
    for verbs in found["latency_ms"].values():
        assert set(verbs) == VERBS
        for numbers in verbs.values():
            assert set(numbers) == NUMBERS
            assert 0.0 < numbers["p50"] <= numbers["p90"] <= numbers["p99"]
    assert max(map(len, ended.stdout.splitlines())) <= 100
    for words in ("Some decisions", "kube-scheduler's own scoring", "While things break", "0 unanswered"):
        assert words in ended.stdout
    assert not (tmp_path / ".berth" / "demo" / "mesh.json").exists()
    explained = berth("explain", openb_pods("default")[0].name, "--data-dir", str(tmp_path / ".berth"), cwd=tmp_path)
    assert explained.returncode == 0, explained.stderr


@pytest.mark.mesh
def test_a_mesh_that_runs_already_is_used_and_left_as_it_was(mesh: Mesh, tmp_path: Path) -> None:
    before, file = pods_of(mesh), tmp_path / "demo.json"
    where = ("--url", mesh.url(), "--telemetry", mesh.url("telemetry"))
    ended = berth("demo", *where, "--pods", "40", "--json", str(file), cwd=tmp_path)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = json.loads(file.read_text())
    assert (found["pods"], found["unanswered"], found["non_200"]) == (40, 0, 0)
    assert found["scored_by_all_share"] >= 0.95
    assert pods_of(mesh) == before
    assert not (tmp_path / ".berth").exists()


def pods_of(mesh: Mesh) -> list[float]:
    """How many run on each replayed node."""
    return [node["pods_requested"] for node in get_json(f"{mesh.url('telemetry')}/replay/nodes")]


def test_an_extender_that_is_not_there_is_told() -> None:
    with pytest.raises(UnreachableError):
        wait_in_order(f"http://127.0.0.1:{free_ports(1)[0]}")


def openb_pod(**changes: object) -> OpenbPod:
    given = {
        "name": "p", "cpu_milli": 12500, "memory_mib": 16384, "gpus": 0, "gpu_milli": 0, "gpu_models": (), "qos": "LS",
        "created_s": 0, "deleted_s": 1, **changes,
    }  # fmt: skip
    return OpenbPod(**given)  # type: ignore[arg-type]


def test_a_sharing_pod_is_read_as_it_was_recorded() -> None:
    pod = request_of(manifest(openb_pod(gpus=1, gpu_milli=460, gpu_models=("T4", "P100"), qos="BE")))
    assert (pod.cpu, pod.memory, pod.gpus, pod.gpu_milli) == (12.5, 16.0, 1, 460)
    assert pod.gpu_models == ("T4", "P100")
    assert (pod.scheduler_name, pod.owner_kind, pod.qos) == ("berth", "Job", "Burstable")
    assert asks(pod) == "12.5 CPU, 16 GiB, 0.46 GPU"


def test_whole_devices_carry_no_share() -> None:
    pod = request_of(manifest(openb_pod(gpus=8, gpu_milli=1000, qos="Guaranteed")))
    assert (pod.gpus, pod.gpu_milli, pod.gpu_share, pod.qos) == (8, 0, 8.0, "Guaranteed")


def test_a_pod_has_the_same_uid_in_every_run() -> None:
    assert manifest(openb_pod())["metadata"]["uid"] == manifest(openb_pod())["metadata"]["uid"]
    assert manifest(openb_pod())["metadata"]["uid"] != manifest(openb_pod(name="q"))["metadata"]["uid"]


def test_the_local_cluster_is_the_replayed_one() -> None:
    replayed = ReplayedCluster.openb(seed=3, nodes=60, history_steps=1)
    local = local_cluster(ReplaySource(replayed, 1, 60.0).nodes())
    for index, pod in enumerate(openb_pods("default")[:120]):
        request = request_of(manifest(pod))
        feasible = replayed.feasible(request)
        assert np.array_equal(local.feasible(request), feasible)
        if feasible.any():
            row = int(np.flatnonzero(feasible)[index % feasible.sum()])
            replayed.bind(request, row)
            local.bind(request, row)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(None, b"", 1.0),
        Answer(500, b'{"NodeNames":["a"]}', 1.0),
        Answer(200, b"not json", 1.0),
        Answer(200, b'{"NodeNames":["a"],"Error":"no"}', 1.0),
    ],
)
def test_a_failed_filter_passes_all_nodes(answer: Answer) -> None:
    assert survivors(answer, ["a", "b"]) == {"a", "b"}


def test_filter_and_prioritize_are_read() -> None:
    assert survivors(Answer(200, b'{"NodeNames":["a","z"],"Error":""}', 1.0), ["a", "b"]) == {"a"}
    assert host_scores(Answer(200, b'[{"Host":"a","Score":7}]', 1.0)) == {"a": 7}
    assert host_scores(Answer(None, b"", 1.0)) is None


def test_asks_without_gpu() -> None:
    assert asks(PodRequest("u", cpu=1.0, memory=2.5)) == "1 CPU, 2.5 GiB"
