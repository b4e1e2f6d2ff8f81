"""An API server that answers strangely, late or not at all lets nobody in."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme
from pydantic import ValidationError

from berth.reviewer import KNOWN, Reviewer
from berth.reviews import HERE, TOKENS, Review, ReviewError, place

KNOWN_USER = {"status": {"authenticated": True, "user": {"username": "ann", "groups": ["people"], "uid": "7"}}}
ALLOWED = {"status": {"allowed": True}}


class Server(ThreadingHTTPServer):
    """Answers each path as `answers` says, (status, body), and keeps what it was asked."""

    answers: Callable[[str], tuple[int, bytes]]
    asked: list[tuple[str, dict[str, object], str]]


class Handler(BaseHTTPRequestHandler):
    """One question."""

    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, body["spec"], self.headers["Authorization"]))
        status, answer = self.server.answers(self.path)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@contextmanager
def serving(folder: Path, answers: Callable[[str], tuple[int, bytes]]) -> Iterator[tuple[Server, Review]]:
    """A TLS server on loopback, and settings that name it."""
    authority = trustme.CA()
    server = Server(("127.0.0.1", 0), Handler)
    server.answers, server.asked = answers, []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    authority.cert_pem.write_to_path(str(folder / "ca.crt"))
    (folder / "token").write_text("own\n", "utf-8")
    where = f"https://127.0.0.1:{server.server_port}"
    try:
        yield (
            server,
            Review(enabled=True, server=where, token_file=folder / "token", ca_file=folder / "ca.crt", timeout_s=0.5),
        )
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def by_path(tokens: object, rights: object = ALLOWED) -> Callable[[str], tuple[int, bytes]]:
    """Answers of an API server."""
    return lambda path: (201, json.dumps(tokens if path == TOKENS else rights).encode())


def late(path: str) -> tuple[int, bytes]:
    """After the caller's patience."""
    time.sleep(0.8)
    return by_path(KNOWN_USER)(path)


def verdict(review: Review, token: str = "shown") -> int:
    return asyncio.run(Reviewer(lambda: review, time.monotonic).verdict(token, "get", "/v1/state"))


def test_the_user_is_handed_on_as_the_api_server_knows_it(tmp_path: Path) -> None:
    with serving(tmp_path, by_path(KNOWN_USER)) as (server, review):
        assert verdict(review) == 200
    (tokens, rights) = server.asked
    assert tokens == (TOKENS, {"token": "shown"}, "Bearer own")
    wanted = {"path": "/v1/state", "verb": "get"}
    account = {"user": "ann", "groups": ["people"], "uid": "7", "extra": {}}
    assert rights[1] == {**account, "nonResourceAttributes": wanted}


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        (by_path({"status": {"authenticated": False, "error": "expired"}}), 401),
        (by_path({"status": {"user": {}, "error": ["invalid"]}}), 401),
        (by_path({"status": {}}), 401),
        (by_path({"status": {"authenticated": True}}), 401),
        (by_path(KNOWN_USER, {"status": {"allowed": False, "denied": True}}), 403),
        (by_path(KNOWN_USER, {"status": {}}), 403),
        (by_path(KNOWN_USER, {"status": {"allowed": "true"}}), 503),
        (by_path(KNOWN_USER, {}), 503),
        (by_path({"status": {"authenticated": 1}}), 503),
        (by_path([]), 503),
        (lambda _: (201, b"{"), 503),
        (lambda _: (201, b""), 503),
        (lambda _: (401, b"{}"), 503),
        (lambda _: (500, json.dumps(KNOWN_USER).encode()), 503),
        (late, 503),
    ],
)
def test_only_a_plain_yes_lets_in(tmp_path: Path, answers: Callable[[str], tuple[int, bytes]], status: int) -> None:
    with serving(tmp_path, answers) as (_, review):
        assert verdict(review) == status


def test_a_server_of_another_authority_and_missing_files_are_not_asked(tmp_path: Path) -> None:
    with serving(tmp_path, by_path(KNOWN_USER)) as (server, review):
        trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.crt"))
        assert verdict(review.model_copy(update={"ca_file": tmp_path / "other.crt"})) == 503
        assert verdict(review.model_copy(update={"ca_file": tmp_path / "none"})) == 503
        assert verdict(review.model_copy(update={"token_file": tmp_path / "none"})) == 503
        assert not server.asked
    assert verdict(review) == 503  # nobody listens


def test_switched_off_or_without_a_token_nobody_is_asked(tmp_path: Path) -> None:
    with serving(tmp_path, by_path(KNOWN_USER)) as (server, review):
        assert verdict(review, "") == 401
        assert verdict(review.model_copy(update={"enabled": False})) == 401
        assert not server.asked


def test_answers_are_kept_for_a_while_and_are_bounded(tmp_path: Path) -> None:
    now = 0.0
    with serving(tmp_path, by_path(KNOWN_USER)) as (server, review):

        async def asks() -> None:
            nonlocal now
            reviewer = Reviewer(lambda: review, lambda: now)
            for at, questions in ((0.0, 2), (59.0, 2), (61.0, 4)):
                now = at
                assert await reviewer.verdict("shown", "get", "/v1/state") == 200
                assert len(server.asked) == questions
            assert await reviewer.verdict("shown", "get", "/metrics") == 200
            assert await reviewer.verdict("other", "get", "/metrics") == 200
            assert len(server.asked) == 8
            for i in range(KNOWN + 5):
                reviewer._keep(b"%d" % i, 401)
            assert len(reviewer.kept) == KNOWN

        asyncio.run(asks())


def test_in_a_pod_the_cluster_s_own_server_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in HERE:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ReviewError, match="no server"):
        place("")
    monkeypatch.setenv(HERE[0], "fd00::1")
    monkeypatch.setenv(HERE[1], "443")
    assert place("") == ("fd00::1", 443)
    assert place("https://api.example:6443/") == ("api.example", 6443)
    assert place("https://[fd00::1]") == ("fd00::1", 443)


@pytest.mark.parametrize("server", ["http://api.example", "api.example:6443", "https://"])
def test_tokens_are_sent_over_tls_alone(server: str) -> None:
    with pytest.raises(ValidationError, match="https"):
        Review(server=server)
