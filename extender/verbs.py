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
from extender.memos import Kept, Memo, Memos
from extender.records import Recorder
from extender.state import State
from extender.wire import Arguments, filter_answer, no_priorities, priorities

NAMED = 100
"""Removed nodes that a record names at most."""


class Verbs:
    """filter, prioritize and ScoreNodes over one state."""

    def __init__(self, state: State, recorder: Recorder) -> None:
        self.state, self.decider = state, Decider(state, recorder)
        self.memos = Memos()

    def filter_at_once(self, call: Arguments) -> bytes | None:
        """ExtenderFilterResult, all nodes. Without guards the answer does not depend on any score: scores are found
        while kube-scheduler comes back for them. None where the guards have to look first."""
        reason = self.exclusion(call.pod)
        if reason:
            self.decider.count("neutral", reason)
        elif self._guarding():
            return None
        else:
            self._keep(call, self.decider.beside(call.pod, call.distinct, "filter"))
        return filter_answer(call, {})

    async def filter(self, call: Arguments) -> bytes:
        """ExtenderFilterResult: all nodes, but those that the guards condemn."""
        memo = await self.decider.decide(call.pod, call.distinct, "filter")
        found: asyncio.Future[Memo] = asyncio.get_running_loop().create_future()
        found.set_result(memo)
        self._keep(call, found)
        removed = self._removed(memo)
        self.decider.account_later(call.pod, memo, list(removed)[:NAMED])
        return filter_answer(call, removed)

    def prioritize_at_once(self, call: Arguments) -> bytes | None:
        """HostPriorityList, each node once, where it is neutral or its scores are known. None where they must be found
        first. In shadow nobody waits for scores that are not answered."""
        pod = call.pod
        reason = self.exclusion(pod)
        if reason:
            self.decider.count("neutral", reason)
            return no_priorities(call)
        if self.state.controls.mode == "shadow":
            if self.memos.take(pod.uid) is None:
                self.decider.beside(pod, call.distinct, "prioritize")
            return no_priorities(call)
        found = self.memos.look(pod.uid)
        if found is None or not found.done():
            return None
        self.memos.take(pod.uid)
        memo = found.result()
        verdict = self._verdict(memo, pod, call.distinct)
        return self._answer(call, verdict, memo.answer if verdict is memo.verdict else b"")

    async def prioritize(self, call: Arguments) -> bytes:
        """HostPriorityList: each node once, 0 to 10."""
        verdict = await self.scores(call.pod, call.distinct)
        return no_priorities(call) if verdict is None else self._answer(call, verdict)

    def _answer(self, call: Arguments, verdict: Verdict, ahead: bytes = b"") -> bytes:
        """The scores, and a tentative placement as soon as they are sent; neither where the mode has changed meanwhile.
        ahead: the answer, where it was made before."""
        if self.state.controls.mode != "active":
            return no_priorities(call)
        self.decider.reserve(call.pod, verdict, best(verdict))
        return ahead or priorities(call.distinct, verdict.scores.tolist())

    async def scores(self, pod: PodRequest, names: Sequence[str]) -> Verdict | None:
        """The verdict for these nodes, from filter's memo where there is one; None for a pod that is not scored."""
        reason = self.exclusion(pod)
        if reason:
            self.decider.count("neutral", reason)
            return None
        found = self.memos.take(pod.uid)
        if found is None:
            memo = await self.decider.decide(pod, names, "prioritize")
            self.decider.account_later(pod, memo, [])
            return memo.verdict
        self.decider.hurry(found)
        memo = await asyncio.shield(found)  # who asks may be cancelled; it is found all the same
        return self._verdict(memo, pod, names)

    def _verdict(self, memo: Memo, pod: PodRequest, names: Sequence[str]) -> Verdict:
        """What the memo says of these names."""
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
        if view is None or view is not self.state.view or verdict.board is None or not self._guarding():
            return {}
        positions = guards.removed(verdict.rows, view.badness(), self.state.evidence, self.state.settings.filter)
        self.state.metrics.removed.inc(len(positions))
        return {verdict.names[int(p)]: guards.REASON for p in positions}


def unique(names: Sequence[str]) -> list[str]:
    """Each name once, in order."""
    return list(dict.fromkeys(names))
