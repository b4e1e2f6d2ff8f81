"""Who shows a token of the cluster, and may they read this path? The API server says, by TokenReview and then
SubjectAccessReview of a path that is no resource, as it does for kubelets and controllers.

Source: staging/src/k8s.io/apiserver/pkg/authentication/request/bearertoken and .../plugin/pkg/authorizer/webhook.
"""

from __future__ import annotations

import http.client
import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec
from pydantic import Field, field_validator

from berth.settings import Group

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a kubelet puts what a pod's account shows and trusts."""
HERE = ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")
TOKENS = "/apis/authentication.k8s.io/v1/tokenreviews"
RIGHTS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
LONGEST = 2**20
"""Bytes of an answer that are read."""

T = TypeVar("T")


class Review(Group):
    """Whether the API server is asked who shows a token."""

    enabled: bool = Field(
        False, description="let in whose token the API server knows and whose account may `get` the path"
    )
    server: str = Field("", description="https URL of the API server; empty: the one of the pod that this runs in")
    token_file: Path = Field(ACCOUNT / "token", description="the token of the account that asks, read each time")
    ca_file: Path = Field(ACCOUNT / "ca.crt", description="PEM file of the API server's authority, read each time")
    timeout_s: float = Field(2.0, ge=0.1, le=30.0, description="patience with each of two questions, s")

    @field_validator("server")
    @classmethod
    def encrypted(cls, given: str) -> str:
        """Tokens are sent there. Raises ValueError."""
        if given and (urlsplit(given).scheme != "https" or not urlsplit(given).hostname):
            raise ValueError("not a URL that begins with https://")
        return given


class ReviewError(Exception):
    """The API server could not be asked, or its answer cannot be read."""


class User(msgspec.Struct):
    """Whom the API server knows; handed on as it is. Without a name where it knows nobody."""

    username: str = ""
    uid: str = ""
    groups: list[str] = msgspec.field(default_factory=list)
    extra: dict[str, list[str]] = msgspec.field(default_factory=dict)


class TokenStatus(msgspec.Struct):
    """Status of a TokenReview."""

    authenticated: bool = False
    user: User = msgspec.field(default_factory=User)


class RightsStatus(msgspec.Struct):
    """Status of a SubjectAccessReview."""

    allowed: bool = False


class TokenAnswer(msgspec.Struct):
    """A TokenReview."""

    status: TokenStatus


class RightsAnswer(msgspec.Struct):
    """A SubjectAccessReview."""

    status: RightsStatus


def reviewed(review: Review, token: str, verb: str, path: str) -> int:
    """200, 401 or 403, by the API server's word. Raises ReviewError."""
    shown = ask(review, TOKENS, {"token": token}, TokenAnswer).status
    if not (shown.authenticated and shown.user.username):
        return 401
    wanted: dict[str, object] = {"user": shown.user.username, "uid": shown.user.uid, "groups": shown.user.groups}
    wanted |= {"extra": shown.user.extra, "nonResourceAttributes": {"path": path, "verb": verb}}
    return 200 if ask(review, RIGHTS, wanted, RightsAnswer).status.allowed else 403


def ask(review: Review, path: str, spec: Mapping[str, object], answer: type[T]) -> T:
    """Create a review of this spec, and its answer. Raises ReviewError; no exception holds the token."""
    try:
        body = post(review, path, msgspec.json.encode({"spec": spec}))
        return msgspec.json.decode(body, type=answer)
    except (OSError, ValueError, http.client.HTTPException, msgspec.MsgspecError) as error:
        raise ReviewError(type(error).__name__) from None


def post(review: Review, path: str, body: bytes) -> bytes:
    """Raises ReviewError, OSError, ValueError, HTTPException."""
    host, port = place(review.server)
    trust = ssl.create_default_context(cafile=str(review.ca_file))
    shown = review.token_file.read_text("utf-8").strip()
    headers = {"Authorization": f"Bearer {shown}", "Content-Type": "application/json", "Accept": "application/json"}
    connection = http.client.HTTPSConnection(host, port, timeout=review.timeout_s, context=trust)
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        if answer.status not in (200, 201):
            raise ReviewError(f"status {answer.status}")
        return answer.read(LONGEST)
    finally:
        connection.close()


def place(server: str) -> tuple[str, int]:
    """Host and port of a URL, or of the API server of the cluster that this runs in. Raises ReviewError."""
    if server:
        return urlsplit(server).hostname or "", urlsplit(server).port or 443
    host, port = (os.environ.get(name, "") for name in HERE)
    if not host or not port.isdecimal():
        raise ReviewError("not in a cluster, and no server is named")
    return host, int(port)
