"""`berth.v1.Placement/ScoreNodes` of the running extender: the verbs' rules, and input that nobody means well with."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import count
from typing import Any

import grpc
import pytest

from protos.berth.v1 import placement_pb2, placement_pb2_grpc
from tests.calls import Caller, Replay

pytestmark = [pytest.mark.mesh, pytest.mark.usefixtures("still_serving")]

UIDS = (f"rpc-{i}" for i in count())


@pytest.fixture(scope="module")
def placement(replay: Replay) -> Iterator[placement_pb2_grpc.PlacementStub]:
    with grpc.insecure_channel(f"127.0.0.1:{replay.mesh.processes['extender'].grpc}") as channel:
        yield placement_pb2_grpc.PlacementStub(channel)  # type: ignore[no-untyped-call]


def ask(placement: placement_pb2_grpc.PlacementStub, nodes: list[str], reserve: bool = False, **pod_is: Any) -> Any:
    fields = {"uid": next(UIDS), "scheduler_name": "berth", "cpu_cores": 2.0, "memory_gib": 4.0, **pod_is}
    request = placement_pb2.ScoreNodesRequest(pod=placement_pb2.PodRequest(**fields), nodes=nodes, reserve=reserve)
    return placement.ScoreNodes(request, timeout=5.0)


def test_score_nodes_scores_in_the_order_of_the_request(replay: Replay, placement: Any) -> None:
    answer = ask(placement, replay.names[:200])
    assert len(answer.scores) == 200
    assert max(answer.scores) == 10
    assert min(answer.scores) >= 0
    assert answer.decision.top[0].node == replay.names[list(answer.scores).index(10)]
    assert len(answer.decision.models) == 3


def test_score_nodes_reserves_only_when_asked(replay: Replay, caller: Caller, placement: Any) -> None:
    before = caller.get("/v1/state")["inflight"]
    ask(placement, replay.names[:50])
    assert caller.get("/v1/state")["inflight"] == before
    ask(placement, replay.names[:50], reserve=True)
    assert caller.get("/v1/state")["inflight"] == before + 1


@pytest.mark.parametrize(
    "fields",
    [
        {"cpu_cores": math.inf, "memory_gib": math.inf},
        {"cpu_cores": math.nan, "memory_gib": math.nan},
        {"cpu_cores": -1.0, "memory_gib": -math.inf},
        {"gpus": 2**32 - 1, "gpu_milli": 2**32 - 1},
        {"uid": "", "priority": -(2**31), "qos": "?", "owner_kind": "?"},
        {"gpu_models": [f"m{i}" for i in range(500)]},
    ],
)
def test_score_nodes_takes_absurd_pods(replay: Replay, placement: Any, fields: dict[str, Any]) -> None:
    assert len(ask(placement, replay.names[:30], **fields).scores) == 30


@pytest.mark.parametrize("change", [{"scheduler_name": "default-scheduler"}, {"priority": 2_000_000_000}])
def test_score_nodes_is_neutral_for_who_is_not_scored(replay: Replay, placement: Any, change: dict[str, Any]) -> None:
    answer = ask(placement, replay.names[:30], **change)
    assert set(answer.scores) == {0}
    assert answer.decision.neutral_reason


def test_score_nodes_refuses_repeated_and_too_many_nodes(replay: Replay, placement: Any) -> None:
    for nodes in (["a", "a"], [f"n{i}" for i in range(20_001)]):
        with pytest.raises(grpc.RpcError) as refused:
            ask(placement, nodes)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert list(ask(placement, []).scores) == []
    assert len(ask(placement, ["unknown-1", "unknown-2"]).scores) == 2
