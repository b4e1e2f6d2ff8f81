"""The settings class of each section, imported when asked for."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from berth.settings import SECTIONS, InvalidSettings, ProcessSettings

CLASSES = {
    "extender": ("extender.settings", "ExtenderSettings"),
    "telemetry": ("services.telemetry.settings", "TelemetrySettings"),
    "load_predictor": ("services.load_predictor.settings", "LoadPredictorSettings"),
    "placement_scorer": ("services.placement_scorer.settings", "PlacementScorerSettings"),
    "anomaly_detector": ("services.anomaly_detector.settings", "AnomalyDetectorSettings"),
}


def settings_class(section: str) -> type[ProcessSettings]:
    """The class of one of SECTIONS."""
    module, name = CLASSES[section]
    found: type[ProcessSettings] = getattr(import_module(module), name)
    return found


def load_sections(path: Path | None, sections: tuple[str, ...] = SECTIONS) -> dict[str, ProcessSettings]:
    """Settings of each section. Raises InvalidSettings with the problems of all of them."""
    loaded: dict[str, ProcessSettings] = {}
    problems: list[str] = []
    for section in sections:
        try:
            loaded[section] = settings_class(section).load(path)
        except InvalidSettings as error:
            problems += [problem for problem in error.problems if problem not in problems]
    if problems:
        raise InvalidSettings(problems)
    return loaded
