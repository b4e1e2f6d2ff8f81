"""Bodies that are too large, slow, cut off or no HTTP: the process survives and keeps its memory."""

from __future__ import annotations

import contextlib
import json
import random
import socket
from collections.abc import Callable
from itertools import count

import psutil
import pytest

from tests.calls import Caller, Replay, pod, scores_of

pytestmark = [pytest.mark.mesh, pytest.mark.usefixtures("still_serving")]

FILTER, PRIORITIZE = "/scheduler/filter", "/scheduler/prioritize"
UIDS = (f"body-{i}" for i in count())
MIB = 2**20


@pytest.fixture
def memory(replay: Replay) -> Callable[[], float]:
    """Resident MiB of the extender."""
    process = psutil.Process(replay.mesh.pid("extender"))
    return lambda: process.memory_info().rss / MIB


@pytest.mark.parametrize("mib", [65, 100])
def test_a_body_over_the_limit_is_413(replay: Replay, memory: Callable[[], float], mib: int) -> None:
    before = memory()
    for path in (FILTER, PRIORITIZE):
        status = send_large(replay.port, path, mib * MIB, chunked=False)
        assert status == 413
        assert send_large(replay.port, path, mib * MIB, chunked=True) == 413
    assert memory() - before < 150


def send_large(port: int, path: str, size: int, chunked: bool) -> int:
    """The status of a body of `size` bytes, also where the server answers before it has all of it."""
    with socket.create_connection(("127.0.0.1", port), 30.0) as line:
        length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % size
        line.sendall(
            b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n%s\r\n\r\n" % (path.encode(), length)
        )
        block = b" " * MIB
        try:
            for _ in range(size // MIB):
                line.sendall(b"%x\r\n%s\r\n" % (MIB, block) if chunked else block)
            if chunked:
                line.sendall(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass
        return int(line.recv(4096).split()[1])


@pytest.mark.long
def test_fifty_megabytes_are_read_and_given_free_again(
    replay: Replay, caller: Caller, memory: Callable[[], float]
) -> None:
    names = replay.names[:500]
    stuffed = pod(next(UIDS), meta={"annotations": {f"a{i}": "x" * MIB for i in range(50)}})
    body = json.dumps({"Pod": stuffed, "Nodes": None, "NodeNames": names}).encode()
    assert 50 * MIB < len(body) < 64 * MIB
    assert caller.call("POST", FILTER, body).json["NodeNames"] == names
    settled = memory()
    for _ in range(4):
        assert caller.call("POST", FILTER, body).status == 200
        assert len(scores_of(caller.call("POST", PRIORITIZE, body))) == 500
        assert caller.call("POST", FILTER, b"[" * (50 * MIB)).status == 400
    assert memory() - settled < 120


def test_memory_is_bounded_when_prioritize_never_comes(
    replay: Replay, caller: Caller, memory: Callable[[], float]
) -> None:
    names = [f"a-node-with-a-usual-name-{i}.cluster.internal" for i in range(3500)] + replay.names[:1500]
    caller.filter(pod(next(UIDS)), names)
    before = memory()
    for i in range(300):
        caller.filter(pod(next(UIDS)), names[i:] + names[:i])
    assert memory() - before < 60


def test_chunked_bodies_are_read(replay: Replay, caller: Caller) -> None:
    body = json.dumps({"Pod": pod(next(UIDS)), "Nodes": None, "NodeNames": replay.names[:50]}).encode()
    pieces = (body[i : i + 7] for i in range(0, len(body), 7))
    caller.connection.request("POST", FILTER, pieces, {"Content-Type": "application/json"}, encode_chunked=True)
    answer = caller.connection.getresponse()
    assert (answer.status, json.loads(answer.read())["NodeNames"]) == (200, replay.names[:50])


def test_a_slow_body_holds_up_nobody_else(replay: Replay, caller: Caller) -> None:
    body = json.dumps({"Pod": pod(next(UIDS)), "Nodes": None, "NodeNames": replay.names[:50]}).encode()
    slow = [socket.create_connection(("127.0.0.1", replay.port), 10.0) for _ in range(30)]
    for line in slow:
        head = b"POST /scheduler/filter HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
        line.sendall(head + body[:100])
    took = [caller.filter(pod(next(UIDS)), replay.names[:50]).took_ms for _ in range(30)]
    assert sorted(took)[15] < 100
    for line in slow[:5]:
        line.sendall(body[100:])
        assert line.recv(65536).startswith(b"HTTP/1.1 200")
    for line in slow:
        line.close()


def test_disconnects_in_the_middle(replay: Replay, caller: Caller) -> None:
    body = json.dumps({"Pod": pod(next(UIDS)), "Nodes": None, "NodeNames": replay.names}).encode()
    random.seed(1)
    for _ in range(100):
        with socket.create_connection(("127.0.0.1", replay.port), 5.0) as line:
            line.sendall(b"POST /scheduler/filter HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body))
            line.sendall(body[: random.choice((0, 50, len(body) // 2, len(body)))])
    assert caller.filter(pod(next(UIDS)), replay.names[:50]).status == 200


@pytest.mark.parametrize(
    "raw",
    [
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"POST /scheduler/filter HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"A" * 200_000,
    ],
)
def test_what_is_no_http_closes_that_connection_alone(replay: Replay, raw: bytes) -> None:
    with socket.create_connection(("127.0.0.1", replay.port), 5.0) as line:
        line.settimeout(5.0)
        line.sendall(raw)
        with contextlib.suppress(ConnectionResetError, TimeoutError):
            assert b" 200 " not in line.recv(4096)[:20]
