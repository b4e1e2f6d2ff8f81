"""One publisher of several: a Kubernetes Lease says who, and its transitions are the publisher's fence.

The client library has an election too; it keeps no transitions, and without them a leader that was stopped and goes on
could not be told from its successor. Rules as client-go's tools/leaderelection: who does not hold the lease trusts its
own clock alone, and takes it when it has not changed for its whole duration.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import time
from datetime import UTC, datetime

import msgspec

from services.telemetry.live.kube_api import KubeApi, KubeApiError
from services.telemetry.settings import LeaseSettings

log = logging.getLogger("berth.telemetry.live.lease")

VERSION = "coordination.k8s.io/v1"
NOT_FOUND = 404
RENEW_SHARE = 0.6
"""A holder that could not renew for this share of the duration stops: before another may begin."""
TURNS = 5
"""In one duration."""


class Spec(msgspec.Struct, rename="camel"):
    """coordination.k8s.io/v1 LeaseSpec."""

    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    lease_transitions: int | None = None


class Metadata(msgspec.Struct, rename="camel"):
    """metav1.ObjectMeta."""

    resource_version: str = ""


class LeaseObject(msgspec.Struct):
    """coordination.k8s.io/v1 Lease."""

    metadata: Metadata
    spec: Spec = msgspec.field(default_factory=Spec)


decoder = msgspec.json.Decoder(LeaseObject)


class Lease:
    """`run` tries for it; `fence` says whether it is held. seen: the last one read; seen_at: monotonic seconds of its
    last change. renewed_at: of our own last renewal; None while another holds it."""

    def __init__(self, api: KubeApi, settings: LeaseSettings) -> None:
        self.api, self.settings = api, settings
        self.identity = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self.path = f"/apis/{VERSION}/namespaces/{settings.namespace}/leases"
        self.seen: LeaseObject | None = None
        self.seen_at = 0.0
        self.renewed_at: float | None = None
        self.failing = ""

    def fence(self) -> int | None:
        """The transition number while the lease is held, otherwise None. Time that the process was stopped counts."""
        if self.renewed_at is None or time.monotonic() - self.renewed_at > RENEW_SHARE * self.settings.duration_s:
            return None
        return self.transitions()

    def transitions(self) -> int:
        """Of the lease as it was read last."""
        return (self.seen.spec.lease_transitions or 0) if self.seen else 0

    async def run(self) -> None:
        """Take and renew it until cancelled, then give it back."""
        try:
            while True:
                await self.turn()
                await asyncio.sleep(self.settings.duration_s / TURNS)
        finally:
            await self.release()

    async def turn(self) -> None:
        """Look, and take or renew where that may be done. Failures are for the next turn."""
        asked_at = time.monotonic()
        try:
            await self.look()
            if self.free():
                await self.take()
                self.note_held(asked_at)
            else:
                self.renewed_at = None
            self.failing = ""
        except KubeApiError as error:
            if self.failing != str(error):
                log.warning("lease: %s", error)
            self.failing = str(error)

    async def look(self) -> None:
        """Read the lease; there may be none. Raises KubeApiError."""
        try:
            found = parsed(await self.api.get(f"{self.path}/{self.settings.name}", {}))
        except KubeApiError as error:
            if error.status != NOT_FOUND:
                raise
            self.seen = None
            return
        if self.seen is None or found.metadata.resource_version != self.seen.metadata.resource_version:
            self.seen, self.seen_at = found, time.monotonic()

    def free(self) -> bool:
        """Whether it is ours, nobody's, or its holder has not renewed it for its duration."""
        spec = self.seen.spec if self.seen else Spec()
        if spec.holder_identity in (None, "", self.identity):
            return True
        duration_s = spec.lease_duration_seconds or self.settings.duration_s
        return time.monotonic() - self.seen_at > duration_s

    async def take(self, transitions: int | None = None) -> None:
        """Write ourselves as its holder. Raises KubeApiError, also where somebody else has written meanwhile."""
        ours = self.seen is not None and self.seen.spec.holder_identity == self.identity
        if transitions is None:
            transitions = self.transitions() + (0 if ours else 1)
        now = stamp()
        await self.write(
            {
                "holderIdentity": self.identity,
                "leaseDurationSeconds": self.settings.duration_s,
                "leaseTransitions": transitions,
                "renewTime": now,
                **({} if ours else {"acquireTime": now}),
            }
        )

    async def write(self, spec: dict[str, object]) -> None:
        """Create or change it; where it has changed since it was read, that is refused. Raises KubeApiError."""
        if self.seen is None:
            whole = {"apiVersion": VERSION, "kind": "Lease", "metadata": {"name": self.settings.name}, "spec": spec}
            body = await self.api.send("POST", self.path, whole)
        else:
            read = {"resourceVersion": self.seen.metadata.resource_version}
            body = await self.api.send("PATCH", f"{self.path}/{self.settings.name}", {"metadata": read, "spec": spec})
        self.seen, self.seen_at = parsed(body), time.monotonic()

    def note_held(self, since: float) -> None:
        """It is ours since `since`, monotonic seconds."""
        if self.renewed_at is None:
            log.info("this is the publisher now, transition %d", self.transitions())
        self.renewed_at = since

    async def outrun(self, fence: int) -> None:
        """The store has seen a higher fence than ours although we hold the lease: it was deleted once and began anew.
        Raise its transitions above. Raises KubeApiError."""
        if self.fence() is not None and self.transitions() <= fence:
            await self.take(fence + 1)

    async def release(self) -> None:
        """Give it back, so that the next need not wait for it; it may fail."""
        if self.fence() is None or self.seen is None:
            return
        self.renewed_at = None
        try:
            await self.write({"holderIdentity": None, "renewTime": stamp()})
        except KubeApiError as error:
            log.warning("lease not given back: %s", error)


def parsed(body: bytes) -> LeaseObject:
    """The lease in its JSON. Raises KubeApiError."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise KubeApiError(0, "the lease is unreadable") from error


def stamp() -> str:
    """Now, as metav1.MicroTime."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
