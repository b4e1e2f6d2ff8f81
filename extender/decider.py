"""Finds scores for a pod, judges, and accounts for what was decided, beside the answer or after it."""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from berth.cluster.pods import PodRequest
from extender.decide import Circumstances, Verdict, empty, outline, record
from extender.decide import judge as verdict_of
from extender.gathering import once_answered
from extender.memos import Memo
from extender.records import Recorder
from extender.retreat import Outcome
from extender.scoring import Finding
from extender.state import State
from extender.view import ClusterView

log = logging.getLogger("extender.decider")

ACCOUNT_S = 0.003
"""From a decision to its account: prioritize is answered in between, and kube-scheduler goes on."""


class Decider:
    """Decisions over one state, told to one recorder."""

    def __init__(self, state: State, recorder: Recorder) -> None:
        self.state, self.recorder = state, recorder

    def beside(self, pod: PodRequest, names: Sequence[str], verb: str) -> asyncio.Future[Memo]:
        """Decide once the answer that is being made has been sent. Returns what will be found."""
        found: asyncio.Future[Memo] = asyncio.get_running_loop().create_future()
        once_answered(self._begin, pod, names, verb, found)
        return found

    def _begin(self, pod: PodRequest, names: Sequence[str], verb: str, found: asyncio.Future[Memo]) -> None:
        task = asyncio.create_task(self._find_out(pod, names, verb, found))
        self.recorder.coming.add(task)
        task.add_done_callback(self.recorder.coming.discard)

    async def _find_out(self, pod: PodRequest, names: Sequence[str], verb: str, found: asyncio.Future[Memo]) -> None:
        """Decide, and account for it once prioritize has had its turn. After a defect the decision is neutral."""
        try:
            memo = await self.decide(pod, names, verb)
        except Exception:
            log.exception("no decision for a pod; answered neutrally")
            self.state.metrics.defects.labels("decision").inc()
            memo = Memo(empty(names, "defect"), None, False, self.circumstances(verb, 0, None, {"total": 0.0}))
        found.set_result(memo)
        await asyncio.sleep(ACCOUNT_S)
        self.account(pod, memo, [])

    async def decide(self, pod: PodRequest, names: Sequence[str], verb: str) -> Memo:
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
            verdict = self.judge(view, pod, names, findings, aged)
        took = {"total": (time.perf_counter() - started) * 1000.0}
        if findings:
            took["find"] = (found - started) * 1000.0
        version = view.snapshot.version if view is not None else 0
        around = self.circumstances(verb, version, age, took)
        if verb == "filter" and len(names) == 1:  # prioritize will not be called
            self.reserve(pod, verdict, names[0])
        return Memo(verdict, view if findings else None, aged, around)

    def circumstances(
        self, verb: str, version: int, age_s: float | None, took_ms: Mapping[str, float]
    ) -> Circumstances:
        """What a record says beside the verdict. version and age_s: the snapshot's."""
        now_ms = int(time.time() * 1000.0)
        return Circumstances(verb, self.state.controls.mode, self.state.replica, now_ms, version, age_s, took_ms)

    def judge(
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
        return verdict_of(view, pod, names, findings, weights, settings.scoring, spread, aged)

    def account(self, pod: PodRequest, memo: Memo, removed: list[str]) -> None:
        """Count, judge the last window, and record."""
        verdict, around = memo.verdict, memo.around
        self.state.metrics.step_of(verdict.step.label).inc()
        self.count(around.mode, verdict.neutral or "scored")
        flat = verdict.neutral == "too-close"
        cause = self.state.judge.add(Outcome(verdict.step.is_fallback, flat, around.took_ms["total"]))
        if cause:
            self.state.metrics.retreats.labels(cause).inc()
            log.error("going back to shadow: %s out of limits over the last window", cause)
        told = outline(verdict, self.state.settings.records.top)
        if told.unknown and around.snapshot_version:
            self.state.metrics.unknown_nodes.inc(told.unknown)
        self.recorder.offer(functools.partial(record, pod, told, replace(around, removed=removed)))

    def reserve(self, pod: PodRequest, verdict: Verdict, node: str) -> None:
        """A tentative placement, in `active` mode alone."""
        if self.state.controls.mode == "active" and verdict.parts:
            self.state.reserve(pod, node)

    def count(self, mode: str, reason: str) -> None:
        self.state.metrics.pod_of(mode, reason).inc()
