"""`berth config`: values with their source, refusals, the schema."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from berth.settings import SECTIONS
from cli.sections import settings_class
from cli.settings_view import fields, flat
from tests.cli.command import berth

pytestmark = pytest.mark.process


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A settings file with one field set."""
    path = tmp_path / "berth.yaml"
    path.write_text("extender:\n  models:\n    budget_ms: 60\n  redis:\n    url: redis://:secret@127.0.0.1:6379/0\n")
    return path


def test_values_name_their_source(file: Path) -> None:
    given = {"BERTH_EXTENDER__SERVER__PORT": "9999"}
    ended = berth("config", "--config", str(file), "--section", "extender", "--json", environment=given)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["extender.models.budget_ms"] == {"value": 60.0, "source": "berth.yaml"}
    assert found["extender.server.port"] == {"value": 9999, "source": "BERTH_EXTENDER__SERVER__PORT"}
    assert found["extender.server.host"] == {"value": "127.0.0.1", "source": "default"}


@pytest.mark.parametrize("as_json", [True, False])
def test_secrets_are_masked(file: Path, as_json: bool) -> None:
    ended = berth("config", "--config", str(file), *(["--json"] if as_json else []))
    assert ended.returncode == 0
    assert "redis.url" in ended.stdout
    assert "secret@" not in ended.stdout


def test_table_shows_lists_as_they_are() -> None:
    assert "[berth-system]" in berth("config", "--section", "extender").stdout


def test_every_problem_is_refused_on_a_line_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("extender:\n  server:\n    port: 70000\n  sail: up\ntelemetry:\n  nodes: 0\n")
    ended = berth("config", "--config", str(path))
    assert ended.returncode == 2
    refused = [line for line in ended.stderr.splitlines() if line.startswith("refused: ")]
    assert len(refused) == 3
    for field in ("extender.server.port", "extender.sail", "telemetry.nodes"):
        assert sum(field in line for line in refused) == 1


@pytest.mark.parametrize("command", ["config", "up"])
def test_a_missing_or_unreadable_file_is_refused(command: str, tmp_path: Path) -> None:
    path = tmp_path / "not.yaml"
    path.write_text("extender: [")
    ended = berth(command, "--config", str(path), cwd=tmp_path)
    assert ended.returncode == 2
    assert "not.yaml" in ended.stderr


def test_unknown_variable_is_refused() -> None:
    ended = berth("config", environment={"BERTH_EXTENDER__SERVER__PROT": "1"})
    assert ended.returncode == 2
    assert "BERTH_EXTENDER__SERVER__PROT" in ended.stderr


def test_unknown_section_is_refused() -> None:
    assert berth("config", "--section", "sails").returncode == 2


def test_schema_has_every_field_once() -> None:
    found = fields(SECTIONS)
    names = [field.name for field in found]
    assert len(names) == len(set(names))
    for section in SECTIONS:
        loaded = settings_class(section).load()
        assert {name for name in names if name.startswith(f"{section}.")} == {
            f"{section}.{'.'.join(path)}" for path, _ in flat(loaded)
        }


def test_schema_says_unit_range_and_default() -> None:
    by_name = {field.name: field for field in fields(("extender",))}
    budget = by_name["extender.models.budget_ms"]
    assert (budget.unit, budget.range, budget.default) == ("ms", "5 to 1000", 70.0)
    assert by_name["extender.mode"].type == "one of off, shadow, active"
    assert by_name["extender.server.port"].restart
    assert by_name["extender.models.placement_scorer.target"].default == "127.0.0.1:8092"


def test_schema_as_json_is_json() -> None:
    ended = berth("config", "--schema", "--json", "--section", "telemetry")
    assert {field["name"] for field in json.loads(ended.stdout)} >= {"telemetry.nodes", "telemetry.interval_s"}


def test_schema_as_table_fits_a_log() -> None:
    lines = berth("config", "--schema").stdout.splitlines()
    assert max(map(len, lines)) <= 100
