"""A watch of bindings: which pod went where, and when."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.lab.control_plane import ControlPlane
from tests.lab.process import LabError


@dataclass(frozen=True)
class Bind:
    """One binding, as the API server's watch told it. at: unix seconds."""

    uid: str
    namespace: str
    name: str
    node: str
    scheduler: str
    at: float


class Binds:
    """A context manager; `seen` grows while it is open. on_bind: told of each from the reader's thread."""

    def __init__(self, plane: ControlPlane, on_bind: Callable[[Bind], None] = lambda _: None) -> None:
        self.on_bind = on_bind
        self.seen: list[Bind] = []
        self.changed = threading.Condition()
        command = [str(plane.program), "binds", f"--kubeconfig={plane.kubeconfig}"]
        self.process = plane.process(command, "binds", stdout=subprocess.PIPE)
        self.begun = threading.Event()
        self.reader = threading.Thread(target=self._read, name="binds", daemon=True)

    def __enter__(self) -> Self:
        self.reader.start()
        if not self.begun.wait(30.0):
            raise LabError(f"the watch did not begin: {self.process.last_words()}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.popen.terminate()
        self.reader.join(10.0)
        self.process.close()

    def _read(self) -> None:
        assert self.process.popen.stdout is not None
        for line in self.process.popen.stdout:
            fields = json.loads(line)
            if not fields:
                self.begun.set()
                continue
            bind = Bind(**fields)
            with self.changed:
                self.seen.append(bind)
                self.changed.notify_all()
            self.on_bind(bind)

    def wait(self, count: int, timeout_s: float = 60.0) -> list[Bind]:
        """The binds once there are `count`. Raises LabError."""
        end = time.monotonic() + timeout_s
        with self.changed:
            while len(self.seen) < count:
                if not self.changed.wait(end - time.monotonic()):
                    raise LabError(f"{len(self.seen)} of {count} pods bound within {timeout_s:.0f} s")
            return list(self.seen)

    @property
    def node_of(self) -> dict[str, str]:
        """Node by pod name. Fails where a pod was bound to two nodes."""
        with self.changed:
            found = {bind.name: bind.node for bind in self.seen}
            assert len(found) == len(self.seen), "a pod was bound twice"
        return found
