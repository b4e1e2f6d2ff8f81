"""The gRPC door: `berth.v1.Placement/ScoreNodes` for callers other than kube-scheduler."""

from __future__ import annotations

import grpc
import msgspec
from google.protobuf.json_format import ParseDict

from berth.cluster.pods import PodRequest
from berth.cluster.quantities import LARGEST
from berth.decisions.record import Decision
from extender.decide import Circumstances, best, empty, outline, record
from extender.state import State
from extender.verbs import Verbs, unique
from protos.berth.v1 import decision_pb2, placement_pb2, placement_pb2_grpc

MAX_NODES = 20000


class PlacementDoor(placement_pb2_grpc.PlacementServicer):
    """Scores nodes by the same rules as the HTTP verbs."""

    def __init__(self, state: State, verbs: Verbs) -> None:
        self.state, self.verbs = state, verbs

    async def ScoreNodes(  # noqa: N802 - named by the proto
        self,
        request: placement_pb2.ScoreNodesRequest,
        context: grpc.aio.ServicerContext[placement_pb2.ScoreNodesRequest, placement_pb2.ScoreNodesResponse],
    ) -> placement_pb2.ScoreNodesResponse:
        """Scores in the order of the request's nodes. INVALID_ARGUMENT for repeated or too many nodes."""
        names = list(request.nodes)
        if len(unique(names)) != len(names) or len(names) > MAX_NODES:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"nodes: each once, at most {MAX_NODES}")
        pod = pod_of(request.pod)
        verdict = await self.verbs.scores(pod, names)
        active = self.state.controls.mode == "active"
        if verdict is None:
            verdict = empty(names, self.verbs.exclusion(pod))
        if active and request.reserve:
            self.state.reserve(pod, best(verdict))
        scores = verdict.scores.tolist() if active else [0] * len(names)
        view, age = self.state.view, self.state.age_s()
        version = view.snapshot.version if view is not None else 0
        around = Circumstances("score-nodes", self.state.controls.mode, self.state.replica, 0, version, age, {})
        decision = record(pod, outline(verdict, self.state.settings.records.top), around)
        return placement_pb2.ScoreNodesResponse(scores=scores, decision=as_message(decision))


def pod_of(asked: placement_pb2.PodRequest) -> PodRequest:
    """The vocabulary's pod of a message; negative and absurd amounts are cut."""
    return PodRequest(
        uid=asked.uid,
        namespace=asked.namespace,
        name=asked.name,
        scheduler_name=asked.scheduler_name,
        cpu=amount(asked.cpu_cores),
        memory=amount(asked.memory_gib),
        gpus=min(asked.gpus, 64),
        gpu_milli=min(asked.gpu_milli, 1000),
        gpu_models=tuple(asked.gpu_models)[:16],
        priority=asked.priority,
        qos=asked.qos if asked.qos in ("Guaranteed", "Burstable", "BestEffort") else "Burstable",  # type: ignore[arg-type]
        owner_kind=asked.owner_kind,
        owner_uid=asked.owner_name,
        labels=dict(asked.labels),
    )


def amount(asked: float) -> float:
    """0 for NaN and what is negative; capped like a Kubernetes quantity."""
    return min(max(asked, 0.0), LARGEST) if asked == asked else 0.0


RENAMED = {"decided_ms": "decided_unix_ms"}
NOT_IN_MESSAGE = ("verb", "replica", "removed")


def as_message(decision: Decision) -> decision_pb2.Decision:
    """The protobuf form of a record."""
    fields = msgspec.to_builtins(decision)
    known = {RENAMED.get(k, k): v for k, v in fields.items() if k not in NOT_IN_MESSAGE and v is not None}
    for node in known["top"]:
        node.pop("in_flight", None)
        for part in ("headroom", "placement", "health"):
            if node.get(part) is None:
                node[part] = "NaN"
    message: decision_pb2.Decision = ParseDict(known, decision_pb2.Decision())
    return message
