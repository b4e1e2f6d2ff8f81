"""A control plane and kube-scheduler that outlive the command which starts them.

Every process of the lab ends with its parent, so one process holds them all, in a session of its own. It holds a lock
on a file with its process id as well: whoever finds the lock free knows that nothing runs, whatever the file says.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from services.telemetry.replay import ReplaySource
from services.telemetry.settings import TelemetrySettings
from tests.lab.build import ROOT, binary
from tests.lab.control_plane import AS_RELEASED, ControlPlane
from tests.lab.objects import recorded_node, recorded_pod
from tests.lab.scheduler import Config, Scheduler, example

READY_S = 180.0
END_S = 60.0
EXTENDER = "http://127.0.0.1:8888/scheduler"
"""Where `berth up` puts the extender."""


class LabDownError(Exception):
    """It did not start or end; the message says why."""


class Lab:
    """What runs, or does not, with its data in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock, self.ready, self.log = folder.with_suffix(".pid"), folder / "ready", folder.with_suffix(".log")

    def up(self, nodes: int) -> str:
        """Start it unless it runs; what to tell the user. Raises LabDownError."""
        said, ended = "it runs already\n", self.idle
        if self.idle():
            said, ended = "", self.start(nodes)
        end = time.monotonic() + READY_S
        while not self.ready.exists():
            if ended() or time.monotonic() > end:
                raise LabDownError(f"it did not start:\n{self.log.read_text('utf-8', 'replace')[-2000:]}")
            time.sleep(0.1)
        return said + self.words()

    def start(self, nodes: int) -> Callable[[], bool]:
        """Start the holder in a session of its own. Returns a function that says whether it has ended."""
        binary()  # built here, where its progress is seen
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        command = [sys.executable, "-m", "tests.lab", "--folder", str(self.folder), "hold", "--nodes", str(nodes)]
        with self.log.open("wb") as log:
            holder = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        return lambda: holder.poll() is not None

    def down(self) -> str:
        """End it; returns when nothing of it is left. Raises LabDownError."""
        holder = self.holder()
        if holder:
            os.kill(holder, signal.SIGTERM)
        end = time.monotonic() + END_S
        while self.holder():
            if time.monotonic() > end:
                raise LabDownError(f"process {holder} does not end; its log is {self.log}")
            time.sleep(0.1)
        shutil.rmtree(self.folder, ignore_errors=True)
        for left in (self.lock, self.log):
            left.unlink(missing_ok=True)
        return "it has ended; nothing is left" if holder else "nothing runs"

    def hold(self, nodes: int) -> str:
        """Run everything until SIGTERM or SIGINT. Raises LabDownError where another one runs."""
        self.take_lock()
        with ControlPlane(binary(), self.folder, environment=AS_RELEASED) as plane:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.default_int_handler)
            populate(plane, nodes)
            with Scheduler(plane, both_ways()):
                self.ready.write_text(f"{plane.kubeconfig}\n{nodes}\n", "utf-8")
                try:
                    signal.pause()
                except KeyboardInterrupt:
                    self.ready.unlink()
        return "ended"

    def take_lock(self) -> None:
        """Held until this process has ended, which is when nothing of it is left. Raises LabDownError."""
        file = os.open(self.lock, os.O_RDWR | os.O_CREAT, 0o644)  # the kernel closes it
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LabDownError("it runs already") from error
        os.truncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())

    def idle(self) -> bool:
        """Whether nothing runs."""
        return not self.holder()

    def holder(self) -> int:
        """Process id of what runs, 0 where nothing does."""
        try:
            with self.lock.open() as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return 0
        except BlockingIOError:
            return int(self.lock.read_text() or 0)
        except FileNotFoundError:
            return 0

    def words(self) -> str:
        """Where it is, and what to try next."""
        kubeconfig, nodes = self.ready.read_text("utf-8").split()
        return TRY.format(kubeconfig=kubeconfig, nodes=nodes, folder=self.folder)


TRY = """\
kubeconfig: {kubeconfig}
logs:       {folder}/logs

  export KUBECONFIG={kubeconfig}
  kubectl get nodes                      # {nodes} recorded nodes; pods are bound, no kubelet runs them
  .venv/bin/berth up --nodes {nodes}          # Berth over the same nodes, in another terminal
  kubectl run one --image=none --overrides='{{"spec": {{"schedulerName": "berth"}}}}'
  .venv/bin/berth explain one            # why it went there
  make lab-down
"""


def populate(plane: ControlPlane, nodes: int) -> None:
    """The nodes that `berth up --nodes` replays, with what runs on them."""
    rows: list[dict[str, Any]] = ReplaySource.from_settings(TelemetrySettings(nodes=nodes)).nodes()
    plane.create(recorded_node(row) for row in rows)
    plane.create(recorded_pod(row) for row in rows)


def both_ways() -> Config:
    """One kube-scheduler for pods that name Berth's scheduler and for those that name none and may opt in by label."""
    config = example("default-scheduler", EXTENDER)
    config["profiles"].append({"schedulerName": "berth"})
    return config
