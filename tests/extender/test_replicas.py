"""A second extender beside the first: shared scores and placements, the settings file, the guards of filter."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from cli.processes import ROOT
from tests.calls import Replay, pod, scores_of, until
from tests.extender.replica import Replica, replica

pytestmark = pytest.mark.mesh

UIDS = (f"replica-{i}" for i in count())


def decide(running: Replica, names: list[str], **asks: Any) -> tuple[dict[str, int], dict[str, Any]]:
    """Scores and record of a new pod."""
    uid = next(UIDS)
    asked = pod(uid, **asks)
    running.caller.filter(asked, names)
    scores = scores_of(running.caller.prioritize(asked, names))
    return scores, running.caller.decision(uid)


def test_replicas_share_scores_and_answer_for_each_other(replay: Replay) -> None:
    replay.publish()  # no pod in flight is unseen by all of them
    with replica(replay.mesh, {}) as other:
        models = {m["model"]: m["outcome"] for m in decide(other, replay.names[:100])[1]["models"]}
        assert models["load-predictor"] == models["anomaly-detector"] == "memory"
        assert any(layer == "redis" for layer, _ in other.caller.metrics("berth_cache_total"))
        uid = next(UIDS)
        asked = pod(uid, cpu="3200m")
        replay.caller.filter(asked, replay.names[:100])
        found = scores_of(other.caller.prioritize(asked, replay.names[:100]))  # filter went to another replica
        assert max(found.values()) == 10
        written = replay.caller.decision(uid)
        assert written["replica"] != other.caller.get("/v1/state")["replica"]


def test_placements_of_one_replica_count_in_the_other(replay: Replay) -> None:
    with replica(replay.mesh, {}) as other:

        def inflight() -> int:
            return int(other.caller.get("/v1/state")["inflight"])

        until(lambda: settled(inflight))
        before, asked, names = inflight(), pod(next(UIDS), cpu="3300m"), replay.names[200:300]
        replay.caller.prioritize(asked, names)
        until(lambda: inflight() == before + 1, 3.0)
        replay.caller.filter(asked, names)  # decided anew: the earlier placement is taken back
        until(lambda: inflight() == before, 3.0)
        replay.caller.prioritize(asked, names)
        until(lambda: inflight() == before + 1, 3.0)


def test_a_placement_made_while_redis_is_left_alone_counts_once_it_is_back(replay: Replay) -> None:
    with replica(replay.mesh, {}) as other:

        def inflight() -> int:
            return int(other.caller.get("/v1/state")["inflight"])

        until(lambda: settled(inflight))
        before = inflight()
        with stopped(replay):
            replay.caller.prioritize(pod(next(UIDS)), replay.names[200:300])
            until(lambda: replay.caller.get("/v1/state")["redis"] == "down")
            for _ in range(4):
                replay.caller.prioritize(pod(next(UIDS)), replay.names[200:300])
        until(lambda: inflight() == before + 5)


@contextmanager
def stopped(replay: Replay) -> Iterator[None]:
    """Redis answers nobody."""
    replay.mesh.stop_signal("valkey")
    try:
        yield
    finally:
        replay.mesh.cont("valkey")


def settled(count_of: Callable[[], int]) -> bool:
    """Whether a number stays the same for half a second: what was placed before the start is read by then."""
    before = count_of()
    time.sleep(0.5)
    return count_of() == before


def test_a_record_is_found_by_any_replica(replay: Replay) -> None:
    uid = next(UIDS)
    replay.caller.filter(pod(uid), replay.names[:10])
    with replica(replay.mesh, {}) as other:
        assert other.caller.decision(uid)["pod_uid"] == uid
        assert other.caller.decision(f"name-{uid}")["pod_uid"] == uid


def test_guards_remove_the_worst_name_them_and_never_more_than_the_share(replay: Replay) -> None:
    harsh = {"FILTER__ENABLED": "true", "FILTER__MIN_HEALTH": "1.0", "FILTER__REPEATS": "2", "FILTER__MAX_SHARE": "0.1"}
    names = replay.names[:200]
    with replica(replay.mesh, harsh) as running:
        version = 0
        for _ in range(3):
            version = replay.publish()
        until(lambda: running.caller.get("/v1/state")["snapshot"]["version"] == version)
        asked = pod(next(UIDS), cpu="1")
        answer = running.caller.filter(asked, names).json
        assert len(answer["FailedNodes"]) == 20
        assert set(answer["NodeNames"]) | set(answer["FailedNodes"]) == set(names)
        assert not set(answer["NodeNames"]) & set(answer["FailedNodes"])
        assert all("Berth" in why for why in answer["FailedNodes"].values())
        assert set(running.caller.decision(asked["metadata"]["uid"])["removed"]) == set(answer["FailedNodes"])
        assert set(scores_of(running.caller.prioritize(asked, answer["NodeNames"]))) == set(answer["NodeNames"])
        alone = running.caller.filter(pod(next(UIDS)), names[:1]).json
        assert (alone["NodeNames"], alone["FailedNodes"]) == (names[:1], {})
        nine = running.caller.filter(pod(next(UIDS)), names[:9]).json
        assert len(nine["NodeNames"]) == 9


def refusals(running: Replica) -> float:
    """Changes of the settings file that were refused."""
    return running.caller.metrics("berth_settings_reloads_total").get(("refused",), 0.0)


def more_refusals(running: Replica, before: float) -> bool:
    """Whether there are more than before."""
    return refusals(running) > before


def test_the_settings_file_is_watched_and_a_bad_change_is_refused(replay: Replay, tmp_path: Path) -> None:
    path = tmp_path / "berth.yaml"
    path.write_text("extender: {mode: active}\n", "utf-8")
    with replica(replay.mesh, {}, config=path) as running:

        def mode() -> str:
            return str(running.caller.get("/v1/state")["mode"])

        assert mode() == "active"
        path.write_text("extender: {mode: shadow}\n", "utf-8")
        until(lambda: mode() == "shadow", 5.0)
        for bad in ("extender: {mode: on}\n", "extender: {nonsense: 1}\n", "extender: [", "x: {}\n"):
            before = refusals(running)
            path.write_text(bad, "utf-8")
            until(partial(more_refusals, running, before))
            assert mode() == "shadow"
        path.write_text("extender: {mode: active}\n", "utf-8")
        until(lambda: mode() == "active", 5.0)
        assert running.process.poll() is None


def test_a_change_of_settings_drops_no_call(replay: Replay, tmp_path: Path) -> None:
    path = tmp_path / "berth.yaml"
    path.write_text("extender: {}\n", "utf-8")
    with replica(replay.mesh, {}, config=path) as running:
        end, i = time.monotonic() + 3.0, 0
        modes: set[str] = set()
        while time.monotonic() < end:
            i += 1
            if i % 10 == 0:
                path.write_text(f"extender: {{mode: {('active', 'shadow', 'off')[i // 10 % 3]}}}\n", "utf-8")
            asked = pod(next(UIDS))
            assert running.caller.filter(asked, replay.names[:50]).json["NodeNames"] == replay.names[:50]
            assert len(scores_of(running.caller.prioritize(asked, replay.names[:50]))) == 50
            modes.add(running.caller.get("/v1/state")["mode"])
        assert len(modes) >= 2


def test_it_does_not_start_with_settings_that_are_wrong(tmp_path: Path) -> None:
    path = tmp_path / "berth.yaml"
    path.write_text("extender: {mode: on, nonsense: 1}\n", "utf-8")
    command = [sys.executable, "-m", "extender", "--config", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    assert "refused: extender.mode: " in done.stderr
    assert "refused: extender.nonsense: unknown field" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_config_map_is_taken_when_the_kubelet_switches_it(replay: Replay, tmp_path: Path) -> None:
    (tmp_path / "berth.yaml").symlink_to(Path("..data") / "berth.yaml")
    show(tmp_path, "one", "shadow")
    with replica(replay.mesh, {}, config=tmp_path / "berth.yaml") as running:
        assert running.caller.get("/v1/state")["mode"] == "shadow"
        show(tmp_path, "two", "off")
        until(lambda: running.caller.get("/v1/state")["mode"] == "off", 10.0)


def show(volume: Path, version: str, mode: str) -> None:
    """A mounted ConfigMap's new content, as the kubelet's atomic writer does it (pkg/volume/util/atomic_writer.go)."""
    folder = volume / f"..{version}"
    folder.mkdir()
    (folder / "berth.yaml").write_text(f"extender: {{mode: {mode}}}\n", "utf-8")
    (volume / "..data_tmp").symlink_to(folder.name)
    (volume / "..data_tmp").rename(volume / "..data")
