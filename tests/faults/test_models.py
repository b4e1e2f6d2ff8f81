"""Model services that die, hang, lag or lie."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from cli.endpoint import call
from cli.errors import UnreachableError
from tests.calls import MODELS, SCORED, Caller, pod, until, variable
from tests.extender.replica import replica
from tests.faults.stage import HEALTHY, LIMIT_MS, Run, Stage, judge, mostly, recover, send

pytestmark = [pytest.mark.mesh, pytest.mark.timed, pytest.mark.timeout(900)]

ALL = tuple(MODELS)
TAMPERED = (
    "delay-40", "delay-200", "garbage", "empty", "nan", "infinity", "out-of-range", "wrong-shape", "another-version",
    "another-digest",
)  # fmt: skip
GONE = [
    *(pytest.param((m,), id=m, marks=() if m == "placement-scorer" else pytest.mark.long) for m in MODELS),
    pytest.param(ALL, id="all"),
]
"""Models that are killed or stopped; the short form takes one of them, and all."""
HARMLESS = ("delay-40", "another-version")
"""What need not cost a step: an answer in time, and a rolling upgrade to a model that takes the same columns."""


def under_tampering(stage: Stage, models: tuple[str, ...], mode: str, pods: int) -> Run:
    """A run with tampered models, twice at most: another program's load is no fault of the mesh."""
    for _ in range(2):
        stage.tamper(models, mode)
        try:
            run = send(stage, stage.caller, f"{mode}: {'all models' if models == ALL else models[0]}", pods)
        finally:
            stage.tamper(models, "pass")
        recover(stage, stage.caller, run)
        if run.percentile(99) < LIMIT_MS:
            break
    return run


def test_in_health_at_least_99_of_100_answers_use_all_three_models(stage: Stage) -> None:
    caller, names = stage.caller, list(stage.sample())
    for attempt in range(4):  # another program's load may cost a round; the mesh's own may not cost all of them
        until(lambda: caller.get("/readyz")["status"] == "ok")
        for i in range(100):
            asked = pod(f"health-{attempt}-{i}", cpu=f"{100 + 37 * i + attempt}m")
            caller.filter(asked, names)
            caller.prioritize(asked, names)
        caller.decision(asked["metadata"]["uid"])  # all before it are written too
        records = caller.get("/v1/decisions?limit=100")
        assert len({r["pod_uid"] for r in records}) == 100
        assert {m["model"] for r in records for m in r["models"]} == set(MODELS)
        full = [r for r in records if all(m["outcome"] in SCORED for m in r["models"])]
        if len(full) >= 99:
            return
    pytest.fail(str(Counter((m["model"], m["outcome"]) for r in records for m in r["models"])))


@pytest.mark.parametrize("mode", TAMPERED)
def test_all_models_tampered_with(stage: Stage, mode: str, pods: int) -> None:
    run = under_tampering(stage, ALL, mode, pods)
    judge(run, pods)
    if mode not in HARMLESS:
        assert set(run.steps) & {"older-scores", "partial", "neutral"}


def test_filter_waits_for_no_model_and_shadow_not_at_all(stage: Stage) -> None:
    names, scorer = list(stage.sample()), ("placement-scorer",)
    patient = {"budget_ms": 500.0, "placement_scorer": {"timeout_ms": 500.0}}  # so that it is late for nobody
    try:
        stage.settings(models=patient)
        stage.tamper(scorer, "delay-40")
        asked = pod("patient", cpu="3777m", memory="5Gi")
        assert stage.caller.filter(asked, names).took_ms < 30.0
        assert stage.caller.prioritize(asked, names).took_ms > 30.0
        with stage.override(mode="shadow"):
            asked = pod("watched", cpu="4777m", memory="5Gi")
            assert stage.caller.filter(asked, names).took_ms < 30.0
            assert stage.caller.prioritize(asked, names).took_ms < 30.0
            record = stage.caller.decision("watched")
    finally:
        stage.tamper(scorer, "pass")
        stage.settings()
    assert record["fallback"] in HEALTHY
    assert record["top"]


@pytest.mark.long
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("mode", TAMPERED)
def test_one_model_tampered_with(stage: Stage, model: str, mode: str) -> None:
    run = under_tampering(stage, (model,), mode, 1000)
    judge(run, 1000)
    others = set(MODELS) - {model}
    if mode == "delay-200" and model != "placement-scorer":
        # Asked when a snapshot comes, under a second's deadline: 200 ms keep no pod waiting.
        assert mostly(run, "fresh", "cached")
    elif mode not in HARMLESS:
        assert set(run.steps) & {"older-scores", "partial"}
        assert all(run.outcomes[other] & {"memory", "fresh", "redis"} for other in others)


@pytest.fixture(scope="module")
def direct(stage: Stage) -> Iterator[Caller]:
    """An extender that speaks with the models themselves, so that connections break as they really do."""
    targets = {variable(m, "TARGET"): f"127.0.0.1:{stage.mesh.processes[m].grpc}" for m in MODELS}
    probes = {"MODELS__BREAKER_PROBE_S": "0.3", "MODELS__BREAKER_PROBE_MAX_S": "1.0"}
    with replica(stage.mesh, {**targets, **probes}) as running:
        yield running.caller


def is_ready(stage: Stage, model: str) -> bool:
    """Whether a model service answers that it is ready."""
    try:
        return call("GET", f"{stage.mesh.url(model)}/readyz")[0] == 200
    except UnreachableError:
        return False


def bring_back(stage: Stage, models: tuple[str, ...]) -> None:
    """Start killed models again and wait for them."""
    for model in models:
        stage.mesh.start_process(model)
    for model in models:
        until(lambda model=model: is_ready(stage, model), 60.0)


@pytest.mark.parametrize("models", GONE)
def test_stopped(stage: Stage, direct: Caller, models: tuple[str, ...], pods: int) -> None:
    for _ in range(2):
        for model in models:
            stage.mesh.stop_signal(model)
        try:
            run = send(stage, direct, f"stopped: {'all models' if models == ALL else models[0]}", pods)
        finally:
            for model in models:
                stage.mesh.cont(model)
        recover(stage, direct, run)
        if run.percentile(99) < LIMIT_MS:
            break
    judge(run, pods)
    assert set(run.steps) & {"older-scores", "partial"}


@pytest.mark.parametrize("models", GONE)
def test_killed(stage: Stage, direct: Caller, models: tuple[str, ...], pods: int) -> None:
    for _ in range(2):
        for model in models:
            stage.mesh.kill(model)
        try:
            run = send(stage, direct, f"killed: {'all models' if models == ALL else models[0]}", pods)
        finally:
            bring_back(stage, models)
        recover(stage, direct, run)
        if run.percentile(99) < LIMIT_MS:
            break
    judge(run, pods)
    assert set(run.steps) & {"older-scores", "partial"}


def test_killed_before_the_extender_starts_is_default_scheduling(stage: Stage, pods: int) -> None:
    for model in MODELS:
        stage.mesh.kill(model)
    for key in stage.redis.scan_iter("berth:{scores:*"):
        stage.redis.delete(key)
    dead = {"MODELS__BREAKER_PROBE_S": "0.3", "MODELS__BREAKER_PROBE_MAX_S": "1.0"}
    targets = {variable(m, "TARGET"): f"127.0.0.1:{stage.mesh.processes[m].grpc}" for m in MODELS}
    try:
        with replica(stage.mesh, {**dead, **targets}, degraded=True) as running:
            until(lambda: running.caller.get("/v1/state")["snapshot"])
            run = send(stage, running.caller, "killed before the extender starts", pods)
            bring_back(stage, ALL)
            recover(stage, running.caller, run)
    finally:
        bring_back(stage, ALL)
    judge(run, pods)
    assert set(run.steps) == {"neutral"}
    assert set(run.neutral) == {"no-models"}
