"""Why a snapshot is not published.

TelemetryError
├── FencedOffError        a newer leader has published: this one must stop
└── StoreUnavailableError Redis does not answer, or refuses (full, read only)
"""

from __future__ import annotations


class TelemetryError(Exception):
    """Base of this service's errors."""


class FencedOffError(TelemetryError):
    """The store holds a higher fence than ours."""


class StoreUnavailableError(TelemetryError):
    """No answer, or a refusal, in the time given."""
