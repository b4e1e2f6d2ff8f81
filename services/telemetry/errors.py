"""Why a snapshot is not published.

TelemetryError
├── FencedOffError        a newer leader has published: this one must stop
├── NotListedError        nodes and pods of the cluster are not known yet
└── StoreUnavailableError Redis does not answer, or refuses (full, read only)
"""

from __future__ import annotations


class TelemetryError(Exception):
    """Base of this service's errors. reason: of a metric's label."""

    reason = "internal"


class FencedOffError(TelemetryError):
    """The store holds a higher fence than ours. fence: that one."""

    reason = "fenced"

    def __init__(self, words: str, fence: int = 0) -> None:
        self.fence = fence
        super().__init__(words)


class NotListedError(TelemetryError):
    """The API server has not told of nodes and pods yet."""

    reason = "not-listed"


class StoreUnavailableError(TelemetryError):
    """No answer, or a refusal, in the time given."""

    reason = "store"
