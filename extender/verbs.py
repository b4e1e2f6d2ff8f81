"""How the verbs are answered: who is scored, one fan-out a pod, the memo between filter and prioritize."""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from berth.cluster.pods import PodRequest
from extender import filter as guards
from extender import rollout
from extender.decide import Circumstances, Verdict, best, empty, judge, outline, record
from extender.gathering import once_answered
from extender.memos import Kept, Memo, Memos
from extender.records import Recorder
from extender.retreat import Outcome
from extender.scoring import Finding
from extender.state import State
from extender.view import ClusterView
from extender.wire import Arguments, filter_answer, priorities

log = logging.getLogger("extender.verbs")

ACCOUNT_S = 0.003
"""From a decision to its account: prioritize is answered in between, and kube-scheduler goes on."""
NAMED = 100
"""Removed nodes that a record names at most."""
NOT_RECORDED = (rollout.NOT_OPTED_IN, rollout.MODE_OFF)


class Verbs:
    """filter, prioritize and ScoreNodes over one state."""

    def __init__(self, state: State, recorder: Recorder) -> None:
        self.state, self.recorder = state, recorder
        self.memos = Memos()

    async def filter(self, call: Arguments) -> bytes:
        """ExtenderFilterResult: all nodes, but those that the guards condemn. Without guards the answer does not
        depend on any score: it is given at once, and scores are found while kube-scheduler comes back for them."""
        reason = self.exclusion(call.pod)
        if reason:
            self._count("neutral", reason)
            return filter_answer(call, {})
        found: asyncio.Future[Memo] = asyncio.get_running_loop().create_future()
        if not self._guarding():
            self.memos.keep(call.pod.uid, Kept(found, call.distinct, time.monotonic()))
            once_answered(self._begin, call.pod, call.distinct, "filter", found)
            return filter_answer(call, {})
        memo = await self._decide(call.pod, call.distinct, "filter")
        found.set_result(memo)
        self.memos.keep(call.pod.uid, Kept(found, call.distinct, time.monotonic()))
        removed = self._removed(memo)
        once_answered(self._account, call.pod, memo, list(removed)[:NAMED])
        return filter_answer(call, removed)

    async def prioritize(self, call: Arguments) -> bytes:
        """HostPriorityList: each node once, 0 to 10. In shadow nobody waits for scores that are not answered."""
        names, pod = call.distinct, call.pod
        if self.state.controls.mode == "shadow" and not self.exclusion(pod):
            if self.memos.take(pod.uid) is None:
                once_answered(self._begin, pod, names, "prioritize", asyncio.get_running_loop().create_future())
            return priorities(names, [0] * len(names))
        verdict = await self.scores(pod, names)
        if verdict is None or self.state.controls.mode != "active":
            return priorities(names, [0] * len(names))
        self._reserve(pod, verdict, best(verdict))
        return priorities(names, verdict.scores.tolist())

    async def scores(self, pod: PodRequest, names: Sequence[str]) -> Verdict | None:
        """The verdict for these nodes, from filter's memo where there is one; None for a pod that is not scored."""
        reason = self.exclusion(pod)
        if reason:
            self._count("neutral", reason)
            return None
        found = self.memos.take(pod.uid)
        if found is None:
            memo = await self._decide(pod, names, "prioritize")
            once_answered(self._account, pod, memo, [])
            return memo.verdict
        memo = found.result() if found.done() else await asyncio.shield(found)
        if memo.view is None or memo.verdict.names is names or list(memo.verdict.names) == list(names):
            return memo.verdict if len(memo.verdict.names) == len(names) else empty(names, memo.verdict.neutral)
        return self._judge(memo.view, pod, names, memo.verdict.findings, memo.aged)

    def _begin(self, pod: PodRequest, names: Sequence[str], verb: str, found: asyncio.Future[Memo]) -> None:
        """Decide beside the answer."""
        task = asyncio.create_task(self._find_out(pod, names, verb, found))
        self.recorder.coming.add(task)
        task.add_done_callback(self.recorder.coming.discard)

    async def _find_out(self, pod: PodRequest, names: Sequence[str], verb: str, found: asyncio.Future[Memo]) -> None:
        """Decide, and account for it once prioritize has had its turn. A defect is told to who asks for the memo."""
        try:
            memo = await self._decide(pod, names, verb)
        except Exception as error:
            log.exception("no decision for a pod; answered neutrally")
            found.set_exception(error)
            found.exception()  # it is told: nobody may ask
            return
        found.set_result(memo)
        await asyncio.sleep(ACCOUNT_S)
        self._account(pod, memo, [])

    def exclusion(self, pod: PodRequest) -> str:
        """Why a pod gets the neutral answer at once, or ''."""
        controls = self.state.controls
        if controls.mode == "off":
            return rollout.MODE_OFF
        reason = rollout.exclusion(pod, self.state.settings.opt_in)
        if not reason and not rollout.in_rollout(pod, controls.rollout_percent):
            return rollout.OUTSIDE_ROLLOUT
        return reason

    async def _decide(self, pod: PodRequest, names: Sequence[str], verb: str) -> Memo:
        """Find scores and judge."""
        started = time.perf_counter()
        self.state.withdraw(pod.uid)
        view, age = self.state.view, self.state.age_s()
        findings: list[Finding] = []
        aged = False
        if view is None or age is None:
            verdict = empty(names, "snapshot-missing")
        elif age >= self.state.settings.snapshot.expired_s:
            verdict = empty(names, "snapshot-expired")
        else:
            aged = age > self.state.settings.snapshot.fresh_s
            findings = await self.state.scorer.find(view, pod)
            found = time.perf_counter()
            verdict = self._judge(view, pod, names, findings, aged)
        took = {"total": (time.perf_counter() - started) * 1000.0}
        if findings:
            took["find"] = (found - started) * 1000.0
        version = view.snapshot.version if view is not None else 0
        now_ms = int(time.time() * 1000.0)
        around = Circumstances(verb, self.state.controls.mode, self.state.replica, now_ms, version, age, took)
        if verb == "filter" and len(names) == 1:  # prioritize will not be called
            self._reserve(pod, verdict, names[0])
        return Memo(verdict, view if findings else None, aged, around)

    def _judge(
        self,
        view: ClusterView,
        pod: PodRequest,
        names: Sequence[str],
        findings: Sequence[Finding],
        aged: bool,
    ) -> Verdict:
        settings = self.state.settings
        spread = settings.inflight.spread if settings.inflight.enabled else 0.0
        weights = self.state.controls.weights
        return judge(view, pod, names, findings, weights, settings.scoring, spread, aged)

    def _account(self, pod: PodRequest, memo: Memo, removed: list[str]) -> None:
        """Count, judge the last window, and record."""
        verdict, around = memo.verdict, memo.around
        self.state.metrics.step_of(verdict.step.label).inc()
        self._count(around.mode, verdict.neutral or "scored")
        flat = verdict.neutral == "too-close"
        cause = self.state.judge.add(Outcome(verdict.step.is_fallback, flat, around.took_ms["total"]))
        if cause:
            self.state.metrics.retreats.labels(cause).inc()
            log.error("going back to shadow: %s out of limits over the last window", cause)
        told = outline(verdict, self.state.settings.records.top)
        if told.unknown and around.snapshot_version:
            self.state.metrics.unknown_nodes.inc(told.unknown)
        self.recorder.offer(functools.partial(record, pod, told, replace(around, removed=removed)))

    def _guarding(self) -> bool:
        """Whether filter may leave nodes out."""
        return self.state.settings.filter.enabled and self.state.controls.mode == "active"

    def _removed(self, memo: Memo) -> dict[str, str]:
        """Nodes that filter leaves out, with the reason."""
        view, verdict = memo.view, memo.verdict
        if view is None or view is not self.state.view or not verdict.parts or not self._guarding():
            return {}
        positions = guards.removed(verdict.rows, badness(view), self.state.evidence, self.state.settings.filter)
        self.state.metrics.removed.inc(len(positions))
        return {verdict.names[int(p)]: guards.REASON for p in positions}

    def _reserve(self, pod: PodRequest, verdict: Verdict, node: str) -> None:
        """A tentative placement, in `active` mode alone."""
        if self.state.controls.mode == "active" and verdict.parts:
            self.state.reserve(pod, node)

    def _count(self, mode: str, reason: str) -> None:
        self.state.metrics.pod_of(mode, reason).inc()


def badness(view: ClusterView) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """float32 [nodes]: how far below full health or above no load a node is; larger is worse."""
    worst = np.zeros(len(view.snapshot.nodes), dtype=np.float32)
    for (model, _), scores in view.scores.items():
        if model == "anomaly-detector":
            worst = np.fmax(worst, 1.0 - scores.values[:, 0])
        elif scores.peak is not None:
            worst = np.fmax(worst, scores.peak.max(axis=1))
    return worst


def unique(names: Sequence[str]) -> list[str]:
    """Each name once, in order."""
    return list(dict.fromkeys(names))
