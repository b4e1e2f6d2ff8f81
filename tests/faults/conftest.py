"""One stage for all faults, and their table at the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.calls import until
from tests.faults.stage import RUNS, Stage, published, settles, staged


@pytest.fixture(scope="package")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The mesh with a proxy before each model."""
    with staged(tmp_path_factory.mktemp("faults")) as running:
        yield running


@pytest.fixture(autouse=True)
def in_health(stage: Stage) -> None:
    """Each fault strikes a healthy mesh: the one before has mostly left it so."""
    if not settles(stage, stage.caller):
        until(lambda: published(stage) and settles(stage, stage.caller), 40.0)


@pytest.fixture(params=[120, pytest.param(1000, marks=pytest.mark.long)])
def pods(request: pytest.FixtureRequest) -> int:
    """Pods sent under a fault; two calls each."""
    return int(request.param)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What each fault cost."""
    if not RUNS:
        return
    terminalreporter.section("faults: filter + prioritize, ms")
    head = f"{'case':42} {'calls':>5} {'non-200':>7} {'p50':>6} {'p99':>6} {'recovered':>9}  steps"
    terminalreporter.write_line(head)
    for run in RUNS:
        steps = ", ".join(f"{step} {n}" for step, n in run.steps.most_common())
        terminalreporter.write_line(
            f"{run.case:42} {2 * len(run.sum_ms):5} {run.not_200:7} {run.percentile(50):6.1f} "
            f"{run.percentile(99):6.1f} {run.recovered_s:7.1f} s  {steps}"
        )
