"""The API server as tests talk to it: JSON over one TLS connection, names of objects as paths."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from pathlib import Path
from typing import Any

JSON = "application/json"
MERGE = "application/merge-patch+json"
IDLE_S = 30.0
"""A connection idle for longer is not used again: the API server closes it by itself after a while."""


class ApiError(Exception):
    """The API server refused. status: its code."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Api:
    """One connection, opened again after it was lost; not for several threads at once."""

    def __init__(self, port: int, authority: Path, token: str) -> None:
        self.port, self.token = port, token
        self.context = ssl.create_default_context(cafile=str(authority))
        self.used = 0.0
        self.connection: http.client.HTTPSConnection | None = None

    def call(self, method: str, path: str, body: object = None, kind: str = JSON) -> Any:
        """The decoded answer. Raises ApiError, OSError."""
        if time.monotonic() - self.used > IDLE_S:
            self.close()
        self.used = time.monotonic()
        if self.connection is None:
            self.connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30.0, context=self.context)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": kind, "Accept": JSON}
        try:
            self.connection.request(method, path, None if body is None else json.dumps(body), headers)
            reply = self.connection.getresponse()
            raw = reply.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        if reply.status >= 400:
            raise ApiError(reply.status, raw.decode("utf-8", "replace")[:500])
        return json.loads(raw) if raw[:1] in b"{[" else raw.decode()

    def get(self, path: str) -> Any:
        """An object or a list."""
        return self.call("GET", path)

    def create(self, path: str, body: object) -> Any:
        """A new object under a collection's path."""
        return self.call("POST", path, body)

    def patch(self, path: str, body: object) -> Any:
        """Merge into an object."""
        return self.call("PATCH", path, body, MERGE)

    def delete(self, path: str) -> Any:
        """End an object at once."""
        return self.call("DELETE", path, {"gracePeriodSeconds": 0})

    def pod(self, name: str, namespace: str = "default") -> Any:
        """A pod as it is now."""
        return self.get(f"/api/v1/namespaces/{namespace}/pods/{name}")

    def pods(self, namespace: str = "default") -> list[Any]:
        """All pods of a namespace."""
        items: list[Any] = self.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
        return items

    def token_of(self, namespace: str, account: str) -> str:
        """A token of a service account, as a kubelet asks for one."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        return str(self.create(path, {"spec": {"expirationSeconds": 3600}})["status"]["token"])

    def close(self) -> None:
        """End the connection."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None
