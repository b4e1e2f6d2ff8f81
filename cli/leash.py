"""Ties a child to its parent: `python -I -S leash.py PARENT_PID COMMAND...` runs COMMAND in its place, and the kernel
ends it when the parent is gone, however that ended.

A program of its own, not a `preexec_fn`: Python code between fork and exec is unsafe in a process with threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""linux/prctl.h; kept across execve."""


def main(arguments: list[str]) -> None:
    """Never returns: becomes the command, or ends because the parent is gone already."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(arguments[0]):
        raise SystemExit(1)
    os.execv(arguments[1], arguments[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
