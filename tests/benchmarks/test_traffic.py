"""What the benchmark sends: classes that differ, lists that hold every node, no pod twice."""

from __future__ import annotations

import itertools
import json

from benchmarks.traffic import CLASSES, KNOWN_CLASSES, ORDERS, bodies, orders, pod
from berth.cluster.pods import class_key, pod_class
from extender.wire import decode

NAMES = [f"node-{i}" for i in range(150)]


def key(number: int) -> str:
    """Class key of the pod of a class number, as the extender reads it."""
    body = json.dumps({"Pod": pod("u", number), "NodeNames": ["a"]}).encode()
    return class_key(pod_class(decode(body).pod))


def test_every_new_class_has_a_key_of_its_own() -> None:
    numbers = [*range(3000), *range(CLASSES - 500, CLASSES)]
    assert len({key(number) for number in numbers}) == len(numbers)


def test_classes_differ_in_cpu_memory_owner_and_gpu() -> None:
    asked = [decode(json.dumps({"Pod": pod("u", n), "NodeNames": []}).encode()).pod for n in range(0, CLASSES, 37)]
    assert {p.owner_kind for p in asked} == {"ReplicaSet", "StatefulSet", "Job", ""}
    assert {p.gpu_milli for p in asked} == {0, 500, 1000}
    assert 0.5 < min(p.cpu for p in asked) < max(p.cpu for p in asked) < 4.0


def test_each_list_holds_every_node_in_an_order_of_its_own() -> None:
    lists = orders(NAMES, 1)
    assert len(set(lists)) == ORDERS
    assert all(sorted(json.loads(one)) == sorted(NAMES) for one in lists)
    assert orders(NAMES, 1) == lists != orders(NAMES, 2)


def test_warm_pods_repeat_classes_and_cold_ones_do_not() -> None:
    lists = orders(NAMES, 1)
    for new, expected in ((False, KNOWN_CLASSES), (True, 64)):
        sent = [decode(body).pod for body in itertools.islice(bodies(lists, "r", new, 5), 64)]
        assert len({p.uid for p in sent}) == 64
        assert len({class_key(pod_class(p)) for p in sent}) == expected
        assert {p.scheduler_name for p in sent} == {"berth"}
