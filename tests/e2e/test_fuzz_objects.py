"""Any filter, patch and place is used or refused; an index never changes what a filter finds."""

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.e2e.conftest import ClientSettings, NewTenant, made
from tests.e2e.fuzzed import DIARY, FEW, JSON, SOME, Caller, calling, texts, values

INDEXED = "indexed"
MERGE = "application/merge-patch+json"
ORDERED = {"mood": "/mood", "day": "/day", "a.b": "/a/b", "": "/"}
"""Paths with an ordered index; one behind another key, and one whose key is empty."""

INDEXES = {
    "equality": True,
    "ordered": list(ORDERED.values()),
    "text": {"fields": ["/text", "/mood"], "language": "english", "fragments": True},
}
FILLERS = 1100
"""More than are looked at in order before an index is asked."""

SCALARS: list[Any] = [
    *(None, True, False, 0, 1, -1, 3, 10, 2**53 + 1, 10**40, -(10**40), 0.1, 1e16, 1e308, 5e-324),
    *("", " ", "3", "true", "null", "a", "A", "ä", "a\u0308", "\U0001f600", "\uffff", "x\ny"),
    *('a"b', "a\\b", "a'b", "100%", "a_b", "$", "(", "\u0131\u0130", "-", "\x7f", "\u2028"),
    *("2026-11-01", "2026-11-01T08:00:00Z", "2026-11-01T08:00:00.5+02:00", "2026-13-99", "0000"),
    *("2026-11-01 and more", "20261101", "long " + "w" * 1994, "2026-11-01" + "x" * 1991),
]
STRUCTURES: list[Any] = [
    *([], {}, [[]], [None], [1], ["a", 3], [[3]], [{"b": 3}], {"b": 3}, {"b": [3]}),
    *({"b": {"c": 1}}, {"0": "a"}),
]


def _at(path: str, value: Any) -> dict[str, Any]:
    head, *rest = path.split(".")
    return {head: _at(".".join(rest), value) if rest else value}


BODIES: dict[str, dict[str, Any]] = {
    f"{path or 'empty'} {number}": _at(path, value)
    for path in (*ORDERED, "kind", "text")
    for number, value in enumerate(SCALARS + STRUCTURES)
} | {
    "a 1": {"a": [{"b": 1}, {"b": "a"}]},
    "a 2": {"a": 1},
    "all": {"mood": 3, "day": "2026-11-01", "a": {"b": "a"}, "": 0, "kind": "k", "text": "A a"},
    "dots": {"a.b": 3, "/a": 3, "~": 3, "$id": 3, "$key": 3, "a/b": {"~1": 3}},
}


@pytest.fixture(scope="module")
def client_settings(settings: ClientSettings) -> ClientSettings:
    """The settings, by a name that is not Hypothesis's."""
    return settings


@pytest.fixture(scope="module")
def caller(client_settings: ClientSettings, new_tenant: NewTenant) -> Iterator[Caller]:
    """A tenant with the same objects in two collections, one of which has every index."""
    found = calling(client_settings, new_tenant())
    with found.client as client:
        for name, indexes in ((DIARY, {}), (INDEXED, INDEXES)):
            path = found.tenant.collections
            made(client.post(path, json={"name": name, "indexes": indexes}))
            fillers = {f"filler {number}": {"filler": number} for number in range(FILLERS)}
            operations = [
                {"op": "put", "key": key, "body": body} for key, body in (fillers | BODIES).items()
            ]
            for first in range(0, len(operations), 500):
                batch = {"operations": operations[first : first + 500], "atomic": True}
                made(client.post(f"{path}/{name}/batch", json=batch))
        yield found


OPERATORS = ("eq", "ne", "gt", "gte", "lt", "lte", "in", "prefix", "exists", "contains")
COMPARING = set(OPERATORS[:7])
"""What an ordered index is asked for."""

scalars = st.sampled_from(SCALARS[:-2]) | st.integers() | st.floats(allow_nan=False) | texts
paths = st.sampled_from([*ORDERED, "kind", "text", "a", "/a/b", "/a.b", "dots", "$key"])
operands = {
    **dict.fromkeys(OPERATORS, scalars),
    "in": st.lists(scalars, min_size=1, max_size=4),
    "prefix": texts | st.sampled_from(["a", "2026", "A"]),
    "contains": texts | st.sampled_from(["a", "\\", "%", "_", ".", "x\n"]),
    "exists": st.booleans(),
}
asked = st.sampled_from(OPERATORS).flatmap(
    lambda name: st.fixed_dictionaries({name: operands[name]})
)
filters = st.dictionaries(paths, scalars | asked, min_size=1, max_size=3)


@settings(max_examples=4 * SOME)
@given(where=filters)
@example(where={"mood": {"ne": 3}, "a.b": 3})
@example(where={"day": {"lt": "2026-11-01T08:00:00Z"}})
@example(where={"mood": {"in": [None, 3]}})
@example(where={"": ""})
def test_an_index_changes_no_answer(caller: Caller, where: dict[str, Any]) -> None:
    """Both collections refuse a filter, or find the same objects in both orders.

    Where an ordered index is asked, what is said of lists and long texts is left out.
    """
    plain, indexed = (_found(caller, name, where) for name in (DIARY, INDEXED))
    if plain is None or indexed is None:
        assert plain == indexed
        return
    apart = {key for key, body in BODIES.items() if _is_apart(body, where)}
    assert [key for key in plain if key not in apart] == [
        key for key in indexed if key not in apart
    ]


def _found(caller: Caller, name: str, where: Mapping[str, Any]) -> list[str] | None:
    """Returns: keys of the odd objects, newest first; none where the filter is refused."""
    path = f"{caller.tenant.collections}/{name}/objects"
    given = {"where": json.dumps(where), "fields": "mood", "count": "true"}
    pages = {
        order: caller.call("GET", path, params=given | {"limit": "200", "order": order})
        for order in ("asc", "desc")
    }
    statuses = {page.status_code for page in pages.values()}
    assert statuses in ({200}, {422}), pages["asc"].text
    if statuses == {422}:
        return None
    newest: list[Any] = pages["desc"].json()["items"]
    following = pages["desc"].json()["next_cursor"]
    while following and newest[-1]["key"] in BODIES:
        params = given | {"limit": "200", "order": "desc", "cursor": following}
        page = caller.call("GET", path, params=params).json()
        newest += page["items"]
        following = page["next_cursor"]
    if following is None:
        assert pages["desc"].json()["total"] == len(newest)
        oldest = [one["key"] for one in pages["asc"].json()["items"]]
        assert oldest == [one["key"] for one in reversed(newest)][: len(oldest)]
    return [one["key"] for one in newest if one["key"] in BODIES]


def _is_apart(body: dict[str, Any], where: Mapping[str, Any]) -> bool:
    """Whether an ordered index is documented to see a body otherwise: lists and long texts."""
    return any(
        _is_listed(body, path)
        for path, pointer in ORDERED.items()
        for name in {path, pointer} & where.keys()
        if not isinstance(where[name], dict) or where[name].keys() & COMPARING
    )


def _is_listed(body: Any, path: str) -> bool:
    for part in path.split("."):
        body = body.get(part) if isinstance(body, dict) else None
        if isinstance(body, list):
            return True
    return isinstance(body, str) and len(body.encode()) > 2000


@given(q=st.text(max_size=80), where=filters | st.none())
@example(q='"', where=None)
@example(q="-", where=None)
@example(q="a or or -b", where=None)
@example(q="%_\\", where=None)
@example(q="\0", where=None)
@example(q="the", where={"mood": "a"})
@example(q="x" * 60_000, where=None)
def test_any_words_are_sought_or_refused(
    caller: Caller, q: str, where: dict[str, Any] | None
) -> None:
    """Alone and beside conditions; a collection without an index of words refuses them all."""
    given = {"q": q} | ({} if where is None else {"where": json.dumps(where)})
    for name in (DIARY, INDEXED):
        path = f"{caller.tenant.collections}/{name}/objects"
        answer = caller.call("GET", path, params=given)
        assert answer.status_code in ({200, 422} if name == INDEXED else {422}), answer.text


bodies = st.dictionaries(texts | st.sampled_from(["a", "b", "mood"]), values, max_size=4)
pointers = st.sampled_from(["", "/a", "/a/b", "/mood", "/-", "/0", "/a/-", "/a/0", "a", "/~2"])
patches = st.lists(
    st.fixed_dictionaries(
        {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "x"])},
        optional={"path": pointers | texts, "from": pointers | texts, "value": values},
    ),
    max_size=4,
)


@settings(max_examples=2 * SOME)
@given(body=bodies, patch=bodies, kind=st.sampled_from([MERGE, JSON]))
def test_a_merge_patch_does_what_its_standard_says_or_is_refused(
    caller: Caller, body: dict[str, Any], patch: dict[str, Any], kind: str
) -> None:
    """Bare, and wrapped in plain JSON; what is answered is what is read afterwards."""
    path = _put(caller, body)
    if path is None:
        return
    sent = patch if kind == MERGE else {"body": patch}
    answer = caller.send("PATCH", path, sent, kind)
    assert answer.status_code in {200, 422}, answer.text
    kept = _body(caller, path)
    if answer.is_success:
        assert _exactly(answer.text)["body"] == kept
        assert kept == _merged(_exactly(json.dumps(body)), _exactly(json.dumps(patch)))
    else:
        assert kept == _exactly(json.dumps(body))


def _exactly(text: str) -> Any:
    """Returns: JSON with its numbers as they are written; a double would round them."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def _body(caller: Caller, path: str) -> Any:
    return _exactly(caller.call("GET", path).text)["body"]


def _merged(target: Any, patch: Any) -> Any:
    """As RFC 7396, section 2, has it in pseudocode."""
    if not isinstance(patch, dict):
        return patch
    found = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = _merged(found.get(name), value)
    return found


@settings(max_examples=2 * SOME)
@given(body=bodies, patch=patches | values)
@example(body={}, patch=[{"op": "replace", "path": "", "value": [1]}])
@example(body={"a": {}}, patch=[{"op": "move", "from": "/a", "path": "/a/b"}])
@example(body={"a": []}, patch=[{"op": "add", "path": "/a/1", "value": 1}])
@example(body={"a": 1}, patch=[{"op": "copy", "from": "", "path": "/a"}] * 60)
def test_a_json_patch_is_done_whole_or_not_at_all(
    caller: Caller, body: dict[str, Any], patch: Any
) -> None:
    """What is answered is what is read afterwards; what is refused has changed nothing."""
    path = _put(caller, body)
    if path is None:
        return
    answer = caller.send("PATCH", path, patch, "application/json-patch+json")
    assert answer.status_code in {200, 409, 413, 422}, answer.text
    kept = _body(caller, path)
    if answer.is_success:
        assert _exactly(answer.text)["body"] == kept
    else:
        assert kept == _exactly(json.dumps(body))


def _put(caller: Caller, body: dict[str, Any]) -> str | None:
    """Returns: the path of an object with this body; none where it cannot be kept."""
    path = f"{caller.tenant.collections}/{INDEXED}/objects/by-key/patched"
    answer = caller.send("PUT", path, {"body": body})
    assert answer.status_code in {200, 201, 422}, answer.text
    return f"/v1/objects/{answer.json()['id']}" if answer.is_success else None


numbers = st.integers() | st.sampled_from([0, 1, 10**15, 2**62, 2**63, -1]) | texts


@given(since=numbers, limit=numbers | st.just(50))
def test_any_place_in_the_changes_is_answered_or_refused(
    caller: Caller, since: int | str, limit: int | str
) -> None:
    """A number that there was gives changes behind it; others are 410, or 422 if they are none."""
    given = {"since": since, "limit": limit}
    answer = caller.call("GET", f"{caller.diary}/changes", params=given)
    assert answer.status_code in {200, 410, 422}, answer.text
    if answer.is_success:
        assert all(one["sequence"] > int(since) for one in answer.json()["items"])


@settings(max_examples=FEW)
@given(version=numbers, name=texts | st.just("") | st.just("obj_x"))
def test_any_version_is_read_or_refused(caller: Caller, version: int | str, name: str) -> None:
    """Of an object that there is, and of made-up ones; restoring it is no different."""
    path = f"{caller.diary}/objects/by-key/all"
    object_id = caller.call("GET", path).json()["id"]
    for one in (object_id, quote(name, safe="")):
        versions = f"/v1/objects/{one}/versions/{quote(str(version), safe='')}"
        answer = caller.call("GET", versions)
        assert answer.status_code in {200, 404, 405, 422}, answer.text
        answer = caller.call("POST", f"{versions}/restore")
        assert answer.status_code in {200, 404, 405, 422}, answer.text


@given(fields=st.text(max_size=60) | st.lists(paths, max_size=60).map(",".join))
@example(fields="/")
@example(fields="a.b.c.d.e.f.g.h.i")
@example(fields="," * 2000)
@example(fields="\0")
def test_any_fields_trim_a_body_or_are_refused(caller: Caller, fields: str) -> None:
    """Of one object and of a page: nothing is shown that the body does not have."""
    object_path = f"{caller.diary}/objects/by-key/all"
    for path in (object_path, f"{caller.diary}/objects"):
        answer = caller.call("GET", path, params={"fields": fields})
        assert answer.status_code in {200, 422}, answer.text
    one = caller.call("GET", object_path, params={"fields": fields})
    if one.is_success:
        assert one.json()["body"].items() <= BODIES["all"].items() or "." in fields
