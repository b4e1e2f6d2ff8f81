"""What a model server refuses, beside KServe's own InvalidInput (a caller's mistake: INVALID_ARGUMENT, 400).

RuntimeError
├── OverloadedError      max_queue calls already wait: RESOURCE_EXHAUSTED, 503
├── DeadlinePassedError  the caller has stopped waiting, nothing was computed: DEADLINE_EXCEEDED, 504
├── ModelFailedError     the model raised or broke its promise; the log has the reason: INTERNAL, 500
└── StartError           the process ends with exit code 2 and this one line
"""

from __future__ import annotations


class OverloadedError(RuntimeError):
    """More calls wait for the model than the settings allow."""

    def __init__(self, waiting: int) -> None:
        super().__init__(f"{waiting} calls already wait for the model")


class DeadlinePassedError(RuntimeError):
    """The call's deadline passed while it waited for the model."""

    def __init__(self) -> None:
        super().__init__("the deadline passed before the model was free")


class ModelFailedError(RuntimeError):
    """A defect of the model. The message is for callers and says nothing of the inside."""

    def __init__(self) -> None:
        super().__init__("the model failed")


class StartError(RuntimeError):
    """An artifact or an address with which the server does not start; the message is one line."""
