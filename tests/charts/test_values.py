"""Values: what is misspelt, of the wrong kind or secret is refused by name, at install."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from pydantic_core import PydanticUndefined

from berth.settings import SECTIONS
from charts.schema.__main__ import VALUES, main
from charts.schema.pieces import Values
from cli.sections import settings_class
from cli.settings_view import fields
from extender.settings import ExtenderSettings
from tests.charts.helm import CHARTS, NAMES, Helm, HelmError, cases, every_case, named, settings_of


def test_the_schemas_are_those_of_the_settings() -> None:
    assert main(["--check"]) == 0


@pytest.mark.parametrize("chart", NAMES)
def test_lint(helm: Helm, chart: str) -> None:
    helm("lint", "--strict", chart)
    for values in cases(chart):
        helm("lint", "--strict", chart, "--values", values)


@pytest.mark.parametrize(
    ("chart", "value", "named"),
    [
        ("extender", "replcas=3", "additional properties 'replcas' not allowed"),
        ("extender", "settings.mod=active", "at '/settings': additional properties 'mod' not allowed"),
        ("extender", "settings.mode=on", "at '/settings/mode'"),
        ("extender", "settings.rollout_percent=101", "at '/settings/rollout_percent'"),
        ("extender", "settings.models.load_predictor.timeout_ms=0", "at '/settings/models/load_predictor/timeout_ms'"),
        ("extender", "settings.redis.url=redis://:secret@r", "at '/settings/redis': additional properties 'url'"),
        ("extender", "image.digest=latest", "at '/image/digest'"),
        ("extender", "tls.certManager.duration=soon", "at '/tls/certManager/duration'"),
        ("model-service", "model=load-predicter", "at '/model'"),
        ("model-service", "settings.max_queue=0", "at '/settings/max_queue'"),
        ("model-service", "artifact.digest=abc", "at '/artifact/digest'"),
        ("telemetry", "settings.prometheus.password=secret", "additional properties 'password' not allowed"),
        ("telemetry", "settings.redis_url=redis://:secret@r", "additional properties 'redis_url' not allowed"),
        ("telemetry", "history.store=disk", "at '/history/store'"),
        ("mesh", "redis.maxMemoryMib=1", "at '/redis/maxMemoryMib'"),
        ("mesh", "telemtry.replicas=1", "additional properties 'telemtry' not allowed"),
        ("mesh", "extender.settings.mod=active", "additional properties 'mod' not allowed"),
    ],
)
def test_a_value_that_is_wrong_is_refused_by_name(helm: Helm, chart: str, value: str, named: str) -> None:
    with pytest.raises(HelmError, match=re.escape(named)):
        helm.rendered(chart, "--set", value)


def test_off_in_a_hurry_is_off(helm: Helm, tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text("settings: {mode: off}\n", "utf-8")
    (written,) = settings_of(helm.rendered("extender", "--values", values))
    settings = tmp_path / "berth.yaml"
    settings.write_text(written, "utf-8")
    assert ExtenderSettings.load(settings).mode == "off"


@pytest.mark.parametrize(
    ("chart", "values", "said"),
    [
        ("telemetry", "replicas=2", "ReadWriteMany"),
        ("telemetry", "history.store=url", "must name an object store"),
        ("model-service", "mode=raw,kserve.canaryTrafficPercent=10", "mode raw knows no revisions"),
        ("extender", "tls.enabled=true,tls.certManager.enabled=true", "tls.certManager.issuerRef.name"),
        *((chart, "metrics.serviceMonitor=true", "would not be let in") for chart in NAMES if chart != "mesh"),
        ("extender", "metrics.serviceMonitor=true,tls.enabled=true,tls.secret=own", "metrics.clientSecret must name"),
    ],
)
def test_values_that_do_not_fit_together_are_refused(helm: Helm, chart: str, values: str, said: str) -> None:
    with pytest.raises(HelmError, match=said):
        helm.rendered(chart, "--set", values)


@pytest.mark.parametrize("chart", NAMES)
def test_the_commented_values_are_all_there_are_with_their_defaults(chart: str) -> None:
    given = yaml.safe_load((CHARTS / chart / "values.yaml").read_text("utf-8"))
    differences = list(differing(VALUES[chart], given))
    assert not differences


def differing(group: type[Values], given: dict[str, object], default: object = None, above: str = "") -> list[str]:
    """Fields that the file leaves out, or gives another default than the class. Free objects are the file's alone.
    default: the group's own, whose values are the fields'."""
    found = []
    for name, field in group.model_fields.items():
        shown, inner = f"{above}{field.alias}", field.annotation
        expected = getattr(default, name) if default is not None else field.default
        if not above and field.alias in ("global", "parts", "enabled"):
            continue
        if field.alias not in given:
            found.append(f"{shown}: not in values.yaml")
        elif isinstance(inner, type) and issubclass(inner, Values):
            value = given[field.alias]
            assert isinstance(value, dict)
            found += differing(inner, value, None if field.is_required() else expected, f"{shown}.")
        elif expected not in (given[field.alias], {}, PydanticUndefined):
            found.append(f"{shown}: {given[field.alias]!r}, the class has {expected!r}")
    return found


def test_every_secret_setting_can_come_from_a_secret() -> None:
    for section in ("extender", "telemetry"):
        secret = {one.name.removeprefix(f"{section}.") for one in fields((section,)) if one.type == "secret text"}
        given = VALUES[section].model_fields["from_secrets"].annotation
        offered = given.__args__[0].model_fields["setting"].annotation.__args__  # type: ignore[union-attr]
        assert set(offered) == secret
    others = set(SECTIONS) - {"extender", "telemetry"}
    assert not [one for one in fields(tuple(sorted(others))) if one.type == "secret text"]


@pytest.mark.parametrize("case", every_case(), ids=named)
def test_settings_that_a_chart_writes_are_taken(helm: Helm, tmp_path: Path, case: tuple[str, Path]) -> None:
    chart, values = case
    written = settings_of(helm.rendered(chart, "--values", values))
    assert written
    for text in written:
        (section,) = yaml.safe_load(text)
        path = tmp_path / f"{section}.yaml"
        path.write_text(text, "utf-8")
        settings_class(section).load(path)
