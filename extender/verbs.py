"""How the verbs are answered: who is scored, one fan-out a pod, the memo between filter and prioritize."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from berth.cluster.pods import PodRequest
from extender import filter as guards
from extender import rollout
from extender.decide import Verdict, best, empty
from extender.decider import Decider
from extender.gathering import once_answered
from extender.memos import Kept, Memo, Memos
from extender.records import Recorder
from extender.state import State
from extender.wire import Arguments, filter_answer, priorities

NAMED = 100
"""Removed nodes that a record names at most."""


class Verbs:
    """filter, prioritize and ScoreNodes over one state."""

    def __init__(self, state: State, recorder: Recorder) -> None:
        self.state, self.decider = state, Decider(state, recorder)
        self.memos = Memos()

    async def filter(self, call: Arguments) -> bytes:
        """ExtenderFilterResult: all nodes, but those that the guards condemn. Without guards the answer does not
        depend on any score: it is given at once, and scores are found while kube-scheduler comes back for them."""
        reason = self.exclusion(call.pod)
        if reason:
            self.decider.count("neutral", reason)
            return filter_answer(call, {})
        if not self._guarding():
            self._keep(call, self.decider.beside(call.pod, call.distinct, "filter"))
            return filter_answer(call, {})
        memo = await self.decider.decide(call.pod, call.distinct, "filter")
        found: asyncio.Future[Memo] = asyncio.get_running_loop().create_future()
        found.set_result(memo)
        self._keep(call, found)
        removed = self._removed(memo)
        once_answered(self.decider.account, call.pod, memo, list(removed)[:NAMED])
        return filter_answer(call, removed)

    async def prioritize(self, call: Arguments) -> bytes:
        """HostPriorityList: each node once, 0 to 10. In shadow nobody waits for scores that are not answered."""
        names, pod = call.distinct, call.pod
        if self.state.controls.mode == "shadow" and not self.exclusion(pod):
            if self.memos.take(pod.uid) is None:
                self.decider.beside(pod, names, "prioritize")
            return priorities(names, [0] * len(names))
        verdict = await self.scores(pod, names)
        if verdict is None or self.state.controls.mode != "active":
            return priorities(names, [0] * len(names))
        self.decider.reserve(pod, verdict, best(verdict))
        return priorities(names, verdict.scores.tolist())

    async def scores(self, pod: PodRequest, names: Sequence[str]) -> Verdict | None:
        """The verdict for these nodes, from filter's memo where there is one; None for a pod that is not scored."""
        reason = self.exclusion(pod)
        if reason:
            self.decider.count("neutral", reason)
            return None
        found = self.memos.take(pod.uid)
        if found is None:
            memo = await self.decider.decide(pod, names, "prioritize")
            once_answered(self.decider.account, pod, memo, [])
            return memo.verdict
        memo = await asyncio.shield(found)  # who asks may be cancelled; it is found all the same
        if memo.view is None or memo.verdict.names is names or list(memo.verdict.names) == list(names):
            return memo.verdict if len(memo.verdict.names) == len(names) else empty(names, memo.verdict.neutral)
        return self.decider.judge(memo.view, pod, names, memo.verdict.findings, memo.aged)

    def exclusion(self, pod: PodRequest) -> str:
        """Why a pod gets the neutral answer at once, or ''."""
        controls = self.state.controls
        if controls.mode == "off":
            return rollout.MODE_OFF
        reason = rollout.exclusion(pod, self.state.settings.opt_in)
        if not reason and not rollout.in_rollout(pod, controls.rollout_percent):
            return rollout.OUTSIDE_ROLLOUT
        return reason

    def _keep(self, call: Arguments, found: asyncio.Future[Memo]) -> None:
        """For prioritize."""
        self.memos.keep(call.pod.uid, Kept(found, call.distinct, time.monotonic()))

    def _guarding(self) -> bool:
        """Whether filter may leave nodes out."""
        return self.state.settings.filter.enabled and self.state.controls.mode == "active"

    def _removed(self, memo: Memo) -> dict[str, str]:
        """Nodes that filter leaves out, with the reason."""
        view, verdict = memo.view, memo.verdict
        if view is None or view is not self.state.view or not verdict.parts or not self._guarding():
            return {}
        positions = guards.removed(verdict.rows, view.badness(), self.state.evidence, self.state.settings.filter)
        self.state.metrics.removed.inc(len(positions))
        return {verdict.names[int(p)]: guards.REASON for p in positions}


def unique(names: Sequence[str]) -> list[str]:
    """Each name once, in order."""
    return list(dict.fromkeys(names))
