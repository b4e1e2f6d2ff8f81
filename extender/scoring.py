"""Scores for a pod's nodes: memory, then Redis, then the model, then an older snapshot's scores, then nothing."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import Awaitable

import msgspec
import numpy as np
from numpy.typing import NDArray

from berth.cluster import keys
from berth.cluster.pods import PodRequest, class_of
from berth.features.pod import POD_FEATURES, pod_row
from extender.cache import SharedStore, pack, unpack
from extender.errors import ModelFailure
from extender.metrics import Metrics
from extender.models import Answer, Contract, ModelClient, check_values
from extender.settings import ExtenderSettings
from extender.view import ClusterView, Key, NodeScores, Origin

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

PLACEMENT = "placement-scorer"


class Finding(msgspec.Struct, frozen=True):
    """What came of looking for one model's scores. outcome: where they came from, or why there are none."""

    model: str
    scores: NodeScores | None
    outcome: str
    took_ms: float = 0.0


class Scorer:
    """Finds scores for a view. Calls for the same scores are made once and shared by those who wait."""

    def __init__(
        self,
        clients: dict[str, ModelClient],
        store: SharedStore,
        metrics: Metrics,
        settings: ExtenderSettings,
    ) -> None:
        self.clients, self.store, self.metrics, self.settings = clients, store, metrics, settings
        self.recent_classes: OrderedDict[str, PodRequest] = OrderedDict()
        self._under_way: dict[tuple[int, Key], asyncio.Task[Finding]] = {}
        self._refreshing: set[Key] = set()
        self._background: set[asyncio.Task[object]] = set()

    def at_hand(self, view: ClusterView, pod: PodRequest) -> list[Finding] | None:
        """One finding for each enabled model where all are in memory, otherwise None."""
        key, representative = class_of(pod)
        self._remember(key, representative)
        findings = []
        for name in self.wanted():
            scores = view.get((name, key if name == PLACEMENT else ""))
            if scores is None:
                return None
            findings.append(Finding(name, scores, "memory"))
        self._refresh_soon(view, (PLACEMENT, key), representative)
        return findings

    async def find(self, view: ClusterView, pod: PodRequest) -> list[Finding]:
        """One finding for each enabled model, within the settings' budget."""
        key, representative = class_of(pod)
        wanted = [(name, key if name == PLACEMENT else "") for name in self.wanted()]
        in_memory = {k: scores for k in wanted if (scores := view.get(k)) is not None}
        asked = await self._fan_out(view, [k for k in wanted if k not in in_memory], representative)
        found = asked | {k: Finding(k[0], scores, "memory") for k, scores in in_memory.items()}
        placement = found.get((PLACEMENT, key))
        if placement is not None and placement.outcome in ("memory", "redis"):
            self._refresh_soon(view, (PLACEMENT, key), representative)
        return [found[k] for k in wanted]

    def wanted(self) -> list[str]:
        """Names of the models that are enabled."""
        return [name for name, client in self.clients.items() if client.enabled]

    async def ahead(self, view: ClusterView) -> None:
        """Score a new view before a pod asks: forecasts, health, and the newest pod classes. Never raises.

        Pod classes go one after another: a pod that asks meanwhile waits behind one of them, not behind all.
        """
        timeout_s = self.settings.models.ahead_ms / 1000.0
        newest = list(self.recent_classes.items())[-self.settings.scoring.ahead_classes :]
        classes = [((PLACEMENT, key), pod) for key, pod in newest if self.settings.scoring.ahead_classes]
        single = [((name, ""), PodRequest("")) for name in self.clients if name != PLACEMENT]
        lines: list[list[tuple[Key, PodRequest]]] = [classes, *([one] for one in single)]
        work = [asyncio.ensure_future(self._in_line(view, line, timeout_s)) for line in lines]
        await asyncio.wait(work, timeout=timeout_s)

    async def _in_line(self, view: ClusterView, line: list[tuple[Key, PodRequest]], timeout_s: float) -> None:
        """Look for these scores one after another; a model that fails is not asked for the rest."""
        for key, pod in line:
            client = self.clients[key[0]]
            if client.enabled and view.get(key) is None:
                finding = await self._shared(view, key, pod, timeout_s, waiting=False)
                if finding.outcome not in ("fresh", "redis"):
                    return

    def _refresh_soon(self, view: ClusterView, key: Key, pod: PodRequest) -> None:
        """Ask again, off the request path, for the rows that pods in flight have changed since this pod's class was
        asked: once for all pods of the class that come within a moment, and not for a class whose pods have ended.

        Until the answer is there pods are scored with the values before: their load and number count at once
        (`view.usage`, `view.in_flight`), so a few milliseconds of an old placement value herd nobody.
        """
        known = view.scores.get(key)
        if known is not None and key not in self._refreshing and view.stale_rows(known).size:
            self._refreshing.add(key)
            self._later(self._refresh(view, key, pod))

    async def _refresh(self, view: ClusterView, key: Key, pod: PodRequest) -> None:
        """Gather changes for a moment, then ask for the changed rows alone; on failure the old values stay."""
        await asyncio.sleep(self.settings.inflight.refresh_ms / 1000.0)
        self._refreshing.discard(key)  # who comes while the model is asked may have changed more
        known, clock = view.scores.get(key), view.clock
        if known is not None and (rows := view.stale_rows(known)).size:
            with contextlib.suppress(ModelFailure):
                answer = await self._call(key, view, rows, pod, self.settings.models.ahead_ms / 1000.0, False)
                known.update(rows, answer.values, clock)

    def _remember(self, key: str, representative: PodRequest) -> None:
        self.recent_classes[key] = representative
        self.recent_classes.move_to_end(key)
        if len(self.recent_classes) > self.settings.scoring.classes:
            self.recent_classes.popitem(last=False)

    async def _fan_out(self, view: ClusterView, wanted: list[Key], pod: PodRequest) -> dict[Key, Finding]:
        """Ask for all that is missing at once; what is late for the budget stands in or is missing."""
        if not wanted:
            return {}
        calls = {key: self._shared(view, key, pod, self.clients[key[0]].patience_s) for key in wanted}
        await asyncio.wait(calls.values(), timeout=self.settings.models.budget_ms / 1000.0)
        return {
            key: call.result() if call.done() else self._without_model(view, key, "budget", 0.0)
            for key, call in calls.items()
        }

    def _shared(
        self, view: ClusterView, key: Key, pod: PodRequest, timeout_s: float, waiting: bool = True
    ) -> asyncio.Task[Finding]:
        """The task that looks for these scores, started unless it is under way."""
        slot = (id(view), key)
        task = self._under_way.get(slot)
        if task is None:
            task = asyncio.create_task(self._look(view, key, pod, timeout_s, waiting))
            self._under_way[slot] = task
            task.add_done_callback(lambda _: self._under_way.pop(slot, None))
        return task

    async def _look(self, view: ClusterView, key: Key, pod: PodRequest, timeout_s: float, waiting: bool) -> Finding:
        """Redis, the model, an older snapshot. Never raises."""
        started = time.perf_counter()
        client = self.clients[key[0]]
        stored = await self._from_store(view, key, client.contract)
        if stored is not None:
            view.enter(key, stored)
            return Finding(key[0], stored, "redis", elapsed_ms(started))
        try:
            scores = await self._from_model(view, key, pod, timeout_s, waiting)
        except ModelFailure as failure:
            return self._without_model(view, key, failure.outcome, elapsed_ms(started))
        view.enter(key, scores)
        return Finding(key[0], scores, "fresh", elapsed_ms(started))

    async def _from_store(self, view: ClusterView, key: Key, contract: Contract | None) -> NodeScores | None:
        """Scores that another replica has put into Redis for this snapshot. Its pods in flight may differ from ours:
        every row that ours have changed counts as stale and is asked again soon."""
        if contract is None or self.store.down:
            return None
        raw = await self.store.get(keys.scores(key[0], contract.version, view.snapshot.id, key[1]))
        expected = self.clients[key[0]].expected
        values = unpack(raw, len(view.snapshot.nodes), len(expected.columns)) if raw else None
        if values is None:
            return None
        try:
            check_values(values, expected)
        except ModelFailure:
            return None
        self.metrics.look_up_of(key[0], "redis").inc()
        return self._scores(view, values, contract.version, "redis", 0)

    async def _from_model(
        self, view: ClusterView, key: Key, pod: PodRequest, timeout_s: float, waiting: bool
    ) -> NodeScores:
        """Ask the model for every node. Raises ModelFailure."""
        clock = view.clock
        answer = await self._call(key, view, None, pod, timeout_s, waiting)
        self.metrics.look_up_of(key[0], "miss").inc()
        name = keys.scores(key[0], answer.version, view.snapshot.id, key[1])
        self._later(self.store.put(name, pack(answer.values), self.settings.redis.scores_ttl_s))
        return self._scores(view, answer.values, answer.version, "fresh", clock)

    async def _call(
        self, key: Key, view: ClusterView, rows: Ints | None, pod: PodRequest, timeout_s: float, waiting: bool
    ) -> Answer:
        """An answer for some rows (all when None), measured and counted. Raises ModelFailure."""
        client = self.clients[key[0]]
        started = time.perf_counter()
        outcome = "fresh"
        try:
            if client.breaker.open:
                raise ModelFailure("open")
            contract = client.contract
            if contract is None:
                raise ModelFailure("unknown-model")
            nodes = rows_for(view, contract, rows)
            asked = pod_columns(pod, contract) if contract.pod_features else None
            answer = await client.ask(nodes, asked, timeout_s, waiting)
            self.metrics.model_seconds.labels(key[0]).observe(time.perf_counter() - started)
            return answer
        except ModelFailure as failure:
            outcome = failure.outcome
            raise
        finally:
            self.metrics.model_outcome.labels(key[0], outcome).inc()

    def _scores(self, view: ClusterView, values: Floats, version: str, origin: Origin, clock: int) -> NodeScores:
        epochs = np.full(len(values), clock, dtype=np.int32)
        return NodeScores(values, version, view.snapshot.id, view.snapshot.published_ms, origin, epochs)

    def _without_model(self, view: ClusterView, key: Key, outcome: str, took_ms: float) -> Finding:
        """An older snapshot's scores where there are any, otherwise the reason why there are none."""
        oldest_ms = time.time() * 1000.0 - self.settings.snapshot.expired_s * 1000.0
        scores = view.stand_in(key, oldest_ms)
        return Finding(key[0], scores, "older" if scores is not None else outcome, took_ms)

    def _later(self, work: Awaitable[object]) -> None:
        """Run in the background, holding a reference until it ends."""
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def rows_for(view: ClusterView, contract: Contract, rows: Ints | None) -> Floats:
    """The model's columns of some rows (all when None). Raises ModelFailure('mismatch') for a column that the
    snapshot does not have: it is not guessed."""
    try:
        columns = [view.column[name] for name in contract.node_features]
    except KeyError as error:
        raise ModelFailure("mismatch") from error
    matrix = view.matrix if rows is None else view.matrix[rows]
    return np.ascontiguousarray(matrix[:, columns])


def pod_columns(pod: PodRequest, contract: Contract) -> Floats:
    """The model's columns of the pod. Raises ModelFailure('mismatch')."""
    try:
        columns = [POD_FEATURES.index(name) for name in contract.pod_features]
    except ValueError as error:
        raise ModelFailure("mismatch") from error
    return pod_row(pod)[columns]


def elapsed_ms(started: float) -> float:
    """Milliseconds since a time.perf_counter() reading."""
    return (time.perf_counter() - started) * 1000.0
