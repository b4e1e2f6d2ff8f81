"""Telemetry's settings: section `telemetry`."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, SecretStr, field_validator

from berth.access import Access
from berth.settings import Group, ProcessSettings, settings_config

REAL = 'device!~"lo|veth.*|cali.*|cni.*|docker.*|flannel.*|lxc.*|nodelocaldns|kube-ipvs0"'
BY = "by (node, nodename, instance)"


class Queries(Group):
    """PromQL by metric, each by a label that names the node; `$window` stands for the look-back of rates. The defaults
    are node-exporter's names."""

    cpu: str = Field(
        f'sum {BY} (rate(node_cpu_seconds_total{{mode!~"idle|iowait|steal"}}[$window]))',
        description="PromQL: cores in use",
    )
    memory: str = Field(
        f"max {BY} (node_memory_MemTotal_bytes - node_memory_MemAvailable_bytes)", description="PromQL: bytes in use"
    )
    disk: str = Field(
        f"sum {BY} (rate(node_disk_read_bytes_total[$window]))"
        f" + sum {BY} (rate(node_disk_written_bytes_total[$window]))",
        description="PromQL: bytes a second read and written",
    )
    network: str = Field(
        f"sum {BY} (rate(node_network_receive_bytes_total{{{REAL}}}[$window]))"
        f" + sum {BY} (rate(node_network_transmit_bytes_total{{{REAL}}}[$window]))",
        description="PromQL: bytes a second received and sent",
    )

    def of(self, metric: str, window_s: int) -> str:
        """A metric's query with its look-back."""
        return str(getattr(self, metric)).replace("$window", f"{window_s}s")


class SignalQueries(Group):
    """PromQL by signal, each by a label that names the node, '' for one that is not asked for; `$window` stands for the
    look-back of rates. The defaults are node-exporter's and cAdvisor's names."""

    cpu_pressure: str = Field(
        f"max {BY} (rate(node_pressure_cpu_waiting_seconds_total[$window]))",
        description="PromQL: share of time in which something waits for CPU (PSI)",
    )
    memory_pressure: str = Field(
        f"max {BY} (rate(node_pressure_memory_waiting_seconds_total[$window]))",
        description="PromQL: share of time in which something waits for memory (PSI)",
    )
    io_pressure: str = Field(
        f"max {BY} (rate(node_pressure_io_waiting_seconds_total[$window]))",
        description="PromQL: share of time in which something waits for input or output (PSI)",
    )
    throttling: str = Field(
        f'sum {BY} (rate(container_cpu_cfs_throttled_periods_total{{container!=""}}[$window]))'
        f' / (sum {BY} (rate(container_cpu_cfs_periods_total{{container!=""}}[$window])) > 0)',
        description="PromQL: share of the periods of containers with a CPU limit in which they were throttled",
    )

    def of(self, signal: str, window_s: int) -> str:
        """A signal's query with its look-back."""
        return str(getattr(self, signal)).replace("$window", f"{window_s}s")


class PrometheusSettings(Group):
    """Where usage comes from."""

    url: str = Field("", description="base URL; empty: nothing is known of usage", pattern="^(https?://.+)?$")
    interval_s: float = Field(30.0, ge=0.5, le=600.0, description="between two looks at the newest values, s")
    timeout_s: float = Field(10.0, ge=0.1, le=120.0, description="longest wait for one answer, s")
    window_s: int = Field(
        300, ge=10, le=3600, description="look-back of the newest rates, s; at least four scrapes, 300 as trained"
    )
    oldest_s: float = Field(300.0, ge=10.0, le=86400.0, description="an older value counts as missing, s")
    token_file: Path | None = Field(None, description="file with a bearer token, read for each question")
    username: str = Field("", description="for basic authentication")
    password: SecretStr = Field(SecretStr(""), description="for basic authentication")
    ca: Path | None = Field(None, description="file with the authority that signed its certificate")
    tenant: str = Field("", description="sent as X-Scope-OrgID, for servers of several tenants")
    queries: Queries = Field(Queries(), description="what is asked for")
    signals: SignalQueries = Field(SignalQueries(), description="what is asked for beside, one a look, in turn")


class LokiSettings(Group):
    """Where lines of error are counted."""

    url: str = Field(
        "", description="base URL of a Loki-compatible server; empty: lines are not counted", pattern="^(https?://.+)?$"
    )
    query: str = Field(
        'sum by (node, nodename, node_name) (count_over_time({job=~".+"} |~ "(?i)error" [$window]))',
        description="LogQL: lines of error in `prometheus.window_s` ($window), by a label that names the node",
    )
    timeout_s: float = Field(10.0, ge=0.1, le=120.0, description="longest wait for one answer, s")
    token_file: Path | None = Field(None, description="file with a bearer token, read for each question")
    username: str = Field("", description="for basic authentication")
    password: SecretStr = Field(SecretStr(""), description="for basic authentication")
    ca: Path | None = Field(None, description="file with the authority that signed its certificate")
    tenant: str = Field("", description="sent as X-Scope-OrgID, for servers of several tenants")

    def asked(self, window_s: int) -> str:
        """The query with its look-back."""
        return self.query.replace("$window", f"{window_s}s")

    def endpoint(self) -> PrometheusSettings:
        """Its answers have Prometheus's form, below a path of its own."""
        same = self.model_dump(include={"timeout_s", "token_file", "username", "password", "ca", "tenant"})
        return PrometheusSettings(url=f"{self.url.rstrip('/')}/loki" if self.url else "", **same)


class LeaseSettings(Group):
    """Which of several publishers publishes; needs the right to get, create and patch the Lease."""

    name: str = Field("", description="of the Lease; empty: there is one publisher, with the number `fence`")
    namespace: str = Field("berth", description="of the Lease")
    duration_s: int = Field(10, ge=2, le=300, description="another takes over this long after the last renewal, s")


class QualitySettings(Group):
    """What `berth history quality` finds fault with."""

    coverage: float = Field(0.95, ge=0.0, le=1.0, description="a smaller share of known values is an alert")
    stuck_s: int = Field(3600, ge=60, le=604800, description="a value unchanged for so long may be a stuck sensor, s")
    over: float = Field(1.1, ge=1.0, le=100.0, description="CPU and memory may reach this share of what a node has")
    fastest: float = Field(5e10, gt=0.0, description="largest believable rate of disk and network, bytes a second")


class HistorySettings(Group):
    """What is kept of the past, as Parquet by day."""

    url: str = Field("", description="folder or fsspec URL (s3://…, gs://…) of its root; empty: nothing is kept")
    step_s: int = Field(30, ge=1, le=3600, description="between two values of a node, s")
    flush_s: float = Field(300.0, ge=0.5, le=3600.0, description="between two files, s; a crash loses as much")
    keep_days: int = Field(35, ge=1, le=3650, description="days that are kept")
    budget_gib: float = Field(20.0, gt=0.0, le=1e6, description="size above which the oldest days go, GiB")
    quality: QualitySettings = Field(QualitySettings(), description="what is found fault with")

    @field_validator("url")
    @classmethod
    def writable(cls, url: str) -> str:
        """Something here must know how to write there."""
        if url:
            from services.telemetry.history.files import Files  # its libraries take a tenth of a second

            Files(url)
        return url


class TelemetrySettings(ProcessSettings):
    """Where nodes come from, how often they are looked at, and where snapshots go."""

    section: ClassVar[str] = "telemetry"
    model_config = settings_config("telemetry")

    host: str = Field("127.0.0.1", description="address to bind")
    port: int = Field(8084, ge=1, le=65535, description="HTTP port: health, metrics, state, replay control")
    access: Access = Field(Access(), description="who may read state, metrics and history, and control a replay")
    redis_url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379/0"), description="redis://, rediss:// or unix:// URL of the shared store"
    )
    redis_timeout_s: float = Field(2.0, ge=0.05, le=30.0, description="longest wait for one command, s")
    source: Literal["replay", "cluster"] = Field(
        "replay", description="`replay`: recorded nodes and load; `cluster`: an API server and Prometheus"
    )
    interval_s: float = Field(15.0, ge=0.05, le=600.0, description="real time between snapshots, s")
    steps_per_snapshot: int = Field(1, ge=1, le=288, description="5-minute steps of the recording each snapshot passes")
    seed: int = Field(1, ge=0, le=2**31 - 1, description="of the replayed cluster: filling, loads, start")
    nodes: int = Field(1523, ge=1, le=20000, description="replayed nodes; the trace's 1,523 are sampled or repeated")
    binding_window_s: float = Field(120.0, ge=1.0, le=3600.0, description="how long a snapshot names a bound pod, s")
    fence: int = Field(0, ge=0, description="number of this publisher's term; a higher one in the store refuses it")
    kubeconfig: Path | None = Field(
        None, description="of the cluster; without one, the service account of the pod that this runs in"
    )
    lease: LeaseSettings = Field(LeaseSettings(), description="one publisher of several")
    history: HistorySettings = Field(HistorySettings(), description="what is kept of the past")
    prometheus: PrometheusSettings = Field(PrometheusSettings(), description="where usage comes from")
    metrics_server: bool = Field(
        False, description="without `prometheus.url`: CPU and memory from metrics-server, at Prometheus's pace"
    )
    holidays: tuple[date, ...] = Field(
        (), description="days in UTC, as 2026-12-25, that the columns `holiday` and `holiday_tomorrow` tell of"
    )
    loki: LokiSettings = Field(LokiSettings(), description="where lines of error are counted")
