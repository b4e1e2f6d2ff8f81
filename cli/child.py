"""One child process: started on a leash, its output taken line by line or sent to a file, ended in order."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

from cli import leash
from cli.processes import Process

Echo = Callable[[str, str], None]
"""Takes a process's name and a line of its output, from any thread."""
TAIL = 40
"""Last lines kept, to say why a process has ended."""


class Child:
    """A running process. `started` is in monotonic seconds."""

    def __init__(self, process: Process, environment: Mapping[str, str], log: Path, echo: Echo | None) -> None:
        self.process, self.log, self.echo = process, log, echo
        self.tail: deque[str] = deque(maxlen=TAIL)
        self.started = time.monotonic()
        held = [sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), *process.command]
        with log.open("ab") as file:
            self.popen = subprocess.Popen(
                held,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if echo else file,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the supervisor alone, which ends all in order
            )
        self.reader = threading.Thread(target=self._read, name=f"log {process.name}", daemon=True)
        if echo:
            self.reader.start()

    @property
    def pid(self) -> int:
        """Process id."""
        return self.popen.pid

    def exit_code(self) -> int | None:
        """None while it runs; negative for a signal."""
        return self.popen.poll()

    def _read(self) -> None:
        assert self.popen.stdout is not None
        for raw in self.popen.stdout:
            line = raw.decode("utf-8", "replace").rstrip()
            self.tail.append(line)
            if self.echo and line:
                self.echo(self.process.name, line)

    def last_words(self) -> list[str]:
        """The last lines of its output."""
        if self.echo:
            self.reader.join(0.5)
            return list(self.tail)
        with contextlib.suppress(OSError):
            return self.log.read_text("utf-8", "replace").splitlines()[-TAIL:]
        return []

    def send(self, number: signal.Signals) -> None:
        """A signal to it and what it may have started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def ask_to_end(self) -> None:
        """SIGTERM; one that is stopped goes on first, to be able to hear it."""
        self.send(signal.SIGTERM)
        self.send(signal.SIGCONT)

    def end(self, deadline: float) -> None:
        """Wait until `deadline` (monotonic seconds), then SIGKILL."""
        try:
            self.popen.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.kill()
        self.close()

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.send(signal.SIGKILL)
        self.popen.wait()
        self.close()

    def close(self) -> None:
        """Lets go of the output of a process that has ended."""
        if self.echo:
            self.reader.join(1.0)
        if self.popen.stdout is not None and not self.reader.is_alive():
            self.popen.stdout.close()
