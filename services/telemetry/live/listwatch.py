"""Keeps a copy of all objects of one kind: list, then watch from there, and list again when that is too old.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/ (efficient detection of changes) and client-go's
tools/cache/reflector.go.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import msgspec
from prometheus_client import Counter
from tenacity import AsyncRetrying, retry_if_exception_type, wait_exponential_jitter

from services.telemetry.live.kube_api import KubeApi, KubeApiError

T = TypeVar("T")

log = logging.getLogger("berth.telemetry.listwatch")

PAGE = 500
WATCH_S = (240, 300)
"""How long a watch is asked to last; drawn, so that not all of a cluster's watches start anew at once."""
GONE = 410


class ExpiredError(Exception):
    """The version to go on from is too old: list again."""


class ListMeta(msgspec.Struct):
    """metav1.ListMeta."""

    resource_version: str = msgspec.field(default="", name="resourceVersion")
    more: str = msgspec.field(default="", name="continue")


class Page(msgspec.Struct):
    """A list, or a part of one."""

    metadata: ListMeta
    items: list[msgspec.Raw] | None = None


class Event(msgspec.Struct):
    """metav1.WatchEvent."""

    type: str
    object: msgspec.Raw


class Versioned(msgspec.Struct):
    """The version of any object; of a Status its code."""

    metadata: ListMeta = msgspec.field(default_factory=ListMeta)
    code: int = 0


pages, events, versions = msgspec.json.Decoder(Page), msgspec.json.Decoder(Event), msgspec.json.Decoder(Versioned)


class Copy(Protocol):
    """Who keeps the objects. Each is given as the JSON it came in."""

    def replace(self, objects: Sequence[msgspec.Raw]) -> None:
        """These are all there are."""
        ...

    def put(self, thing: msgspec.Raw) -> None:
        """One is there, or has changed."""
        ...

    def drop(self, thing: msgspec.Raw) -> None:
        """One is gone."""
        ...


@dataclass
class ListWatch:
    """One kind of object, by its path. query: selectors. synced: the first list is in. version: how far the copy is.
    failures: counted by path and reason. heard_at: monotonic seconds of the last word from the API server. failing: why
    there is none, '' while all is well."""

    api: KubeApi
    path: str
    copy: Copy
    failures: Counter
    query: Mapping[str, str] = field(default_factory=dict)
    synced: asyncio.Event = field(default_factory=asyncio.Event)
    version: str = ""
    heard_at: float | None = None
    failing: str = ""

    async def run(self) -> None:
        """Follow until cancelled; the API server may be away for as long as it likes."""
        patiently = AsyncRetrying(
            retry=retry_if_exception_type(KubeApiError),
            wait=wait_exponential_jitter(multiplier=0.2, max=10.0, jitter=0.2),
        )
        while True:
            try:
                await patiently(self.list)
                await self.follow()
            except ExpiredError:
                self.failures.labels(self.path, "expired").inc()

    async def list(self) -> None:
        """Take in all objects, page by page. Raises KubeApiError, also where a page's token has expired."""
        objects: list[msgspec.Raw] = []
        query = {**self.query, "limit": str(PAGE)}
        while True:
            page = self.read(pages, await self.asked(query))
            objects += page.items or []
            if not page.metadata.more:
                break
            query["continue"] = page.metadata.more
        self.copy.replace(objects)
        self.version = page.metadata.resource_version
        self.synced.set()
        log.info("%s: %d listed", self.path, len(objects))

    async def asked(self, query: Mapping[str, str]) -> bytes:
        """One page. Raises KubeApiError."""
        try:
            body = await self.api.get(self.path, query)
        except KubeApiError as error:
            self.failed(error)
            raise
        self.heard()
        return body

    async def follow(self) -> None:
        """Watch on and on. Raises ExpiredError."""
        pause_s = 0.0
        while True:
            try:
                heard = await self.watch()
                pause_s = 0.0 if heard else 1.0  # an API server that ends watches at once is not asked in a loop
            except KubeApiError as error:
                if error.status == GONE:
                    raise ExpiredError from error
                self.failed(error)
                pause_s = min(max(0.2, 2.0 * pause_s), 5.0)
            await asyncio.sleep(pause_s * random.uniform(0.8, 1.2))

    async def watch(self) -> bool:
        """One watch until its end. Returns whether anything was said. Raises KubeApiError, ExpiredError."""
        asked = {"watch": "1", "allowWatchBookmarks": "true", "resourceVersion": self.version}
        asked |= {"timeoutSeconds": str(random.randint(*WATCH_S)), **self.query}
        heard = False
        async for line in self.api.lines(self.path, asked):
            self.heard()
            if line:
                heard = True
                self.take(self.read(events, line))
        return heard

    def take(self, event: Event) -> None:
        """Enter one event. Raises ExpiredError, KubeApiError."""
        head = self.read(versions, event.object)
        match event.type:
            case "ADDED" | "MODIFIED":
                self.copy.put(event.object)
            case "DELETED":
                self.copy.drop(event.object)
            case "ERROR":
                if head.code == GONE:
                    raise ExpiredError
                raise KubeApiError(head.code, f"{self.path}: the watch failed")
        self.version = head.metadata.resource_version or self.version

    def read(self, decoder: msgspec.json.Decoder[T], raw: bytes | msgspec.Raw) -> T:
        """Raises KubeApiError for what is no JSON of its kind."""
        try:
            return decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise KubeApiError(0, f"{self.path}: unreadable") from error

    def heard(self) -> None:
        """The API server has said something."""
        self.heard_at, self.failing = time.monotonic(), ""

    def silent_s(self) -> float | None:
        """Seconds since its last word; None before the first."""
        return None if self.heard_at is None else time.monotonic() - self.heard_at

    def failed(self, error: KubeApiError) -> None:
        """Count; the log gets a line where the reason is new."""
        reason = str(error.status or "unreachable")
        self.failures.labels(self.path, reason).inc()
        if reason != self.failing:
            log.warning("%s", error)
        self.failing = reason
