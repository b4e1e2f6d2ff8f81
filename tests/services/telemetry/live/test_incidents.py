"""Incidents by sequences of what watches and usage tell: nothing twice, nothing ended twice, in whatever order."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from berth.cluster.health import Condition, ContainerEnd, NodeHealth, PodHealth
from services.telemetry.history.incidents import Incident, Key, incident_rows, incidents_in
from services.telemetry.live.conditions import Conditions
from services.telemetry.live.incidents import MOST, REMEMBERED_S, Incidents
from services.telemetry.live.mishaps import HOUR_S, LastHour, Mishaps
from services.telemetry.live.saturation import FOR_S, Saturation
from services.telemetry.live.usage import Reading

NOW = 1_800_000_000.0
NODES = ("a", "b", "c")
TYPES = ("Ready", "MemoryPressure", "DiskPressure")

node_names, types = st.sampled_from(NODES), st.sampled_from(TYPES)
statuses = st.sampled_from(["True", "False", "Unknown"])
changes = st.lists(st.tuples(node_names, types, statuses, st.integers(1, 50), st.integers(0, 3)), max_size=30)
"""Node, condition, its new status, seconds since the change before, and how often the watches tell it again."""


def told(histories: Iterable[tuple[str, str, str, int, int]]) -> list[tuple[NodeHealth, int, float]]:
    """As a watch tells it: each change with all conditions of its node, how often, and when."""
    now, known, found = NOW, dict[str, dict[str, Condition]](), []
    for node, kind, status, passed, again in histories:
        now += passed
        conditions = known.setdefault(node, {})
        if kind not in conditions or conditions[kind].status != status:
            conditions[kind] = Condition(kind, status, now)
        found.append((NodeHealth(node, tuple(conditions.values())), again, now))
    return found


def assert_sound(news: list[Incident]) -> None:
    """Each incident is told of when it begins and once when it has ended, not before it began, and of one kind none
    begins while another lasts."""
    begun, ended = set[object](), set[object]()
    for one in news:
        if one.until is None:
            assert one.key not in begun
            assert all(key in ended for key in begun if key[:3] == one.what)  # type: ignore[index]
            begun.add(one.key)
        else:
            assert one.key in begun
            assert one.key not in ended
            assert one.until >= one.at
            ended.add(one.key)


def drained(incidents: Incidents, to: list[Incident]) -> None:
    to += incidents.taken()


@given(changes, st.lists(st.integers(0, 30), max_size=5), st.randoms())
def test_whatever_conditions_do_nothing_is_told_twice(
    histories: list[tuple[str, str, str, int, int]], relists: list[int], chance: random.Random
) -> None:
    """relists: after which changes all nodes are told of again, in any order."""
    incidents, news, latest = Incidents(), list[Incident](), dict[str, NodeHealth]()
    conditions = Conditions(incidents)
    for number, (node, again, now) in enumerate(told(histories)):
        latest[node.name] = node
        for _ in range(1 + again):
            conditions.put(node, now)
            drained(incidents, news)
        if number in relists:
            conditions.replace(chance.sample(list(latest.values()), len(latest)), now)
            drained(incidents, news)
    assert_sound(news)
    wrong = {
        (node.name, "not-ready" if one.type == "Ready" else "pressure", one.type)
        for node in latest.values()
        for one in node.conditions
        if (one.type == "Ready") != (one.status == "True") and (one.type == "Ready" or one.status != "Unknown")
    }
    assert wrong <= set(incidents.lasting)
    unsure = {what for what in incidents.lasting if what not in wrong}
    assert all(
        any(one.type == what[2] and one.status == "Unknown" for one in latest[what[0]].conditions) for what in unsure
    )


@given(changes, st.randoms())
def test_nodes_that_are_told_of_in_another_order_have_the_same_incidents(
    histories: list[tuple[str, str, str, int, int]], chance: random.Random
) -> None:
    words = told(histories)
    turns = [node.name for node, _, _ in words]
    chance.shuffle(turns)
    of_node = {name: iter([word for word in words if word[0].name == name]) for name in NODES}
    found = []
    for sequence in (words, [next(of_node[name]) for name in turns]):
        incidents = Incidents()
        conditions = Conditions(incidents)
        for node, _, now in sequence:
            conditions.put(node, now)
        found.append((sorted(incidents.known), incidents.lasting))
    assert found[0] == found[1]


@given(changes, st.sets(st.integers(0, 30), max_size=5), st.randoms())
def test_restarts_in_between_leave_the_same_on_the_disk(
    histories: list[tuple[str, str, str, int, int]], restarts: set[int], chance: random.Random
) -> None:
    """restarts: after which changes telemetry starts anew, with the disk read before or after the first list."""
    disks = []
    for stops in (set[int](), restarts):
        disk, latest = dict[Key, Incident](), dict[str, NodeHealth]()
        incidents = Incidents()
        conditions = Conditions(incidents)
        for number, (node, _, now) in enumerate(told(histories)):
            latest[node.name] = node
            conditions.put(node, now)
            written(incidents, disk)
            if number in stops:
                incidents = Incidents()
                conditions = Conditions(incidents)
                list_first = chance.random() < 0.5
                if list_first:
                    conditions.replace(list(latest.values()), now)
                incidents.adopt(list(disk.values()), now)
                if not list_first:
                    conditions.replace(list(latest.values()), now)
                conditions.settle(now)
                written(incidents, disk)
        disks.append({key: one.until for key, one in disk.items()})
    assert disks[0] == disks[1]


def written(incidents: Incidents, disk: dict[Key, Incident]) -> None:
    """As the store merges rows of one key: the first end that is one."""
    for one in incidents.taken():
        before = disk.get(one.key, one)
        disk[one.key] = one if before.until is None else before


def test_a_word_that_comes_late_changes_nothing() -> None:
    incidents = Incidents()
    conditions = Conditions(incidents)
    conditions.put(NodeHealth("a", (Condition("Ready", "True", NOW),)), NOW)
    conditions.put(NodeHealth("a", (Condition("Ready", "False", NOW - 60.0),)), NOW + 1.0)
    assert incidents.taken() == []


def test_an_unknown_ready_is_not_ready_and_an_unknown_pressure_says_nothing() -> None:
    incidents = Incidents()
    conditions = Conditions(incidents)
    ready, memory = Condition("Ready", "False", NOW), Condition("MemoryPressure", "True", NOW)
    conditions.put(NodeHealth("a", (ready, memory, Condition("DiskPressure", "Unknown", NOW))), NOW)
    conditions.put(
        NodeHealth("a", tuple(one._replace(status="Unknown", since=NOW + 40.0) for one in (ready, memory))), NOW
    )
    assert {(*one.what, one.until) for one in incidents.taken()} == {
        ("a", "not-ready", "Ready", None),
        ("a", "pressure", "MemoryPressure", None),
    }
    conditions.put(NodeHealth("a", (Condition("Ready", "True", NOW + 90.0),)), NOW)
    assert [(one.at, one.until) for one in incidents.taken()] == [(NOW, NOW + 90.0)]


def test_what_lasts_on_a_node_ends_with_it() -> None:
    incidents = Incidents()
    conditions = Conditions(incidents)
    for name in ("a", "b"):
        conditions.put(NodeHealth(name, (Condition("Ready", "False", NOW),)), NOW)
    conditions.drop("a", NOW + 5.0)
    conditions.replace([], NOW + 9.0)
    assert {(one.node, one.until) for one in incidents.taken()} == {("a", NOW + 5.0), ("b", NOW + 9.0)}
    assert not incidents.lasting


containers = st.builds(
    ContainerEnd,
    st.sampled_from(["c", "d"]),
    st.integers(0, 4),
    st.sampled_from([NOW - 30.0, NOW - 60.0]),
    st.lists(st.sampled_from([NOW - 30.0, NOW - 60.0, NOW - 90.0]), max_size=2).map(tuple),
)
pods = st.builds(
    lambda number, node, told, evicted: PodHealth(
        f"u{number}", f"default/p{number}", f"n{number % 2}", tuple(told), evicted * (NOW - 20.0), ""
    ),
    st.integers(0, 3),
    node_names,
    st.lists(containers, max_size=2, unique_by=lambda one: one.container),
    st.booleans(),
)


@given(st.lists(pods, max_size=12), st.randoms(), st.integers(1, 3))
def test_pods_may_be_told_of_in_any_order_by_two_watches_and_again(
    words: list[PodHealth], chance: random.Random, again: int
) -> None:
    found = []
    for sequence in (words, chance.sample(words * again, len(words) * again)):
        incidents, restarts, evictions = Incidents(), LastHour(), LastHour()
        watches = [Mishaps(incidents, restarts, evictions) for _ in range(2)]
        for word in sequence:
            chance.choice(watches).put(word, NOW)
            if not chance.randrange(5):
                chance.choice(watches).drop(word.uid)
        news = incidents.taken()
        assert len({one.key for one in news}) == len(news)
        found.append((sorted(news), evictions.counts(NOW)))
    assert found[0] == found[1]


def restarted(number: int, ended: float) -> PodHealth:
    return PodHealth("u1", "default/p", "a", (ContainerEnd("c", number, ended, ()),), 0.0, "")


def test_restarts_are_counted_once_each_and_forgotten_after_an_hour() -> None:
    restarts = LastHour()
    mishaps = Mishaps(Incidents(), restarts, LastHour())
    mishaps.replace([restarted(7, NOW - 10.0)], NOW)  # of the seven before only the last has a time
    assert restarts.counts(NOW) == {"a": 1}
    for number in (9, 9, 8):
        mishaps.put(restarted(number, NOW + 60.0), NOW + 60.0)
    assert restarts.counts(NOW + 60.0) == {"a": 3}
    mishaps.replace([restarted(9, NOW + 60.0)], NOW + 70.0)
    mishaps.drop("u1")
    mishaps.put(restarted(9, NOW + 60.0), NOW + 80.0)
    assert restarts.counts(NOW + 80.0) == {"a": 3}
    assert restarts.counts(NOW + HOUR_S + 1.0) == {"a": 2}
    assert restarts.counts(NOW + HOUR_S + 61.0) == {}


def test_what_is_told_again_after_it_was_written_is_not_news() -> None:
    incidents = Incidents()
    for news in (2, 0):
        incidents.happened(NOW, "a", "oom-kill", "p/c", NOW)
        incidents.begin(NOW, "a", "not-ready", "Ready")
        incidents.end(NOW + 5.0, "a", "not-ready", "Ready")
        assert len(incidents.taken()) == news


def test_what_happened_long_ago_is_not_told_again() -> None:
    incidents = Incidents()
    incidents.happened(NOW - REMEMBERED_S - 1.0, "a", "oom-kill", "p/c", NOW)
    assert incidents.taken() == []


def test_memory_is_bounded() -> None:
    incidents = Incidents()
    for number in range(MOST + 50):
        incidents.happened(NOW + number, "a", "oom-kill", "p/c", NOW)
    assert len(incidents.known) == MOST
    incidents.give_back(incidents.taken())
    assert len(incidents.news) == MOST


def saturated(*readings: tuple[float, float]) -> list[Incident]:
    """readings: seconds and cores of ten that node 'a' uses."""
    incidents = Incidents()
    saturation = Saturation(incidents, 120.0)
    for second, cores in readings:
        for _ in range(2):  # a look may find the reading before
            saturation.observe("cpu", {"a": Reading(cores, NOW + second)}, {"a": 10.0})
    return incidents.taken()


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        ([(s, 9.9) for s in range(0, 301, 60)], [(0.0, None)]),
        ([(s, 9.9) for s in range(0, 300, 60)], []),
        ([*((s, 9.9) for s in range(0, 361, 60)), (420, 9.5)], [(0.0, 420.0)]),
        ([(0, 9.9), (60, 9.0), *((s, 9.9) for s in range(120, 421, 60))], [(120.0, None)]),
        ([(0, 9.9), *((s, 9.9) for s in range(200, 460, 60))], []),  # nobody told what was between
        ([(0, 9.9), (0, 9.9)], []),  # one reading, however long it is looked at
    ],
)
def test_a_node_is_saturated_after_five_minutes_of_readings(
    readings: list[tuple[float, float]], expected: list[tuple[float, float | None]]
) -> None:
    found = [(one.at - NOW, None if one.until is None else one.until - NOW) for one in saturated(*readings)]
    assert found == expected


def test_a_node_of_unknown_size_is_not_saturated_and_one_that_is_gone_is_forgotten() -> None:
    saturation = Saturation(Incidents(), 120.0)
    saturation.observe("memory", {"a": Reading(9.9, NOW), "b": Reading(9.9, NOW)}, {"a": float("nan"), "b": 10.0})
    assert set(saturation.above) == {("b", "memory")}
    saturation.observe("memory", {}, {})
    assert not saturation.above
    assert FOR_S == 300.0


def test_rows_and_back() -> None:
    incidents = [
        Incident(NOW, "a", "not-ready", "Ready", None, '{"status": "False"}'),
        Incident(NOW, "a", "eviction", "default/p", NOW),
    ]
    assert incidents_in(incident_rows(incidents)) == incidents
    assert incidents_in(incident_rows([])) == []


def test_what_is_written_goes_on_and_is_not_news() -> None:
    incidents = Incidents()
    conditions = Conditions(incidents)
    ready = NodeHealth("a", (Condition("Ready", "Unknown", NOW),))
    conditions.replace([ready], NOW)
    incidents.happened(NOW, "a", "oom-kill", "p/c", NOW)
    stored = [
        Incident(NOW - 600.0, "a", "not-ready", "Ready", None),  # it was 'False' first
        Incident(NOW - 900.0, "a", "saturation", "cpu", None),
        Incident(NOW - 900.0, "b", "not-ready", "Ready", None),  # gone meanwhile
        Incident(NOW, "a", "oom-kill", "p/c", NOW),
    ]
    incidents.adopt(stored, NOW + 5.0)
    conditions.settle(NOW + 5.0)
    assert [(one.node, one.kind, one.until) for one in incidents.taken()] == [("b", "not-ready", NOW + 5.0)]
    conditions.put(NodeHealth("a", (Condition("Ready", "True", NOW + 9.0),)), NOW + 9.0)
    incidents.end(NOW + 9.0, "a", "saturation", "cpu")
    assert {(one.at, one.kind, one.until) for one in incidents.taken()} == {
        (NOW - 600.0, "not-ready", NOW + 9.0),
        (NOW - 900.0, "saturation", NOW + 9.0),
    }


def test_what_ended_here_and_lasts_on_the_disk_is_news() -> None:
    incidents = Incidents()
    incidents.begin(NOW, "a", "not-ready", "Ready")
    incidents.end(NOW + 9.0, "a", "not-ready", "Ready")
    incidents.taken()  # another published then
    incidents.adopt([Incident(NOW, "a", "not-ready", "Ready", None)], NOW + 20.0)
    assert [one.until for one in incidents.taken()] == [NOW + 9.0]


def test_of_two_that_last_on_the_disk_the_older_had_an_end() -> None:
    incidents = Incidents()
    incidents.adopt([Incident(NOW + 50.0, "a", "pressure", "D"), Incident(NOW, "a", "pressure", "D")], NOW + 90.0)
    assert [(one.at, one.until) for one in incidents.taken()] == [(NOW, NOW + 50.0)]
    assert incidents.lasting["a", "pressure", "D"].at == NOW + 50.0
