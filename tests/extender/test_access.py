"""A door that asks everybody for a token, on a running extender: kube-scheduler's verbs and health checks stay open."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.endpoint import TOKEN_VARIABLE, get_json
from cli.errors import UnreachableError
from tests.calls import Replay, pod, scores_of
from tests.extender.replica import replica

pytestmark = pytest.mark.mesh

BEHIND = ("/v1/state", "/v1/report", "/v1/decisions", "/v1/decisions/x", "/metrics", "/docs", "/openapi.json", "/none")


def test_only_who_knows_the_token_reads_and_pods_are_scored_all_the_same(
    replay: Replay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    token.write_text("s3cret", "utf-8")
    closed = {"ACCESS__OPEN_TO": "[]", "ACCESS__TOKEN_FILE": str(token), "ACCESS__PER_SECOND": "4"}
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

        asked_often = [caller.call("GET", "/v1/state", headers=shown) for _ in range(60)]
        assert asked_often[-1].status == 429
        assert asked_often[-1].headers["retry-after"] == "1"
        assert caller.filter(asked, names).status == 200
