"""The door of a process as an ASGI application: who is refused is told what to do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from berth.access import Gate, bearer
from berth.reviewer import Reviewer

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN = frozenset({"/healthz", "/readyz"})
"""A kubelet asks these."""
WORDS = {
    401: b'{"error":"show a client certificate, the token of access.token_file, or with access.review that of an '
    b'account of the cluster (Authorization: Bearer ...)"}',
    403: b'{"error":"the API server knows this account, but it may not get this path; bind it to a role that may"}',
    429: b'{"error":"too many calls from this address; see access.per_second"}',
    503: b'{"error":"the API server could not be asked whose token this is; see access.review"}',
}

MORE = {401: [(b"www-authenticate", b"Bearer")], 429: [(b"retry-after", b"1")], 503: [(b"retry-after", b"1")]}
"""Headers beside it."""


class Guarded:
    """An ASGI application behind a gate. clock: monotonic seconds; refused: told of each status."""

    def __init__(
        self, app: Application, gate: Gate, clock: Callable[[], float], refused: Callable[[int], None]
    ) -> None:
        self.app, self.gate, self.clock, self.refused = app, gate, clock, refused
        self.reviewer = Reviewer(lambda: gate.access().review, clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the application's start and end."""
        if scope["type"] == "http" and scope["path"] not in OPEN:
            status = await self._verdict(scope)
            if status != 200:
                self.refused(status)
                await refuse(send, status)
                return
        await self.app(scope, receive, send)

    async def _verdict(self, scope: Scope) -> int:
        shown = header(scope, b"authorization")
        status = self.gate.verdict(peer_of(scope), shown, self.clock())
        if status == 401:
            return await self.reviewer.verdict(bearer(shown), scope["method"].lower(), scope["path"])
        return status


def peer_of(scope: Scope) -> str:
    """The caller's address, '' where it has none."""
    return str((scope.get("client") or ("",))[0])


def header(scope: Scope, name: bytes) -> str:
    """A header's first value, '' without one."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


async def refuse(send: Send, status: int) -> None:
    """Send an answer that says what to do."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(WORDS[status]))]
    headers += MORE.get(status, [])
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": WORDS[status]})
