from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ModelPart(_message.Message):
    __slots__ = ("model", "model_version", "outcome", "took_ms")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    TOOK_MS_FIELD_NUMBER: _ClassVar[int]
    model: str
    model_version: str
    outcome: str
    took_ms: float
    def __init__(self, model: _Optional[str] = ..., model_version: _Optional[str] = ..., outcome: _Optional[str] = ..., took_ms: _Optional[float] = ...) -> None: ...

class ScoredNode(_message.Message):
    __slots__ = ("node", "headroom", "placement", "health", "total", "score", "unknown")
    NODE_FIELD_NUMBER: _ClassVar[int]
    HEADROOM_FIELD_NUMBER: _ClassVar[int]
    PLACEMENT_FIELD_NUMBER: _ClassVar[int]
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    node: str
    headroom: float
    placement: float
    health: float
    total: float
    score: int
    unknown: bool
    def __init__(self, node: _Optional[str] = ..., headroom: _Optional[float] = ..., placement: _Optional[float] = ..., health: _Optional[float] = ..., total: _Optional[float] = ..., score: _Optional[int] = ..., unknown: _Optional[bool] = ...) -> None: ...

class Decision(_message.Message):
    __slots__ = ("pod_uid", "pod_namespace", "pod_name", "decided_unix_ms", "mode", "opted_in", "neutral_reason", "snapshot_version", "snapshot_age_s", "fallback", "models", "top", "nodes", "unknown_nodes", "took_ms", "reason")
    class TookMsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    POD_UID_FIELD_NUMBER: _ClassVar[int]
    POD_NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    POD_NAME_FIELD_NUMBER: _ClassVar[int]
    DECIDED_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    OPTED_IN_FIELD_NUMBER: _ClassVar[int]
    NEUTRAL_REASON_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_VERSION_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_AGE_S_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    TOP_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_NODES_FIELD_NUMBER: _ClassVar[int]
    TOOK_MS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    pod_uid: str
    pod_namespace: str
    pod_name: str
    decided_unix_ms: int
    mode: str
    opted_in: bool
    neutral_reason: str
    snapshot_version: int
    snapshot_age_s: float
    fallback: str
    models: _containers.RepeatedCompositeFieldContainer[ModelPart]
    top: _containers.RepeatedCompositeFieldContainer[ScoredNode]
    nodes: int
    unknown_nodes: int
    took_ms: _containers.ScalarMap[str, float]
    reason: str
    def __init__(self, pod_uid: _Optional[str] = ..., pod_namespace: _Optional[str] = ..., pod_name: _Optional[str] = ..., decided_unix_ms: _Optional[int] = ..., mode: _Optional[str] = ..., opted_in: _Optional[bool] = ..., neutral_reason: _Optional[str] = ..., snapshot_version: _Optional[int] = ..., snapshot_age_s: _Optional[float] = ..., fallback: _Optional[str] = ..., models: _Optional[_Iterable[_Union[ModelPart, _Mapping]]] = ..., top: _Optional[_Iterable[_Union[ScoredNode, _Mapping]]] = ..., nodes: _Optional[int] = ..., unknown_nodes: _Optional[int] = ..., took_ms: _Optional[_Mapping[str, float]] = ..., reason: _Optional[str] = ...) -> None: ...
