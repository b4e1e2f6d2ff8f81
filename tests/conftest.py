"""Fixtures for every room's tests."""

from __future__ import annotations

import hypothesis
import pytest
import xdist.scheduler

hypothesis.settings.register_profile("berth", deadline=None)  # a busy machine is no counterexample
hypothesis.settings.load_profile("berth")

TOGETHER = {"lab": "lab", "charts": "charts", "cli": "mesh", "extender": "mesh", "faults": "mesh", "benchmarks": "mesh"}
"""Rooms whose tests share what takes seconds to start, by its name: one worker runs all of them."""
APART = tuple(f"tests/lab/test_{name}.py" for name in ("faults", "live_faults", "live_placement", "by_hand"))
"""Modules there that bring all they need but a control plane, and take long: whoever is free starts one for them."""


class ByRoom(xdist.scheduler.LoadScopeScheduling):  # type: ignore[misc]
    """What may run beside what: the rooms of TOGETHER, and each module of the others."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.split("::")[0]
        return path if path in APART else TOGETHER.get(path.split("/")[1], path)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByRoom:
    """pytest-xdist's hook: what `--dist` names is not asked."""
    return ByRoom(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The lab first: it is the longest of what stays together; begun last, it would leave the other worker idle. In it
    full clusters last: a thousand pods at once make calls late in the stream of pods that faults meet beside it."""
    items.sort(key=turn)


def turn(item: pytest.Item) -> tuple[bool, bool]:
    """What orders tests; those that are equal keep their places."""
    return not item.nodeid.startswith("tests/lab/"), item.nodeid.startswith("tests/lab/test_full_cluster.py")
