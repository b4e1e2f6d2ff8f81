"""The chart's users of Valkey: Berth works with the rights that they have, and they have no others."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from cli.embedded import server_binary
from cli.supervisor import Mesh
from tests.calls import Replay, pod, scores_of, until
from tests.charts.helm import Helm, find
from tests.lab.ports import free_port, listens
from tests.lab.process import LabProcess
from tests.mesh import PATIENT, variables

pytestmark = [pytest.mark.mesh, pytest.mark.long]
SERVICE = "berth-redis:6379"
USERS = ("extender", "telemetry", "operator")


@pytest.fixture(scope="module")
def urls(helm: Helm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """URL of each user at a Valkey that runs with the chart's arguments and file."""
    objects = helm.rendered("mesh")
    data = find(objects, "Secret", "berth-redis")["data"]
    told = {key: base64.b64decode(value).decode() for key, value in data.items()}
    (container,) = find(objects, "Deployment", "berth-redis")["spec"]["template"]["spec"]["containers"]
    folder, port = tmp_path_factory.mktemp("valkey"), free_port()
    (folder / "users.acl").write_text(told["users.acl"], "utf-8")
    here = {"/etc/valkey/users.acl": str(folder / "users.acl"), "/tmp": str(folder)}
    arguments = [here.get(one, one) for one in container["args"]]
    command = [str(server_binary()), "--port", str(port), "--bind", "127.0.0.1", *arguments]
    with LabProcess(command, folder / "valkey.log") as process:
        process.wait(lambda: listens(port), "Valkey")
        yield {user: told[f"{user}-url"].replace(SERVICE, f"127.0.0.1:{port}") for user in USERS}


@pytest.fixture(scope="module")
def mesh(urls: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replay]:
    """Extender and telemetry, each as its own user."""
    own = variables({**PATIENT, "REDIS__URL": urls["extender"]}) | {"BERTH_TELEMETRY__REDIS_URL": urls["telemetry"]}
    folder: Path = tmp_path_factory.mktemp("berth")
    with Mesh(auto_ports=True, data_dir=folder, nodes=50, redis_url=urls["operator"], environment=own) as mesh:
        running = Replay(mesh)
        yield running
        running.close()


def refused(url: str, *command: str) -> bool:
    """Whether Valkey says that a user may not do this."""
    with Redis.from_url(url) as redis:
        try:
            redis.execute_command(*command)
        except NoPermissionError:
            return True
        except RedisError:
            return False
    return False


def test_pods_are_scored_shared_and_recorded_by_users_with_these_rights(mesh: Replay, urls: dict[str, str]) -> None:
    version = mesh.publish(1)
    names = mesh.names[:30]
    assert max(scores_of(mesh.caller.prioritize(pod("ruled"), names)).values()) == 10
    state = mesh.caller.get("/v1/state")
    assert (state["snapshot"]["version"], state["degraded"]) == (version, [])
    assert mesh.caller.decision("ruled")["fallback"] != "neutral"
    metrics = mesh.caller.call("GET", "/metrics").body.decode()
    assert not [line for line in metrics.splitlines() if line.startswith("berth_redis_failures_total{")]
    with Redis.from_url(urls["operator"]) as redis:
        redis.set("berth:{override}", json.dumps({"mode": "shadow"}))
        until(lambda: mesh.caller.get("/v1/state")["mode"] == "shadow")
        redis.delete("berth:{override}")
        until(lambda: mesh.caller.get("/v1/state")["mode"] == "active")


def test_nobody_without_a_password_is_answered(urls: dict[str, str]) -> None:
    nameless = urls["extender"].split("://")[0] + "://" + urls["extender"].rpartition("@")[2]
    for url in (nameless, urls["extender"].replace("extender:", "extender:not")):
        with Redis.from_url(url) as redis, pytest.raises((AuthenticationError, NoPermissionError)):
            redis.get("berth:{override}")


@pytest.mark.parametrize(
    ("user", "command"),
    [
        ("extender", ("SET", "berth:{snapshot}:current", "7")),
        ("extender", ("SET", "berth:{override}", "{}")),
        ("extender", ("EVAL", "return 1", "0")),
        ("telemetry", ("SET", "berth:{override}", "{}")),
        ("telemetry", ("SET", "berth:{scores:load-predictor}:x", "1")),
        ("telemetry", ("XADD", "berth:{decisions}", "*", "d", "{}")),
        ("operator", ("SET", "berth:{snapshot}:current", "7")),
        *((user, ("GET", "other:key")) for user in USERS),
        *((user, ("FLUSHALL",)) for user in USERS),
        *((user, ("CONFIG", "GET", "*")) for user in USERS),
        *((user, ("KEYS", "*")) for user in USERS),
        *((user, ("ACL", "LIST")) for user in USERS),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value[:2]),
)
def test_no_user_may_do_more(urls: dict[str, str], user: str, command: tuple[str, ...]) -> None:
    assert refused(urls[user], *command)
