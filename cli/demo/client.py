"""HTTP as kube-scheduler's extender client speaks it: one kept connection (cycles are serial), 5 s a call."""

from __future__ import annotations

import http.client
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from cli.endpoint import authorization

TIMEOUT_S = 5.0
"""kube-scheduler's default httpTimeout."""


@dataclass(frozen=True)
class Answer:
    """status: None where no answer came. ms: from the first byte sent to the last one read."""

    status: int | None
    body: bytes
    ms: float


class Client:
    """POSTs JSON to one server, with the token of `cli.endpoint` where there is one. A broken connection is made anew
    for the next call; no call is repeated."""

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S) -> None:
        parts = urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self.connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
        self.headers = {"Content-Type": "application/json"} | authorization()

    def post(self, path: str, body: bytes) -> Answer:
        """One call; never raises for what the network does."""
        started = time.perf_counter()
        try:
            self.connection.request("POST", path, body, self.headers)
            answer = self.connection.getresponse()
            raw, status = answer.read(), answer.status
        except (OSError, http.client.HTTPException):
            self.connection.close()
            return Answer(None, b"", (time.perf_counter() - started) * 1000.0)
        return Answer(status, raw, (time.perf_counter() - started) * 1000.0)

    def close(self) -> None:
        """Ends the connection."""
        self.connection.close()
