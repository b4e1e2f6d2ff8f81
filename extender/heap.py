"""Freed memory back to the system, so that what a process holds is what it uses.

A snapshot's arrays are made and freed every few seconds beside thousands of small objects; the allocator keeps the
highest mark of all of it. Asked to trim, it keeps what is in use.
"""

from __future__ import annotations

import ctypes


def trim() -> None:
    """glibc's malloc_trim(3): milliseconds, without the interpreter's lock. Nothing where the C library has none."""
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)
