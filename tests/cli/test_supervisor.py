"""The mesh: ready as a whole, restarted where a process dies, known by mesh.json."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from cli.endpoint import get_json
from cli.errors import MeshError, RefusedError
from cli.processes import MODELS, Plan, Wishes, plan
from cli.supervisor import Mesh

pytestmark = pytest.mark.process


def wait_until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "did not come true in time"
        time.sleep(0.05)


@pytest.mark.mesh
def test_ready_means_nothing_is_degraded(mesh: Mesh) -> None:
    state = get_json(f"{mesh.url()}/v1/state")
    assert state["degraded"] == []
    assert state["snapshot"]["nodes"] == 300
    assert all(model["version"] for model in state["models"].values())


@pytest.mark.mesh
def test_mesh_file_says_where_everything_is(mesh: Mesh) -> None:
    found = json.loads((mesh.data_dir / "mesh.json").read_text())
    assert found["redis_url"] == mesh.redis_url
    for name, process in mesh.processes.items():
        assert found[name] == {"http": process.http, "grpc": process.grpc, "pid": mesh.pid(name)}


@pytest.mark.mesh
def test_every_socket_is_on_loopback_and_known(mesh: Mesh) -> None:
    for name, process in mesh.processes.items():
        connections = psutil.Process(mesh.pid(name)).connections("tcp")
        listening = {c.laddr for c in connections if c.status == psutil.CONN_LISTEN}
        # gRPC listens on IPv4 through an IPv6 socket, which is shown as a mapped address.
        found = {(address.ip.removeprefix("::ffff:"), address.port) for address in listening}
        assert found == {("127.0.0.1", port) for port in process.ports}


@pytest.mark.mesh
def test_a_killed_process_comes_back_and_the_mesh_is_ready_again(mesh: Mesh) -> None:
    before = mesh.pid("anomaly-detector")
    mesh.kill("anomaly-detector")
    wait_until(lambda: mesh.alive("anomaly-detector"))
    mesh.wait_ready()
    assert mesh.pid("anomaly-detector") != before
    told = json.loads((mesh.data_dir / "mesh.json").read_text())
    assert told["anomaly-detector"]["pid"] == mesh.pid("anomaly-detector")


@pytest.mark.mesh
def test_environment_of_the_processes(mesh: Mesh) -> None:
    for name in (*MODELS, "telemetry", "extender"):  # Valkey writes its title over its environment
        environment = psutil.Process(mesh.pid(name)).environ()
        assert environment["MALLOC_ARENA_MAX"] == "2"
        assert environment["OMP_NUM_THREADS"] == "1"


def test_a_process_that_refuses_its_settings_ends_the_start(tmp_path: Path) -> None:
    wrong = {"BERTH_PLACEMENT_SCORER__ARTIFACT": str(tmp_path / "nothing")}
    mesh = Mesh(auto_ports=True, data_dir=tmp_path, nodes=10, environment=wrong)
    with pytest.raises(RefusedError, match="placement-scorer"), mesh:
        pass
    assert not mesh.children


def test_without_restart_an_ended_process_ends_the_start(tmp_path: Path) -> None:
    mesh = Mesh(auto_ports=True, data_dir=tmp_path, nodes=10, restart=False)
    try:
        mesh.start()
        mesh.kill("telemetry")
        with pytest.raises(MeshError, match="telemetry has ended with code -9"):
            mesh.wait_ready()
    finally:
        mesh.close()


def test_plan_wires_processes_together(tmp_path: Path) -> None:
    made = plan(Wishes(data_dir=tmp_path, auto_ports=True, nodes=50, interval_s=0.5, seed=7))
    by_name = {process.name: process for process in made.processes}
    ports = [port for process in made.processes for port in process.ports]
    assert len(ports) == len(set(ports)) == 10
    extender, telemetry = by_name["extender"].environment, by_name["telemetry"].environment
    assert extender["BERTH_EXTENDER__REDIS__URL"] == telemetry["BERTH_TELEMETRY__REDIS_URL"] == made.redis_url
    scorer = by_name["placement-scorer"]
    assert extender["BERTH_EXTENDER__MODELS__PLACEMENT_SCORER__TARGET"] == f"127.0.0.1:{scorer.grpc}"
    assert extender["BERTH_EXTENDER__RECORDS__LOG"] == str(tmp_path / "decisions.jsonl")
    assert telemetry["BERTH_TELEMETRY__NODES"] == "50"
    assert telemetry["BERTH_TELEMETRY__INTERVAL_S"] == "0.5"


def names(made: Plan) -> list[str]:
    """Of a plan's processes."""
    return [process.name for process in made.processes]


def test_a_given_redis_needs_no_valkey(tmp_path: Path) -> None:
    file = tmp_path / "berth.yaml"
    file.write_text("telemetry:\n  redis_url: redis://127.0.0.1:7/3\n")
    for wishes in (
        Wishes(data_dir=tmp_path, auto_ports=True, redis_url="redis://127.0.0.1:7/3"),
        Wishes(data_dir=tmp_path, auto_ports=True, config=file),
    ):
        made = plan(wishes)
        assert made.redis_url == "redis://127.0.0.1:7/3"
        assert "valkey" not in names(made)


def test_a_redis_of_which_only_the_timeout_is_told_is_the_embedded_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "berth.yaml"
    file.write_text("extender:\n  redis:\n    timeout_ms: 12\n")
    assert "valkey" in names(plan(Wishes(data_dir=tmp_path, auto_ports=True, config=file)))
    monkeypatch.setenv("BERTH_EXTENDER__REDIS__TIMEOUT_MS", "900")
    assert "valkey" in names(plan(Wishes(data_dir=tmp_path, auto_ports=True)))
    monkeypatch.setenv("BERTH_EXTENDER__REDIS__URL", "redis://127.0.0.1:6379/0")  # told, though it is the default
    assert "valkey" not in names(plan(Wishes(data_dir=tmp_path, auto_ports=True)))


def test_a_taken_port_is_refused_with_advice(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        file = tmp_path / "berth.yaml"
        file.write_text(f"telemetry:\n  port: {taken.getsockname()[1]}\n")
        with pytest.raises(MeshError, match=r"taken.*--ports auto"):
            plan(Wishes(config=file, data_dir=tmp_path, redis_url="redis://127.0.0.1:7"))


def test_leash_ends_a_child_whose_parent_is_gone() -> None:
    import subprocess
    import sys

    from cli import leash

    nobody = "0"  # never the parent of a process that we start
    command = [sys.executable, "-I", "-S", leash.__file__, nobody, "/bin/sleep", "60"]
    assert subprocess.run(command, timeout=10, check=False).returncode == 1


@pytest.mark.mesh
def test_a_process_that_hangs_is_ended_within_10_s_and_comes_back(mesh: Mesh) -> None:
    before = mesh.pid("extender")
    mesh.stop_signal("extender")
    wait_until(lambda: mesh.pid("extender") != before, 10.0)
    mesh.wait_ready()
