"""uvicorn's protocol, with a way past ASGI for kube-scheduler's verbs.

A whole call that need not wait for anything, which is nearly every one, is answered as soon as its last byte is parsed:
no task, no scope, no messages between server and application, which cost more than deciding does, twice a pod, on
cores that kube-scheduler shares. Everything else goes uvicorn's own way: other paths, waiting answers, refusals, large
bodies, pipelined calls, connections that are to end.
"""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from extender.front import THREAD_FROM, Front, Verb

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\ncontent-type: application/json\r\n\r\n"


class VerbProtocol(HttpToolsProtocol):
    """Given to uvicorn as its `http`, for an application that is a Front."""

    verb: Verb | None = None
    """Of the call that is being read, where it may be answered at once."""
    body: bytes = b""

    def on_headers_complete(self) -> None:
        """What is no plain call of a verb is the application's from here."""
        self.verb, self.body = self._plain_verb(), b""
        if self.verb is None:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        if self.verb is None:
            super().on_body(body)
        else:
            self.body = self.body + body if self.body else body

    def on_message_complete(self) -> None:
        """The call is whole."""
        if self.verb is not None:
            content = self.app.at_once(self.verb, self.body)
            if content is not None:
                self.verb = None
                self.transport.write(HEAD % len(content) + content)
                self.on_response_complete()
                return
            self._hand_over()
        super().on_message_complete()

    def shutdown(self) -> None:
        """The server ends: a call that is still being read is answered before its connection is closed."""
        if self.verb is not None:
            self._hand_over()
        super().shutdown()

    def _hand_over(self) -> None:
        """The application answers this call."""
        self.verb = None
        super().on_headers_complete()
        super().on_body(self.body)

    def _plain_verb(self) -> Verb | None:
        """The verb called, None for whatever is not a complete HTTP/1.1 call of one on a connection that stays."""
        verb = self.app.paths.get(self.url) if isinstance(self.app, Front) else None
        if verb is None or self.server_state.default_headers or self.flow.write_paused or self.expect_100_continue:
            return None
        idle = self.cycle is None or self.cycle.response_complete
        parser = self.parser
        plain = parser.get_method() == b"POST" and parser.get_http_version() == "1.1" and parser.should_keep_alive()
        return verb if idle and plain and not parser.should_upgrade() and self._length() < THREAD_FROM else None

    def _length(self) -> int:
        """Bytes of the body as the caller tells; too many where it does not."""
        told = next((value for name, value in self.headers if name == b"content-length"), b"")
        return int(told) if told.isdigit() else THREAD_FROM
