"""The share of owners that is scored, the modes, and going back to shadow by itself, while real pods are placed."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from itertools import count
from typing import Any, Self

import pytest

from tests.calls import Caller, Replay, until
from tests.cli.command import berth as command
from tests.extender.replica import Replica, replica
from tests.lab.api import Api
from tests.lab.berth import extender_url
from tests.lab.binds import Binds
from tests.lab.control_plane import ControlPlane
from tests.lab.objects import Object, pod
from tests.lab.placing import Placed, bound, names_of, place
from tests.lab.scheduler import Scheduler, example

OWNERS = [40, pytest.param(200, marks=pytest.mark.long)]
SETS = "/apis/apps/v1/namespaces/default/replicasets"
NUMBERS = count()


def replica_set(name: str) -> Object:
    """An owner of pods that name Berth's scheduler; of none so far."""
    spec = pod("unused", cpu="10m", memory="16Mi")["spec"]
    del spec["terminationGracePeriodSeconds"]
    labels = {"owner": name}
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


class Owners:
    """Real ReplicaSets, whose pods are placed round by round, and what was scored in each; a context manager."""

    def __init__(self, plane: ControlPlane, replay: Replay, binds: Binds, size: int) -> None:
        self.plane, self.replay, self.binds = plane, replay, binds
        self.names = [f"owner-{i}" for i in range(size)]
        self.done: set[str] = set()

    def __enter__(self) -> Self:
        for name in self.names:
            self.plane.api.create(SETS, replica_set(name))
        return self

    def __exit__(self, *_: object) -> None:
        self.plane.api.call("DELETE", SETS, {"propagationPolicy": "Background"})

    def round(self, replicas: int) -> dict[str, set[bool]]:
        """Scale all up; whether the new pods of each owner were scored, by owner."""
        before = decided(self.replay)
        for name in self.names:
            self.plane.api.patch(f"{SETS}/{name}", {"spec": {"replicas": replicas}})
        total = replicas * len(self.names)
        self.binds.wait(total)
        pods = until(lambda: self.all_bound(total), 60.0, 0.5)
        fresh = {uid_of(one): one for one in pods if uid_of(one) not in self.done}
        self.done |= fresh.keys()
        expected = decided(self.replay) - before
        until(lambda: len(scored_of(self.replay) & fresh.keys()) == expected)
        scored = scored_of(self.replay)
        found: dict[str, set[bool]] = {name: set() for name in self.names}
        for uid, one in fresh.items():
            found[owner_of(one)].add(uid in scored)
        return found

    def all_bound(self, total: int) -> list[Any]:
        """The pods, once there are so many and all have a node."""
        pods = [one for one in self.plane.api.pods() if one["metadata"].get("ownerReferences")]
        return pods if len(pods) == total and all(one["spec"].get("nodeName") for one in pods) else []


def decided(replay: Replay) -> float:
    """Pods scored so far."""
    return sum(times for (mode, _), times in replay.caller.metrics("berth_pods_total").items() if mode == "active")


def scored_of(replay: Replay) -> set[str]:
    """uids of the newest decisions."""
    return {one["pod_uid"] for one in replay.caller.get("/v1/decisions?limit=1000")}


def uid_of(one: Any) -> str:
    """Of a pod."""
    return str(one["metadata"]["uid"])


def owner_of(one: Any) -> str:
    """Name of the controlling owner."""
    return str(one["metadata"]["ownerReferences"][0]["name"])


def tolerance(share: float, owners: int) -> float:
    """Four standard deviations of a share over so many owners."""
    return 4.0 * math.sqrt(share * (1.0 - share) / owners)


@pytest.mark.parametrize("size", OWNERS)
def test_the_share_of_owners_that_is_scored_follows_the_rollout_and_an_owner_once_in_stays_in(
    plane: ControlPlane, recorded: Replay, size: int
) -> None:
    scheduler, found = Scheduler(plane, example("second-scheduler", extender_url(recorded))), {}
    with scheduler, Binds(plane) as binds, Owners(plane, recorded, binds, size) as owners:
        with recorded.override(rollout_percent=0.0):
            found[0] = owners.round(1)
        with recorded.override(rollout_percent=25.0):
            found[25] = owners.round(3)
        with recorded.override(rollout_percent=60.0):
            found[60] = owners.round(4)
        found[100] = owners.round(5)
    for percent, by_owner in found.items():
        assert {len(scored) for scored in by_owner.values()} == {1}, (
            f"at {percent} % pods of one owner fare differently"
        )
    inside = {
        percent: {name for name, scored in by_owner.items() if scored == {True}} for percent, by_owner in found.items()
    }
    assert (len(inside[0]), len(inside[100])) == (0, size)
    assert abs(len(inside[25]) / size - 0.25) <= tolerance(0.25, size)
    assert abs(len(inside[60]) / size - 0.60) <= tolerance(0.60, size)
    assert inside[25] <= inside[60]


class Trickle:
    """Pods created one after another from a thread, until its end; a context manager."""

    def __init__(self, plane: ControlPlane) -> None:
        self.api = Api(plane.port, plane.credentials.authority, plane.credentials.token)  # one thread each
        self.names: list[str] = []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run, name="trickle", daemon=True)

    def __enter__(self) -> Trickle:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join(30.0)
        self.api.close()

    def _run(self) -> None:
        while not self.ended.wait(0.01):
            one = pod(f"trickle-{next(NUMBERS)}", cpu="50m", memory="64Mi")
            self.api.create("/api/v1/namespaces/default/pods", one)
            self.names += names_of([one])

    def wait(self, more: int) -> None:
        """Return once so many more pods are created."""
        enough = len(self.names) + more
        until(lambda: len(self.names) >= enough, 60.0)


def test_modes_change_while_pods_are_placed_and_every_pod_is_bound_once(plane: ControlPlane, recorded: Replay) -> None:
    by_mode: dict[str, list[str]] = {}
    scheduler = Scheduler(plane, example("second-scheduler", extender_url(recorded)))
    with scheduler, Binds(plane) as binds:
        with Trickle(plane) as trickle:
            for mode in ("active", "shadow", "off", "active", "off", "shadow"):
                with recorded.override(mode=mode):
                    by_mode.setdefault(mode, []).extend(placed_now(trickle, binds))
        assert len(bound(binds, trickle.names)) == len(trickle.names)
    scored = set(by_mode["active"] + by_mode["shadow"])
    until(lambda: scored <= modes_recorded(recorded).keys())
    modes = modes_recorded(recorded)
    assert {mode: {modes.get(uid) for uid in uids} for mode, uids in by_mode.items()} == {
        "active": {"active"},
        "shadow": {"shadow"},
        "off": {None},
    }


def placed_now(trickle: Trickle, binds: Binds) -> list[str]:
    """uids of pods created from now on that are bound before this returns; one under way now is not among them."""
    first = len(trickle.names) + 2
    trickle.wait(17)
    return [bind.uid for bind in bound(binds, trickle.names[first : first + 15]).values()]


def modes_recorded(replay: Replay) -> dict[str, str]:
    """Mode by pod uid of the newest decisions."""
    return {one["pod_uid"]: one["mode"] for one in replay.caller.get("/v1/decisions?limit=1000")}


SCORER = "placement-scorer"
RETREATING = {
    "RETREAT__ENABLED": "true",
    "RETREAT__WINDOW": "30",
    # only fallbacks are judged: a busy machine is slow, and that is another cause
    "RETREAT__MAX_P99_MS": "10000",
    "RETREAT__MAX_FLAT_SHARE": "1",
}


@pytest.fixture
def retreating(recorded: Replay) -> Iterator[Replica]:
    """An extender with settings that make it go back to shadow by itself. The model and the override are shared: both
    are as before at the end."""
    with replica(recorded.mesh, RETREATING) as running:
        yield running
    repair(recorded)
    operator(recorded, "--clear")


def test_berth_goes_back_to_shadow_by_itself_and_an_operator_brings_it_back(
    plane: ControlPlane, recorded: Replay, retreating: Replica
) -> None:
    with Scheduler(plane, example("second-scheduler", f"http://127.0.0.1:{retreating.port}/scheduler")):
        assert modes_of(retreating, place(plane, batch(40))) == {("active", "")}
        assert in_force(retreating) == ("active", "settings")
        recorded.mesh.kill(SCORER)
        recorded.publish()
        place(plane, batch(60))
        assert in_force(retreating) == ("shadow", "retreat")
        assert retreats(retreating) == {("fallbacks",): 1.0}
        assert modes_of(retreating, place(plane, batch(40))) == {("shadow", "shadow")}
        repair(recorded)
        publish(recorded, retreating)
        assert in_force(retreating) == ("shadow", "retreat")
        operator(recorded, "active", "--why", "the model is back")
        until(lambda: in_force(retreating) == ("active", "override"), 5.0)
        assert modes_of(retreating, place(plane, batch(60))) == {("active", "")}
        assert in_force(retreating) == ("active", "override")
        assert retreats(retreating) == {("fallbacks",): 1.0}


def publish(replay: Replay, also: Replica) -> None:
    """A new snapshot, in use by both extenders; a model that runs again is known to the second one before."""
    until(lambda: SCORER not in missing(also.caller), 30.0)
    version = replay.publish()
    until(lambda: also.caller.get("/v1/state")["snapshot"]["version"] >= version)


def batch(pods: int) -> list[Object]:
    """Pods of a few sizes."""
    return [pod(f"batch-{next(NUMBERS)}", cpu=f"{i % 5 + 1}0m", memory="64Mi") for i in range(pods)]


def modes_of(running: Replica, placed: Placed) -> set[tuple[str, str]]:
    """Modes and reasons for neutral answers in the records of these pods."""
    written = [running.caller.decision(bind.uid) for bind in placed.values()]
    return {(one["mode"], one["neutral_reason"]) for one in written}


def in_force(running: Replica) -> tuple[str, str]:
    """The mode and where it comes from."""
    state = running.caller.get("/v1/state")
    return state["mode"], state["mode_source"]


def retreats(running: Replica) -> dict[tuple[str, ...], float]:
    """How often Berth went back to shadow, by cause."""
    return {cause: times for cause, times in running.caller.metrics("berth_retreats_total").items() if times}


def repair(replay: Replay) -> None:
    """Run the placement scorer, whether it runs or not; returns when it scores a new snapshot."""
    replay.mesh.start_process(SCORER)
    until(lambda: SCORER not in missing(replay.caller), 30.0)
    replay.publish()


def missing(caller: Caller) -> str:
    """What an extender says is missing."""
    return " ".join(caller.get("/v1/state")["degraded"])


def operator(replay: Replay, *arguments: str) -> None:
    """`berth mode` as it is typed."""
    ended = command("mode", *arguments, "--redis-url", replay.mesh.redis_url)
    assert ended.returncode == 0, ended.stderr
