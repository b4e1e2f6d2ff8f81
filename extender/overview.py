"""What is degraded, and the state in JSON: for `/readyz`, `/v1/state` and `/v1/report`."""

from __future__ import annotations

from collections import Counter

from berth.decisions.record import decode
from extender.records import Recorder
from extender.state import State


def degraded(state: State) -> list[str]:
    """What keeps answers from being the best: short phrases, [] in health."""
    said = []
    age = state.age_s()
    if age is None:
        said.append("no snapshot yet")
    elif age >= state.settings.snapshot.expired_s:
        said.append(f"snapshot expired ({age:.0f} s old)")
    elif age > state.settings.snapshot.fresh_s:
        said.append(f"snapshot aged ({age:.0f} s old)")
    for name, client in state.clients.items():
        if client.enabled and client.breaker.open:
            said.append(f"{name} does not answer")
        elif client.enabled and client.contract is None:
            said.append(f"{name} is not known yet")
        elif client.enabled and client.contract is not None and lacks_columns(state, client.contract.node_features):
            said.append(f"{name} reads columns that the snapshot does not have")
    if state.store.down:
        said.append("redis does not answer")
    if state.judge.cause:
        said.append(f"went back to shadow: {state.judge.cause}")
    return said


def lacks_columns(state: State, features: tuple[str, ...]) -> bool:
    """Whether the snapshot in use misses a column that a model reads."""
    return state.view is not None and not all(name in state.view.column for name in features)


def readiness(state: State) -> dict[str, object]:
    """Body of `/readyz`: a neutral answer is an answer, so the process is ready once it listens."""
    missing = degraded(state)
    status = "draining" if state.draining else "degraded" if missing else "ok"
    return {"status": status, "degraded": missing}


def state_of(state: State, recorder: Recorder) -> dict[str, object]:
    """Body of `/v1/state`."""
    controls, view, age = state.controls, state.view, state.age_s()
    return {
        "replica": state.replica,
        "mode": controls.mode,
        "mode_source": controls.source,
        "rollout_percent": controls.rollout_percent,
        "weights": controls.weights,
        "degraded": degraded(state),
        "snapshot": None
        if view is None
        else {
            "version": view.snapshot.version,
            "age_s": age,
            "nodes": len(view.snapshot.nodes),
            "features": len(view.snapshot.features),
            "source": view.snapshot.source,
        },
        "models": {name: model_state(state, name) for name in state.clients},
        "inflight": len(state.ledger),
        "redis": "down" if state.store.down else "up",
        "records_waiting": recorder.queue.qsize(),
    }


def model_state(state: State, name: str) -> dict[str, object]:
    """One model as the extender sees it."""
    client = state.clients[name]
    held = 0 if state.view is None else sum(1 for model, _ in state.view.scores if model == name)
    return {
        "enabled": client.enabled,
        "version": client.contract.version if client.contract else None,
        "breaker": "open" if client.breaker.open else "closed",
        "scores_held": held,
    }


def report(recorder: Recorder) -> dict[str, object]:
    """Body of `/v1/report`: how this replica's recent decisions came about."""
    recent = [decode(line) for line in recorder.recent]
    return {
        "decisions": len(recent),
        "modes": dict(Counter(d.mode for d in recent)),
        "fallback": dict(Counter(d.fallback for d in recent)),
        "neutral": dict(Counter(d.neutral_reason for d in recent if d.neutral_reason)),
    }
