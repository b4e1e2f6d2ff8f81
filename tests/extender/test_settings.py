from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from berth.settings import InvalidSettings
from extender.settings import ExtenderSettings

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def writer(text: str) -> Path:
        path = tmp_path / "berth.yaml"
        path.write_text(text, "utf-8")
        return path

    return writer


def problems(path: Path | None) -> list[str]:
    with pytest.raises(InvalidSettings) as refused:
        ExtenderSettings.load(path)
    return refused.value.problems


def test_defaults_are_those_of_the_design() -> None:
    loaded = ExtenderSettings.load(None)
    assert (loaded.server.host, loaded.server.port, loaded.server.grpc_port) == ("127.0.0.1", 8888, 8889)
    assert (loaded.server.body_limit_mib, loaded.models.load_predictor.timeout_ms) == (64, 50.0)
    assert (loaded.snapshot.fresh_s, loaded.snapshot.expired_s) == (60.0, 600.0)
    assert not loaded.filter.enabled
    assert not loaded.retreat.enabled
    assert loaded.opt_in.scheduler_names == ("berth",)


def test_idle_connections_outlive_kube_schedulers_90_s(write: Write) -> None:
    assert ExtenderSettings.load(None).server.keep_alive_s > 90
    (problem,) = problems(write("extender: {server: {keep_alive_s: 90}}"))
    assert problem.startswith("extender.server.keep_alive_s: ")


def test_the_environment_wins_over_the_file(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("extender: {mode: shadow, models: {budget_ms: 60, placement_scorer: {target: 'file:1'}}}")
    monkeypatch.setenv("BERTH_EXTENDER__MODELS__PLACEMENT_SCORER__TARGET", "env:1")
    loaded = ExtenderSettings.load(path)
    assert (loaded.mode, loaded.models.budget_ms) == ("shadow", 60.0)
    assert loaded.models.placement_scorer.target == "env:1"
    assert loaded.models.load_predictor.target == "127.0.0.1:8091"


def test_every_problem_is_named_not_the_first_alone(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BERTH_EXTENDER__SERVER__PROT", "1")
    path = write("extender: {mode: on, snapshot: {fresh_s: 700}, nonsense: 1, scoring: {min_spread: .nan}}")
    found = "\n".join(problems(path))
    for name in ("BERTH_EXTENDER__SERVER__PROT", "extender.mode", "extender.snapshot", "extender.nonsense"):
        assert name in found
    assert "extender.nonsense: unknown field" in found
    assert "fresh_s must be below expired_s" in found
    assert "extender.scoring.min_spread" in found


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("extender: {server: {port: 70000}}", "extender.server.port"),
        ("extender: {models: {load_predictor: {timeout_ms: 0}}}", "extender.models.load_predictor.timeout_ms"),
        ("extender: {models: {load_predictor: {target: ''}}}", "extender.models.load_predictor.target"),
        ("extender: {models: {tls_ca: {target: ''}}}", "extender.models.tls_ca"),
        ("extender: {models: {load_predictor: [1]}}", "extender.models.load_predictor"),
        ("extender: {scoring: {weights: {headroom: 0, placement: 0, health: 0}}}", "extender.scoring.weights"),
        ("extender: {scoring: {weights: {headroom: -1}}}", "extender.scoring.weights.headroom"),
        ("extender: {filter: {max_share: 0.9}}", "extender.filter.max_share"),
        ("extender: {rollout_percent: .inf}", "extender.rollout_percent"),
        ("extender: [1]", "extender: a mapping of fields is expected"),
        ("extnder: {}", "extnder: unknown section"),
        ("[]", "berth.yaml: a mapping of sections is expected"),
        ("extender: {mode: [", "berth.yaml, line 1: not valid YAML"),
    ],
)
def test_a_bad_value_is_refused_with_its_name(write: Write, text: str, named: str) -> None:
    assert any(problem.startswith(named) for problem in problems(write(text)))


@pytest.mark.parametrize("written", ["off", "'off'", "Off", "false"])
def test_off_may_be_written_without_quotes(write: Write, written: str) -> None:
    assert ExtenderSettings.load(write(f"extender: {{mode: {written}}}")).mode == "off"


def test_a_missing_file_is_refused_without_its_folder(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path / "nowhere.yaml")
    assert problem.startswith("nowhere.yaml: cannot be read")
    assert str(tmp_path) not in problem


def test_secrets_are_not_shown(write: Write) -> None:
    loaded = ExtenderSettings.load(write("extender: {redis: {url: 'redis://:hunter2@h:1/0'}}"))
    assert "hunter2" not in repr(loaded)
    assert "hunter2" not in str(loaded.model_dump())
    assert "hunter2" not in loaded.model_dump_json()
    found = problems(write("extender: {redis: {url: ['redis://:hunter2@h:1/0'], timeout_ms: 'hunter2'}}"))
    assert len(found) == 2
    assert "hunter2" not in "\n".join(found)


def test_a_variable_that_kubernetes_makes_for_a_service_is_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BERTH_EXTENDER_PORT", "tcp://10.0.0.1:8888")
    assert ExtenderSettings.load(None).server.port == 8888


def test_another_process_s_section_is_not_judged(write: Write) -> None:
    assert ExtenderSettings.load(write("telemetry: {nonsense: 1}\nextender: {mode: shadow}")).mode == "shadow"


def test_a_model_of_which_one_thing_is_set_keeps_the_rest(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BERTH_EXTENDER__MODELS__ANOMALY_DETECTOR__TIMEOUT_MS", "70")
    models = ExtenderSettings.load(write("extender: {models: {load_predictor: {timeout_ms: 80}}}")).models
    assert (models.load_predictor.timeout_ms, models.load_predictor.target) == (80.0, "127.0.0.1:8091")
    assert (models.anomaly_detector.timeout_ms, models.anomaly_detector.target) == (70.0, "127.0.0.1:8093")
