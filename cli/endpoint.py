"""Small HTTP calls to Berth's own processes: JSON in, JSON out, no proxy."""

from __future__ import annotations

import http.client
import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cli.errors import CliError, UnreachableError

TOKEN_VARIABLE = "BERTH_TOKEN_FILE"
"""Path of a file with the token that processes on other machines ask for (`access.token_file`)."""


def call(method: str, url: str, body: object = None, timeout_s: float = 5.0) -> tuple[int, bytes]:
    """Status and body of one call on its own connection. Raises UnreachableError, also where a token is asked for."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    try:
        connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
    except (ValueError, http.client.InvalidURL) as error:
        raise UnreachableError(f"not an address: {url}") from error
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    raw = None if body is None else json.dumps(body).encode()
    headers = authorization() | ({"Content-Type": "application/json"} if raw else {})
    try:
        connection.request(method, path, raw, headers)
        answer = connection.getresponse()
        status, read = answer.status, answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise UnreachableError(f"no answer from {url} ({error or type(error).__name__})") from error
    finally:
        connection.close()
    if status == 401:
        raise UnreachableError(f"{url} asks for a token: set {TOKEN_VARIABLE} to a file that holds it")
    return status, read


def authorization() -> dict[str, str]:
    """The token of TOKEN_VARIABLE's file, for processes on other machines. Raises CliError."""
    path = os.environ.get(TOKEN_VARIABLE)
    if not path:
        return {}
    try:
        return {"Authorization": f"Bearer {Path(path).read_text('utf-8').strip()}"}
    except (OSError, ValueError) as error:
        raise CliError(f"{TOKEN_VARIABLE} names {path}, which cannot be read") from error


def get_json(url: str, timeout_s: float = 5.0) -> Any:
    """The decoded body of a GET. Raises UnreachableError, also for a status other than 200."""
    return decoded(url, *call("GET", url, timeout_s=timeout_s))


def post_json(url: str, body: object, timeout_s: float = 10.0) -> Any:
    """The decoded answer of a POST. Raises UnreachableError, also for a status other than 200."""
    return decoded(url, *call("POST", url, body, timeout_s))


def decoded(url: str, status: int, raw: bytes) -> Any:
    """JSON of an answer."""
    if status != 200:
        raise UnreachableError(f"{url} answers with status {status}: {raw[:200].decode('utf-8', 'replace')}")
    try:
        return json.loads(raw)
    except ValueError as error:
        raise UnreachableError(f"{url} does not answer with JSON") from error
