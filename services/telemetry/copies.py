"""The watched nodes and pods, entered into the accounts. What cannot be read is counted and left out: one odd object
must not hide the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import msgspec
from prometheus_client import Counter

from berth.cluster.accounts import Accounts
from berth.cluster.nodespec import NodeSpecError, NodeState, read_node
from berth.cluster.pods import BoundPod
from berth.cluster.podspec import PodSpecError, read_bound_pod

T = TypeVar("T")


class Copies:
    """Both kinds behind one lock, as snapshots are made in another thread."""

    def __init__(self, unreadable: Counter) -> None:
        self.accounts, self.lock, self.unreadable = Accounts(), threading.Lock(), unreadable
        self.nodes, self.pods = NodesCopy(self), PodsCopy(self)

    def readable(self, kind: str, read: Callable[[msgspec.Raw], T], objects: Iterable[msgspec.Raw]) -> list[T]:
        """Those that can be read."""
        found = []
        for thing in objects:
            try:
                found.append(read(thing))
            except (NodeSpecError, PodSpecError):
                self.unreadable.labels(kind).inc()
        return found


class NodesCopy:
    """Nodes, as a `listwatch.Copy`."""

    def __init__(self, into: Copies) -> None:
        self.into = into

    def replace(self, objects: Sequence[msgspec.Raw]) -> None:
        """These are all there are."""
        found = self.read(objects)
        with self.into.lock:
            self.into.accounts.keep_nodes(node.name for node in found)
            for node in found:
                self.into.accounts.put_node(node)

    def put(self, thing: msgspec.Raw) -> None:
        """One is there, or has changed."""
        with self.into.lock:
            for node in self.read([thing]):
                self.into.accounts.put_node(node)

    def drop(self, thing: msgspec.Raw) -> None:
        """One is gone."""
        with self.into.lock:
            for node in self.read([thing]):
                self.into.accounts.drop_node(node.name)

    def read(self, objects: Sequence[msgspec.Raw]) -> list[NodeState]:
        """Those that can be read."""
        return self.into.readable("nodes", read_node, objects)


class PodsCopy:
    """Pods, as a `listwatch.Copy`."""

    def __init__(self, into: Copies) -> None:
        self.into = into

    def replace(self, objects: Sequence[msgspec.Raw]) -> None:
        """These are all there are."""
        found = self.read(objects)
        with self.into.lock:
            self.into.accounts.keep_pods(pod.request.uid for pod in found)
            for pod in found:
                self.into.accounts.put_pod(pod)

    def put(self, thing: msgspec.Raw) -> None:
        """One is there, or has changed."""
        with self.into.lock:
            for pod in self.read([thing]):
                self.into.accounts.put_pod(pod)

    def drop(self, thing: msgspec.Raw) -> None:
        """One is gone."""
        with self.into.lock:
            for pod in self.read([thing]):
                self.into.accounts.drop_pod(pod.request.uid)

    def read(self, objects: Sequence[msgspec.Raw]) -> list[BoundPod]:
        """Those that can be read."""
        return self.into.readable("pods", read_bound_pod, objects)
