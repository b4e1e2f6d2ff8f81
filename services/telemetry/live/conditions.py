"""Incidents that a node's conditions tell of: not ready, and short of memory, disk or process ids. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from berth.cluster.health import PRESSURES, READY, Condition, NodeHealth
from services.telemetry.live.incidents import Incidents


class Conditions:
    """latest: of each node and condition, the newest that was told; listed: all nodes have been told of once."""

    def __init__(self, incidents: Incidents) -> None:
        self.incidents = incidents
        self.latest: dict[str, dict[str, Condition]] = {}
        self.listed = False

    def replace(self, nodes: Iterable[NodeHealth], now: float) -> None:
        """These are all there are. now: when what tells of no time has happened, unix seconds."""
        found = {node.name: node for node in nodes}
        for name in self.latest.keys() - found.keys():
            self.drop(name, now)
        self.incidents.keep_nodes(set(found), now)
        for node in found.values():
            self.put(node, now)
        self.listed = True

    def put(self, node: NodeHealth, now: float) -> None:
        """One is there, or has changed. What is older than what was told before is passed over."""
        known = self.latest.setdefault(node.name, {})
        for condition in node.conditions:
            before = known.get(condition.type)
            if before is None or condition.since >= before.since:
                known[condition.type] = condition
                self._apply(node.name, condition, now)

    def drop(self, name: str, now: float) -> None:
        """One is gone, and what lasted there with it."""
        self.latest.pop(name, None)
        self.incidents.drop_node(name, now)

    def settle(self, now: float) -> None:
        """Say again what is known: incidents have been taken over that it may have ended."""
        if self.listed:
            known = [NodeHealth(name, tuple(told.values())) for name, told in self.latest.items()]
            self.replace(known, now)

    def _apply(self, name: str, condition: Condition, now: float) -> None:
        """'Unknown' pressure neither begins nor ends anything; an unknown Ready is not ready."""
        kind, at = "not-ready" if condition.type == READY else "pressure", condition.since or now
        if condition.status == wrong(condition) or (condition.type == READY and condition.status == "Unknown"):
            self.incidents.begin(at, name, kind, condition.type, status=condition.status)
        elif condition.status in ("True", "False"):
            self.incidents.end(at, name, kind, condition.type)


def wrong(condition: Condition) -> str:
    """The status that tells of an incident."""
    return "True" if condition.type in PRESSURES else "False"
