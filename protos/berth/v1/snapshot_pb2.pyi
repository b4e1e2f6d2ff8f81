from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SnapshotHeader(_message.Message):
    __slots__ = ("schema", "version", "published_unix_ms", "fence", "features_version", "features", "nodes", "gpu_models", "bindings", "source", "base")
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    FENCE_FIELD_NUMBER: _ClassVar[int]
    FEATURES_VERSION_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    GPU_MODELS_FIELD_NUMBER: _ClassVar[int]
    BINDINGS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    BASE_FIELD_NUMBER: _ClassVar[int]
    schema: int
    version: int
    published_unix_ms: int
    fence: int
    features_version: int
    features: _containers.RepeatedScalarFieldContainer[str]
    nodes: _containers.RepeatedScalarFieldContainer[str]
    gpu_models: _containers.RepeatedScalarFieldContainer[str]
    bindings: _containers.RepeatedCompositeFieldContainer[Binding]
    source: str
    base: str
    def __init__(self, schema: _Optional[int] = ..., version: _Optional[int] = ..., published_unix_ms: _Optional[int] = ..., fence: _Optional[int] = ..., features_version: _Optional[int] = ..., features: _Optional[_Iterable[str]] = ..., nodes: _Optional[_Iterable[str]] = ..., gpu_models: _Optional[_Iterable[str]] = ..., bindings: _Optional[_Iterable[_Union[Binding, _Mapping]]] = ..., source: _Optional[str] = ..., base: _Optional[str] = ...) -> None: ...

class Binding(_message.Message):
    __slots__ = ("pod_uid", "row")
    POD_UID_FIELD_NUMBER: _ClassVar[int]
    ROW_FIELD_NUMBER: _ClassVar[int]
    pod_uid: str
    row: int
    def __init__(self, pod_uid: _Optional[str] = ..., row: _Optional[int] = ...) -> None: ...
