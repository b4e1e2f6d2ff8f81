"""Free loopback ports."""

from __future__ import annotations

import atexit
import random
import socket
from collections import deque

LOOPBACK = "127.0.0.1"
RANGE = range(20000, 32000)
"""Below the ports that Linux gives to outgoing connections (32768 and up), which could take one meanwhile."""
DRAWN: set[int] = set()
"""By this process: who drew one may not listen yet."""
HELD: deque[socket.socket] = deque(maxlen=64)
"""The last ones, bound: a server takes seconds to start, and a mesh beside this one draws meanwhile."""


@atexit.register
def release() -> None:
    """Let go of all: the interpreter would complain of each."""
    while HELD:
        HELD.pop().close()


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def hold(port: int) -> bool:
    """Bind a port so that no other process draws it. It does not listen, so a server may, as servers reuse addresses
    (Linux: inet_csk_bind_conflict)."""
    holder = socket.socket()
    try:
        holder.bind((LOOPBACK, port))
    except OSError:
        holder.close()
        return False
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if len(HELD) == HELD.maxlen:
        HELD[0].close()
    HELD.append(holder)
    return True


def free_ports(count: int) -> list[int]:
    """Different ports that nobody listens on or has drawn, at random, held for who asked. Raises OSError."""
    chosen: list[int] = []
    for port in random.SystemRandom().sample(RANGE, len(RANGE)):
        if port not in DRAWN and hold(port):
            chosen.append(port)
        if len(chosen) == count:
            DRAWN.update(chosen)
            return chosen
    raise OSError("no free loopback port")
