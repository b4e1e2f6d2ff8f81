"""A door that asks everybody for a token, on a running extender: kube-scheduler's verbs and health checks stay open."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from berth.access import AT_ONCE_S
from cli.endpoint import TOKEN_VARIABLE, get_json
from cli.errors import UnreachableError
from tests.calls import Replay, pod, scores_of
from tests.extender.replica import replica

pytestmark = pytest.mark.mesh

PER_SECOND = 4
BEHIND = ("/v1/state", "/v1/report", "/v1/decisions", "/v1/decisions/x", "/metrics", "/docs", "/openapi.json", "/none")


def test_only_who_knows_the_token_reads_and_pods_are_scored_all_the_same(
    replay: Replay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    token.write_text("s3cret", "utf-8")
    closed = {"ACCESS__OPEN_TO": "[]", "ACCESS__TOKEN_FILE": str(token), "ACCESS__PER_SECOND": str(PER_SECOND)}
    with replica(replay.mesh, closed) as running:
        caller, shown = running.caller, {"Authorization": "Bearer s3cret"}
        for path in BEHIND:
            answer = caller.call("GET", path)
            assert (answer.status, set(answer.json)) == (401, {"error"}), path
            assert "s3cret" not in answer.body.decode()
        assert caller.call("GET", "/healthz").status == 200
        names = replay.names[:50]
        asked = pod("guarded")
        assert len(caller.filter(asked, names).json["NodeNames"]) == 50
        assert max(scores_of(caller.prioritize(asked, names)).values()) == 10
        assert caller.call("GET", "/v1/decisions/guarded", headers=shown).json["pod_uid"] == "guarded"

        url = f"http://127.0.0.1:{running.port}/v1/state"
        with pytest.raises(UnreachableError, match=TOKEN_VARIABLE):
            get_json(url)
        monkeypatch.setenv(TOKEN_VARIABLE, str(token))
        assert get_json(url)["mode"] == "active"

        started = time.monotonic()
        asked_often = [caller.call("GET", "/v1/state", headers=shown) for _ in range(60)]
        most = AT_ONCE_S * PER_SECOND + PER_SECOND * (time.monotonic() - started) + 1
        refused = [answer for answer in asked_often if answer.status == 429]
        assert sum(answer.status == 200 for answer in asked_often) == 60 - len(refused) <= most < 60
        assert {answer.headers["retry-after"] for answer in refused} == {"1"}
        assert caller.filter(asked, names).status == 200
