"""Pods created and followed to their bindings."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence

from tests.lab.binds import Bind, Binds
from tests.lab.control_plane import ControlPlane
from tests.lab.objects import Object
from tests.lab.process import LabError

Placed = dict[str, Bind]
"""Bindings by pod name."""


def place(plane: ControlPlane, pods: Sequence[Object], timeout_s: float = 60.0) -> Placed:
    """Create pods at once; returns when each is bound. Raises LabError."""
    with Binds(plane) as binds:
        plane.create(pods)
        return bound(binds, names_of(pods), timeout_s)


def place_in_turn(plane: ControlPlane, pods: Sequence[Object]) -> Placed:
    """Create each pod after the one before it is bound: what comes out does not depend on timing. Raises LabError."""
    with Binds(plane) as binds:
        for one in pods:
            plane.api.create(f"/api/v1/namespaces/{one['metadata']['namespace']}/pods", one)
            bound(binds, names_of([one]))
        return bound(binds, names_of(pods))


def bound(binds: Binds, names: Collection[str], timeout_s: float = 60.0) -> Placed:
    """The bindings of these pods once all are there. Raises LabError; fails where one was bound to two nodes."""
    end = time.monotonic() + timeout_s
    with binds.changed:
        while missing := set(names) - {bind.name for bind in binds.seen}:
            if not binds.changed.wait(max(end - time.monotonic(), 0.0)):
                raise LabError(f"{len(missing)} of {len(names)} pods not bound within {timeout_s:.0f} s")
        found = [bind for bind in binds.seen if bind.name in set(names)]
    assert len(found) == len(names), "a pod was bound twice"
    return {bind.name: bind for bind in found}


def names_of(pods: Sequence[Object]) -> list[str]:
    """Of pods that are to be created."""
    return [one["metadata"]["name"] for one in pods]


def nodes_of(placed: Placed) -> dict[str, str]:
    """Node by pod name."""
    return {name: bind.node for name, bind in placed.items()}
