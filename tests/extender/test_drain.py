"""An extender that ends: no caller's call fails that it has sent, and balancers are told."""

from __future__ import annotations

import http.client
import json
import select
import signal
import threading
import time
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.calls import Caller, Replay, arguments, pod, until
from tests.extender.replica import Replica, replica

pytestmark = pytest.mark.mesh

UIDS = (f"drain-{i}" for i in count())
DRAIN = {"SERVER__DRAIN_S": "1.0"}
MOVED_S = 0.5


class GoLike:
    """Calls as Go's client does: a connection that its server has closed is not used again, a POST that was sent is
    never sent a second time. Told to open a new connection, it goes on for a moment: so long a balancer may need until
    it chooses other replicas."""

    def __init__(self, port: int, names: list[str], pause_s: float) -> None:
        self.names, self.pause_s = names, pause_s
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5.0)
        self.answered, self.failed, self.last = 0, list[Exception](), 0.0
        self.leave = float("inf")
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self) -> None:
        """Call after call."""
        while time.monotonic() < self.leave:
            try:
                self.connect()
                self.call()
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(error)
                self.connection.close()
            time.sleep(self.pause_s)
        self.connection.close()

    def connect(self) -> None:
        """An idle connection that can be read has been closed."""
        held: Any = self.connection.sock
        if held is not None and select.select([held], [], [], 0.0)[0]:
            self.connection.close()
        if self.connection.sock is None:
            self.connection.connect()

    def call(self) -> None:
        """One call."""
        body = arguments(pod(next(UIDS)), self.names)
        self.connection.request("POST", "/scheduler/filter", body, {"Content-Type": "application/json"})
        reply = self.connection.getresponse()
        assert reply.status == 200
        assert len(reply.read()) > 0
        self.answered, self.last = self.answered + 1, time.monotonic()
        if reply.getheader("connection") == "close":
            self.leave = min(self.leave, self.last + MOVED_S)


def end(running: Replica) -> float:
    """SIGTERM; monotonic seconds of it."""
    running.process.send_signal(signal.SIGTERM)
    return time.monotonic()


def status(running: Replica, path: str) -> int:
    """Of a GET on a connection of its own."""
    caller = Caller(running.port)
    try:
        return caller.call("GET", path).status
    finally:
        caller.close()


def test_no_call_fails_while_it_drains(replay: Replay) -> None:
    with replica(replay.mesh, DRAIN) as running:
        clients = [GoLike(running.port, replay.names[:100], pause_s) for pause_s in (0.0, 0.001, 0.02, 0.3)]
        until(lambda: all(client.answered > 2 for client in clients))
        ended = end(running)
        for client in clients:
            client.thread.join(8.0)
        running.process.wait(8.0)
    assert [client.failed for client in clients] == [[]] * len(clients)
    assert all(client.last > ended + 0.2 for client in clients)  # it went on serving


def test_balancers_are_told_and_connections_end_with_an_answer(replay: Replay) -> None:
    with replica(replay.mesh, DRAIN) as running:
        running.caller.get("/v1/state")
        end(running)
        until(lambda: status(running, "/readyz") == 503, 1.0, 0.02)
        answer = running.caller.filter(pod(next(UIDS)), replay.names[:10])
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert status(running, "/healthz") == 200  # alive: nobody is to kill it


def test_told_twice_it_does_not_wait(replay: Replay) -> None:
    with replica(replay.mesh, {"SERVER__DRAIN_S": "30"}) as running:
        end(running)
        until(lambda: status(running, "/readyz") == 503, 2.0, 0.02)
        end(running)
        running.process.wait(4.0)


def test_no_record_is_lost_when_it_ends(replay: Replay, tmp_path: Path) -> None:
    log, uids = tmp_path / "decisions.jsonl", [next(UIDS) for _ in range(30)]
    with replica(replay.mesh, {"RECORDS__LOG": str(log), "SERVER__DRAIN_S": "0"}) as running:
        for uid in uids:
            asked = pod(uid)
            assert running.caller.filter(asked, replay.names[:100]).status == 200
            assert running.caller.prioritize(asked, replay.names[:100]).status == 200
        end(running)
        running.process.wait(8.0)
    assert [json.loads(line)["pod_uid"] for line in log.read_text("utf-8").splitlines()] == uids
    assert all(replay.caller.call("GET", f"/v1/decisions/{uid}").status == 200 for uid in uids)  # Redis has them too
