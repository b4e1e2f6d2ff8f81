"""Listening addresses, checked before anything slow is loaded so that a taken port is told at once."""

from __future__ import annotations

import os
import socket

from services.serving.errors import StartError


def check_free(host: str, *ports: int) -> None:
    """Raises StartError where `host` has no such address or one of the ports is taken."""
    for port in ports:
        listen(host, port).close()


def listen(host: str, port: int) -> socket.socket:
    """A bound TCP socket. Raises StartError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise StartError(f"cannot listen on {joined(host, port)}: {reason(error)}") from error


def joined(host: str, port: int) -> str:
    """host:port, with brackets around IPv6."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def reason(error: OSError) -> str:
    """The system's words alone; Python's may repeat the address."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
