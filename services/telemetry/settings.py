"""Telemetry's settings: section `telemetry`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, SecretStr

from berth.settings import ProcessSettings, settings_config


class TelemetrySettings(ProcessSettings):
    """Where nodes come from, how often they are looked at, and where snapshots go."""

    section: ClassVar[str] = "telemetry"
    model_config = settings_config("telemetry")

    host: str = Field("127.0.0.1", description="address to bind")
    port: int = Field(8084, ge=1, le=65535, description="HTTP port: health, metrics, state, replay control")
    redis_url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379/0"), description="redis://, rediss:// or unix:// URL of the shared store"
    )
    redis_timeout_s: float = Field(2.0, ge=0.05, le=30.0, description="longest wait for one command, s")
    source: Literal["replay"] = Field("replay", description="`replay`: recorded nodes and load")
    interval_s: float = Field(15.0, ge=0.05, le=600.0, description="real time between snapshots, s")
    steps_per_snapshot: int = Field(1, ge=1, le=288, description="5-minute steps of the recording each snapshot passes")
    seed: int = Field(1, ge=0, le=2**31 - 1, description="of the replayed cluster: filling, loads, start")
    nodes: int = Field(1523, ge=1, le=20000, description="replayed nodes; the trace's 1,523 are sampled or repeated")
    binding_window_s: float = Field(120.0, ge=1.0, le=3600.0, description="how long a snapshot names a bound pod, s")
    fence: int = Field(0, ge=0, description="number of this publisher's term; a higher one in the store refuses it")
