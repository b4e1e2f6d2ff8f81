from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_committed_stubs_are_those_of_the_protos() -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "protos.generate", "--check"], cwd=root, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
