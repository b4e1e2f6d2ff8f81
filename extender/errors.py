"""What goes wrong at the door, in one tree.

ExtenderError
├── UndecodableError   the body is no JSON object: status 400
├── TooLargeError      the body is over the limit: status 413
├── InvalidError       JSON, but no usable call; the message may be shown to the caller
└── ModelFailure       a model gave no usable answer; `outcome` says why, in a word for metrics and records
"""

from __future__ import annotations


class ExtenderError(Exception):
    """Base of what this package raises."""


class UndecodableError(ExtenderError):
    """The body is no JSON object: status 400."""


class TooLargeError(ExtenderError):
    """The body is over the limit: status 413."""


class InvalidError(ExtenderError):
    """JSON, but no usable ExtenderArgs; the message may be shown to the caller."""


class ModelFailure(ExtenderError):
    """No usable answer. `outcome`: timeout, refused, mismatch, busy, error, invalid, open, off, unknown-model,
    budget."""

    def __init__(self, outcome: str) -> None:
        self.outcome = outcome
        super().__init__(outcome)
