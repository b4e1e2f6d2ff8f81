"""The newest decisions of this replica, by pod, and the search for one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec

from berth.decisions.record import Decision, decode, encode


class Recent:
    """The newest decision of each of the last `limit` pods.

    Encoded: a decision as objects takes three times the memory, strewn between what pods need for a moment.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.by_uid: OrderedDict[str, bytes] = OrderedDict()

    def keep(self, decision: Decision) -> bytes:
        """Keep a decision. Returns its line."""
        line = encode(decision)
        self.by_uid.pop(decision.pod_uid, None)
        self.by_uid[decision.pod_uid] = line
        while len(self.by_uid) > self.limit:
            self.by_uid.popitem(last=False)
        return line

    def __iter__(self) -> Iterator[bytes]:
        """Lines, newest first."""
        return reversed(self.by_uid.values())

    def newest(self, count: int) -> list[bytes]:
        """The newest lines, newest first."""
        return list(islice(self, count))

    def find(self, pod: str) -> Decision | None:
        """The decision for a pod, by uid or name."""
        kept = self.by_uid.get(pod)
        return decision_for(pod, self if kept is None else [kept])


def decision_for(pod: str, lines: Iterable[bytes]) -> Decision | None:
    """The first of these records that is about a pod, named by uid or name."""
    for line in lines:
        if pod.encode() in line:
            try:
                decision = decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError):  # somebody else's entry
                continue
            if pod in (decision.pod_uid, decision.pod_name):
                return decision
    return None
