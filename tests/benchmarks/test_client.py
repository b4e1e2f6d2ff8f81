"""The client against a small server: what it counts, what it refuses to measure, and where its clock starts."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.client import Run, WrongAnswerError, drive

NAMES = ("a", "b", "c")
GOOD = {
    "filter": {"Nodes": None, "NodeNames": list(NAMES), "FailedNodes": {}, "Error": ""},
    "prioritize": [{"Host": name, "Score": 0} for name in NAMES],
}


class Scripted(ThreadingHTTPServer):
    """Answers each verb with `answers`, after `pause_s`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, tuple[int, object]] = {verb: (200, answer) for verb, answer in GOOD.items()}
        self.pause_s = 0.0
        self.connections = 0


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Scripted

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(self.server.pause_s)
        status, answer = self.server.answers[self.path.rsplit("/", 1)[1]]
        raw = json.dumps(answer, separators=(",", ":")).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def server() -> Iterator[Scripted]:
    with Scripted() as scripted:
        threading.Thread(target=scripted.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield scripted
        scripted.shutdown()


def run(server: Scripted, rate: float | None = None, calls: int = 5, seconds: float = 10.0) -> Run:
    return Run(server.server_address[1], NAMES, "t", rate, calls, seconds, False, 0)


def test_one_connection_for_all_calls_and_times_of_both_verbs(server: Scripted) -> None:
    server.pause_s = 0.01
    times = drive(run(server))
    assert server.connections == 1
    assert len(times.filter) == len(times.prioritize) == len(times.sum) == 5
    assert all(10.0 <= one < 200.0 for one in (*times.filter, *times.prioritize))
    assert times.sum == pytest.approx([a + b for a, b in zip(times.filter, times.prioritize, strict=True)])


def test_statuses_other_than_200_are_counted_by_verb(server: Scripted) -> None:
    server.answers["prioritize"] = (503, {})
    assert drive(run(server)).non_200 == {"filter": 0, "prioritize": 5, "sum": 5}


def test_no_server_is_no_answer(server: Scripted) -> None:
    port = server.server_address[1]
    server.shutdown()
    server.server_close()
    times = drive(Run(port, NAMES, "t", None, 3, 5.0, False, 0))
    assert times.non_200 == {"filter": 3, "prioritize": 3, "sum": 3}


@pytest.mark.parametrize(
    ("verb", "answer"),
    [
        ("filter", {**GOOD["filter"], "NodeNames": ["a"]}),  # type: ignore[dict-item]
        ("filter", {**GOOD["filter"], "Error": "broken"}),  # type: ignore[dict-item]
        ("filter", {}),
        ("prioritize", GOOD["prioritize"][:2]),  # type: ignore[index]
    ],
)
def test_a_wrong_answer_is_not_measured(server: Scripted, verb: str, answer: object) -> None:
    server.answers[verb] = (200, answer)
    with pytest.raises(WrongAnswerError, match=verb):
        drive(run(server))


def test_at_a_fixed_rate_waiting_behind_a_slow_pod_counts(server: Scripted) -> None:
    server.pause_s = 0.03  # 60 ms a pod, one due each 20 ms
    times = drive(run(server, rate=50.0, calls=6))
    assert times.sum[5] > times.sum[0] + 5 * (60.0 - 20.0) * 0.9


def test_a_run_ends_by_time(server: Scripted) -> None:
    assert len(drive(run(server, rate=50.0, calls=0, seconds=0.2)).sum) == pytest.approx(11, abs=2)
