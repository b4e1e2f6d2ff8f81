"""The short form of the latency benchmark against a mesh of its own: fails on the limit."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.runs import CASES, VERBS

KEYS = {
    *("case", "nodes", "rate", "verb", "calls", "non_200", "scored_share"),
    *("p50_ms", "p90_ms", "p99_ms", "p999_ms"),
}


@pytest.mark.mesh
@pytest.mark.timed
def test_the_limit_holds_in_every_case(tmp_path: Path) -> None:
    target, started = tmp_path / "latency.json", time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.latency", "--short", "--json", str(target)],
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(target.read_text("utf-8"))
    rows = result["rows"]
    assert result["machine"]["cores"] >= 1
    assert all(set(row) == KEYS for row in rows)
    assert {(row["case"], row["verb"]) for row in rows} == {(case, verb) for case in CASES for verb in VERBS}
    assert all(row["non_200"] == 0 for row in rows)
    healthy = [row["scored_share"] for row in rows if row["case"] in ("warm", "cold", "new-snapshot")]
    assert min(healthy) >= 0.9
    assert time.monotonic() - started < 90.0
