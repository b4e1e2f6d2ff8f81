"""`berth train`, `berth evaluate`, `berth version`: arguments, missing extras, what is installed."""

from __future__ import annotations

import json

import pytest

from cli.errors import MissingExtraError
from cli.evaluate import flat
from cli.model_names import extras_named
from tests.cli.command import berth

pytestmark = pytest.mark.process


@pytest.mark.parametrize(("library", "extra"), [("torch", "training"), ("sklearn.ensemble", "evaluation")])
def test_a_missing_library_names_its_extra(library: str, extra: str) -> None:
    with pytest.raises(MissingExtraError, match=rf"pip install 'berth\[{extra}\]'"), extras_named():
        raise ModuleNotFoundError(name=library)


def test_a_defect_of_our_own_is_not_called_an_extra() -> None:
    with pytest.raises(ModuleNotFoundError), extras_named():
        raise ModuleNotFoundError(name="services.nothing")


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_an_unknown_model_is_refused_with_the_choices(command: str) -> None:
    ended = berth(command, "crystal-ball")
    assert ended.returncode == 2
    assert "load-predictor" in ended.stderr


def test_reports_are_shown_flat() -> None:
    assert flat({"a": {"b": 1.0, "c": {"d": 2}}, "e": "x"}) == [("a.b", 1.0), ("a.c.d", 2), ("e", "x")]


def test_version_names_artifacts_and_packages() -> None:
    found = json.loads(berth("version", "--json").stdout)
    assert found["berth"] == "0.1.0"
    assert set(found["artifacts"]) == {"load-predictor", "placement-scorer", "anomaly-detector"}
    assert "none" not in found["artifacts"].values()
    assert found["packages"]["numpy"].startswith("2.")
