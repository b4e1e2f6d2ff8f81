"""Kubernetes quantities: '250m', '1.5Gi', '2e3'. Source: apimachinery/pkg/api/resource/quantity.go."""

from __future__ import annotations

import re
from functools import lru_cache

SUFFIXES = {
    "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0,
    "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60,
}  # fmt: skip
GRAMMAR = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d{1,3})|([numkMGTPE]|[KMGTPE]i)?)", re.ASCII)
GIB = 2.0**30
LARGEST = 2.0**63 - 1
"""Larger values are capped, as Kubernetes does."""
LARGEST_EXPONENT = 300


class QuantityError(ValueError):
    """Not a quantity; the message quotes it."""


@lru_cache(maxsize=4096)
def parse(text: str) -> float:
    """The value of a quantity in its base unit (cores, bytes, devices). Raises QuantityError."""
    found = GRAMMAR.fullmatch(text)
    if found is None:
        raise QuantityError(f"not a quantity: {text[:40]!r}")
    number, exponent, suffix = found.groups()
    scale = 10.0 ** min(int(exponent), LARGEST_EXPONENT) if exponent else SUFFIXES[suffix or ""]
    return max(-LARGEST, min(float(number) * scale, LARGEST))
