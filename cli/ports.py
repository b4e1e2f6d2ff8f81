"""Free loopback ports."""

from __future__ import annotations

import random
import socket

LOOPBACK = "127.0.0.1"
RANGE = range(20000, 32000)
"""Below the ports that Linux gives to outgoing connections (32768 and up), which could take one meanwhile."""
DRAWN: set[int] = set()
"""By this process: who drew one may not listen yet."""


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def free_ports(count: int) -> list[int]:
    """Different ports that were free a moment ago and that this process has not drawn before, at random so that runs
    side by side do not meet. Raises OSError."""
    chosen: list[int] = []
    for port in random.SystemRandom().sample(RANGE, len(RANGE)):
        if port not in DRAWN and is_free(port):
            chosen.append(port)
        if len(chosen) == count:
            DRAWN.update(chosen)
            return chosen
    raise OSError("no free loopback port")
