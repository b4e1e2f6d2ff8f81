"""Ending without a failed call.

Go's client does not send a POST again that was on its way when the server closed an idle connection. So before anything
is closed, each answer asks its client for a new connection, and `/readyz` asks balancers to take other replicas.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from types import FrameType

import uvicorn

LOOK_S = 0.05
LINGER_S = 0.2
"""From closing the listener to closing idle connections: one that was accepted last has sent its request by then."""
CLOSE = (b"connection", b"close")


class DrainingServer(uvicorn.Server):
    """A server that, told to end, serves on for `drain_s` and ends each connection with its next answer. Told twice,
    it does not wait. on_drain: called when that begins."""

    def __init__(self, config: uvicorn.Config, drain_s: float, on_drain: Callable[[], None]) -> None:
        super().__init__(config)
        self.drain_s, self.on_drain, self.asked = drain_s, on_drain, 0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal to end."""
        self.asked += 1
        super().handle_exit(sig, frame)

    async def main_loop(self) -> None:
        """Serve until a signal, then drain."""
        await super().main_loop()
        if self.drain_s > 0.0:
            await self.drain()

    async def drain(self) -> None:
        """Serve on, with a last answer for each connection; then take no new ones."""
        self.on_drain()
        self.server_state.default_headers = [CLOSE]
        end = time.monotonic() + self.drain_s
        while time.monotonic() < end and self.asked < 2:  # noqa: ASYNC110 - a signal handler may not set an Event
            await asyncio.sleep(LOOK_S)
        for server in self.servers:
            server.close()
        await asyncio.sleep(LINGER_S)
