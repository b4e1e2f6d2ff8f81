"""Requests of nodes: any order of events leads to what a fresh count of the same objects gives."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from berth.cluster.accounts import Accounts
from berth.cluster.nodespec import NodeState
from berth.cluster.pods import BoundPod, PodRequest

NODES = ("a", "b", "c")
AMOUNT = st.integers(0, 64_000).map(lambda milli: milli / 1000.0)
POD = st.builds(
    BoundPod,
    request=st.builds(
        PodRequest,
        uid=st.sampled_from([f"p{i}" for i in range(6)]),
        cpu=AMOUNT,
        memory=AMOUNT,
        gpus=st.integers(0, 2),
        gpu_milli=st.sampled_from([0, 250, 500, 1000]),
    ),
    node=st.sampled_from(["", *NODES]),
    ended=st.booleans(),
    created=st.integers(0, 5).map(float),
)


def pod(uid: str, node: str = "a", ended: bool = False, created: float = 0.0, **request: float) -> BoundPod:
    gpus, milli = int(request.pop("gpus", 0)), int(request.pop("gpu_milli", 0))
    asked = PodRequest(uid, cpu=request.get("cpu", 0.0), memory=request.get("memory", 0.0), gpus=gpus, gpu_milli=milli)
    return BoundPod(asked, node, ended, created)


def kinds(accounts: Accounts) -> dict[str, tuple[int, int, int, int]]:
    return {name: (r.burstable, r.stateful, r.jobs, r.bands) for name, r in accounts.requested.items()}


def counted(accounts: Accounts) -> dict[str, tuple[int, int, int, int]]:
    return {name: (r.cpu, r.memory, r.pods, r.gpu) for name, r in accounts.requested.items()}


@given(st.lists(st.one_of(POD, st.sampled_from([f"p{i}" for i in range(6)])), max_size=40), st.integers())
def test_any_history_ends_where_a_fresh_count_does(events: list[BoundPod | str], seed: int) -> None:
    lived, alive = Accounts(), dict[str, BoundPod]()
    for event in events:
        if isinstance(event, str):
            lived.drop_pod(event)
            alive.pop(event, None)
        else:
            lived.put_pod(event)
            alive[event.request.uid] = event
    fresh, order = Accounts(), list(alive.values())
    random.Random(seed).shuffle(order)
    for one in order:
        fresh.put_pod(one)
    assert counted(lived) == counted(fresh)
    assert kinds(lived) == kinds(fresh)
    assert lived.waiting() == fresh.waiting() == sum(not one.node and not one.ended for one in alive.values())
    for accounts in (lived, fresh):
        for name in NODES:
            accounts.put_node(NodeState(name, gpus=2))
    assert [lived.free_devices(name) for name in NODES] == [fresh.free_devices(name) for name in NODES]


def test_who_waits_or_has_ended_asks_nothing_of_a_node() -> None:
    accounts = Accounts()
    accounts.put_pod(pod("waits", node="", cpu=1.0))
    accounts.put_pod(pod("ended", cpu=1.0, ended=True))
    assert accounts.requested == {}
    assert accounts.waiting() == 1
    accounts.put_pod(pod("waits", cpu=1.5, memory=2.0))
    assert counted(accounts) == {"a": (1500, 2 * 2**30, 1, 0)}
    assert accounts.waiting() == 0


def test_what_kind_of_pods_run() -> None:
    accounts = Accounts()
    for uid, request in {
        "database": PodRequest("database", cpu=2.0, qos="Guaranteed", owner_kind="StatefulSet", priority=5),
        "batch": PodRequest("batch", cpu=0.5, owner_kind="Job", priority=-1),
        "web": PodRequest("web", cpu=1.0, owner_kind="ReplicaSet"),
    }.items():
        accounts.put_pod(BoundPod(request, "a", bound=uid == "web"))
    assert kinds(accounts) == {"a": (1500, 1, 1, 3)}
    accounts.drop_pod("batch")
    assert kinds(accounts) == {"a": (1000, 1, 0, 3)}


def test_millicores_are_rounded_up_as_kubernetes_does() -> None:
    accounts = Accounts()
    accounts.put_pod(pod("tiny", cpu=0.0001))
    accounts.put_pod(pod("exact", cpu=0.1))
    assert accounts.of("a").cpu == 1 + 100


def test_a_new_list_takes_out_what_it_does_not_name() -> None:
    accounts = Accounts()
    for uid in ("x", "y"):
        accounts.put_pod(pod(uid, cpu=1.0))
    for name in NODES:
        accounts.put_node(NodeState(name))
    accounts.keep_pods(["y"])
    accounts.keep_nodes(["b", "c"])
    assert (set(accounts.pods), set(accounts.nodes), accounts.of("a").cpu) == ({"y"}, {"b", "c"}, 1000)


def test_the_oldest_pods_hold_the_tightest_devices() -> None:
    accounts = Accounts()
    accounts.put_node(NodeState("a", gpus=3))
    accounts.put_pod(pod("half", gpus=1, gpu_milli=500, created=1.0))
    accounts.put_pod(pod("quarter", gpus=1, gpu_milli=250, created=2.0))
    accounts.put_pod(pod("whole", gpus=1, created=3.0))
    assert accounts.free_devices("a") == [0.25, 0.0, 1.0]
    accounts.put_pod(pod("too-many", gpus=2, created=4.0))
    assert accounts.free_devices("a") == [0.25, 0.0, 0.0]
    assert accounts.free_devices("nobody") == []
