"""What any source of observations gives: a replayed cluster here, an API server and Prometheus later."""

from __future__ import annotations

from typing import Protocol

from berth.cluster.snapshot import NodeSnapshot


class Source(Protocol):
    """Called from a worker thread, one call at a time."""

    def advance(self) -> None:
        """Takes in what has happened since the last call."""
        ...

    def observe(self, version: int, fence: int) -> NodeSnapshot:
        """The cluster as it is now."""
        ...
