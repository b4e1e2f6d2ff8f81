"""Puts bindings and decision records of the same pod together, in whatever order they come. Pure: times are given."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

import msgspec
from prometheus_client import Counter

from berth.decisions.record import Decision, decode
from services.telemetry.bindings.verdict import Bound, Row, row_of

SETTLE_S = 5.0
"""A pod that is tried again has a record of each attempt: the newest counts, once records have had so long to come."""
PATIENCE_S = 300.0
"""A binding waits so long for a record, and no longer: most pods are none of ours."""
RECORD_S = 3600.0
"""A record waits so long for a binding: pods wait for room."""
MOST = 20_000
"""Of each that wait, and of pods remembered as done; the oldest give way."""
MOST_BYTES = 32 * 2**20
"""Of the records that wait."""
AT_ONCE = 1000
"""Rows made in one go, 64 us each: health is answered by the same thread."""

LAST_MS = 253_402_300_800_000
"""The year 10000."""
MAX_SCORE = 10


class Waiting(NamedTuple):
    """A record as it came. heard_at: monotonic seconds."""

    record: str
    decided_ms: int
    heard_at: float


class Join:
    """Times are monotonic seconds. bindings: counted by outcome; losses: by what was given up."""

    def __init__(self, bindings: Counter, losses: Counter, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self.bindings, self.losses = bindings, losses
        self.most, self.most_bytes = most, most_bytes
        self.records: OrderedDict[str, Waiting] = OrderedDict()
        self.bound: OrderedDict[str, tuple[Bound, float]] = OrderedDict()
        self.done: OrderedDict[str, None] = OrderedDict()
        self.bytes = 0

    def take_record(self, raw: bytes, now: float) -> bool:
        """Enter a record. Returns whether it is one."""
        try:
            decision, text = decode(raw), raw.decode()
        except (msgspec.DecodeError, UnicodeDecodeError):
            return False
        if not storable(decision):
            return False
        uid = decision.pod_uid
        before = self.records.get(uid)
        if uid in self.done or (before and before.decided_ms > decision.decided_ms):
            return True
        self._drop_record(uid)
        self.records[uid] = Waiting(text, decision.decided_ms, now)
        self.bytes += len(text)
        while len(self.records) > self.most or self.bytes > self.most_bytes:
            self._drop_record(next(iter(self.records)))
            self.losses.labels("record").inc()
        return True

    def take_bound(self, bound: Bound, now: float) -> None:
        """Enter a binding; the first word of a pod counts."""
        if bound.uid in self.done or bound.uid in self.bound:
            return
        self.bound[bound.uid] = bound, now
        while len(self.bound) > self.most:
            self.bound.popitem(last=False)
            self.losses.labels("binding").inc()

    def due(self, heard: float) -> list[Row]:
        """Rows of bindings that no newer record can come of, at most AT_ONCE; each is given once. heard: every record
        was read that was there then, so that nothing is given up while nobody reads."""
        rows: list[Row] = []
        for uid, (bound, since) in list(self.bound.items()):
            if heard - since < SETTLE_S or len(rows) == AT_ONCE:
                break
            if uid in self.records:
                rows.append(self._joined(bound))
                self._finish(uid, "joined")
            elif heard - since >= PATIENCE_S:
                self._finish(uid, "without-record")
        self._expire(heard)
        return rows

    def find(self, pod: str) -> list[Row]:
        """What is known already of bindings that are not yet given, by uid or name."""
        found = [bound for bound, _ in self.bound.values() if pod in (bound.uid, bound.name)]
        return [self._joined(bound) for bound in found if bound.uid in self.records]

    def remember(self, uid: str) -> None:
        """This pod is done with."""
        self.done[uid] = None
        while len(self.done) > self.most:
            self.done.popitem(last=False)

    def _joined(self, bound: Bound) -> Row:
        record = self.records[bound.uid].record
        decision: Decision = decode(record.encode())
        return row_of(bound, decision, record)

    def _finish(self, uid: str, outcome: str) -> None:
        self.bindings.labels(outcome).inc()
        del self.bound[uid]
        self._drop_record(uid)
        self.remember(uid)

    def _expire(self, heard: float) -> None:
        """Let go of records that nothing came of, oldest first."""
        for uid, waiting in list(self.records.items()):
            if heard - waiting.heard_at < RECORD_S:
                break
            if uid not in self.bound:
                self._drop_record(uid)

    def _drop_record(self, uid: str) -> None:
        before = self.records.pop(uid, None)
        self.bytes -= len(before.record) if before else 0


def storable(decision: Decision) -> bool:
    """Whether its numbers fit the columns: one that somebody else put into the stream must not stop the others."""
    return 0 <= decision.decided_ms < LAST_MS and all(0 <= one.score <= MAX_SCORE for one in decision.top)
