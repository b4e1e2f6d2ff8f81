"""The watched nodes and pods, entered into the accounts. What cannot be read is counted and left out: one odd object
must not hide the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

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
        self.accounts, self.lock = Accounts(), threading.Lock()
        known = self.accounts
        self.nodes = KindCopy[NodeState](
            self.lock, unreadable.labels("nodes"), read_node, lambda node: node.name,
            known.keep_nodes, known.put_node, known.drop_node,
        )  # fmt: skip
        self.pods = KindCopy[BoundPod](
            self.lock, unreadable.labels("pods"), read_bound_pod, lambda pod: pod.request.uid,
            known.keep_pods, self.put_pod, known.drop_pod,
        )  # fmt: skip
        self.tell_bound: Callable[[BoundPod], None] | None = None

    def put_pod(self, pod: BoundPod) -> None:
        """Enter a pod; tell of it where it is bound and was not before. Under the lock."""
        before = self.accounts.pods.get(pod.request.uid)
        self.accounts.put_pod(pod)
        if self.tell_bound and pod.node and not (before and before.node):
            self.tell_bound(pod)

    def tell_bindings(self, tell: Callable[[BoundPod], None]) -> None:
        """Of the pods that have a node, then of each that gets one."""
        with self.lock:
            for pod in self.accounts.pods.values():
                if pod.node:
                    tell(pod)
            self.tell_bound = tell


@dataclass(frozen=True)
class KindCopy(Generic[T]):
    """Objects of one kind, as a `listwatch.Copy`. read: from JSON; key: what it is known by; keep, enter, leave: the
    accounts' own."""

    lock: threading.Lock
    unreadable: Counter
    read: Callable[[msgspec.Raw], T]
    key: Callable[[T], str]
    keep: Callable[[Iterable[str]], None]
    enter: Callable[[T], None]
    leave: Callable[[str], None]

    def replace(self, objects: Sequence[msgspec.Raw]) -> None:
        """These are all there are."""
        found = self.readable(objects)
        with self.lock:
            self.keep(self.key(one) for one in found)
            for one in found:
                self.enter(one)

    def put(self, thing: msgspec.Raw) -> None:
        """One is there, or has changed."""
        found = self.readable([thing])
        with self.lock:
            for one in found:
                self.enter(one)

    def drop(self, thing: msgspec.Raw) -> None:
        """One is gone."""
        found = self.readable([thing])
        with self.lock:
            for one in found:
                self.leave(self.key(one))

    def readable(self, objects: Iterable[msgspec.Raw]) -> list[T]:
        """Those that can be read."""
        found = []
        for thing in objects:
            try:
                found.append(self.read(thing))
            except (NodeSpecError, PodSpecError):
                self.unreadable.inc()
        return found
