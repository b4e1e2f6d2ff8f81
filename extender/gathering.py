"""One write an answer: uvicorn's httptools protocol writes head and body apart.

Each write wakes the client; kube-scheduler, which waits for both, would be woken twice a call, four times a pod, on the
cores that its own work needs.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class GatheringTransport:
    """A transport that joins what is written within one turn of the event loop."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self.transport, self.loop = transport, loop
        self.waiting: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        """Everything else is the transport's own."""
        return getattr(self.transport, name)

    def write(self, data: bytes) -> None:
        """Queue; the first of a turn sees to it that all are sent."""
        if not self.waiting:
            self.loop.call_soon(self.flush)
        self.waiting.append(data)

    def flush(self) -> None:
        """Send what is queued."""
        waiting, self.waiting = self.waiting, []
        if waiting:
            self.transport.write(b"".join(waiting))

    def close(self) -> None:
        """Send what is queued, then close."""
        self.flush()
        self.transport.close()


class GatheringProtocol(HttpToolsProtocol):
    """uvicorn's protocol over a GatheringTransport; given to uvicorn as its `http`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(GatheringTransport(transport, self.loop))  # type: ignore[arg-type]


def once_answered(account: Callable[..., object], *arguments: object) -> None:
    """Call it when the answer that is being made has been sent, which is in the next turn of the event loop:
    kube-scheduler waits for answers, not for accounts."""
    loop = asyncio.get_running_loop()
    loop.call_soon(functools.partial(loop.call_soon, account, *arguments))
