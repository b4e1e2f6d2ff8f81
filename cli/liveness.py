"""Which processes hang: they hold their port and answer nothing, as one that is stopped does.

A hung extender holds every pod for kube-scheduler's whole `httpTimeout`, once a verb; one that is gone costs nothing.
Its own watchdog cannot see that it is stopped, so somebody outside has to ask, as a kubelet's liveness probe does.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from cli.processes import Process, reachable

EVERY_S = 1.0
TIMEOUT_S = 1.5
FAILURES = 3
"""Hung after so many questions in a row without an answer: 8 s at most, and a standstill of 4 s is forgiven."""


class Liveness:
    """Asks processes and counts the questions that stay open. Used from one thread."""

    def __init__(self) -> None:
        self.unanswered: Counter[str] = Counter()

    def hung(self, processes: Sequence[Process]) -> list[str]:
        """Asks all side by side, once. Returns the names of those that have not answered for too long; their count
        starts anew."""
        with ThreadPoolExecutor(max(len(processes), 1), "liveness") as pool:
            answers = list(pool.map(answers_or_refuses, processes))
        for process, answered in zip(processes, answers, strict=True):
            self.unanswered[process.name] = 0 if answered else self.unanswered[process.name] + 1
        found = [name for name, count in self.unanswered.items() if count >= FAILURES]
        for name in found:
            del self.unanswered[name]
        return found


def answers_or_refuses(process: Process) -> bool:
    """False for a process that lets a caller wait. One that refuses is starting or ending, which others look after."""
    port = process.redis or process.http
    question = b"PING\r\n" if process.redis else b"GET /healthz HTTP/1.0\r\n\r\n"
    try:
        with socket.create_connection((reachable(process.host), port), TIMEOUT_S) as connection:
            connection.sendall(question)
            connection.recv(1)
    except TimeoutError:
        return False
    except OSError:
        return True
    return True
