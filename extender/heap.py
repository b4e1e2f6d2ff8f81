"""Memory that stays where it is: what is freed goes back to the system, what the busiest moment needs is taken early.

A snapshot's arrays are made and freed every few seconds beside thousands of small objects; the C allocator keeps the
highest mark of all of it. Asked to trim, it keeps what is in use. Python's own allocator of small objects cannot be
asked: it grows by an arena of 1 MiB whenever a moment is busier than all before, over hours, which looks like a leak.
"""

from __future__ import annotations

import ctypes

LARGE = 128 * 1024
"""Bytes from which a block has pages of its own, glibc's default: unless it is set, the first large block that is
freed raises it, and from then on arrays lie between small objects and leave holes of all sizes."""
M_MMAP_THRESHOLD = -3
"""Source: malloc.h of glibc."""


def keep_large_apart() -> None:
    """glibc's mallopt(3). Nothing where the C library has none."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE)


def trim() -> None:
    """glibc's malloc_trim(3): milliseconds, without the interpreter's lock. Nothing where the C library has none."""
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)


ARENA = 2**20
"""Bytes that CPython's allocator of small objects takes at once. Source: Objects/obmalloc.c (ARENA_SIZE)."""
BLOCK = 512
"""Its largest block; bytes objects have a head of 33."""


def reserve(mebibytes: int) -> list[bytes]:
    """Take arenas for small objects and free them but for a block each, by which they stay. Keep what it returns."""
    blocks = [bytes(BLOCK - 40) for _ in range(mebibytes * ARENA // BLOCK)]
    return blocks[:: ARENA // BLOCK // 2]
