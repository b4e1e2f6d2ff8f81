"""REST and metrics behind a token, on a running service: health stays open, and calls over gRPC go on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.services.serving.conftest import TINY
from tests.services.serving.running import infer_request, running

pytestmark = pytest.mark.process
BEHIND = ("/metrics", "/v1/models", "/v2/models/tiny", "/v2/health/live", "/docs", "/none")


def test_only_who_knows_the_token_asks_over_rest_and_grpc_goes_on(artifact: Path, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("s3cret", "utf-8")
    closed = {"access__open_to": "[]", "access__token_file": token}
    with running(TINY, "tiny", "tiny", artifact=artifact, **closed) as service:
        for path in BEHIND:
            answer = service.http.get(path)
            assert (answer.status_code, set(answer.json())) == (401, {"error"}), path
        assert service.http.post("/v2/models/tiny/infer", json={}).status_code == 401
        assert service.http.get("/healthz").status_code == 200
        metadata = service.metadata()
        ones = np.ones((1, 60), np.float32)
        assert service.infer(infer_request(metadata, ones, np.zeros(2, np.float32))).result().outputs
        shown = {"Authorization": "Bearer s3cret"}
        assert service.http.get("/v2/models/tiny", headers=shown).json()["name"] == "tiny"
        told = service.http.get("/metrics", headers=shown).text
        assert f'berth_model_callers_refused_total{{code="401"}} {len(BEHIND) + 1:.1f}' in told
        assert "s3cret" not in " ".join(service.said())
