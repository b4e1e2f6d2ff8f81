"""A real cluster as a `Source`: nodes and pods from the API server, what they use from Prometheus, a Lease."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from berth.cluster.pods import BoundPod
from berth.cluster.snapshot import NodeSnapshot
from services.telemetry.errors import NotListedError
from services.telemetry.history.recorder import Recorder
from services.telemetry.live.health import Together
from services.telemetry.live.kube_api import KubeApi, KubeApiError
from services.telemetry.live.lease import Lease
from services.telemetry.live.listwatch import ListWatch
from services.telemetry.live.metrics_server import MetricsServer
from services.telemetry.live.picture import Picture
from services.telemetry.live.reader import Reader
from services.telemetry.live.vitals import Vitals
from services.telemetry.metrics import TelemetryMetrics
from services.telemetry.settings import TelemetrySettings

log = logging.getLogger("berth.telemetry.live")

NODES, PODS = "/api/v1/nodes", "/api/v1/pods"
RUNNING = {"fieldSelector": "status.phase!=Succeeded,status.phase!=Failed"}
"""Pods that have ended ask for nothing."""
AGAIN_S = 5.0
"""Until an unusable kubeconfig is tried again."""
WEEK_DAYS = 7
UNASKED_DAYS = 0.1
"""Of history that may be missing at its end without being missed: the newest step has just ended."""


class LiveSource:
    """`follow` keeps up on the event loop; `advance` and `observe` work on what it has, in one other thread."""

    def __init__(self, settings: TelemetrySettings, metrics: TelemetryMetrics) -> None:
        self.settings, self.metrics = settings, metrics
        self.recorder = Recorder(settings.history, metrics) if settings.history.url else None
        self.picture = Picture(settings, metrics, self.recorder)
        self.watches: dict[str, ListWatch] = {}
        self.vitals = Vitals(settings, metrics, lambda: self.fence() is not None)
        self.reader = reader_of(settings, metrics)
        self.lease: Lease | None = None

    async def follow(self) -> None:
        """Watch and ask until cancelled."""
        try:
            api = await KubeApi.connect(self.settings.kubeconfig)
        except KubeApiError as error:
            log.error("%s", error)
            await asyncio.sleep(AGAIN_S)
            return
        failures, copies, health = self.metrics.source_failures, self.picture.copies, self.vitals.health
        self.watches = {
            "nodes": ListWatch(api, NODES, Together((copies.nodes, health.nodes)), failures),
            "pods": ListWatch(api, PODS, Together((copies.pods, health.running)), failures, RUNNING),
        }
        vitals = self.vitals.follow(api, self.watches["pods"])
        self.lease = Lease(api, self.settings.lease) if self.settings.lease.name else None
        try:
            async with asyncio.TaskGroup() as group:
                for work in (*self.watches.values(), *vitals, self.lease, self.recorder):
                    if work is not None:
                        group.create_task(work.run())
                if self.reader is not None:
                    group.create_task(self.reader.run(api))
        finally:
            await api.close()

    def fence(self) -> int | None:
        """As the Lease says, or the settings where none is named."""
        if not self.settings.lease.name:
            return self.settings.fence
        return self.lease.fence() if self.lease else None

    async def outrun(self, fence: int) -> None:
        """The store has seen this higher fence: a Lease that was deleted starts over."""
        if self.lease:
            try:
                await self.lease.outrun(fence)
            except KubeApiError as error:
                log.warning("lease: %s", error)

    @property
    def listed(self) -> bool:
        """Whether nodes and pods are known."""
        return bool(self.watches) and all(watch.synced.is_set() for watch in self.watches.values())

    def advance(self) -> None:
        """Take in what was answered, once there are nodes that it can be about."""
        if self.listed:
            if self.reader is not None:
                self.picture.take(self.reader.taken(), keep=self.fence() is not None)
            self.vitals.take(self.picture.copies, self.picture.usage)

    def observe(self, version: int, fence: int) -> NodeSnapshot:
        """The cluster as it is now. Raises NotListedError."""
        if not self.listed:
            raise NotListedError
        return self.picture.snapshot(version, fence, self.loaded_days(), self.vitals.fared)

    def loaded_days(self) -> int:
        """Whole days of history that Prometheus has told of every metric."""
        return int(WEEK_DAYS * min(self.reader.shares().values()) + UNASKED_DAYS) if self.reader else 0

    def degraded(self) -> list[str]:
        """What is wrong, in words."""
        watched = {kind: watch.failing for kind, watch in self.watches.items() if watch.failing}
        found = [f"the API server does not tell of {kind}: {why}" for kind, why in watched.items()]
        if self.lease and self.lease.failing:
            found.append(f"the Lease cannot be used: {self.lease.failing}")
        if self.reader:
            found += self.reader.causes.words()
            found += [self.reader.incomplete] if self.loaded_days() < WEEK_DAYS else []
        if self.recorder and self.recorder.failing:
            found.append(f"history is not written: {self.recorder.failing}")
        return found + self.vitals.degraded()

    def tell_bindings(self, tell: Callable[[BoundPod], None]) -> None:
        """Of those that the watch has seen, then of each that it sees."""
        self.picture.copies.tell_bindings(tell)

    def state(self) -> dict[str, Any]:
        """For /v1/state: what is known, how old it is, and how much of a week is there."""
        copies, reader = self.picture.copies, self.reader
        with copies.lock:
            known = {"nodes": len(copies.accounts.nodes), "pods": len(copies.accounts.pods)}
        return {
            **known,
            "heard_s": {kind: rounded(watch.silent_s()) for kind, watch in self.watches.items()},
            "usage_age_s": {metric: rounded(age) for metric, age in self.picture.usage.ages(time.time()).items()},
            "history": {metric: round(share, 3) for metric, share in reader.shares().items()} if reader else {},
            "clock_ahead_s": rounded(reader.skew_s) if reader else None,
            "kept": self.recorder.state() if self.recorder else None,
            **self.vitals.state(),
        }


def reader_of(settings: TelemetrySettings, metrics: TelemetryMetrics) -> Reader | MetricsServer | None:
    """Who tells of usage; None: nobody."""
    if settings.prometheus.url:
        return Reader(settings.prometheus, metrics)
    return MetricsServer(settings.prometheus, metrics) if settings.metrics_server else None


def rounded(seconds: float | None) -> float | None:
    """For people; None stays."""
    return None if seconds is None else round(seconds, 1)
