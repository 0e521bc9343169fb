"""Input that nobody should send, and cursors of other lists: problems that say what is wrong."""

import json
from typing import Any

import httpx2
import pytest

from tests.integration.gateway.conftest import Records, Rows
from tests.integration.gateway.test_gateway_objects import Shelf
from tests.integration.gateway.test_gateway_preconditions import told


@pytest.fixture
def shelf(rows: Rows) -> Shelf:
    """An empty collection."""
    return Shelf(rows)


REMOVAL = {"op": "remove", "path": "/n"}
NASTY: list[tuple[str, dict[str, str], int]] = [
    ("/v1/objects/%00", {}, 404),
    ("/v1/objects/obj_x", {}, 404),
    ("{c}/objects/by-key/%00", {}, 422),
    ("{c}/objects/by-key/%F0%9F%98%80", {}, 404),
    ("{c}/objects", {"cursor": "AAAA"}, 400),
    ("{c}/objects", {"q": "a\0"}, 422),
    ("{c}/objects", {"q": "rain"}, 422),
    ("{c}/objects", {"limit": "0"}, 422),
    ("{c}/objects", {"limit": "201"}, 422),
    ("{c}/objects", {"order": "up"}, 422),
    ("{c}/objects", {"fields": "a..b"}, 422),
    ("{c}/objects", {"where": "{"}, 422),
    ("{c}/objects", {"where": '{"a":NaN}'}, 422),
    ("{c}/objects", {"where": '{"$key":"\\u0000"}'}, 422),
    ("{c}/objects", {"where": '{"a\\u0000b":1}'}, 422),
    ("{c}/objects", {"where": '{"a\\ud800":1}'}, 422),
    ("{c}/objects", {"where": '{"a":1e999}'}, 422),
    ("{c}/objects", {"where": json.dumps({"\"] \\ ' $.x ? (@": '" || true || "\\\''})}, 200),
    ("{c}/objects", {"where": json.dumps({"a": {"contains": "(*%_\\"}})}, 200),
    ("{c}/objects", {"where": json.dumps({"a": {"prefix": "\U0001f600\u2028"}})}, 200),
    ("{c}/objects", {"where": json.dumps({"a": {"lt": -1e300}, "b": {"gte": 10**300}})}, 200),
    ("{c}/changes", {"since": "-1"}, 422),
    ("{c}/changes", {"since": "9" * 30}, 422),
    ("/v1/gpts/{g}/collections/UPPER/objects", {}, 422),
    ("/v1/gpts/another/collections/diary/objects", {}, 404),
]


@pytest.mark.parametrize(("path", "parameters", "status"), NASTY)
async def test_nasty_input_is_a_problem_of_the_client(
    api: httpx2.AsyncClient, shelf: Shelf, path: str, parameters: dict[str, str], status: int
) -> None:
    """Nothing of it reaches Postgres as anything but a value."""
    url = path.replace("{c}", shelf.path).replace("{g}", shelf.rows.gpt_id)
    answer = await api.get(url, params=parameters or None)
    assert answer.status_code == status, answer.text
    if status != 200:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status


PATCHES: list[tuple[str, Any, dict[str, Any]]] = [
    ("json", {"body": {"n": 1}, "ttl_s": 9}, {"op": "merge", "patch": {"n": 1}, "ttl_s": 9}),
    ("json", {"body": {}, "ttl_s": None}, {"op": "merge", "patch": {}, "ttl_s": None}),
    ("json", {"body": {}, "ttl_s": 0}, {"op": "merge", "patch": {}, "ttl_s": 0}),
    ("json", {"body": {}}, {"op": "merge", "patch": {}, "ttl_s": None}),
    (
        "merge-patch+json",
        {"body": {"n": 1}, "ttl_s": 9},
        {"op": "merge", "patch": {"body": {"n": 1}, "ttl_s": 9}, "ttl_s": None},
    ),
    ("json-patch+json", [REMOVAL], {"op": "patch", "patch": [REMOVAL], "ttl_s": None}),
]


@pytest.mark.parametrize("patch", PATCHES, ids=lambda one: one[0])
async def test_a_patch_is_wrapped_as_json_and_bare_as_any_other_kind(
    api: httpx2.AsyncClient,
    shelf: Shelf,
    records: Records,
    patch: tuple[str, Any, dict[str, Any]],
) -> None:
    """The names of the wrapper are names like any other in a bare merge patch."""
    kind, sent, meant = patch
    path = f"/v1/objects/{shelf.put({})}"
    headers = {"Content-Type": f"application/{kind}"}
    answer = await api.patch(
        path, content=json.dumps(sent), headers=headers, params={"wait_s": 0, "if_version": 1}
    )
    operation = told(records, shelf, answer)
    assert operation | meant | {"if_version": 1} == operation


@pytest.mark.parametrize(
    ("given", "meant"), [({}, None), ({"ttl_s": None}, None), ({"ttl_s": 0}, 0), ({"ttl_s": 9}, 9)]
)
async def test_null_is_no_lifetime_and_0_is_for_good(
    api: httpx2.AsyncClient,
    shelf: Shelf,
    records: Records,
    given: dict[str, Any],
    meant: int | None,
) -> None:
    """Clients that fill in null for whatever is left out keep nothing for good by that."""
    path, sent = f"{shelf.path}/objects", {"body": {}, **given}
    for method, url in (
        ("POST", path),
        ("PUT", f"{path}/by-key/k"),
        ("PUT", f"/v1/objects/{shelf.put({})}"),
    ):
        answer = await api.request(method, url, json=sent, params={"wait_s": 0})
        assert told(records, shelf, answer)["ttl_s"] == meant, url
    operations = [
        {"op": "create", "body": {}, **given},
        {"op": "put", "key": "k", "body": {}, **given},
        {"op": "merge", "key": "k", "body": {}, **given},
        {"op": "patch", "key": "k", "patch": [REMOVAL], **given},
    ]
    body = {"operations": operations}
    answer = await api.post(f"{shelf.path}/batch", json=body, params={"wait_s": 0})
    found = told(records, shelf, answer)["operations"]
    assert [one["ttl_s"] for one in found] == [meant] * 4


async def test_a_patch_without_its_wrapper_is_told_so(
    api: httpx2.AsyncClient, shelf: Shelf
) -> None:
    """As plain JSON it is not guessed at: `body` is missing."""
    answer = await api.patch(f"/v1/objects/{shelf.put({})}", json={"n": 1})
    assert answer.status_code == 422
    assert {error["pointer"] for error in answer.json()["errors"]} >= {"/body", "/n"}


@pytest.mark.parametrize("ordered", [["/at"], []], ids=["indexed", "not"])
async def test_times_of_one_form_compare_as_times(
    api: httpx2.AsyncClient, shelf: Shelf, ordered: list[str]
) -> None:
    """With an index and without; a day as the value is all of it; other forms sort as texts do."""
    shelf.pretend(indexes={"ordered": ordered})
    times = [f"2026-11-0{day}T10:00:00Z" for day in (1, 2, 3)]
    for number, at in enumerate([*times, "2026-11-02T10:00:00.5Z"], start=1):
        shelf.put({"at": at, "n": number}, slots=[at] if ordered else None)
    for wanted, found in (
        ({"gt": "2026-11-01T10:00:00Z"}, [2, 3, 4]),
        ({"lte": "2026-11-02"}, [1, 2, 4]),
        ({"gte": "2026-11-03"}, [3]),
        ({"lt": "2026-11-02T10:00:00Z"}, [1, 4]),
    ):
        query = {"where": json.dumps({"at": wanted})}
        page = (await api.get(f"{shelf.path}/objects", params=query)).json()
        assert [one["body"]["n"] for one in page["items"]] == found


async def test_a_cursor_is_good_for_its_own_list_alone(
    api: httpx2.AsyncClient, shelf: Shelf, rows: Rows
) -> None:
    """Not for another order, condition, or collection."""
    other = Shelf(rows)
    for n in range(3):
        shelf.put({"n": n})
    page = (await api.get(f"{shelf.path}/objects", params={"limit": 1})).json()
    cursor = {"cursor": page["next_cursor"]}
    assert (await api.get(f"{shelf.path}/objects", params=cursor)).status_code == 200
    for path, more in (
        (other.path, {}),
        (shelf.path, {"order": "desc"}),
        (shelf.path, {"where": '{"n":1}'}),
    ):
        answer = await api.get(f"{path}/objects", params={**cursor, **more})
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


async def test_a_method_that_a_path_has_not_names_those_it_has(
    api: httpx2.AsyncClient, shelf: Shelf
) -> None:
    """All of them, in Allow."""
    answer = await api.post(f"/v1/objects/{shelf.put({})}")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "DELETE, GET, PATCH, PUT"


async def test_the_document_can_be_had_for_some_tags(api: httpx2.AsyncClient) -> None:
    """As GPTs import it; an unknown tag is an error."""
    document = (await api.get("/openapi.json", params={"tags": "objects,search"})).json()
    assert "/v1/search" in document["paths"]
    assert "/v1/documents" not in document["paths"]
    answer = await api.get("/openapi.json", params={"tags": "objekts"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
