"""Redis that dies, hangs, is full, starts over or holds poison; snapshots that are old, missing or foreign."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace as changed

import msgspec
import pytest
import redis

from berth.cluster import keys
from berth.cluster.snapshot import decode, encode
from tests.calls import Caller, pod, until
from tests.extender.replica import replica
from tests.faults.stage import HEALTHY, LIMIT_MS, UIDS, Run, Stage, judge, mostly, recover, send

pytestmark = [pytest.mark.mesh, pytest.mark.timed, pytest.mark.timeout(900)]


def run_twice_at_most(stage: Stage, case: str, pods: int, names: list[str] | None = None) -> Run:
    """A run; once more where it was slow, as another program's load is no fault of the mesh."""
    run = send(stage, stage.caller, case, pods, names, snapshots=False)
    return run if run.percentile(99) < LIMIT_MS else send(stage, stage.caller, case, pods, names, snapshots=False)


def test_killed_and_started_again_empty(stage: Stage, pods: int) -> None:
    stage.mesh.kill("valkey")
    try:
        run = run_twice_at_most(stage, "redis killed", pods)
        alone = {"status": "degraded", "degraded": ["redis does not answer"]}
        until(lambda: stage.caller.get("/readyz") == alone)  # a model that was late for a moment answers again
    finally:
        stage.mesh.start_process("valkey")
    until(lambda: ping(stage))
    recover(stage, stage.caller, run)
    judge(run, pods)
    assert mostly(run, *HEALTHY)  # what is in memory serves until it is old
    assert stage.caller.get("/readyz")["status"] == "ok"


def newest(stage: Stage) -> bytes:
    """The bytes of the snapshot in use."""
    raw = stage.redis.get(keys.snapshot(stage.version()))
    assert isinstance(raw, bytes)
    return raw


def ping(stage: Stage) -> bool:
    """Whether Redis answers."""
    try:
        return bool(stage.redis.ping())
    except redis.RedisError:
        return False


def test_restarted_while_pods_go_on(stage: Stage, pods: int) -> None:
    stage.mesh.kill("valkey")
    stage.mesh.start_process("valkey")
    run = run_twice_at_most(stage, "redis restarted", pods)
    recover(stage, stage.caller, run)
    judge(run, pods)
    assert mostly(run, *HEALTHY)


def test_stopped(stage: Stage, pods: int) -> None:
    stage.mesh.stop_signal("valkey")
    try:
        run = run_twice_at_most(stage, "redis stopped", pods)
        until(lambda: "redis does not answer" in stage.caller.get("/readyz")["degraded"])
    finally:
        stage.mesh.cont("valkey")
    recover(stage, stage.caller, run)
    judge(run, pods)
    assert mostly(run, *HEALTHY)


def test_out_of_memory(stage: Stage, pods: int) -> None:
    before = str(stage.redis.config_get("maxmemory")["maxmemory"])
    dropped = stage.caller.metrics("berth_records_dropped_total").get(("redis",), 0.0)
    stage.redis.config_set("maxmemory", "1mb")
    stage.redis.config_set("maxmemory-policy", "noeviction")
    try:
        run = run_twice_at_most(stage, "redis out of memory", pods)
    finally:
        stage.redis.config_set("maxmemory", before)
        stage.redis.config_set("maxmemory-policy", "volatile-lru")
    recover(stage, stage.caller, run)
    judge(run, pods)
    assert stage.caller.metrics("berth_records_dropped_total")[("redis",)] > dropped


def test_an_override_stays_in_force_while_redis_hangs(stage: Stage) -> None:
    for _ in range(2):
        with stage.override(mode="shadow"):
            stage.mesh.stop_signal("valkey")
            modes = set()
            end = time.monotonic() + 2.5
            while time.monotonic() < end:
                modes.add(stage.caller.get("/v1/state")["mode"])
                time.sleep(0.05)
            stage.mesh.cont("valkey")
            assert modes == {"shadow"}
            until(lambda: stage.caller.get("/v1/state")["redis"] == "up")


def poison_scores(stage: Stage) -> None:
    """Random bytes, a wrong type and torn values under the score keys of the newest snapshot."""
    rng = random.Random(1)
    raw = newest(stage)
    snapshot = decode(raw)
    for name, model in stage.caller.get("/v1/state")["models"].items():
        for pod_class in ("", *(f"{cpu},2,0,0,,1,Burstable," for cpu in range(1, 80))):
            key = keys.scores(name, model["version"], snapshot.id, pod_class)
            stage.redis.delete(key)
            if rng.random() < 0.3:
                stage.redis.hset(key, "a", "b")
            else:
                stage.redis.set(key, rng.randbytes(rng.choice((0, 1, 16, 6108, 6109))))


def test_poisoned_scores(stage: Stage, pods: int) -> None:
    version = stage.version() + 1
    raw = newest(stage)
    poison_scores(stage)
    fresh = changed(decode(raw), version=version, published_ms=int(time.time() * 1000))
    for name, model in stage.caller.get("/v1/state")["models"].items():
        stage.redis.set(keys.scores(name, model["version"], fresh.id), b"\0" * 6108)
    stage.redis.set(keys.snapshot(version), encode(fresh))
    stage.redis.set(keys.SNAPSHOT_CURRENT, version)
    until(lambda: stage.version() == version)
    run = run_twice_at_most(stage, "redis: poisoned scores", pods)
    recover(stage, stage.caller, run)
    judge(run, pods)
    assert mostly(run, *HEALTHY)


POISON: dict[str, Callable[[Stage, bytes], object]] = {
    "pointer is no number": lambda stage, _: stage.redis.set(keys.SNAPSHOT_CURRENT, b"\xff\x00newest"),
    "pointer to nothing": lambda stage, _: stage.redis.set(keys.SNAPSHOT_CURRENT, 2**62),
    "pointer too long": lambda stage, _: stage.redis.set(keys.SNAPSHOT_CURRENT, b"9" * 5000),
    "pointer is a hash": lambda stage, _: retype(stage, keys.SNAPSHOT_CURRENT),
    "snapshot is noise": lambda stage, raw: put(stage, random.Random(2).randbytes(300_000)),
    "snapshot is torn": lambda stage, raw: put(stage, raw[: len(raw) // 2]),
    "snapshot is empty": lambda stage, raw: put(stage, b""),
    "snapshot is a hash": lambda stage, _: put_hash(stage),
    "snapshot lacks columns": lambda stage, raw: put_changed(stage, raw, 9),
    "snapshot lacks devices": lambda stage, raw: put_changed(stage, raw, 12),
    "snapshot lacks features": lambda stage, raw: put_changed(stage, raw, 20),
    "override is noise": lambda stage, _: stage.redis.set(keys.OVERRIDE, b"\xff[[["),
    "override is deep": lambda stage, _: stage.redis.set(keys.OVERRIDE, b"[" * 100_000),
    "override is a hash": lambda stage, _: retype(stage, keys.OVERRIDE),
    "streams are strings": lambda stage, _: [
        (stage.redis.delete(key), stage.redis.set(key, b"x")) for key in (keys.INFLIGHT_STREAM, keys.DECISIONS_STREAM)
    ],
    "streams hold noise": lambda stage, _: [
        stage.redis.xadd(key, {field: random.Random(3).randbytes(50)})
        for key in (keys.INFLIGHT_STREAM, keys.DECISIONS_STREAM)
        for field in (b"p", b"d", b"x")
    ],
}
"""What somebody has written into Redis; the functions take the stage and the newest snapshot's bytes."""


def retype(stage: Stage, key: str) -> None:
    """Put a hash where a string belongs."""
    stage.redis.delete(key)
    stage.redis.hset(key, "a", "b")


def put_hash(stage: Stage) -> None:
    """Publish a snapshot that is a hash."""
    put(stage, b"")
    retype(stage, keys.snapshot(stage.version() + 1))


def put(stage: Stage, raw: bytes) -> None:
    """Publish these bytes as the next snapshot."""
    version = stage.version() + 1
    stage.redis.set(keys.snapshot(version), raw)
    stage.redis.set(keys.SNAPSHOT_CURRENT, version)
    stage.redis.publish(keys.SNAPSHOT_CHANNEL, version)


def put_changed(stage: Stage, raw: bytes, columns: int) -> None:
    """Publish a snapshot that holds the first columns alone."""
    whole = decode(raw)
    version = stage.version() + 1
    less = changed(whole, version=version, features=whole.features[:columns], matrix=whole.matrix[:, :columns])
    put(stage, encode(changed(less, published_ms=int(time.time() * 1000))))


ALSO_SHORT = (
    "pointer is no number", "pointer to nothing", "snapshot is noise", "snapshot is torn", "snapshot lacks columns",
    "snapshot lacks features", "override is noise", "streams hold noise",
)  # fmt: skip
"""One of each kind."""


def poisons() -> list[object]:
    """Names; those that resemble another belong to the long form."""
    return [name if name in ALSO_SHORT else pytest.param(name, marks=pytest.mark.long) for name in POISON]


@pytest.fixture
def mended(stage: Stage) -> Iterator[None]:
    """Takes the poison out again: what an operator would do."""
    yield
    for key in (keys.OVERRIDE, keys.SNAPSHOT_CURRENT, keys.INFLIGHT_STREAM, keys.DECISIONS_STREAM):
        stage.redis.delete(key)


@pytest.mark.usefixtures("mended")
@pytest.mark.parametrize("poison", poisons())
def test_poison(stage: Stage, poison: str, pods: int) -> None:
    if pods > 500:
        pods = 500  # sixteen poisons; none of them depends on the number
    stage.publish()
    raw = newest(stage)
    POISON[poison](stage, raw)
    time.sleep(0.3)  # let the extender find it
    run = run_twice_at_most(stage, f"redis: {poison}", pods // 3)
    for key in (keys.OVERRIDE, keys.SNAPSHOT_CURRENT, keys.INFLIGHT_STREAM, keys.DECISIONS_STREAM):
        stage.redis.delete(key)
    recover(stage, stage.caller, run)
    judge(run, pods // 3)
    assert stage.caller.get("/v1/state")["mode"] == "active"


@pytest.mark.usefixtures("mended")
def test_a_record_that_somebody_has_spoiled_is_passed_over(stage: Stage) -> None:
    stage.redis.xadd(keys.DECISIONS_STREAM, {b"d": b"{ spoiled-uid"})
    assert stage.caller.call("GET", "/v1/decisions/spoiled-uid").status == 404


def test_looking_for_an_old_record_holds_up_no_pod(stage: Stage) -> None:
    uid = next(UIDS)
    stage.caller.filter(pod(uid), stage.names[:50])
    raw = msgspec.json.encode(stage.caller.decision(uid))
    pipe = stage.redis.pipeline(transaction=False)
    for _ in range(20_000):
        pipe.xadd(keys.DECISIONS_STREAM, {b"d": raw})
    pipe.execute()
    took = []
    for _ in range(5):
        asker = Caller(stage.port)
        asker.connection.request("GET", "/v1/decisions/nobody-knows-this-pod")
        took += [stage.caller.filter(pod(next(UIDS)), stage.names[:500]).took_ms for _ in range(10)]
        asker.connection.getresponse().read()
        asker.close()
    stage.redis.delete(keys.DECISIONS_STREAM)
    assert max(took) < 100, [round(ms) for ms in took]


def test_aged_and_expired_snapshots(stage: Stage, pods: int) -> None:
    stage.publish()
    try:
        stage.settings(snapshot={"fresh_s": 1.0, "expired_s": 600.0})
        time.sleep(1.1)
        aged = run_twice_at_most(stage, "snapshot stale", pods)
        stage.settings(snapshot={"fresh_s": 1.0, "expired_s": 2.0})
        time.sleep(1.1)
        expired = run_twice_at_most(stage, "snapshot expired", pods)
    finally:
        stage.settings(mode="active")
    for run in (aged, expired):
        recover(stage, stage.caller, run)
        judge(run, pods)
    assert mostly(aged, "aged-snapshot")
    assert not {*aged.steps} & {*HEALTHY}
    assert set(expired.steps) == {"neutral"}
    assert set(expired.neutral) == {"snapshot-expired"}


def test_no_snapshot_until_one_comes(stage: Stage, pods: int) -> None:
    url = stage.mesh.redis_url.rsplit("/", 1)[0] + "/5"
    database = redis.Redis.from_url(url)
    with replica(stage.mesh, {"REDIS__URL": url}, degraded=True) as running:
        run = send(stage, running.caller, "snapshot missing", pods, snapshots=False)
        stage.publish()
        raw = newest(stage)
        started = time.monotonic()
        database.set(keys.snapshot(decode(raw).version), raw)
        database.set(keys.SNAPSHOT_CURRENT, decode(raw).version)
        until(lambda: running.caller.get("/readyz")["status"] == "ok")
        run.recovered_s = time.monotonic() - started
        database.flushdb()
    database.close()
    judge(run, pods)
    assert set(run.steps) == {"neutral"}
    assert set(run.neutral) == {"snapshot-missing"}


def test_unknown_nodes(stage: Stage, pods: int) -> None:
    strangers = [f"stranger-{i}" for i in range(150)]
    some = run_twice_at_most(stage, "30 % of the nodes unknown", pods, [*stage.names[:350], *strangers])
    none = run_twice_at_most(stage, "all nodes unknown", pods, strangers)
    for run in (some, none):
        recover(stage, stage.caller, run)
        judge(run, pods)
    assert mostly(some, *HEALTHY)
    assert set(none.steps) == {"neutral"}
    assert set(none.neutral) == {"no-known-node"}
