"""A call is answered alike however it is framed: at once, or by way of the application."""

from __future__ import annotations

import json
import socket
import time
from itertools import count
from typing import Any

import pytest

from tests.calls import Replay, arguments, pod

pytestmark = pytest.mark.mesh

UIDS = (f"protocol-{i}" for i in count())
NODES = 40
LARGE = 12_000
"""Names of nodes, over 256 KiB of them."""


def request(verb: str, body: bytes, version: str = "1.1", *headers: str) -> bytes:
    """A POST with its length."""
    lines = [f"POST /scheduler/{verb} HTTP/{version}", "Host: x", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunked(verb: str, body: bytes) -> bytes:
    """A POST in two chunks."""
    head = f"POST /scheduler/{verb} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    halves = body[: len(body) // 2], body[len(body) // 2 :]
    return head + b"".join(b"%x\r\n%s\r\n" % (len(half), half) for half in halves) + b"0\r\n\r\n"


class Line:
    """A connection, read answer by answer."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 30.0)
        self.file = self.socket.makefile("rb")

    def send(self, data: bytes, cuts: int = 1) -> None:
        """In so many segments."""
        size = -(-len(data) // cuts)
        for start in range(0, len(data), size):
            self.socket.sendall(data[start : start + size])
            time.sleep(0.02 if cuts > 1 else 0.0)

    def answer(self) -> tuple[int, dict[str, str], Any]:
        """Status, headers and JSON of the next answer."""
        status = int(self.file.readline().split()[1])
        lines = iter(lambda: self.file.readline().decode().strip(), "")
        headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
        return status, headers, json.loads(self.file.read(int(headers.get("content-length", 0))) or b"null")

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.socket.close()


@pytest.mark.parametrize("framing", ["plain", "in pieces", "chunked", "HTTP/1.0", "closing", "another case"])
def test_both_verbs_are_answered_alike_however_they_are_framed(replay: Replay, framing: str) -> None:
    names = replay.names[:NODES]
    found: dict[str, Any] = {}
    for verb in ("filter", "prioritize"):
        body = arguments(pod(f"framed-{framing}"), names)
        with Line(replay.port) as line:
            match framing:
                case "in pieces":
                    line.send(request(verb, body), cuts=7)
                case "chunked":
                    line.send(chunked(verb, body))
                case "HTTP/1.0":
                    line.send(request(verb, body, "1.0"))
                case "closing":
                    line.send(request(verb, body, "1.1", "Connection: close"))
                case "another case":
                    line.send(request(verb, body).replace(b"Content-Length", b"CONTENT-length"))
                case _:
                    line.send(request(verb, body))
            status, headers, found[verb] = line.answer()
            assert (status, headers["content-type"]) == (200, "application/json")
            if framing in ("HTTP/1.0", "closing"):
                assert line.file.read() == b""
    assert found["filter"]["NodeNames"] == names
    assert [each["Host"] for each in found["prioritize"]] == names
    assert {each["Score"] for each in found["prioritize"]} <= set(range(11))
    assert max(each["Score"] for each in found["prioritize"]) == 10


def test_calls_sent_ahead_are_answered_in_order(replay: Replay) -> None:
    verbs, lists = ["filter", "prioritize"] * 3, [replay.names[:n] for n in range(2, 8)]
    with Line(replay.port) as line:
        calls = zip(verbs, lists, strict=True)
        line.send(b"".join(request(verb, arguments(pod(next(UIDS)), names)) for verb, names in calls))
        for verb, names in zip(verbs, lists, strict=True):
            status, _, found = line.answer()
            assert status == 200
            assert (found["NodeNames"] if verb == "filter" else [each["Host"] for each in found]) == names


def test_who_waits_for_a_hundred_continue_gets_it(replay: Replay) -> None:
    body = arguments(pod(next(UIDS)), replay.names[:NODES])
    whole = request("prioritize", body, "1.1", "Expect: 100-continue")
    with Line(replay.port) as line:
        line.send(whole[: -len(body)])
        assert line.file.readline() == b"HTTP/1.1 100 Continue\r\n"
        assert line.file.readline() == b"\r\n"
        line.send(body)
        status, _, found = line.answer()
    assert (status, len(found)) == (200, NODES)


def test_a_large_call_and_a_refused_one_leave_the_connection_usable(replay: Replay) -> None:
    names = [f"a-node-with-a-usual-name-{i}" for i in range(LARGE)]
    with Line(replay.port) as line:
        for body, expected in (
            (arguments(pod(next(UIDS)), names), 200),
            (b"no JSON", 400),
            (arguments(pod(next(UIDS)), replay.names[:NODES]), 200),
            (b'{"Pod":{}}', 200),
            (arguments(pod(next(UIDS)), replay.names[:NODES]), 200),
        ):
            line.send(request("filter", body))
            assert line.answer()[0] == expected
