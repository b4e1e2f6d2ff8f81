"""One more extender over the processes of a running mesh, with settings of its own."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cli.ports import free_ports
from cli.processes import ROOT
from cli.supervisor import Mesh
from tests.calls import Caller, until
from tests.mesh import variables


class Replica:
    """The process and where it listens."""

    def __init__(
        self, process: subprocess.Popen[bytes], port: int, grpc_port: int, context: ssl.SSLContext | None = None
    ) -> None:
        self.process, self.port, self.grpc_port = process, port, grpc_port
        self.caller = Caller(port, context=context)
        self.said: object = "does not listen"

    def ready(self, degraded: bool) -> bool:
        """Whether it listens and, unless `degraded` will do, lacks nothing."""
        assert self.process.poll() is None, "ended before it was ready"
        try:
            self.said = self.caller.get("/readyz")["degraded"]
            return degraded or not self.said
        except OSError:
            self.caller.close()
            return False


@contextmanager
def replica(
    mesh: Mesh,
    settings: Mapping[str, str],
    config: Path | None = None,
    log: Path | None = None,
    degraded: bool = False,
    context: ssl.SSLContext | None = None,
    code: Path = ROOT,
) -> Iterator[Replica]:
    """An extender with the environment of the mesh's own but for `settings`; ended at the end. context: how
    it is talked to where the settings make it speak TLS. code: folder of the version that runs."""
    port, grpc_port = free_ports(2)
    own = {"SERVER__PORT": str(port), "SERVER__GRPC_PORT": str(grpc_port), "SERVER__DRAIN_S": "0", "RECORDS__LOG": ""}
    own |= settings
    environment = {**mesh.environment("extender"), **variables(own), "PYTHONPATH": str(code)}
    command = [sys.executable, "-m", "extender", *(["--config", str(config)] if config else [])]
    with (log or Path(os.devnull)).open("wb") as output:
        process = subprocess.Popen(command, env=environment, cwd=code, stdout=output, stderr=output)
    made = Replica(process, int(own["SERVER__PORT"]), grpc_port, context)
    try:
        try:
            until(lambda: made.ready(degraded) or refreshed(mesh, made.said), 30.0)
        except AssertionError as error:
            raise AssertionError(f"not ready: {made.said}") from error
        yield made
    finally:
        made.caller.close()
        process.send_signal(signal.SIGTERM)
        process.wait(12.0)


def refreshed(mesh: Mesh, said: object) -> bool:
    """False, after a new snapshot where the last has aged: one comes only when a test asks for it."""
    if isinstance(said, list) and any(one.startswith("snapshot ") for one in said):
        url = f"{mesh.url('telemetry')}/replay/publish"
        request = urllib.request.Request(url, b'{"steps":0}', {"Content-Type": "application/json"}, method="POST")
        urllib.request.urlopen(request, timeout=20.0).close()
    return False
