"""The machine that measured, so that figures are not read without it."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("berth", "fastapi", "grpcio", "kserve", "msgspec", "numpy", "onnxruntime", "redis", "uvicorn", "uvloop")


def describe() -> dict[str, object]:
    """Processor, memory, system, versions; load_1m: processes that wanted a core in the minute before."""
    return {
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": {name: version(name) for name in PACKAGES},
        "load_1m": round(os.getloadavg()[0], 2),
    }


def cpu_model() -> str:
    """As Linux names it, or the platform's word."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor()
