"""The mesh in containers: as strict as it is meant to be, at work, killed part by part, ended in time."""

from __future__ import annotations

import http.client
import json
import os
import signal
import time
from contextlib import closing
from pathlib import Path

import pytest

from cli.endpoint import get_json
from tests.calls import Caller, pod, until
from tests.cli.command import berth
from tests.images.composed import PATIENCE_S, SERVICES, Composed
from tests.images.load import Load

STOP_S = 10.0
KILLED = 128 + signal.SIGKILL
UNDER_FAULT_S = 3.0
OURS = tuple(service for service in SERVICES if service not in ("redis", "prometheus"))


def port_of(composed: Composed) -> int:
    """The extender's."""
    return composed.ports["BERTH_PORT"]


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_is_nobody_and_writes_nothing(composed: Composed, service: str) -> None:
    (container,) = composed.containers(service)
    found = composed.inspect(container)
    status = Path(f"/proc/{found['State']['Pid']}/status").read_text("utf-8")
    lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert set(lines["Uid"].split()) == set(lines["Gid"].split()) == {"65532"}
    assert int(lines["CapEff"], 16) == int(lines["CapBnd"], 16) == 0
    assert lines["NoNewPrivs"] == "1"
    assert found["HostConfig"]["ReadonlyRootfs"]
    assert found["HostConfig"]["Memory"] > 0
    published = [one for many in found["HostConfig"]["PortBindings"].values() for one in many]
    assert {one["HostIp"] for one in published} <= {"127.0.0.1"}


@pytest.mark.parametrize("service", OURS)
def test_the_root_file_system_cannot_be_written(composed: Composed, service: str) -> None:
    (container,) = composed.containers(service)
    code = "import errno, os\ntry: open('/app/x', 'w')\nexcept OSError as error: print(errno.errorcode[error.errno])"
    assert composed.engine.docker("exec", container, "/venv/bin/python", "-c", code) == "EROFS"


def test_the_demo_passes_against_it(composed: Composed, tmp_path: Path) -> None:
    file = tmp_path / "demo.json"
    where = ("--url", composed.url, "--telemetry", composed.telemetry)
    ended = berth("demo", *where, "--pods", "200", "--json", str(file), cwd=tmp_path, timeout=180)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = json.loads(file.read_text())
    assert (found["pods"], found["unanswered"], found["non_200"]) == (200, 0, 0)
    assert found["scored_by_all_share"] >= 0.95, found


def test_prometheus_reads_every_process(composed: Composed) -> None:
    def up() -> dict[str, str]:
        found = get_json(f"{composed.prometheus}/api/v1/query?query=up")["data"]["result"]
        return {one["metric"]["job"]: one["value"][1] for one in found}

    until(lambda: up() == dict.fromkeys(OURS, "1"), PATIENCE_S, 1.0)


def test_alertmanager_is_there_where_it_is_asked_for(composed: Composed) -> None:
    composed.compose("--profile", "alerts", "up", "--detach", "--no-build", "--no-deps", "alertmanager")
    (container,) = composed.containers("alertmanager")
    try:
        until(lambda: composed.healthy(container), PATIENCE_S, 0.5)
    finally:
        composed.engine.docker("rm", "--force", container)


@pytest.mark.parametrize("service", [service for service in SERVICES if service != "extender"])
def test_killed_parts_cost_no_call(composed: Composed, service: str) -> None:
    (container,) = composed.containers(service)
    with Load(port_of(composed), composed.names) as load:
        composed.engine.docker("kill", container)
        time.sleep(UNDER_FAULT_S)
        composed.engine.docker("start", container)
        until(composed.well, PATIENCE_S, 0.5)
    assert load.lost == []
    assert load.answered > 20


def test_a_killed_extender_refuses_at_once_and_scores_when_it_is_back(composed: Composed) -> None:
    (container,) = composed.containers("extender")
    composed.engine.docker("kill", container)
    started = time.monotonic()
    with closing(Caller(port_of(composed))) as caller, pytest.raises((OSError, http.client.HTTPException)):
        caller.filter(pod("killed-1"), composed.names)
    assert time.monotonic() - started < 1.0
    composed.engine.docker("start", container)
    until(lambda: composed.healthy(container), PATIENCE_S, 0.5)
    until(composed.well, PATIENCE_S, 0.5)
    with closing(Caller(port_of(composed))) as caller:
        assert caller.filter(pod("killed-2"), composed.names).status == 200


def test_what_crashes_is_started_again(composed: Composed) -> None:
    containers = {service: composed.containers(service)[0] for service in SERVICES}
    for container in containers.values():
        os.kill(composed.inspect(container)["State"]["Pid"], signal.SIGKILL)
    until(lambda: all(composed.inspect(one)["RestartCount"] for one in containers.values()), PATIENCE_S, 0.5)
    until(lambda: all(map(composed.healthy, containers.values())), PATIENCE_S, 0.5)
    until(composed.well, PATIENCE_S, 0.5)


@pytest.mark.parametrize("service", SERVICES[::-1])
def test_a_container_ends_in_time(composed: Composed, service: str) -> None:
    (container,) = composed.containers(service)
    started = time.monotonic()
    composed.engine.docker("stop", "--time", str(round(STOP_S)), container)
    assert time.monotonic() - started < STOP_S
    assert composed.inspect(container)["State"]["ExitCode"] != KILLED
    composed.engine.docker("start", container)
    until(lambda: composed.healthy(container), PATIENCE_S, 0.5)
