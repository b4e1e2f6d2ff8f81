"""What the extender knows at a moment: settings in force, the view of the cluster, pods in flight."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Iterator

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from berth.cluster.pods import PodRequest
from berth.cluster.snapshot import NodeSnapshot
from extender import filter as guards
from extender.cache import SharedStore
from extender.controls import Controls, Override, alive, in_force
from extender.heap import trim
from extender.inflight import Change, Ledger, Placement, placement_of
from extender.metrics import Metrics
from extender.models import ANOMALY_DETECTOR, LOAD_PREDICTOR, PLACEMENT_SCORER, ModelClient
from extender.retreat import Judge
from extender.scoring import Scorer
from extender.settings import ExtenderSettings, Models
from extender.sharing import Sharing
from extender.view import ClusterView

log = logging.getLogger("extender")


def model_clients(models: Models) -> dict[str, ModelClient]:
    """A client for each model, by KServe name."""
    endpoints = (
        (LOAD_PREDICTOR, models.load_predictor),
        (PLACEMENT_SCORER, models.placement_scorer),
        (ANOMALY_DETECTOR, models.anomaly_detector),
    )
    return {expected.name: ModelClient(expected, endpoint, models) for expected, endpoint in endpoints}


PLACED_AT_ONCE = 200


def batches(placements: list[Placement], size: int) -> Iterator[list[Placement]]:
    """Slices of at most `size`."""
    return (placements[i : i + size] for i in range(0, len(placements), size))


class State:
    """Shared by the verbs and the background work; touched on the event loop alone."""

    def __init__(self, settings: ExtenderSettings, metrics: Metrics) -> None:
        self.settings, self.metrics = settings, metrics
        self.replica = settings.replica or f"{socket.gethostname()}-{os.urandom(3).hex()}"
        self.store = SharedStore(settings.redis.url.get_secret_value(), settings.redis.timeout_ms / 1000.0)
        self.store.on_failure = lambda kind: metrics.redis_failures.labels(kind).inc()
        self.clients = model_clients(settings.models)
        self.scorer = Scorer(self.clients, self.store, metrics, settings)
        self.ledger = Ledger(settings.inflight.expire_s, settings.inflight.limit)
        self.sharing = Sharing(self.store, self.replica, settings.inflight.expire_s, self.enter_other)
        self.judge = Judge(settings.retreat)
        self.view: ClusterView | None = None
        self.evidence: NDArray[np.int32] = np.empty(0, dtype=np.int32)
        self.override: Override | None = None
        self.override_refused = False
        self.draining = False
        self._in_force: tuple[object, object, bool, Controls] | None = None

    @property
    def controls(self) -> Controls:
        """Mode, rollout share and weights in force now."""
        override, retreated = alive(self.override, time.time() * 1000.0), bool(self.judge.cause)
        known = self._in_force
        if known and known[0] is self.settings and known[1] is override and known[2] == retreated:
            return known[3]  # asked for several times a pod
        controls = in_force(self.settings, override, retreated)
        self._in_force = self.settings, override, retreated, controls
        return controls

    def drain(self) -> None:
        """From now on the process is ending."""
        self.draining = True

    def reconfigure(self, settings: ExtenderSettings) -> None:
        """Take changed settings; fields marked `restart` wait for one."""
        self.settings = self.scorer.settings = settings
        self.store.timeout_s = settings.redis.timeout_ms / 1000.0
        self.sharing.expire_s = settings.inflight.expire_s
        self.ledger.expire_s, self.ledger.limit = settings.inflight.expire_s, settings.inflight.limit
        self.judge.reconfigure(settings.retreat)
        by_name = {
            LOAD_PREDICTOR.name: settings.models.load_predictor,
            PLACEMENT_SCORER.name: settings.models.placement_scorer,
            ANOMALY_DETECTOR.name: settings.models.anomaly_detector,
        }
        for name, client in self.clients.items():
            client.reconfigure(by_name[name], settings.models)

    async def take_snapshot(self, snapshot: NodeSnapshot) -> None:
        """Score a new snapshot, then let pods see it: none of them waits for its first scores."""
        self.expire_placements()
        for uid, row in snapshot.bindings.items():
            self._change(self.ledger.follow(uid, snapshot.nodes[row]))
        scoring = self.settings.scoring
        view = ClusterView(snapshot, scoring.usage_of_request, scoring.classes)
        view.inherit(self.view, time.time() * 1000.0 - self.settings.snapshot.expired_s * 1000.0)
        for batch in batches(list(self.ledger), PLACED_AT_ONCE):
            view.place(batch)
            await asyncio.sleep(0)  # thousands in flight are no reason to keep a pod waiting
        await self.scorer.ahead(view)
        self._catch_up(view)
        self.evidence = self._evidence(view)
        self.view = view
        await asyncio.to_thread(trim)
        self.metrics.snapshot_version.set(snapshot.version)
        log.debug("snapshot %d in use, %d nodes", snapshot.version, len(snapshot.nodes))

    def _catch_up(self, view: ClusterView) -> None:
        """What has changed in the ledger while the view was made counts in it too."""
        for uid, placement in list(view.placed.items()):
            if self.ledger.by_uid.get(uid) is not placement:
                view.apply(Change(placement, None))
        view.place([p for p in self.ledger if p.uid not in view.placed])

    def _evidence(self, view: ClusterView) -> NDArray[np.int32]:
        """Snapshots in a row with evidence against each node of the new view."""
        load, health = (
            view.scores.get((LOAD_PREDICTOR.name, "")),
            view.scores.get((ANOMALY_DETECTOR.name, "")),
        )
        against = guards.evidence(
            health.values[:, 0] if health else None,
            load.peak if load else None,
            self.settings.filter,
            len(view.snapshot.nodes),
        )
        before = np.zeros(len(view.snapshot.nodes), dtype=np.int32)
        if self.view is not None and self.evidence.size:
            rows = self.view.snapshot.rows(view.snapshot.nodes)
            before = np.where(rows >= 0, self.evidence[rows], 0).astype(np.int32)
        return guards.repeated(before, against)

    def age_s(self) -> float | None:
        """Age of the snapshot in use, None without one."""
        return None if self.view is None else self.view.snapshot.age_s(time.time() * 1000.0)

    def reserve(self, pod: PodRequest, node: str) -> None:
        """Put a pod in flight on a node and tell the other replicas."""
        if not self.settings.inflight.enabled or not pod.uid or not node:
            return
        placement = placement_of(pod, node, time.time(), self.replica)
        change = self.ledger.put(placement) if placement.sane else None
        if change is not None:
            self._change(change)
            self.sharing.tell(placement)

    def withdraw(self, uid: str) -> None:
        """A pod that is decided anew is not in its own way."""
        change = self.ledger.drop(uid, time.time())
        if change is not None and change.before is not None:
            self._change(change)
            taken_back = replace(change.before, at=time.time(), replica=self.replica, gone=True)
            self.sharing.tell(taken_back)

    def enter_other(self, placement: Placement) -> None:
        """Count a placement that another replica has made."""
        if placement.gone:
            self._change(self.ledger.drop(placement.uid, placement.at))
        elif self.settings.inflight.enabled:
            self._change(self.ledger.put(placement))

    def expire_placements(self) -> None:
        """Forget placements that are too old."""
        for change in self.ledger.expire(time.time()):
            self._change(change)
        self.metrics.inflight.set(len(self.ledger))

    def _change(self, change: Change | None) -> None:
        if change is not None and self.view is not None:
            self.view.apply(change)
        self.metrics.inflight.set(len(self.ledger))
