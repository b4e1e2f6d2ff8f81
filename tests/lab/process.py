"""One process of the lab: started on a leash, its log in a file, ended without leftovers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from cli import leash

END_S = 10.0


class LabError(Exception):
    """Something of the lab did not start or do its work; the message says where its log is."""


class LabProcess:
    """A command that runs until it is ended; a context manager. Its kernel-held leash ends it with its parent."""

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        *,
        environment: Mapping[str, str] | None = None,
        stdin: int = subprocess.DEVNULL,
        stdout: int | IO[bytes] | None = None,
    ) -> None:
        self.log = log
        held = [sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), *command]
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as file:
            self.popen = subprocess.Popen(
                held,
                env={**os.environ, **(environment or {})},
                stdin=stdin,
                stdout=file if stdout is None else stdout,
                stderr=file,
            )

    @property
    def pid(self) -> int:
        """Process id."""
        return self.popen.pid

    def send(self, number: signal.Signals) -> None:
        """A signal."""
        self.popen.send_signal(number)

    def stop(self) -> None:
        """SIGSTOP; returns when no thread of it runs any more, which on a busy machine takes its turn."""
        self.send(signal.SIGSTOP)
        tasks = Path(f"/proc/{self.pid}/task")
        while any(state(task) not in "Tt" for task in tasks.iterdir()):
            time.sleep(0.005)

    def wait(self, ready: Callable[[], object], what: str, timeout_s: float = 60.0) -> None:
        """Return when `ready` says something true; OSErrors count as not yet. Raises LabError."""
        end = time.monotonic() + timeout_s
        while True:
            try:
                if ready():
                    return
            except OSError:
                pass
            if self.popen.poll() is not None:
                raise LabError(f"{what} has ended with {self.popen.returncode}: {self.last_words()}")
            if time.monotonic() > end:
                raise LabError(f"{what} not ready after {timeout_s:.0f} s: {self.last_words()}")
            time.sleep(0.05)

    def last_words(self) -> str:
        """The log's end."""
        return f"{self.log}:\n" + self.log.read_text("utf-8", "replace")[-1500:]

    def close(self) -> None:
        """SIGTERM (one that is stopped goes on first), then SIGKILL. May be called twice."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
            self.popen.send_signal(signal.SIGCONT)
            try:
                self.popen.wait(END_S)
            except subprocess.TimeoutExpired:
                self.popen.kill()
        self.popen.wait()
        for stream in (self.popen.stdin, self.popen.stdout):
            if stream is not None:
                stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def state(task: Path) -> str:
    """A thread's, as proc(5) names it; stopped for one that has ended."""
    try:
        return (task / "stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "T"
