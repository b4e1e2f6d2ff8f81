"""Pods placed but not yet seen by telemetry.

Node load lags by a minute: without this a whole burst goes to the node that was best before it (a herd). The ledger
holds tentative placements by pod; what they do to the nodes' rows is worked out in `view.py`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from berth.cluster.pods import PodRequest


class Placement(msgspec.Struct, frozen=True, omit_defaults=True):
    """A tentative placement, as shared through Redis. at: unix seconds; cpu cores, memory GiB; gone: taken back."""

    uid: str
    node: str
    at: float
    replica: str
    cpu: float = 0.0
    memory: float = 0.0
    gpus: int = 0
    gpu_milli: int = 0
    gone: bool = False

    @property
    def sane(self) -> bool:
        """Whether a node of this world could take it."""
        asks = 0.0 <= self.cpu < 1e6 and 0.0 <= self.memory < 1e9
        return asks and 0 <= self.gpus <= 64 and 0 <= self.gpu_milli <= 1000


@dataclass(frozen=True)
class Change:
    """What happened to the ledger: `before` was there (or None), `after` is there now (or None)."""

    before: Placement | None
    after: Placement | None


encoder = msgspec.json.Encoder()
decoder = msgspec.json.Decoder(list[Placement])
"""Of what is shared at once."""


class Ledger:
    """Tentative placements by pod uid, oldest first. A pod has one: a retry replaces it."""

    def __init__(self, expire_s: float, limit: int) -> None:
        self.expire_s, self.limit = expire_s, limit
        self.by_uid: OrderedDict[str, Placement] = OrderedDict()

    def __len__(self) -> int:
        return len(self.by_uid)

    def __iter__(self) -> Iterator[Placement]:
        return iter(self.by_uid.values())

    def put(self, placement: Placement) -> Change | None:
        """Enter a placement. None when the same pod stands on the same node already: a retry changes nothing.

        Of two replicas' placements of one pod the later one holds.
        """
        before = self.by_uid.get(placement.uid)
        if before is not None and (before.node == placement.node or before.at > placement.at):
            return None
        self.by_uid.pop(placement.uid, None)
        self.by_uid[placement.uid] = placement
        return Change(before, placement)

    def drop(self, uid: str, at: float) -> Change | None:
        """Forget a pod's placement made by `at`."""
        before = self.by_uid.get(uid)
        if before is None or before.at > at:
            return None
        del self.by_uid[uid]
        return Change(before, None)

    def expire(self, now: float) -> list[Change]:
        """Drop what is older than `expire_s`, and the oldest beyond `limit`."""
        changes = []
        while self.by_uid:
            oldest = next(iter(self.by_uid.values()))
            if now - oldest.at <= self.expire_s and len(self.by_uid) <= self.limit:
                break
            self.by_uid.popitem(last=False)
            changes.append(Change(oldest, None))
        return changes

    def follow(self, uid: str, node: str) -> Change | None:
        """The watched binding replaces the guess: move a placement to the node where the pod really went."""
        before = self.by_uid.get(uid)
        if before is None or before.node == node:
            return None
        moved = msgspec.structs.replace(before, node=node)
        self.by_uid[uid] = moved
        return Change(before, moved)


def placement_of(pod: PodRequest, node: str, now: float, replica: str) -> Placement:
    """The tentative placement of a pod."""
    return Placement(
        pod.uid, node, now, replica, cpu=pod.cpu, memory=pod.memory, gpus=pod.gpus, gpu_milli=pod.gpu_milli
    )
