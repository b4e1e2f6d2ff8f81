"""kube-scheduler as a client: one keep-alive connection, filter, then prioritize, one pod after another.

Runs in a process of its own (`spawn`), so that it shares no interpreter with anything that it measures. Bodies are
made before a pod is due, answers are checked after its time is taken.
"""

from __future__ import annotations

import gc
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from benchmarks.traffic import bodies, orders

TIMEOUT_S = 5.0
"""kube-scheduler's default httpTimeout."""
BUFFER = 4 * 2**20


@dataclass(frozen=True)
class Run:
    """What a client does. rate: pods a second by the clock; None: the next pod when the one before has its answer.
    It ends after `calls` pods (0: without limit) or after `seconds`, whichever comes first. names: of the nodes.
    first_class: number of the first new class. name: makes the pods' uids differ from other runs'."""

    port: int
    names: tuple[str, ...]
    name: str
    rate: float | None
    calls: int
    seconds: float
    new_classes: bool
    first_class: int
    seed: int = 1


@dataclass
class Times:
    """Milliseconds of each pod by verb, and how many pods had an answer that was not 200."""

    filter: list[float] = field(default_factory=list)
    prioritize: list[float] = field(default_factory=list)
    sum: list[float] = field(default_factory=list)
    non_200: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("filter", "prioritize", "sum"), 0))


class WrongAnswerError(Exception):
    """Status 200 with an answer that kube-scheduler must not get: a fast wrong answer is not measured."""


class Connection:
    """HTTP/1.1 over one socket, opened again after a failure."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.socket: socket.socket | None = None
        self.buffer = bytearray(BUFFER)

    def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Status and body; status 0 where no answer came."""
        head = f"POST {path} HTTP/1.1\r\nHost: berth\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        try:
            if self.socket is None:
                self.socket = socket.create_connection(("127.0.0.1", self.port), TIMEOUT_S)
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.sendall(b"%s\r\n\r\n%s" % (head.encode(), body))
            return self._answer(self.socket)
        except (OSError, ValueError):
            self.close()
            return 0, b""

    def _answer(self, connection: socket.socket) -> tuple[int, bytes]:
        """Raises OSError where the connection ends first, ValueError for what is no answer."""
        view, filled, head_end = memoryview(self.buffer), 0, -1
        while head_end < 0:
            filled += received(connection.recv_into(view[filled:]))
            head_end = self.buffer.find(b"\r\n\r\n", 0, filled)
        head = bytes(view[:head_end]).lower()
        end = head_end + 4 + int(head.split(b"content-length:")[1].split(b"\r\n")[0])
        while filled < end:
            filled += received(connection.recv_into(view[filled:]))
        return int(head[9:12]), bytes(view[head_end + 4 : end])

    def close(self) -> None:
        """Forget the connection."""
        if self.socket is not None:
            self.socket.close()
        self.socket = None


def received(count: int) -> int:
    """Bytes read; 0 means that the other side has closed. Raises OSError."""
    if count == 0:
        raise ConnectionResetError("closed before the answer's end")
    return count


def drive(run: Run) -> Times:
    """Send pods and take their times. Raises WrongAnswerError."""
    times, connection = Times(), Connection(run.port)
    made = bodies(orders(list(run.names), run.seed), run.name, run.new_classes, run.first_class)
    gc.disable()  # the client's own pauses are no part of the answer
    try:
        for due in schedule(run):
            body = next(made)
            wait_until(due)
            one_pod(connection, body, due, len(run.names), times)
    finally:
        gc.enable()
        connection.close()
    return times


def schedule(run: Run) -> Iterator[float | None]:
    """When each pod is due (perf_counter seconds), None for at once."""
    began, sent = time.perf_counter(), 0
    while not (run.calls and sent >= run.calls):
        due = None if run.rate is None else began + sent / run.rate
        if (time.perf_counter() if due is None else due) - began >= run.seconds:
            return
        yield due
        sent += 1


def wait_until(due: float | None) -> None:
    """Sleep until a pod is due."""
    if due is not None and (left := due - time.perf_counter()) > 0.0:
        time.sleep(left)


def one_pod(connection: Connection, body: bytes, due: float | None, nodes: int, times: Times) -> None:
    """Both verbs of one pod. At a fixed rate the clock starts when the pod was due: a queue counts."""
    began = time.perf_counter() if due is None else due
    first = connection.post("/scheduler/filter", body)
    between = time.perf_counter()
    filtered = good("filter", first, nodes)
    resumed = time.perf_counter()
    second = connection.post("/scheduler/prioritize", body)
    ended = time.perf_counter()
    prioritized = good("prioritize", second, nodes)
    times.filter.append((between - began) * 1000.0)
    times.prioritize.append((ended - resumed) * 1000.0)
    times.sum.append((between - began + ended - resumed) * 1000.0)
    times.non_200["filter"] += not filtered
    times.non_200["prioritize"] += not prioritized
    times.non_200["sum"] += not (filtered and prioritized)


def good(verb: str, answer: tuple[int, bytes], nodes: int) -> bool:
    """Whether the status is 200. Raises WrongAnswerError for a 200 that does not hold every node."""
    status, body = answer
    if status != 200:
        return False
    if verb == "filter":
        kept = body[body.find(b'"NodeNames":[') : body.find(b"]")]
        right = b'"Error":""' in body and kept.count(b",") == nodes - 1
    else:
        right = body.count(b'"Host":') == nodes
    if not right:
        raise WrongAnswerError(f"{verb} for {nodes} nodes: {body[:200]!r}")
    return True
