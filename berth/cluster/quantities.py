"""Kubernetes quantities: '250m', '1.5Gi', '2e3'. Source: apimachinery/pkg/api/resource/quantity.go."""

from __future__ import annotations

import math
import re
from functools import lru_cache

SUFFIXES = {
    "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0,
    "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60,
}  # fmt: skip
GRAMMAR = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d{1,3})|([numkMGTPE]|[KMGTPE]i)?)")
GIB = 2.0**30


class QuantityError(ValueError):
    """Not a quantity; the message quotes it."""


@lru_cache(maxsize=4096)
def parse(text: str) -> float:
    """The value of a quantity in its base unit (cores, bytes, devices). Raises QuantityError."""
    found = GRAMMAR.fullmatch(text)
    if found is None:
        raise QuantityError(f"not a quantity: {text[:40]!r}")
    number, exponent, suffix = found.groups()
    value = float(number) * (10.0 ** int(exponent) if exponent else SUFFIXES[suffix or ""])
    if not math.isfinite(value):
        raise QuantityError(f"out of range: {text[:40]!r}")
    return value
