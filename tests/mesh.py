"""Settings of the meshes that tests start."""

from __future__ import annotations

from collections.abc import Mapping

from tests.calls import MODELS, variable

PATIENT = {
    "MODELS__BUDGET_MS": "1000",
    "REDIS__TIMEOUT_MS": "1000",
    **{variable(model, "TIMEOUT_MS"): "1000" for model in MODELS},
}
"""Settings of an extender. What is answered is asked with them, while other tests want the processor too; how fast, in
the tests that run alone."""


def variables(settings: Mapping[str, str]) -> dict[str, str]:
    """Settings of the extender as environment."""
    return {f"BERTH_EXTENDER__{name}": value for name, value in settings.items()}
