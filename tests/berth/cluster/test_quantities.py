"""Values of apimachinery/pkg/api/resource/quantity_test.go."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from berth.cluster.quantities import LARGEST, QuantityError, parse


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0.0), ("100m", 0.1), ("1", 1.0), ("1.5", 1.5), (".5", 0.5), ("1.", 1.0), ("+3", 3.0), ("-2", -2.0),
        ("1n", 1e-9), ("1u", 1e-6), ("1k", 1e3), ("1M", 1e6), ("1G", 1e9), ("1T", 1e12), ("1P", 1e15), ("1E", 1e18),
        ("1Ki", 1024.0), ("1Mi", 2.0**20), ("1.5Gi", 1.5 * 2**30), ("1Ti", 2.0**40), ("1Pi", 2.0**50), ("1Ei", 2.0**60),
        ("1e3", 1e3), ("1E3", 1e3), ("12e-1", 1.2), ("1e+2", 100.0),
    ],
)  # fmt: skip
def test_the_forms_that_kubernetes_writes(text: str, value: float) -> None:
    assert parse(text) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    "text", ["", " 1", "1 ", "1K", "1mi", "m", "1e", "e3", "0x1", "1_0", "inf", "nan", "1Gi5", "١", "1.2.3"]
)
def test_what_kubernetes_refuses(text: str) -> None:
    with pytest.raises(QuantityError):
        parse(text)


@pytest.mark.parametrize("text", ["9e307", "1e999", "99999999999Ei", "9" * 400])
def test_large_values_are_capped(text: str) -> None:
    assert parse(text) == LARGEST
    assert parse(f"-{text}") == -LARGEST
    assert parse("1e-999") == 0.0


@given(st.text(max_size=20))
def test_any_text_is_a_finite_number_or_one_error(text: str) -> None:
    said = ""
    try:
        assert abs(parse(text)) <= LARGEST
    except QuantityError as error:
        said = str(error)
    assert len(said) < 300
