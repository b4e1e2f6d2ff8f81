"""A server before another that spoils its answers when it is told to: slow, silent, failing."""

from __future__ import annotations

import http.client
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

SLOW_S = {"slow by 2 s": 2.0, "slow by 10 s": 10.0}
MODES = ("pass", "slow by 2 s", "black hole", "answers 500", "garbage")


class Tampering:
    """A context manager. `mode` is one of MODES or of SLOW_S; it may change at any time, for calls that come after.
    `met`: whether a call has come in this one."""

    def __init__(self, upstream: int) -> None:
        self.upstream, self.mode, self.met = upstream, "pass", False
        self.closing = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, content = outer.answer(self.path, body, self.headers["Content-Type"])
                head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(content)}\r\n\r\n"
                try:
                    self.wfile.write(head.encode() + content)
                except OSError:  # the caller has given up
                    self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port: int = self.server.server_address[1]

    def turn(self, mode: str) -> None:
        """Into a mode."""
        self.met, self.mode = False, mode

    def answer(self, path: str, body: bytes, kind: str) -> tuple[int, bytes]:
        """Status and body, in the mode of the moment."""
        mode = self.mode
        self.met = self.met or mode != "pass"
        if mode == "answers 500":
            return 500, b"{}"
        if mode == "garbage":
            return 200, b'{"NodeNames": ['
        self.closing.wait(SLOW_S.get(mode, 0.0))
        while mode == "black hole" and self.mode == mode and not self.closing.is_set():
            time.sleep(0.05)
        return self.forward(path, body, kind)

    def forward(self, path: str, body: bytes, kind: str) -> tuple[int, bytes]:
        """The server's own answer, over a connection of its own. kind: the body's content type."""
        connection = http.client.HTTPConnection("127.0.0.1", self.upstream, timeout=5.0)
        try:
            connection.request("POST", path, body, {"Content-Type": kind})
            reply = connection.getresponse()
            return reply.status, reply.read()
        except (OSError, http.client.HTTPException):
            return 502, b""
        finally:
            connection.close()

    def __enter__(self) -> Self:
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, name="tampering", daemon=True
        ).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()
