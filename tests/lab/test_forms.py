"""Names alone or whole nodes: kube-scheduler's two forms of a call lead to the same node."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.calls import Replay
from tests.extender.replica import Replica
from tests.lab.berth import fresh_replicas, url_at
from tests.lab.binds import Binds
from tests.lab.control_plane import ControlPlane
from tests.lab.objects import node, pod
from tests.lab.scheduler import Config, Scheduler, example, patient, scores_alone
from tests.mesh import PATIENT

NODES = 120
FORMS = {"names": True, "nodes": False}
CLASSES = [("500m", "1Gi"), ("2", "2Gi"), ("4", "16Gi"), ("1", "30Gi")]
"""CPU and memory."""
OPTED_IN = {"labels": {"berth.dev/scoring": "true"}}


@pytest.fixture
def extender(recorded: Replay) -> Iterator[Replica]:
    """One that forgets what it placed, and waits for every model: like pods go to the same node."""
    with fresh_replicas(recorded, 1, {"INFLIGHT__ENABLED": "false", **PATIENT}) as (running,):
        yield running


def config(form: str, extender: Replica) -> Config:
    """A kube-scheduler named after the form."""
    made = patient(scores_alone(example("second-scheduler", url_at(extender.port))))
    made["profiles"][0]["schedulerName"] = form
    made["extenders"][0]["nodeCacheCapable"] = FORMS[form]
    return made


def test_both_forms_are_scored_and_choose_the_same_nodes(
    empty: ControlPlane, recorded: Replay, extender: Replica
) -> None:
    empty.create(node(name, cpu="1000", memory="4000Gi") for name in recorded.names[:NODES])
    with (
        Scheduler(empty, config("names", extender), name="names") as names,
        Scheduler(empty, config("nodes", extender), name="nodes") as nodes,
        Binds(empty) as binds,
    ):
        empty.create(
            pod(f"{form}-{i}", *asks, scheduler=form, meta=OPTED_IN) for form in FORMS for i, asks in enumerate(CLASSES)
        )
        binds.wait(2 * len(CLASSES))
        chosen = [[binds.node_of[f"{form}-{i}"] for i in range(len(CLASSES))] for form in FORMS]
        assert names.failed_calls() == nodes.failed_calls() == {"filter": 0, "prioritize": 0}
    assert chosen[0] == chosen[1]
    for form in FORMS:
        for i in range(len(CLASSES)):
            record = extender.caller.decision(f"{form}-{i}")
            assert record["neutral_reason"] == ""
            assert record["nodes"] == NODES
