"""Who hangs: a port that accepts and never answers; not one that answers, nor one that refuses."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from cli import liveness
from cli.liveness import FAILURES, Liveness
from cli.ports import free_ports
from cli.processes import Process


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Process]:
    """Accepts (the kernel does) and never answers."""
    monkeypatch.setattr(liveness, "TIMEOUT_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as held:
        yield Process("silent", (), http=held.getsockname()[1])


def test_one_that_never_answers_hangs_after_some_questions(silent: Process) -> None:
    asking = Liveness()
    assert [asking.hung([silent]) for _ in range(FAILURES)] == [[]] * (FAILURES - 1) + [["silent"]]
    assert asking.hung([silent]) == []  # counted anew


def test_one_that_refuses_does_not_hang() -> None:
    gone = Process("gone", (), redis=free_ports(1)[0])
    asking = Liveness()
    assert [asking.hung([gone]) for _ in range(FAILURES + 1)] == [[]] * (FAILURES + 1)


def answer_once(server: socket.socket) -> None:
    """Good health, to the first caller."""
    connection, _ = server.accept()
    with connection:
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")


def test_an_answer_in_between_forgives(silent: Process) -> None:
    asking = Liveness()
    for _ in range(FAILURES - 1):
        asking.hung([silent])
    with socket.create_server(("127.0.0.1", 0)) as server:
        answering = threading.Thread(target=answer_once, args=(server,))
        answering.start()
        asking.hung([Process("silent", (), http=server.getsockname()[1])])
        answering.join()
    assert asking.hung([silent]) == []
