"""Each committed model, served as `python -m services.NAME`, answers as the architecture promises."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest

from berth.features.pod import POD_FEATURES
from berth.features.registry import digest, node_feature_names
from tests.services.serving.running import ROOT, Service, infer_request, output, running

pytestmark = pytest.mark.process

OUTPUTS = {
    "load-predictor": ("forecast", "cpu_1h,cpu_2h,cpu_4h,memory_1h,memory_2h,memory_4h"),
    "placement-scorer": ("value", "value"),
    "anomaly-detector": ("health", "health"),
}
ARTIFACT_LIMIT = 2_000_000


@pytest.fixture(scope="module", params=OUTPUTS)
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    section = request.param.replace("-", "_")
    with running(f"services.{section}", section, request.param) as started:
        yield started


def names(service: Service, key: str) -> list[str]:
    return [name for name in service.metadata().properties[key].split(",") if name]


def test_metadata_keeps_the_contract(service: Service) -> None:
    metadata = service.metadata()
    tensor, columns = OUTPUTS[service.name]
    assert metadata.properties["outputs"] == columns
    assert [t.name for t in metadata.outputs] == [tensor]
    nodes, pod = names(service, "node_features"), names(service, "pod_features")
    assert set(nodes) <= set(node_feature_names())
    assert set(pod) <= set(POD_FEATURES)
    assert bool(pod) == (service.name == "placement-scorer")
    assert metadata.properties["features_digest"] == digest(nodes + pod)


@pytest.mark.parametrize("rows", [0, 1, 1000])
def test_answers_are_finite_but_for_rows_without_input(service: Service, rows: int) -> None:
    random = np.random.default_rng(1)
    nodes = random.uniform(0, 1, (rows, len(names(service, "node_features")))).astype(np.float32)
    nodes[random.uniform(size=nodes.shape) < 0.1] = np.nan
    nodes[2::100] = np.nan
    pod_names = names(service, "pod_features")
    pod = np.full(len(pod_names), 0.5, np.float32) if pod_names else None
    answer = output(service.infer(infer_request(service.metadata(), nodes, pod)).result())
    assert answer.shape == (rows, len(names(service, "outputs")))
    empty = np.isnan(nodes).all(axis=1)
    assert np.isnan(answer[empty]).all()
    assert np.isfinite(answer[~empty]).all(axis=1).mean() > 0.9 if rows else True
    known = answer[np.isfinite(answer)]
    assert (known >= 0).all()
    if service.name != "load-predictor":
        assert (known <= 1).all()


def test_explains_with_columns_it_reads(service: Service) -> None:
    nodes, pod = names(service, "node_features"), names(service, "pod_features")
    body = {"instances": [dict.fromkeys(nodes, 0.5)] * 2} | ({"pod": dict.fromkeys(pod, 0.5)} if pod else {})
    answer = service.http.post(f"/v1/models/{service.name}:explain", json=body)
    assert answer.status_code == 200, answer.text
    rows = answer.json()["explanations"]
    assert len(rows) == 2
    for row in rows:
        assert len(row) <= 8  # none for a row whose answer no column moves
        assert set(row) <= set(nodes + pod)
        sizes = [abs(part) for part in row.values()]
        assert sizes == sorted(sizes, reverse=True)


def test_the_artifact_is_small_open_and_the_one_on_its_card(service: Service) -> None:
    folder = ROOT / "services" / service.name.replace("-", "_") / "artifact"
    files = [path for path in folder.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) < ARTIFACT_LIMIT
    assert {path.suffix for path in files} <= {".json", ".md", ".onnx", ".ubj", ".npz"}
    card = json.loads((folder / "card.json").read_text())
    assert card.get("version", service.metadata().properties["model_version"]) == service.metadata().versions[0]
