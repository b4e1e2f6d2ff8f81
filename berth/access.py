"""Who may read what a process tells of itself: callers on this machine, who showed a client certificate, who know a
token, or whose token the API server knows. kube-scheduler's verbs and the health checks are not behind this door.

Pure but for the token's file, which is read for each question, so that a renewed one counts at once.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Callable
from pathlib import Path

from pydantic import Field, field_validator

from berth.reviews import Review
from berth.settings import Group

AT_ONCE_S = 5.0
"""What one address may ask for at once: the calls of so many seconds."""
KNOWN = 1024
"""Addresses that are counted; who was silent longest is forgotten."""


class Access(Group):
    """Who may read /metrics, /v1 and what else there is beside verbs and health."""

    open_to: tuple[str, ...] = Field(
        ("127.0.0.0/8", "::1/128"), description="networks whose callers need to show nothing, and are not counted"
    )
    token_file: Path | None = Field(
        None, description="file with the bearer token that others show; none: only a client certificate lets them in"
    )
    review: Review = Field(Review(), description="tokens of the cluster's own accounts")
    per_second: float = Field(
        20.0, ge=0.1, le=10000.0, description="calls a second of one address, five times as many at once; over it: 429"
    )

    @field_validator("open_to")
    @classmethod
    def networks(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        """Each a network in CIDR form. Raises ValueError."""
        for one in given:
            ipaddress.ip_network(one)
        return given


class Gate:
    """access: the settings in force. certified: whether all callers have shown a client certificate."""

    def __init__(self, access: Callable[[], Access], certified: bool = False) -> None:
        self.access, self.certified = access, certified
        self.left: dict[str, tuple[float, float]] = {}

    def verdict(self, peer: str, authorization: str, now: float) -> int:
        """200, 401 or 429. peer: the caller's address; authorization: that header; now: monotonic seconds."""
        access = self.access()
        if within(peer, access.open_to):
            return 200
        if not self.may_ask(peer, access.per_second, now):
            return 429
        return 200 if self.certified or knows(authorization, access.token_file) else 401

    def may_ask(self, peer: str, per_second: float, now: float) -> bool:
        """Whether this address has calls left; takes one."""
        most = max(1.0, AT_ONCE_S * per_second)
        before, at = self.left.pop(peer, (most, now))
        left = min(most, before + (now - at) * per_second)
        allowed = left >= 1.0
        self.left[peer] = (left - allowed, now)
        if len(self.left) > KNOWN:
            del self.left[next(iter(self.left))]
        return allowed


def within(peer: str, networks: tuple[str, ...]) -> bool:
    """Whether an address is in one of these; what is no address is in none."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    plain = getattr(address, "ipv4_mapped", None) or address
    return any(plain in ipaddress.ip_network(one) for one in networks)


def knows(authorization: str, token_file: Path | None) -> bool:
    """Whether a header holds the token; an empty or unreadable file is nobody's."""
    shown = bearer(authorization)
    if token_file is None or not shown:
        return False
    try:
        token = token_file.read_bytes().strip()
    except OSError:
        return False
    return bool(token) and hmac.compare_digest(shown.encode("latin-1", "replace"), token)


def bearer(authorization: str) -> str:
    """The token that a header shows, '' without one."""
    kind, _, shown = authorization.partition(" ")
    return shown.strip() if kind.lower() == "bearer" else ""
