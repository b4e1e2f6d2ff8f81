"""What charts render: each example differs, pods are restricted, rules and panels ask for what there is."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.charts.helm import CHARTS, Helm, Object, every_case, find, named
from tests.lab.build import ROOT
from tests.prometheus.program import prometheus

METRIC = re.compile(r"\bberth_[a-z_]+\b")


@pytest.mark.parametrize("case", [case for case in every_case() if "default" not in case[1].name], ids=named)
def test_an_example_changes_what_is_rendered(helm: Helm, case: tuple[str, Path]) -> None:
    chart, values = case
    assert helm.rendered(chart, "--values", values) != helm.rendered(chart)


def test_a_changed_setting_restarts_pods_only_where_it_takes_effect_at_the_next_start(helm: Helm) -> None:
    def annotation(*arguments: str) -> str:
        deployment = find(helm.rendered("extender", *arguments), "Deployment", "berth-extender")
        return str(deployment["spec"]["template"]["metadata"]["annotations"]["berth.dev/next-start"])

    assert annotation() == annotation("--set", "settings.mode=active", "--set", "settings.rollout_percent=25")
    assert annotation() != annotation("--set", "settings.server.drain_s=5")
    assert annotation() != annotation("--set", "redisUrl=redis://elsewhere:6379/0")


def test_no_secret_is_in_what_is_rendered(helm: Helm) -> None:
    values = CHARTS / "telemetry" / "ci" / "object-store-values.yaml"
    (container,) = find(helm.rendered("telemetry", "--values", values), "Deployment", "berth-telemetry")["spec"][
        "template"
    ]["spec"]["containers"]
    given = {one["name"]: one for one in container["env"]}
    for name in ("BERTH_TELEMETRY__PROMETHEUS__PASSWORD", "BERTH_TELEMETRY__REDIS_URL"):
        assert given[name]["valueFrom"]["secretKeyRef"]["name"].startswith("berth-")
        assert "value" not in given[name]


def test_a_model_service_scales_out_within_a_minute_and_slowly_back(helm: Helm) -> None:
    scaler = find(helm.rendered("model-service"), "HorizontalPodAutoscaler", "berth-load-predictor")["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 10)
    assert scaler["behavior"]["scaleUp"] == {
        "stabilizationWindowSeconds": 0,
        "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
    }


def test_calls_spread_over_a_headless_service_of_the_extender_s_targets(helm: Helm) -> None:
    objects = helm.rendered("mesh")
    settings = yaml.safe_load(find(objects, "ConfigMap", "berth-extender")["data"]["berth.yaml"])["extender"]
    for model in settings["models"].values():
        name, port = model["target"].removeprefix("dns:///").split(":")
        service = find(objects, "Service", name)["spec"]
        assert service["clusterIP"] == "None"
        assert int(port) in {one["port"] for one in service["ports"]}


@pytest.mark.parametrize("chart", ["extender", "model-service", "telemetry"])
def test_prometheus_takes_the_alerts_and_they_ask_for_metrics_that_there_are(
    helm: Helm, tmp_path: Path, chart: str
) -> None:
    rules = [
        one for one in helm.rendered(chart, "--set", "metrics.prometheusRule=true") if one["kind"] == "PrometheusRule"
    ]
    (rule,) = rules
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(rule["spec"]), "utf-8")
    promtool = prometheus().parent / "promtool"
    done = subprocess.run([promtool, "check", "rules", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for group in rule["spec"]["groups"]:
        for alert in group["rules"]:
            assert set(alert["annotations"]) == {"summary", "action"}
            assert told(METRIC.findall(alert["expr"])) == set()


def test_the_dashboard_asks_for_metrics_that_there_are(helm: Helm) -> None:
    board = find(helm.rendered("extender", "--set", "metrics.dashboard=true"), "ConfigMap", "berth-extender-dashboard")
    panels = json.loads(board["data"]["berth-extender.json"])["panels"]
    asked = [name for panel in panels for target in panel["targets"] for name in METRIC.findall(target["expr"])]
    assert len(panels) >= 8
    assert told(asked) == set()


def told(names: list[str]) -> set[str]:
    """Those of these metrics that no process tells."""
    code = "".join(
        path.read_text("utf-8") for room in ("extender", "services") for path in (ROOT / room).rglob("metrics.py")
    )
    known = {*re.findall(r'"(berth_[a-z_]+)"', code)}
    known |= {f"berth_telemetry_{name}" for name in re.findall(r'self\.counter\(\s*"([a-z_]+)"', code)}
    return {name for name in names if re.sub("_(total|bucket|sum|count)$", "", name) not in known}


def pods(objects: list[Object]) -> list[Object]:
    """Specifications of pods."""
    return [one["spec"]["template"]["spec"] for one in objects if one["kind"] == "Deployment"]


@pytest.mark.parametrize("case", every_case(), ids=named)
def test_every_container_has_limits_probes_and_nothing_writable(helm: Helm, case: tuple[str, Path]) -> None:
    chart, values = case
    for pod in pods(helm.rendered(chart, "--values", values)):
        assert pod["securityContext"]["runAsNonRoot"]
        for container in pod["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"]
            assert "memory" in container["resources"]["limits"]
            assert {"livenessProbe", "readinessProbe"} <= set(container)
