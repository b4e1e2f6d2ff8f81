from pathlib import Path

import pytest

from berth.settings import InvalidSettings
from services.telemetry.settings import TelemetrySettings


def test_defaults_and_file(tmp_path: Path) -> None:
    assert (TelemetrySettings.load().host, TelemetrySettings.load().port) == ("127.0.0.1", 8084)
    file = tmp_path / "berth.yaml"
    file.write_text("telemetry: {nodes: 5000, interval_s: 30}\n")
    loaded = TelemetrySettings.load(file)
    assert (loaded.nodes, loaded.interval_s) == (5000, 30.0)


def test_the_password_in_the_url_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BERTH_TELEMETRY__REDIS_URL", "redis://:hunter2@127.0.0.1:6379/0")
    assert "hunter2" not in repr(TelemetrySettings.load())


@pytest.mark.parametrize(
    "field",
    [
        "nodes: 0",
        "interval_s: 0",
        "source: clusters",
        "prometheus: {url: 'ftp://x'}",
        "prometheus: {queries: {gpu: x}}",
        "port: 70000",
        "node: 3",
    ],
)
def test_bad_values_are_refused_with_the_field_name(tmp_path: Path, field: str) -> None:
    file = tmp_path / "berth.yaml"
    file.write_text(f"telemetry: {{{field}}}\n")
    with pytest.raises(InvalidSettings, match=field.split(":")[0]):
        TelemetrySettings.load(file)


def test_every_field_says_what_it_is() -> None:
    assert all(field.description for field in TelemetrySettings.model_fields.values())


def test_a_query_that_is_given_replaces_one_and_leaves_the_others(tmp_path: Path) -> None:
    file = tmp_path / "berth.yaml"
    file.write_text("telemetry: {prometheus: {url: 'http://127.0.0.1:9090', queries: {cpu: 'sum by (node) (x)'}}}\n")
    loaded = TelemetrySettings.load(file).prometheus
    assert loaded.queries.cpu == "sum by (node) (x)"
    assert loaded.queries.of("disk", 60).count("[60s]") == 2
    assert "node_memory_MemTotal_bytes" in loaded.queries.memory
