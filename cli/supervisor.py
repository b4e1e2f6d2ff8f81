"""The mesh as a whole: starts every process, knows when all are ready, restarts what dies or hangs, ends all.

with Mesh(auto_ports=True, data_dir=folder) as mesh:   # started and ready
    mesh.kill("placement-scorer")
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from cli.backoff import Backoff
from cli.child import Child, Echo
from cli.errors import MeshError, RefusedError
from cli.liveness import EVERY_S, Liveness
from cli.processes import ENVIRONMENT, Plan, Process, Wishes, plan
from cli.readiness import missing

END_S = 7.0
"""Given to all processes together after SIGTERM; the whole of `close` stays under 10 s."""
WATCH_EVERY_S = 0.1
READY_S = 60.0
REFUSED = 2
"""Exit code of a process that refuses its settings or its artifact: starting it again does not help."""


class Mesh:
    """All processes of a mesh. Methods may be called from any thread.

    restart: start a process again that has ended, and end one that hangs; fault tests say False and use
    `start_process`.
    echo: takes output line by line; without it each process writes to DATA_DIR/logs/NAME.log.
    """

    def __init__(
        self,
        *,
        config: Path | None = None,
        data_dir: Path = Path(".berth"),
        auto_ports: bool = False,
        redis_url: str | None = None,
        nodes: int | None = None,
        interval_s: float | None = None,
        seed: int | None = None,
        kubeconfig: Path | None = None,
        prometheus: str | None = None,
        environment: Mapping[str, str] | None = None,
        restart: bool = True,
        echo: Echo | None = None,
    ) -> None:
        wishes = Wishes(
            config, data_dir, auto_ports, redis_url, nodes, interval_s, seed, kubeconfig, prometheus, environment or {}
        )
        self.data_dir, self.restarts, self.echo = data_dir, restart, echo
        self.wishes = wishes
        self.plan: Plan = plan(wishes)
        self.processes: dict[str, Process] = {process.name: process for process in self.plan.processes}
        self.children: dict[str, Child] = {}
        self.backoffs = {name: Backoff() for name in self.processes}
        self.lock = threading.RLock()
        self.closing = threading.Event()
        # A child is tied to the thread that starts it, so one thread that lives as long as the mesh starts them all.
        self.starter = ThreadPoolExecutor(1, "mesh starter")
        self.watcher = threading.Thread(target=self._watch, name="mesh watcher", daemon=True)
        self.prober = threading.Thread(target=self._probe, name="mesh prober", daemon=True)

    @property
    def redis_url(self) -> str:
        """URL of the Redis that the processes share."""
        return self.plan.redis_url

    def url(self, name: str = "extender") -> str:
        """Base URL of a process."""
        return self.processes[name].url

    def pid(self, name: str) -> int:
        """Process id. Raises KeyError before the start."""
        return self.children[name].pid

    def alive(self, name: str) -> bool:
        """Whether a process runs (a stopped one does)."""
        return name in self.children and self.children[name].exit_code() is None

    def start(self) -> None:
        """Starts every process; returns before they are ready."""
        (self.data_dir / "logs").mkdir(parents=True, exist_ok=True)
        for name in self.processes:
            self.start_process(name)
        self._write()
        self.watcher.start()
        if self.restarts:
            self.prober.start()

    def start_process(self, name: str) -> None:
        """Starts one process that does not run."""
        with self.lock:
            if self.alive(name) or self.closing.is_set():
                return
            if name in self.children:
                self.children[name].close()
            self.children[name] = self.starter.submit(self._spawn, self.processes[name]).result()

    def environment(self, name: str) -> dict[str, str]:
        """What a process is started with."""
        return {**os.environ, **ENVIRONMENT, **self.processes[name].environment, **self.wishes.environment}

    def _spawn(self, process: Process) -> Child:
        return Child(process, self.environment(process.name), self.data_dir / "logs" / f"{process.name}.log", self.echo)

    def _write(self) -> None:
        """mesh.json: where everything is, for other commands and for people."""
        found: dict[str, object] = {
            name: {"http": process.http, "grpc": process.grpc, "pid": self.children[name].pid}
            for name, process in self.processes.items()
        }
        text = json.dumps({**found, "redis_url": self.redis_url}, indent=1)
        fresh = self.data_dir / "mesh.json.new"
        fresh.write_text(text + "\n", "utf-8")
        fresh.chmod(0o600)  # a given Redis URL may hold a password
        fresh.replace(self.data_dir / "mesh.json")

    def wait_ready(self, timeout_s: float = READY_S, tell: Callable[[list[str]], None] | None = None) -> None:
        """Returns when every process is ready, a snapshot is in use and all three models are known.

        `tell` is told what is still missing, whenever that changes. Raises MeshError, RefusedError.
        """
        end = time.monotonic() + timeout_s
        before: list[str] | None = None
        while True:
            self.check_refusals()
            waiting = missing(self.plan.processes)
            if waiting != before and tell:
                tell(waiting)
            before = waiting
            if not waiting:
                return
            if time.monotonic() > end:
                raise MeshError(f"not ready after {timeout_s:.0f} s: {', '.join(waiting)}; see {self.data_dir}/logs")
            if self.closing.wait(WATCH_EVERY_S):
                raise MeshError("ended before it was ready")

    def check_refusals(self) -> None:
        """Raises RefusedError or MeshError where a process has ended for good."""
        for name, child in list(self.children.items()):
            code = child.exit_code()
            if code == REFUSED or (code is not None and not self.restarts):
                words = "\n".join(f"  {line}" for line in child.last_words()[-12:])
                kind = RefusedError if code == REFUSED else MeshError
                raise kind(f"{name} has ended with code {code}:\n{words}")

    def signal(self, name: str, number: signal.Signals) -> None:
        """Any signal to one process."""
        self.children[name].send(number)

    def kill(self, name: str) -> None:
        """SIGKILL; returns when it is gone (and, with `restart`, will come back)."""
        self.children[name].kill()

    def stop_signal(self, name: str) -> None:
        """SIGSTOP: it keeps its sockets and answers nothing."""
        self.signal(name, signal.SIGSTOP)

    def cont(self, name: str) -> None:
        """SIGCONT: it goes on."""
        self.signal(name, signal.SIGCONT)

    def restart(self, name: str) -> None:
        """Ends one process in order and starts it again."""
        child = self.children[name]
        with self.lock:
            child.ask_to_end()
            child.end(time.monotonic() + END_S)
            self.start_process(name)
            self._write()

    def _watch(self) -> None:
        """Starts again what has ended, each with its own backoff, until `close`."""
        while not self.closing.wait(WATCH_EVERY_S):
            if not self.restarts:
                continue
            for name, child in list(self.children.items()):
                if child.exit_code() is not None:
                    self._revive(name, child)

    def _probe(self) -> None:
        """Kills what hangs, until `close`; the watcher starts it again."""
        liveness = Liveness()
        while not self.closing.wait(EVERY_S):
            for name in liveness.hung(self.plan.processes):
                if self.alive(name):
                    self._say(name, "hangs: killed")
                    self.signal(name, signal.SIGKILL)

    def _revive(self, name: str, child: Child) -> None:
        backoff, now, code = self.backoffs[name], time.monotonic(), child.exit_code()
        if code == REFUSED:
            return
        if backoff.due is None:
            pause = backoff.ended(child.started, now)
            self._say(name, f"ended with {describe_exit(code)}; starts again in {pause:.1f} s")
        elif now >= backoff.due:
            backoff.due = None
            with self.lock:
                if self.children[name] is child:
                    self.start_process(name)
                    self._write()

    def _say(self, name: str, text: str) -> None:
        if self.echo:
            self.echo(name, text)

    def close(self) -> None:
        """Ends everything, the extender first and Redis last, within 10 s. May be called twice."""
        self.closing.set()
        with self.lock:
            redis = [child for child in self.children.values() if child.process.redis is not None]
            others = [child for child in self.children.values() if child.process.redis is None]
            deadline = time.monotonic() + END_S
            for group in (others, redis):
                for child in reversed(group):
                    child.ask_to_end()
                for child in group:
                    child.end(max(deadline, time.monotonic() + 1.0))
            self.children.clear()
        self.starter.shutdown()
        (self.data_dir / "mesh.json").unlink(missing_ok=True)

    def __enter__(self) -> Self:
        try:
            self.start()
            self.wait_ready()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def describe_exit(code: int | None) -> str:
    """'code 1' or 'SIGKILL'."""
    if code is not None and code < 0:
        return signal.Signals(-code).name
    return f"code {code}"
