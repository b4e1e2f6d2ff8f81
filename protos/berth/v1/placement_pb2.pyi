from protos.berth.v1 import decision_pb2 as _decision_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PodRequest(_message.Message):
    __slots__ = ("uid", "namespace", "name", "scheduler_name", "cpu_cores", "memory_gib", "gpus", "gpu_milli", "gpu_models", "priority", "qos", "owner_kind", "owner_name", "labels")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    UID_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SCHEDULER_NAME_FIELD_NUMBER: _ClassVar[int]
    CPU_CORES_FIELD_NUMBER: _ClassVar[int]
    MEMORY_GIB_FIELD_NUMBER: _ClassVar[int]
    GPUS_FIELD_NUMBER: _ClassVar[int]
    GPU_MILLI_FIELD_NUMBER: _ClassVar[int]
    GPU_MODELS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    QOS_FIELD_NUMBER: _ClassVar[int]
    OWNER_KIND_FIELD_NUMBER: _ClassVar[int]
    OWNER_NAME_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    uid: str
    namespace: str
    name: str
    scheduler_name: str
    cpu_cores: float
    memory_gib: float
    gpus: int
    gpu_milli: int
    gpu_models: _containers.RepeatedScalarFieldContainer[str]
    priority: int
    qos: str
    owner_kind: str
    owner_name: str
    labels: _containers.ScalarMap[str, str]
    def __init__(self, uid: _Optional[str] = ..., namespace: _Optional[str] = ..., name: _Optional[str] = ..., scheduler_name: _Optional[str] = ..., cpu_cores: _Optional[float] = ..., memory_gib: _Optional[float] = ..., gpus: _Optional[int] = ..., gpu_milli: _Optional[int] = ..., gpu_models: _Optional[_Iterable[str]] = ..., priority: _Optional[int] = ..., qos: _Optional[str] = ..., owner_kind: _Optional[str] = ..., owner_name: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ScoreNodesRequest(_message.Message):
    __slots__ = ("pod", "nodes", "reserve")
    POD_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    RESERVE_FIELD_NUMBER: _ClassVar[int]
    pod: PodRequest
    nodes: _containers.RepeatedScalarFieldContainer[str]
    reserve: bool
    def __init__(self, pod: _Optional[_Union[PodRequest, _Mapping]] = ..., nodes: _Optional[_Iterable[str]] = ..., reserve: _Optional[bool] = ...) -> None: ...

class ScoreNodesResponse(_message.Message):
    __slots__ = ("scores", "decision")
    SCORES_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    scores: _containers.RepeatedScalarFieldContainer[int]
    decision: _decision_pb2.Decision
    def __init__(self, scores: _Optional[_Iterable[int]] = ..., decision: _Optional[_Union[_decision_pb2.Decision, _Mapping]] = ...) -> None: ...
