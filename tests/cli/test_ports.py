"""Ports are drawn once, by whichever process, until their servers listen."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from cli import ports
from cli.ports import LOOPBACK, free_ports, is_free

OTHER = "import sys; from cli import ports; ports.RANGE = [int(sys.argv[1])]; print(ports.free_ports(1))"


def other_process_draws(port: int) -> bool:
    """Whether a process that may draw this one alone gets it."""
    return subprocess.run([sys.executable, "-c", OTHER, str(port)], capture_output=True, timeout=60).returncode == 0


def test_a_drawn_port_is_nobody_else_s_but_its_server_s() -> None:
    (port,) = free_ports(1)
    assert not other_process_draws(port)
    assert is_free(port)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((LOOPBACK, port), 1.0)
    with socket.create_server((LOOPBACK, port)):
        socket.create_connection((LOOPBACK, port), 1.0).close()
        assert not other_process_draws(port)


def test_a_port_that_somebody_listens_on_is_not_drawn() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        assert not other_process_draws(server.getsockname()[1])


def test_held_sockets_do_not_grow_in_number() -> None:
    drawn = [free_ports(1)[0] for _ in range(2 * (ports.HELD.maxlen or 0))]
    assert len(set(drawn)) == len(drawn)
    assert len(ports.HELD) == ports.HELD.maxlen
    assert all(holder.fileno() >= 0 for holder in ports.HELD)


def test_without_a_free_port_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        monkeypatch.setattr(ports, "RANGE", [server.getsockname()[1]])
        with pytest.raises(OSError, match="no free loopback port"):
            free_ports(1)
