"""A rolling upgrade from an older version and back, under a steady load, behind a balancer: what a Deployment does."""

from __future__ import annotations

import subprocess
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cli.ports import free_ports
from cli.processes import ROOT
from tests.calls import Caller, Replay, pod
from tests.extender.replica import Replica, replica
from tests.lab.berth import balancer
from tests.lab.control_plane import ControlPlane

pytestmark = [pytest.mark.long, pytest.mark.mesh]

OLDER = "c57ebe4"
"""Its snapshots have 156 columns, and it knows no door for a kubelet and no TLS to models."""
CALLS_PER_S = 50.0
DRAIN = {"SERVER__DRAIN_S": "1.0"}


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The older version's files."""
    folder = tmp_path_factory.mktemp("older")
    packed = folder / "older.tar"
    done = subprocess.run(["git", "archive", OLDER, "--output", packed], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"this clone does not hold {OLDER}: {done.stderr.strip()}")
    with tarfile.open(packed) as files:
        files.extractall(folder, filter="data")
    return folder


class Load:
    """filter and prioritize in turn at a steady rate over connections that are kept, until its block ends. failed:
    what was no right answer; answered: how many were."""

    def __init__(self, port: int, names: list[str]) -> None:
        self.port, self.names, self.ending = port, names, threading.Event()
        self.answered, self.failed = 0, Counter[str]()
        self.thread = threading.Thread(target=self.run, name="load", daemon=True)

    def run(self) -> None:
        """By the clock: a slow answer does not make the load less."""
        caller, began = Caller(self.port), time.monotonic()
        for number in range(10**6):
            if self.ending.wait(max(began + number / CALLS_PER_S - time.monotonic(), 0.0)):
                break
            self.one(caller, number)
        caller.close()

    def one(self, caller: Caller, number: int) -> None:
        """One call, judged."""
        asked = pod(f"upgrade-{number // 2}", cpu=f"{number % 40 + 1}00m")
        verb = caller.prioritize if number % 2 else caller.filter
        try:
            answer = verb(asked, self.names)
        except OSError as error:
            self.failed[type(error).__name__] += 1
            caller.close()
            return
        whole = answer.status == 200 and (number % 2 or answer.json["NodeNames"] == self.names)
        if whole:
            self.answered += 1
        else:
            self.failed[f"status {answer.status}"] += 1

    def __enter__(self) -> Load:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ending.set()
        self.thread.join(30.0)


class Versions:
    """Two places behind the balancer, and which code runs at each."""

    def __init__(self, replay: Replay) -> None:
        self.replay, self.ports = replay, free_ports(2)
        self.stacks = [ExitStack() for _ in self.ports]
        self.running: list[Replica] = []

    def start(self, place: int, code: Path) -> Replica:
        """Returns when it is ready."""
        settings = {**DRAIN, "SERVER__PORT": str(self.ports[place])}
        return self.stacks[place].enter_context(replica(self.replay.mesh, settings, code=code))

    def roll(self, code: Path) -> list[Replica]:
        """One after the other; `replica` sends SIGTERM at the end of its block and waits."""
        made = []
        for place, stack in enumerate(self.stacks):
            stack.close()
            made.append(self.start(place, code))
        return made

    def close(self) -> None:
        """End all."""
        for stack in self.stacks:
            stack.close()


@pytest.fixture
def versions(recorded: Replay, older: Path) -> Iterator[Versions]:
    """Two of the older version."""
    made = Versions(recorded)
    try:
        made.roll(older)
        yield made
    finally:
        made.close()


def is_newer(running: Replica) -> bool:
    """Whether this version tells when certificates end."""
    return "berth_certificate_expires_timestamp_seconds" in running.caller.call("GET", "/metrics").body.decode()


def neutral(running: Replica) -> float:
    """Answers without a score."""
    return running.caller.metrics("berth_fallback_total").get(("neutral",), 0.0)


def test_an_upgrade_and_a_rollback_under_load_fail_no_call(
    plane: ControlPlane, recorded: Replay, versions: Versions, older: Path
) -> None:
    with balancer(plane, versions.ports) as (port, process), Load(port, recorded.names[:100]) as load:
        newer = versions.roll(ROOT)
        assert all(is_newer(one) for one in newer)
        recorded.publish()
        time.sleep(2.0)
        assert [neutral(one) for one in newer] == [0.0, 0.0]
        again = versions.roll(older)
        assert not any(is_newer(one) for one in again)
        recorded.publish()
        time.sleep(2.0)
        assert [neutral(one) for one in again] == [0.0, 0.0]
    assert not load.failed
    assert load.answered > 300
    assert "failed" not in process.log.read_text("utf-8")
