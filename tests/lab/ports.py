"""Ports of the lab's own servers."""

from __future__ import annotations

import socket

from cli.ports import free_ports


def free_port() -> int:
    """A loopback port that nobody listens on."""
    return free_ports(1)[0]


def listens(port: int) -> bool:
    """Whether somebody accepts connections. Raises OSError where nobody does."""
    socket.create_connection(("127.0.0.1", port), 1.0).close()
    return True
