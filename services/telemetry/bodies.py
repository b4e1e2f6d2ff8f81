"""What the replay control takes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from berth.cluster.pods import PodRequest, Qos
from berth.simulator.disturbances import FaultKind

Name = Annotated[str, Field(min_length=1, max_length=253)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Body(BaseModel):
    """Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class BindBody(Body):
    """A pod and the node that it runs on: cores, GiB, devices, thousandths of one device."""

    node: Name
    uid: Name
    namespace: str = Field("default", max_length=253)
    name: str = Field("", max_length=253)
    cpu: float = Field(0.0, ge=0.0, le=100000.0)
    memory: float = Field(0.0, ge=0.0, le=1000000.0)
    gpus: int = Field(0, ge=0, le=1024)
    gpu_milli: int = Field(0, ge=0, le=1000)
    gpu_models: tuple[str, ...] = ()
    priority: int = Field(0, ge=-(2**31), le=2**31)
    qos: Qos = "Burstable"
    owner_kind: str = Field("", max_length=253)
    owner_uid: str = Field("", max_length=253)

    def pod(self) -> PodRequest:
        """The pod alone."""
        return PodRequest(**self.model_dump(exclude={"node"}))


def one_or_list(value: object) -> str:
    """Which form came in, so that a refusal speaks of that form alone."""
    return "list" if isinstance(value, list) else "one"


OneOrList = Annotated[
    Annotated[BindBody, Tag("one")] | Annotated[list[BindBody], Tag("list")], Discriminator(one_or_list)
]


class ReleaseBody(Body):
    """The pod that ends."""

    uid: Name


class LoadBody(Body):
    """A node's load from now on, as a share of allocatable; null leaves the recording."""

    node: Name
    cpu: Share | None = None
    memory: Share | None = None


class FaultBody(Body):
    """How a node's health breaks; null mends it."""

    node: Name
    kind: FaultKind | None


class PublishBody(Body):
    """How many steps (5 minutes each) pass before the snapshot."""

    steps: int = Field(0, ge=0, le=2016)


class BindAnswer(BaseModel):
    """What became of one pod of a list."""

    uid: str
    bound: bool
    reason: str = ""


class Published(BaseModel):
    """The version that has become current."""

    version: int


class Done(BaseModel):
    """Nothing more to say."""

    status: Literal["ok"] = "ok"
