"""Errors of history; the messages are for users."""

from __future__ import annotations


class HistoryError(Exception):
    """History could not be written or read; the message names the file. reason: a word for metrics."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class UnknownRootError(ValueError):
    """Nothing here can write to such a URL."""
