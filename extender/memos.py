"""What filter has found for pods, or is still finding, until prioritize asks: bounded in age, pods and node names."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence

import msgspec

from extender.decide import Circumstances, Verdict
from extender.view import ClusterView

AGE_S = 10.0
PODS = 4096
NAMES = 200_000
"""Node names in all memos, 140 bytes each with their answers: 40 pods with all of 5,000 nodes. kube-scheduler has one
pod in hand."""


class Memo(msgspec.Struct, frozen=True):
    """What was found for a pod, for prioritize to answer from, and what to say of it. answer: of the verdict's names,
    made ahead while kube-scheduler works with filter's; b'' where it was not."""

    verdict: Verdict
    view: ClusterView | None
    aged: bool
    around: Circumstances
    answer: bytes = b""


class Kept(msgspec.Struct, frozen=True):
    """A memo, perhaps not there yet. names: of the nodes it is about; at: monotonic seconds."""

    memo: asyncio.Future[Memo]
    names: Sequence[str]
    at: float


class Memos:
    """By pod uid, oldest first."""

    def __init__(self) -> None:
        self.by_uid: OrderedDict[str, Kept] = OrderedDict()
        self.names = 0

    def keep(self, uid: str, kept: Kept) -> None:
        """Keep one; the oldest go where there are too many. A pod without uid could not be told from another."""
        if not uid:
            return
        self._drop(uid)
        self.by_uid[uid] = kept
        self.names += len(kept.names)
        while self._too_many(kept.at):
            self._drop(next(iter(self.by_uid)))

    def look(self, uid: str) -> asyncio.Future[Memo] | None:
        """A pod's memo, which stays."""
        kept = self.by_uid.get(uid)
        return kept.memo if kept is not None and time.monotonic() - kept.at <= AGE_S else None

    def take(self, uid: str) -> asyncio.Future[Memo] | None:
        """A pod's memo, once: a later cycle of the pod is decided anew."""
        memo = self.look(uid)
        self._drop(uid)
        return memo

    def _too_many(self, now: float) -> bool:
        if len(self.by_uid) <= 1:
            return False
        oldest = next(iter(self.by_uid.values()))
        return len(self.by_uid) > PODS or self.names > NAMES or now - oldest.at > AGE_S

    def _drop(self, uid: str) -> None:
        kept = self.by_uid.pop(uid, None)
        if kept is not None:
            self.names -= len(kept.names)
