"""Whether a mesh is ready: each process by its own word, and the extender with nothing degraded."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from cli.endpoint import call, get_json
from cli.errors import UnreachableError
from cli.processes import Process

POLL_TIMEOUT_S = 2.0


def missing(processes: Sequence[Process]) -> list[str]:
    """What is not ready yet, in words; [] when all is."""
    waiting = [process.name for process in processes if not ready(process)]
    if waiting:
        return waiting
    return [word for process in processes if process.name == "extender" for word in degraded(process)]


def ready(process: Process) -> bool:
    """/readyz says 200, or Redis answers PING."""
    if process.redis is not None:
        return pong(process.host, process.redis)
    try:
        return call("GET", f"{process.url}/readyz", timeout_s=POLL_TIMEOUT_S)[0] == 200
    except UnreachableError:
        return False


def pong(host: str, port: int) -> bool:
    """Whether a Redis answers there."""
    try:
        with socket.create_connection((host, port), POLL_TIMEOUT_S) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(7) == b"+PONG\r\n"
    except OSError:
        return False


def degraded(extender: Process) -> list[str]:
    """What the extender says is missing: a snapshot, a model, Redis."""
    try:
        said = get_json(f"{extender.url}/v1/state", POLL_TIMEOUT_S)["degraded"]
    except (UnreachableError, KeyError, TypeError):
        return ["extender"]
    return [str(word) for word in said]
