"""glibc's malloc kept from giving each large tensor's pages back to the kernel.

A call of 5,000 rows allocates several blocks of 1 MB and more. By default each is a mapping of its own, made and
torn down with every call; the page faults cost more than the call itself. See mallopt(3).
"""

from __future__ import annotations

import ctypes

MMAP_THRESHOLD = (-3, 32 * 2**20)
TRIM_THRESHOLD = (-1, 128 * 2**20)
ARENA_MAX = (-8, 2)


def keep_large_blocks() -> bool:
    """Sets the process's malloc; the same as MALLOC_MMAP_THRESHOLD_, MALLOC_TRIM_THRESHOLD_ and
    MALLOC_ARENA_MAX in the environment. Returns whether it took, which it does on glibc alone."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    took = [mallopt(option, value) for option, value in (MMAP_THRESHOLD, TRIM_THRESHOLD, ARENA_MAX)]
    return took == [1, 1, 1]
