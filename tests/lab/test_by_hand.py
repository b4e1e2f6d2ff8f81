"""`make lab` and `make lab-down`: a control plane that outlives its command, and nothing left after its end."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from tests.calls import until
from tests.lab.api import Api
from tests.lab.build import ROOT
from tests.lab.objects import pod

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.usefixtures("program")]


def lab(folder: Path, *arguments: str) -> str:
    """Output of the ended command."""
    command = [sys.executable, "-m", "tests.lab", "--folder", str(folder), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200.0)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def processes(folder: Path) -> list[psutil.Process]:
    """Whatever runs with this folder in its command line."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if any(str(folder) in word for word in process.info["cmdline"] or ()):
            found.append(process)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where the lab is kept; ended even if a test fails."""
    made = tmp_path / "run"
    yield made
    lab(made, "down")


def reaching(output: str) -> Api:
    """The API server of the kubeconfig that `up` has printed."""
    found = re.search(r"^kubeconfig: (.+)$", output, re.MULTILINE)
    assert found
    told = json.loads(Path(found[1]).read_text("utf-8"))
    cluster = told["clusters"][0]["cluster"]
    port = urlsplit(cluster["server"]).port
    assert port
    return Api(port, Path(cluster["certificate-authority"]), told["users"][0]["user"]["token"])


def test_up_outlives_its_command_schedules_pods_and_down_leaves_nothing(folder: Path) -> None:
    said = lab(folder, "up", "--nodes", "5")
    api = reaching(said)
    assert len(api.get("/api/v1/nodes")["items"]) == 5
    for name, scheduler in (("usual", "default-scheduler"), ("asks", "berth")):
        api.create("/api/v1/namespaces/default/pods", pod(name, cpu="10m", memory="16Mi", scheduler=scheduler))
        until(lambda name=name: api.pod(name)["spec"].get("nodeName"), 30.0)
    api.close()
    running = {process.pid for process in processes(folder)}
    assert len(running) == 5  # who holds them, and etcd, kube-apiserver, kube-controller-manager, kube-scheduler
    again = lab(folder, "up", "--nodes", "5")
    assert again == f"it runs already\n{said}"
    assert {process.pid for process in processes(folder)} == running
    assert "nothing is left" in lab(folder, "down")
    assert not processes(folder)
    assert not list(folder.parent.iterdir())
    assert "nothing runs" in lab(folder, "down")


def test_nothing_outlives_a_killed_holder(folder: Path) -> None:
    lab(folder, "up", "--nodes", "5")
    holder = int(folder.with_suffix(".pid").read_text())
    psutil.Process(holder).kill()
    until(lambda: not processes(folder), 10.0)
    assert "kubeconfig" in lab(folder, "up", "--nodes", "5")
