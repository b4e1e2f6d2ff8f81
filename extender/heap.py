"""Memory that stays where it is: what is freed goes back to the system, what the busiest moment needs is taken early.

A snapshot's arrays are made and freed every few seconds beside thousands of small objects; the C allocator keeps the
highest mark of all of it. Asked to trim, it keeps what is in use. Two others cannot be asked, and grow for hours as
if something leaked: Python's own allocator of small objects, by an arena of 1 MiB whenever a moment is busier than
all before, and numpy's store of small arrays, by a few blocks whenever an array has a size not seen so often.
"""

from __future__ import annotations

import ctypes

import numpy as np

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


SMALL_ARRAY = 1024
"""numpy keeps freed data below so many bytes, by its exact size. Source: numpy/_core/src/multiarray/alloc.c."""
KEPT = 7
"""Blocks that it keeps of each size."""


def fill_small_arrays() -> None:
    """Fill numpy's store, 3.7 MB: it fills by itself, as a request for a changed number of rows is a size of its own,
    but over a hundred thousand pods."""
    for size in range(1, SMALL_ARRAY):
        _ = [np.empty(size, dtype=np.uint8) for _ in range(KEPT)]
