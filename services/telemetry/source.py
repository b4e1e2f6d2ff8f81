"""What any source of observations gives: a replayed cluster, or an API server and Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from berth.cluster.pods import BoundPod
from berth.cluster.snapshot import NodeSnapshot


class Source(Protocol):
    """`advance` and `observe` are called from a worker thread, one call at a time; the others on the event loop."""

    async def follow(self) -> None:
        """Keep up with what is observed, until cancelled."""
        ...

    def advance(self) -> None:
        """Takes in what has happened since the last call."""
        ...

    def observe(self, version: int, fence: int) -> NodeSnapshot:
        """The cluster as it is now. Raises TelemetryError."""
        ...

    def fence(self) -> int | None:
        """Number of this publisher's term; None while another publishes."""
        ...

    async def outrun(self, fence: int) -> None:
        """The store has seen this higher fence."""
        ...

    def state(self) -> dict[str, Any]:
        """What it knows, for /v1/state."""
        ...

    def tell_bindings(self, tell: Callable[[BoundPod], None]) -> None:
        """Tell of each bound pod that is known, and from now on of each that is bound, in any thread, without delay."""
        ...

    def degraded(self) -> list[str]:
        """What keeps it from its work, in words for people."""
        ...
