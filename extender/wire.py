"""kube-scheduler's JSON, as far as Berth reads it.

Source: k8s.io/kube-scheduler/extender/v1/types.go (no JSON tags: keys are the Go field names) and
k8s.io/api/core/v1/types.go. Keys are matched without regard to case, as Go's decoder does.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import msgspec

from berth.cluster.pods import PodRequest
from berth.cluster.podspec import PodSpecError, decode_pod
from extender.errors import InvalidError, UndecodableError


class NodeName(msgspec.Struct):
    """The only part of core.ObjectMeta read of a node."""

    name: str


class NamedNode(msgspec.Struct):
    """core.Node, its name alone."""

    metadata: NodeName


class NodeList(msgspec.Struct):
    """core.NodeList; items stay as they came, so that they can be given back unchanged."""

    items: list[msgspec.Raw] | None = None


class HostPriority(msgspec.Struct, gc=False):
    """One entry of prioritize's answer. gc=False: thousands a call would start the collector."""

    host: str = msgspec.field(name="Host")
    score: int = msgspec.field(name="Score")


class Arguments(msgspec.Struct, frozen=True):
    """A decoded call. raw_names (without repeats, as names then are) or raw_nodes holds the list, the other None."""

    pod: PodRequest
    names: list[str]
    raw_names: msgspec.Raw | None
    raw_nodes: msgspec.Raw | None
    items: list[msgspec.Raw] | None

    @property
    def distinct(self) -> list[str]:
        """Each name once, in order."""
        return self.names if self.raw_names is not None else list(dict.fromkeys(self.names))


top_level = msgspec.json.Decoder(dict[str, msgspec.Raw])
names_decoder = msgspec.json.Decoder(list[str])
nodes_decoder = msgspec.json.Decoder(NodeList)
node_decoder = msgspec.json.Decoder(NamedNode)
encoder = msgspec.json.Encoder()

NULL = b"null"
REMEMBERED_BYTES = 2**20
"""Longer lists are not kept: 8 of them are remembered at a time."""


def decode(body: bytes) -> Arguments:
    """ExtenderArgs. Raises UndecodableError for what is no JSON object, InvalidError for what is no usable call."""
    try:
        fields = {key.lower(): value for key, value in top_level.decode(body).items()}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UndecodableError("the body is not a JSON object") from error
    try:
        pod = decode_pod(present(fields, "pod"))
    except PodSpecError as error:
        raise InvalidError(str(error)) from error
    raw_names, raw_nodes = present(fields, "nodenames"), present(fields, "nodes")
    if (raw_names is None) == (raw_nodes is None):
        raise InvalidError("exactly one of NodeNames and Nodes must be given")
    try:
        if raw_names is not None:
            read = recent_name_list if len(bytes(raw_names)) <= REMEMBERED_BYTES else name_list
            names, raw_names = read(bytes(raw_names))
            return Arguments(pod, names, raw_names, None, None)
        items = nodes_decoder.decode(raw_nodes or NULL).items or []
        names = [node_decoder.decode(item).metadata.name for item in items]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidError("the list of nodes is not readable") from error
    return Arguments(pod, names, None, raw_nodes, items)


def name_list(raw: bytes) -> tuple[list[str], msgspec.Raw]:
    """Each name once, in order, and their JSON: as it came where none is repeated. Raises msgspec's errors."""
    names = names_decoder.decode(raw)
    if len(set(names)) == len(names):
        return names, msgspec.Raw(raw)
    once = list(dict.fromkeys(names))
    return once, msgspec.Raw(encoder.encode(once))


recent_name_list = lru_cache(maxsize=8)(name_list)
"""`name_list`, remembered: prioritize sends what filter has just answered. Nobody changes the list."""


def present(fields: dict[str, msgspec.Raw], key: str) -> msgspec.Raw | None:
    """The field, None where it is absent or null."""
    value = fields.get(key)
    return None if value is None or bytes(value) == NULL else value


def filter_answer(call: Arguments, removed: dict[str, str]) -> bytes:
    """ExtenderFilterResult in the form that came in: all nodes but those in `removed` (name to reason)."""
    if call.raw_names is not None:
        kept = [name for name in call.names if name not in removed] if removed else call.raw_names
        lists: dict[str, object] = {"Nodes": None, "NodeNames": kept}
    else:
        lists = {"Nodes": kept_nodes(call, removed), "NodeNames": None}
    return encoder.encode({**lists, "FailedNodes": removed, "FailedAndUnresolvableNodes": None, "Error": ""})


def kept_nodes(call: Arguments, removed: dict[str, str]) -> object:
    """The Nodes of an answer: as they came, or a new list without the removed and repeated ones."""
    items = call.items or []
    kept = {name: item for name, item in zip(call.names, items, strict=True) if name not in removed}
    if len(kept) == len(items):
        return call.raw_nodes
    return {"metadata": {}, "items": list(kept.values())}


def filter_error(message: str) -> bytes:
    """ExtenderFilterResult that fails the pod's cycle (or is ignored, where the extender is ignorable)."""
    return encoder.encode({"Nodes": None, "NodeNames": None, "FailedNodes": None, "Error": message})


def no_priorities(call: Arguments) -> bytes:
    """HostPriorityList: each name once, score 0. Made of the list's own JSON where that has no blanks, as Go's has
    none, and no name has a comma: then quote, comma, quote is where one name ends and another starts."""
    names, raw = call.distinct, bytes(call.raw_names or b"")
    between = len(names) - 1
    if raw[:2] == b'["' and raw[-2:] == b'"]' and raw.count(b",") == raw.count(b'","') == between:
        return b'[{"Host":' + raw[1:-1].replace(b'","', b'","Score":0},{"Host":"') + b',"Score":0}]'
    return priorities(names, [0] * len(names))


def priorities(names: Sequence[str], scores: Sequence[int]) -> bytes:
    """HostPriorityList: each name once, in order."""
    if len(names) != len(scores):
        raise ValueError("a score for each name")
    return encoder.encode(list(map(HostPriority, names, scores)))
