"""Settings that the three model servers share; each service subclasses them with its section and ports."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from berth.access import Access
from berth.settings import ProcessSettings
from berth.tls import whole

Port = Annotated[int, Field(ge=1, le=65535)]


class ModelServiceSettings(ProcessSettings):
    """One model server. Subclasses give `http_port`, `grpc_port` and `artifact` their defaults."""

    host: str = Field("127.0.0.1", min_length=1, description="address both servers bind; 0.0.0.0 for every interface")
    http_port: Port = Field(description="REST v1 and v2, /healthz, /readyz, /metrics")
    grpc_port: Port = Field(description="gRPC, Open Inference Protocol v2")
    artifact: Path = Field(description="folder of the model's files and card.json")
    artifact_digest: str = Field(
        "",
        pattern="^([0-9a-f]{64})?$",
        description="SHA-256 of the folder's card.json, which holds those of its files; another is refused; empty: any",
    )
    threads: int = Field(1, ge=1, le=64, description="threads of the numeric libraries inside one predict call")
    tls_cert: str = Field(
        "",
        description="PEM file: certificate chain of the gRPC door, renewed while running; empty: no TLS",
    )
    tls_key: str = Field("", description="PEM file: its private key, unencrypted")
    tls_client_ca: str = Field(
        "", description="PEM file: authorities of callers, who then must show a certificate; empty: anyone may call"
    )
    access: Access = Field(Access(), description="who may ask over REST and read metrics")
    max_queue: int = Field(16, ge=1, le=1024, description="calls that may wait for the model; more are refused")
    max_message_mib: int = Field(64, ge=1, le=1024, description="largest gRPC message or HTTP body, MiB")
    connection_age_seconds: float = Field(
        300.0, ge=1, le=86_400, description="gRPC connections older than this are closed, so clients spread"
    )
    connection_grace_seconds: float = Field(
        10.0, ge=0.1, le=600, description="time calls on such a connection have to finish"
    )
    drain_seconds: float = Field(
        0.5, ge=0, le=3, description="after SIGTERM: time between 'not ready' and refusing new calls"
    )
    grace_seconds: float = Field(
        5.0, gt=0, le=5, description="after that: time for running calls to end before they are given up"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @model_validator(mode="after")
    def whole_tls(self) -> Self:
        """Nothing of TLS is set alone."""
        whole(self)
        return self
