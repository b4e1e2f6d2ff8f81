"""Finds scores for a pod, judges, and accounts for what was decided, beside the answer or after it."""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from berth.cluster.pods import PodRequest
from extender.beside import Backlog
from extender.decide import Circumstances, Verdict, empty, outline, record
from extender.decide import judge as verdict_of
from extender.memos import Memo
from extender.records import Recorder
from extender.retreat import Outcome
from extender.scoring import Finding
from extender.state import State
from extender.view import ClusterView
from extender.wire import priorities

log = logging.getLogger("extender.decider")

DEFECT = "no decision for a pod; answered neutrally"


class Decider:
    """Decisions over one state, told to one recorder."""

    def __init__(self, state: State, recorder: Recorder) -> None:
        self.state, self.recorder = state, recorder
        self.backlog = Backlog(state.metrics.defects)
        recorder.settle = self.backlog.flush

    def beside(self, pod: PodRequest, names: Sequence[str], verb: str) -> asyncio.Future[Memo]:
        """Decide once the answer that is being made has been sent; in shadow, where nobody waits, later and for several
        pods together. Returns what will be found."""
        found: asyncio.Future[Memo] = asyncio.get_running_loop().create_future()
        begin = functools.partial(self._begin, pod, names, verb, found)
        if self.state.controls.mode == "shadow":
            self.backlog.add(begin)
        else:
            self.backlog.once_answered(begin)
        return found

    def hurry(self, found: asyncio.Future[Memo]) -> None:
        """Somebody waits after all: the mode has changed."""
        if not found.done():
            self.backlog.flush()

    def _begin(self, pod: PodRequest, names: Sequence[str], verb: str, found: asyncio.Future[Memo]) -> None:
        """Decide now where the scores are at hand, otherwise once they have been asked for."""
        try:
            memo = self._decide_at_once(pod, names, verb, time.perf_counter())
        except Exception:
            log.exception(DEFECT)
            memo = self._after_defect(names, verb)
        if memo is not None:
            self._found(pod, self._answered_ahead(memo), found)
            return
        task = asyncio.create_task(self._find_out(pod, names, verb, found))
        self.recorder.coming.add(task)
        task.add_done_callback(self.recorder.coming.discard)

    def _answered_ahead(self, memo: Memo) -> Memo:
        """With prioritize's answer, where it will be asked for and nobody waits yet."""
        names, around = memo.verdict.names, memo.around
        if memo.view is None or len(names) < 2 or (around.verb, around.mode) != ("filter", "active"):
            return memo
        return replace(memo, answer=priorities(names, memo.verdict.scores.tolist()))

    async def _find_out(self, pod: PodRequest, names: Sequence[str], verb: str, found: asyncio.Future[Memo]) -> None:
        """Ask and decide. After a defect the decision is neutral."""
        try:
            memo = await self.decide(pod, names, verb)
        except Exception:
            log.exception(DEFECT)
            memo = self._after_defect(names, verb)
        self._found(pod, memo, found)

    def _found(self, pod: PodRequest, memo: Memo, found: asyncio.Future[Memo]) -> None:
        found.set_result(memo)
        self.account_later(pod, memo, [])

    def _after_defect(self, names: Sequence[str], verb: str) -> Memo:
        """A decision for nothing, counted."""
        self.state.metrics.defects.labels("decision").inc()
        return Memo(empty(names, "defect"), None, False, self._circumstances(verb, None, {"total": 0.0}))

    async def decide(self, pod: PodRequest, names: Sequence[str], verb: str) -> Memo:
        """Find scores and judge."""
        started = time.perf_counter()
        memo = self._decide_at_once(pod, names, verb, started)
        if memo is not None:
            return memo
        view = self.state.view
        assert view is not None  # otherwise the decision was neutral at once
        return self._decided(view, pod, names, verb, await self.state.scorer.find(view, pod), started)

    def _decide_at_once(self, pod: PodRequest, names: Sequence[str], verb: str, started: float) -> Memo | None:
        """The decision where there is nothing to ask for: no usable snapshot, or all scores in memory."""
        self.state.withdraw(pod.uid)
        view, age = self.state.view, self.state.age_s()
        if view is None or age is None:
            return self._without(view, names, verb, "snapshot-missing", started)
        if age >= self.state.settings.snapshot.expired_s:
            return self._without(view, names, verb, "snapshot-expired", started)
        findings = self.state.scorer.at_hand(view, pod)
        return None if findings is None else self._decided(view, pod, names, verb, findings, started)

    def _without(self, view: ClusterView | None, names: Sequence[str], verb: str, reason: str, started: float) -> Memo:
        """A decision without scores."""
        took = {"total": (time.perf_counter() - started) * 1000.0}
        return Memo(empty(names, reason), None, False, self._circumstances(verb, view, took))

    def _decided(
        self,
        view: ClusterView,
        pod: PodRequest,
        names: Sequence[str],
        verb: str,
        findings: Sequence[Finding],
        started: float,
    ) -> Memo:
        """The decision from these findings."""
        found = time.perf_counter()
        aged = view.snapshot.age_s(time.time() * 1000.0) > self.state.settings.snapshot.fresh_s
        verdict = self.judge(view, pod, names, findings, aged)
        took = {"total": (time.perf_counter() - started) * 1000.0, "find": (found - started) * 1000.0}
        if verb == "filter" and len(names) == 1:  # prioritize will not be called
            self.reserve(pod, verdict, names[0])
        return Memo(verdict, view if findings else None, aged, self._circumstances(verb, view, took))

    def _circumstances(self, verb: str, view: ClusterView | None, took_ms: Mapping[str, float]) -> Circumstances:
        """What a record says beside the verdict."""
        now_ms = time.time() * 1000.0
        version = view.snapshot.version if view is not None else 0
        age = view.snapshot.age_s(now_ms) if view is not None else None
        return Circumstances(verb, self.state.controls.mode, self.state.replica, int(now_ms), version, age, took_ms)

    def judge(
        self,
        view: ClusterView,
        pod: PodRequest,
        names: Sequence[str],
        findings: Sequence[Finding],
        aged: bool,
    ) -> Verdict:
        """Judge by the settings in force."""
        settings = self.state.settings
        spread = settings.inflight.spread if settings.inflight.enabled else 0.0
        weights = self.state.controls.weights
        return verdict_of(view, pod, names, findings, weights, settings.scoring.min_spread, spread, aged)

    def account_later(self, pod: PodRequest, memo: Memo, removed: list[str]) -> None:
        """Account for a decision once there are several."""
        self.backlog.add(functools.partial(self._account, pod, memo, removed))

    def _account(self, pod: PodRequest, memo: Memo, removed: list[str]) -> None:
        """Count, judge the last window, and record."""
        verdict, around = memo.verdict, memo.around
        metrics = self.state.metrics
        metrics.step_of(verdict.step.label).inc()
        self.count(around.mode, verdict.neutral or "scored")
        for finding in verdict.findings:
            if finding.outcome == "memory":  # other look-ups are counted where they are made
                metrics.look_up_of(finding.model, "memory").inc()
        flat = verdict.neutral == "too-close"
        cause = self.state.judge.add(Outcome(verdict.step.is_fallback, flat, around.took_ms["total"]))
        if cause:
            metrics.retreats.labels(cause).inc()
            log.error("going back to shadow: %s out of limits over the last window", cause)
        told = outline(verdict, self.state.settings.records.top)
        if told.unknown and around.snapshot_version:
            metrics.unknown_nodes.inc(told.unknown)
        self.recorder.offer(
            functools.partial(record, pod, told, replace(around, removed=removed) if removed else around)
        )

    def reserve(self, pod: PodRequest, verdict: Verdict, node: str) -> None:
        """A tentative placement once the answer that is being made has been sent, in `active` mode alone."""
        if self.state.controls.mode == "active" and verdict.board is not None:
            self.backlog.once_answered(functools.partial(self.state.reserve, pod, node))

    def count(self, mode: str, reason: str) -> None:
        """Count an answer."""
        self.state.metrics.pod_of(mode, reason).inc()
