"""What filter found for pods, until prioritize asks for it: bounded in age, in pods and in node names."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass

from extender.decide import Circumstances, Verdict
from extender.view import ClusterView

AGE_S = 10.0
PODS = 4096
NAMES = 200_000
"""Node names in all memos, 100 bytes each: 40 pods with all of 5,000 nodes. kube-scheduler has one pod in hand."""


@dataclass(frozen=True)
class Memo:
    """What filter found for a pod, for prioritize to answer from, and what to say of it. at: monotonic seconds."""

    verdict: Verdict
    view: ClusterView | None
    at: float
    aged: bool
    around: Circumstances


class Memos:
    """By pod uid, oldest first."""

    def __init__(self) -> None:
        self.by_uid: OrderedDict[str, Memo] = OrderedDict()
        self.names = 0

    def keep(self, uid: str, memo: Memo) -> None:
        """Keep one; the oldest go where there are too many. A pod without uid could not be told from another."""
        if not uid:
            return
        self._drop(uid)
        self.by_uid[uid] = memo
        self.names += len(memo.verdict.names)
        while self._too_many(memo.at):
            self._drop(next(iter(self.by_uid)))

    def take(self, uid: str) -> Memo | None:
        """A pod's memo, once: a later cycle of the pod is decided anew."""
        memo = self._drop(uid)
        return memo if memo is not None and time.monotonic() - memo.at <= AGE_S else None

    def _too_many(self, now: float) -> bool:
        if len(self.by_uid) <= 1:
            return False
        oldest = next(iter(self.by_uid.values()))
        return len(self.by_uid) > PODS or self.names > NAMES or now - oldest.at > AGE_S

    def _drop(self, uid: str) -> Memo | None:
        memo = self.by_uid.pop(uid, None)
        if memo is not None:
            self.names -= len(memo.verdict.names)
        return memo
