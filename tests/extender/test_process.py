"""What the running processes hold: sockets and modules."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from ipaddress import IPv6Address, ip_address
from pathlib import Path

import psutil
import pytest

from berth.ending import ended
from tests.calls import Replay

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]
LEARNING = ("kserve", "torch", "xgboost", "sklearn", "onnxruntime", "onnx", "pandas", "ray", "services", "cli")


@pytest.mark.mesh
def test_every_process_listens_on_loopback_and_on_its_own_ports_alone(replay: Replay) -> None:
    listening = [c for c in psutil.net_connections(kind="inet") if c.status == psutil.CONN_LISTEN]
    for name, process in replay.mesh.processes.items():
        root = psutil.Process(replay.mesh.pid(name))
        pids = {root.pid, *(child.pid for child in root.children(recursive=True))}
        found = [tuple(c.laddr) for c in listening if c.pid in pids]
        assert {loopback(str(ip)) for ip, _ in found} == {True}, name
        assert {port for _, port in found} == set(process.ports), name


def loopback(text: str) -> bool:
    """Whether an address is 127.0.0.1, also as gRPC binds it: ::ffff:127.0.0.1."""
    address = ip_address(text)
    return (address.ipv4_mapped or address).is_loopback if isinstance(address, IPv6Address) else address.is_loopback


@pytest.mark.mesh
def test_the_running_extender_has_loaded_no_learning_library(replay: Replay) -> None:
    files = {Path(m.path) for m in psutil.Process(replay.mesh.pid("extender")).memory_maps()}
    parts = {part for file in files for part in file.parts}
    assert "grpc" in parts or any("cygrpc" in part for part in parts)
    assert not parts & {"torch", "xgboost", "sklearn", "onnxruntime", "scipy", "pandas"}


def test_importing_the_extender_imports_no_learning_library() -> None:
    told = "import sys, extender.__main__; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", told], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "extender" in loaded
    assert not loaded & set(LEARNING)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_extender_s_own_environment_is_enough_and_holds_no_learning_library(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, f"{ROOT}[extender]"], check=True)
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format=freeze"], capture_output=True, text=True, check=True
    )
    names = {line.partition("==")[0].lower().replace("_", "-") for line in listed.stdout.splitlines()}
    assert not names & {"kserve", "torch", "xgboost", "xgboost-cpu", "scikit-learn", "onnxruntime", "onnx", "pandas"}
    refused = {"BERTH_EXTENDER__MODE": "nonsense"}  # it starts far enough to judge its settings
    done = subprocess.run([python, "-m", "extender"], cwd=tmp_path, env=refused, capture_output=True, text=True)
    assert (done.returncode, "extender.mode" in done.stderr) == (2, True), done.stderr


async def test_who_loses_a_cancellation_is_cancelled_again() -> None:
    async def stubborn() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60.0)
        await asyncio.sleep(60.0)

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0.0)
    async with asyncio.timeout(5.0):
        await ended([task])
    assert task.cancelled()
