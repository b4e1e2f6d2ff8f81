"""Hostile input, against the running extender: it answers, keeps its memory, and serves the next call."""

from __future__ import annotations

import http.client
import json
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.calls import Caller, Replay, pod, scores_of

pytestmark = [pytest.mark.mesh, pytest.mark.usefixtures("still_serving")]

FILTER, PRIORITIZE = "/scheduler/filter", "/scheduler/prioritize"
UIDS = (f"hostile-{i}" for i in count())
MIB = 2**20


def both(caller: Caller, body: bytes) -> list[tuple[int, Any]]:
    """Status and JSON of both verbs."""
    return [(answer.status, answer.json) for answer in (caller.call("POST", p, body) for p in (FILTER, PRIORITIZE))]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"{",
        b"}",
        b"null",
        b"true",
        b"[]",
        b'"text"',
        b"1e999",
        b"\x00" * 100,
        b"\xff\xfe{}",
        b'{"Pod":NaN,"NodeNames":["a"]}',
        b'{"Pod":Infinity}',
        b'{"a":1}{"b":2}',
        b'{"Pod":{"metadata":{}},"NodeNames":["a"],}',
        b"<xml/>",
        b'{"\xc3\x28":1}',
        b'{"\\ud800":1}',
    ],
)
def test_broken_json_is_400_without_exception_text(caller: Caller, raw: bytes) -> None:
    for path in (FILTER, PRIORITIZE):
        answer = caller.call("POST", path, raw)
        assert answer.status == 400
        assert answer.json == {"error": "the body is not a JSON object"}


@pytest.mark.parametrize(
    "deep", [b"[" * 100_000, b'{"a":' * 100_000, b'{"Pod":' + b"[" * 500_000 + b"]" * 500_000 + b"}"]
)
def test_deep_nesting_is_refused(caller: Caller, deep: bytes) -> None:
    for path in (FILTER, PRIORITIZE):
        assert caller.call("POST", path, deep).status == 400


def test_deep_nesting_inside_a_pod_is_an_error_of_that_call(caller: Caller) -> None:
    deep = b"[" * 900 + b"]" * 900
    body = b'{"Pod":{"metadata":{"name":' + deep + b'}},"Nodes":null,"NodeNames":["a"]}'
    for status, answer in both(caller, body):
        assert status in (200, 400)
        assert answer == [] or "error" in str(answer).lower()


BAD_FIELDS: list[dict[str, Any]] = [
    {"Pod": None},
    {"Pod": []},
    {"Pod": "pod"},
    {"Pod": {}},
    {"Pod": {"metadata": None}},
    {"Pod": {"metadata": {"labels": ["a"]}}},
    {"Pod": {"metadata": {}, "spec": []}},
    {"Pod": {"metadata": {}, "spec": {"containers": {}}}},
    {"Pod": {"metadata": {}, "spec": {"containers": [{"resources": {"requests": {"cpu": {}}}}]}}},
    {"Pod": {"metadata": {}, "spec": {"containers": [{"resources": {"requests": {"cpu": "12 apples"}}}]}}},
    {"Pod": {"metadata": {}, "spec": {"priority": 1.5}}},
    {"NodeNames": None},
    {"NodeNames": "a"},
    {"NodeNames": {"a": 1}},
    {"NodeNames": [1, 2]},
    {"NodeNames": ["a", None]},
    {"NodeNames": [["a"]]},
    {"Nodes": {"items": [{"metadata": {"name": "a"}}]}},
    {"NodeNames": None, "Nodes": []},
    {"NodeNames": None, "Nodes": {"items": ["a"]}},
    {"NodeNames": None, "Nodes": {"items": [{"metadata": {"name": None}}]}},
    {"NodeNames": None, "Nodes": {"items": [{"metadata": {"name": 5}}]}},
]


@pytest.mark.parametrize("fields", BAD_FIELDS, ids=lambda f: json.dumps(f)[:60])
def test_wrong_types_missing_pod_both_lists_neither_list(caller: Caller, fields: dict[str, Any]) -> None:
    body = json.dumps({"Pod": pod("x"), "Nodes": None, "NodeNames": ["a", "b"], **fields}).encode()
    (filter_status, filtered), (prioritize_status, prioritized) = both(caller, body)
    assert (filter_status, prioritize_status, prioritized) == (200, 200, [])
    assert filtered["Error"].startswith("berth: ")
    assert "Traceback" not in filtered["Error"]
    assert len(filtered["Error"]) < 100


@pytest.mark.parametrize("quantity", ["9e307", "1e999", "-5", "99999999999999999Ei", 1e300, -3, "0", "1n"])
def test_absurd_requests_are_served(replay: Replay, caller: Caller, quantity: object) -> None:
    names = replay.names[:50]
    asked = pod(next(UIDS), cpu=quantity, memory=quantity, requests={"nvidia.com/gpu": quantity})
    assert caller.filter(asked, names).json["NodeNames"] == names
    assert set(scores_of(caller.prioritize(asked, names))) == set(names)
    caller.decision(asked["metadata"]["uid"])


def test_twenty_thousand_names(replay: Replay, caller: Caller) -> None:
    names = [*replay.names, *(f"stranger-{i}" for i in range(20_000 - len(replay.names)))]
    asked = pod(next(UIDS), cpu="1234m")
    assert caller.filter(asked, names).json["NodeNames"] == names
    found = scores_of(caller.prioritize(asked, names))
    assert len(found) == 20_000
    assert max(found.values()) == 10


def test_duplicate_empty_and_unicode_names(replay: Replay, caller: Caller) -> None:
    odd = [
        "",
        "",
        "a" * 10_000,
        "ünïcødé",
        "节点",
        "\U0001f600",
        "\u0000",
        'quo"te',
        "back\\slash",
        "\u202e",
        "../../x",
    ]
    sent = [*replay.names[:20], *odd, *replay.names[:20]]
    once = list(dict.fromkeys(sent))
    asked = pod(next(UIDS))
    assert caller.filter(asked, sent).json["NodeNames"] == once
    assert list(scores_of(caller.prioritize(asked, sent))) == once


def test_odd_identities(replay: Replay, caller: Caller) -> None:
    for text in ("", "ü" * 5000, "\u0000", "a/b?c#d", "<script>"):
        asked = pod(
            text, meta={"namespace": text, "labels": {text: text}, "ownerReferences": [{"kind": text, "uid": text}]}
        )
        for _ in range(2):
            assert caller.filter(asked, replay.names[:10]).status == 200
            assert len(scores_of(caller.prioritize(asked, replay.names[:10]))) == 10


def test_a_wrong_content_type_is_no_matter(replay: Replay, caller: Caller) -> None:
    body = json.dumps({"Pod": pod(next(UIDS)), "Nodes": None, "NodeNames": replay.names[:5]})
    assert caller.call("POST", FILTER, body, {"Content-Type": "text/plain"}).json["NodeNames"] == replay.names[:5]


NAMES = st.lists(st.one_of(st.integers(0, 1522), st.text(max_size=6).filter(lambda t: t.isprintable())), max_size=60)


@given(NAMES, st.integers(0, 64_000), st.sampled_from(["NodeNames", "Nodes"]), st.booleans())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_filter_answers_a_subset_and_prioritize_integers_each_once(
    replay: Replay, caller: Caller, drawn: list[int | str], cpu: int, form: str, filter_first: bool
) -> None:
    names = [replay.names[n] if isinstance(n, int) else n for n in drawn]
    fields: dict[str, Any] = {"Pod": pod(next(UIDS), cpu=f"{cpu}m"), "Nodes": None, "NodeNames": None}
    fields[form] = names if form == "NodeNames" else {"items": [{"metadata": {"name": n}} for n in names]}
    body = json.dumps(fields).encode()
    if filter_first:
        answer = caller.call("POST", FILTER, body)
        assert answer.status == 200
        kept = (
            answer.json[form] if form == "NodeNames" else [n["metadata"]["name"] for n in answer.json["Nodes"]["items"]]
        )
        assert set(kept) <= set(names)
        assert bool(kept) == bool(names)
        assert len(set(kept)) == len(kept)
        assert set(names) - set(kept) == set(answer.json["FailedNodes"])
    found = scores_of(caller.call("POST", PRIORITIZE, body))
    assert set(found) == set(names)


def test_views_take_odd_queries(caller: Caller) -> None:
    assert caller.call("GET", "/v1/decisions?limit=0").status == 422
    assert caller.call("GET", "/v1/decisions?limit=1000").status == 200
    assert caller.call("GET", "/v1/decisions/%00%ff").status == 404
    assert caller.call("GET", "/v1/decisions/" + "a" * 8000).status in (404, 414)
    for path in ("/v1/state", "/v1/report", "/healthz", "/readyz", "/metrics", "/openapi.json"):
        answer = caller.call("GET", path)
        assert answer.status == 200
    assert http.client.responses[caller.call("POST", "/v1/state", b"{}").status] == "Method Not Allowed"
