"""A mesh whose parts fail on command, pods sent through it while they do, and what came of them."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from berth.cluster.pods import PodRequest
from berth.simulator.scheduling import default_scores
from cli.ports import free_ports
from cli.processes import ROOT
from cli.supervisor import Mesh
from tests.calls import MODELS, SCORED, Caller, Replay, pod, scores_of, until, variable, version_of
from tests.mesh import variables

LIMIT_MS = 100.0
SAMPLE = 500
UIDS = (f"fault-{i}" for i in count())
RECOVERY_S = 20.0
HEALTHY = ("fresh", "cached")


@dataclass
class Run:
    """What came of the calls under one fault. sum_ms: both verbs of a pod; recovered_s: from healing on."""

    case: str
    sum_ms: list[float] = field(default_factory=list)
    not_200: int = 0
    steps: Counter[str] = field(default_factory=Counter)
    counted: Counter[str] = field(default_factory=Counter)
    outcomes: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in MODELS})
    neutral: Counter[str] = field(default_factory=Counter)
    recovered_s: float = float("nan")

    def percentile(self, share: float) -> float:
        """Of the sum of both verbs, ms."""
        return float(np.percentile(self.sum_ms, share))


RUNS: list[Run] = []
"""Of the session, for the table at its end."""


class Stage(Replay):
    """The mesh, the proxies before its models, and the settings file that its extender watches."""

    def __init__(self, mesh: Mesh, config: Path, control_port: int, proxies: dict[str, int]) -> None:
        super().__init__(mesh)
        self.config, self.control_port, self.proxies = config, control_port, proxies
        columns = ("cpu_allocatable", "cpu_requested", "memory_allocatable", "memory_requested")
        self.capacity = [np.array([node[name] for node in self.nodes], dtype=np.float64) for name in columns]
        self.start = 0

    def tamper(self, models: Sequence[str], mode: str) -> None:
        """Put the proxies before these models into a mode."""
        for model in models:
            with socket.create_connection(("127.0.0.1", self.control_port), 5.0) as line:
                line.sendall(json.dumps({"port": self.proxies[model], "mode": mode}).encode() + b"\n")
                assert line.recv(2) == b"ok"

    def settings(self, **extender: Any) -> None:
        """Change the extender's settings file; returns when they are in force."""
        taken = ("taken",)
        before = self.caller.metrics("berth_settings_reloads_total").get(taken, 0.0)
        self.config.write_text(yaml.safe_dump({"extender": extender}), "utf-8")
        until(lambda: self.caller.metrics("berth_settings_reloads_total").get(taken, 0.0) > before)

    def sample(self) -> list[str]:
        """The next nodes that a scheduling cycle would see."""
        rows = [(self.start + i) % len(self.names) for i in range(SAMPLE)]
        self.start = (self.start + SAMPLE) % len(self.names)
        return [self.names[row] for row in rows]

    def publish_beside(self) -> threading.Thread:
        """A new snapshot while pods go on; where Redis is away, none comes."""

        def publish() -> None:
            try:
                self.telemetry("POST", "/replay/publish", {"steps": 1})
            except (AssertionError, OSError):
                return

        thread = threading.Thread(target=publish, daemon=True)
        thread.start()
        return thread


def send(
    stage: Stage, caller: Caller, case: str, pods: int, names: Sequence[str] | None = None, snapshots: bool = True
) -> Run:
    """Filter and prioritize `pods` pods, half of them of a new class. snapshots: new ones come while pods go on, and
    the second half of the pods meets one of them."""
    run = Run(case)
    counted, before = fallbacks(caller), version_of(caller)
    threads = []
    for i in range(pods):
        if snapshots and i % max(pods // 3, 1) == pods // 6:
            threads.append(stage.publish_beside())
        if snapshots and i == pods // 2:
            until(lambda: version_of(caller) > before)
        asked = pod(next(UIDS), cpu=f"{1000 + (37 * i if i % 2 else 0)}m", memory="2Gi")
        send_one(stage, caller, run, asked, list(names or stage.sample()))
        if i % 400 == 399:
            read_records(caller, run, 400)
    read_records(caller, run, pods % 400)
    for thread in threads:
        thread.join(35.0)
    run.counted = Counter({step: int(n - counted.get(step, 0)) for step, n in fallbacks(caller).items()})
    RUNS.append(run)
    return run


def fallbacks(caller: Caller) -> dict[str, float]:
    """The fallback metric by step."""
    return {step: value for (step,), value in caller.metrics("berth_fallback_total").items()}


def send_one(stage: Stage, caller: Caller, run: Run, asked: dict[str, Any], names: list[str]) -> None:
    """One pod. Fails at an answer that is not right; another status is counted."""
    filtered, prioritized = caller.filter(asked, names), caller.prioritize(asked, names)
    run.sum_ms.append(filtered.took_ms + prioritized.took_ms)
    run.not_200 += (filtered.status != 200) + (prioritized.status != 200)
    if filtered.status == prioritized.status == 200:
        answer = filtered.json
        assert answer["NodeNames"] == names
        assert (answer["Error"], answer["FailedNodes"]) == ("", {})
        scores = scores_of(prioritized)
        assert list(scores) == names
        if not any(scores.values()):
            assert_default(stage, asked, scores)


def assert_default(stage: Stage, asked: dict[str, Any], scores: dict[str, int]) -> None:
    """With a neutral answer kube-scheduler's best nodes are those it would have without Berth."""
    rows = [row for name in scores if (row := stage.row_of.get(name)) is not None]
    if not rows:
        return
    cpu = float(asked["spec"]["containers"][0]["resources"]["requests"]["cpu"][:-1]) / 1000.0
    alone = default_scores(PodRequest("x", cpu=cpu, memory=2.0), *(column[rows] for column in stage.capacity))
    added = np.array([scores[stage.names[row]] for row in rows], dtype=np.float64)
    for weight in (1, 5, 100):
        together = alone + added * weight * 10
        assert np.array_equal(together == together.max(), alone == alone.max())


def read_records(caller: Caller, run: Run, records: int) -> None:
    """The newest records."""
    if not records:
        return
    for record in caller.get(f"/v1/decisions?limit={records}"):
        run.steps[record["fallback"]] += 1
        if record["neutral_reason"]:
            run.neutral[record["neutral_reason"]] += 1
        for model in record["models"]:
            run.outcomes[model["model"]].add(model["outcome"])


def healthy(stage: Stage, caller: Caller) -> bool:
    """Whether a pod of a new class gets scores of the newest snapshot from all three models."""
    uid = next(UIDS)
    asked = pod(uid, cpu=f"{2000 + int(uid.split('-')[1])}m")
    caller.filter(asked, stage.names[:SAMPLE])
    caller.prioritize(asked, stage.names[:SAMPLE])
    record = caller.decision(uid)
    full = [model["outcome"] in SCORED for model in record["models"]]
    return record["fallback"] in HEALTHY and len(full) == 3 and all(full)


def recover(stage: Stage, caller: Caller, run: Run) -> None:
    """Wait until answers are as in health, with a snapshot each second instead of every 15 s."""
    started = time.monotonic()
    until(lambda: published(stage) and settles(stage, caller), RECOVERY_S, 0.2)
    run.recovered_s = time.monotonic() - started


def settles(stage: Stage, caller: Caller) -> bool:
    """Whether answers are as in health within a second."""
    end = time.monotonic() + 1.0
    while not (good := healthy(stage, caller)) and time.monotonic() < end:
        time.sleep(0.1)
    return good


def published(stage: Stage) -> bool:
    """Whether telemetry could publish."""
    try:
        stage.publish()
    except (AssertionError, OSError):
        return False
    return True


def judge(run: Run, pods: int) -> None:
    """What must hold under every fault."""
    assert run.not_200 == 0
    assert sum(run.steps.values()) == pods, run.steps
    assert +run.counted == +run.steps  # each step in the metric as often as in the records
    assert run.percentile(99) < LIMIT_MS, [round(ms) for ms in sorted(run.sum_ms)[-8:]]


def mostly(run: Run, *steps: str) -> bool:
    """Whether most answers stood on these steps: on a busy machine a model may be late now and then."""
    return sum(run.steps[step] for step in steps) >= 0.6 * sum(run.steps.values())


@contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """The whole stage, started and healthy."""
    config = folder / "settings" / "berth.yaml"
    config.parent.mkdir()
    config.write_text("extender: {}\n", "utf-8")
    control, *ports = free_ports(4)
    proxies = dict(zip(MODELS, ports, strict=True))
    settings = {variable(model, "TARGET"): f"127.0.0.1:{port}" for model, port in proxies.items()}
    settings |= {"MODELS__BREAKER_PROBE_S": "0.3", "MODELS__BREAKER_PROBE_MAX_S": "1.0"}
    environment = variables(settings)
    mesh = Mesh(
        config=config, auto_ports=True, data_dir=folder / "data", interval_s=600, restart=False, environment=environment
    )
    routes = [f"{port}=127.0.0.1:{mesh.processes[model].grpc}" for model, port in proxies.items()]
    command = [sys.executable, "-m", "tests.faults.tampering", str(control), *routes]
    proxy = subprocess.Popen(command, cwd=ROOT)
    try:
        with mesh:
            stage = Stage(mesh, config, control, proxies)
            until(lambda: healthy(stage, stage.caller), RECOVERY_S)
            yield stage
            stage.close()
    finally:
        proxy.kill()
        proxy.wait()
