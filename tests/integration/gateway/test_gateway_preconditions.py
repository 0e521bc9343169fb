"""Conditions of calls on objects and collections: judged here, or told to the stage."""

import json
from typing import Any

import httpx2
import pytest

from tests.integration.gateway.conftest import Records, Rows
from tests.integration.gateway.test_gateway_objects import Shelf


@pytest.fixture
def shelf(rows: Rows) -> Shelf:
    """An empty collection."""
    return Shelf(rows)


def told(records: Records, shelf: Shelf, answer: httpx2.Response) -> dict[str, Any]:
    """Returns: the operation of the record of a call that was accepted."""
    assert answer.status_code == 202, answer.text
    asked = ("request-id", answer.json()["request_id"].encode())
    found = records.of("write-collection", f"{shelf.rows.gpt_id}/{shelf.name}")
    [record] = [each for each in found if asked in each.headers()]
    operation: dict[str, Any] = json.loads(record.value())["operation"]
    return operation


@pytest.mark.parametrize(
    ("sent", "told_as"),
    [
        ({}, (None, False, False)),
        ({"If-Match": "*"}, (None, False, True)),
        ({"If-None-Match": "*"}, (None, True, False)),
        ({"If-Match": '"3"'}, (3, False, False)),
        ({"If-Match": 'W/"3"'}, (0, False, False)),
    ],
)
async def test_what_creates_or_changes_tells_the_stage_its_condition(
    api: httpx2.AsyncClient,
    shelf: Shelf,
    records: Records,
    sent: dict[str, str],
    told_as: tuple[int | None, bool, bool],
) -> None:
    """PUT by key and POST of a collection: only one that is there, only a new one, one version."""
    now: dict[str, Any] = {"params": {"wait_s": 0}, "headers": sent}
    put = await api.put(f"{shelf.path}/objects/by-key/k", json={"body": {}}, **now)
    collections = shelf.path.rpartition("/")[0]
    post = await api.post(collections, json={"name": shelf.name}, **now)
    for answer in (put, post):
        operation = told(records, shelf, answer)
        names = ("if_version", "if_absent", "if_exists")
        assert tuple(operation[name] for name in names) == told_as


async def test_conditions_have_twins_for_who_sends_no_headers(
    api: httpx2.AsyncClient, shelf: Shelf, records: Records
) -> None:
    """In the query of PUT by key, in the body of POST."""
    path, collections = f"{shelf.path}/objects/by-key/k", shelf.path.rpartition("/")[0]
    for name in ("if_absent", "if_exists"):
        asked = {"wait_s": 0, name: True}
        put = await api.put(path, json={"body": {}}, params=asked)
        body = {"name": shelf.name, name: True}
        post = await api.post(collections, json=body, params={"wait_s": 0})
        assert told(records, shelf, put)[name] is True
        operation = told(records, shelf, post)
        assert operation[name] is True
        assert operation["given"] == []


async def test_a_new_object_may_be_asked_to_be_the_first_of_its_key(
    api: httpx2.AsyncClient, shelf: Shelf, records: Records
) -> None:
    """If-None-Match: * is told to the stage; without a key there is never another one."""
    path = f"{shelf.path}/objects"
    sent: dict[str, Any] = {"params": {"wait_s": 0}, "headers": {"If-None-Match": "*"}}
    keyed = await api.post(path, json={"key": "k", "body": {}, "ttl_s": 9}, **sent)
    operation = told(records, shelf, keyed)
    assert operation | {"op": "put", "key": "k", "if_absent": True, "ttl_s": 9} == operation
    plain = await api.post(path, json={"body": {}}, **sent)
    assert told(records, shelf, plain)["op"] == "create"
    other = await api.post(path, json={"body": {}}, headers={"If-None-Match": '"3"'})
    assert (other.status_code, other.json()["code"]) == (422, "invalid_input")


@pytest.mark.parametrize("condition", ['"5"', "*"])
async def test_a_new_object_takes_no_if_match(
    api: httpx2.AsyncClient, shelf: Shelf, condition: str
) -> None:
    """It would hold only where there is something already; detail says what to do instead."""
    answer = await api.post(
        f"{shelf.path}/objects", json={"key": "k", "body": {}}, headers={"If-Match": condition}
    )
    assert (answer.status_code, answer.json()["code"]) == (412, "version_conflict")
    assert "PUT" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("header", "condition", "twin"),
    [("If-Match", '"5"', "if_version"), ("If-None-Match", "*", "if_absent")],
)
async def test_a_batch_takes_conditions_for_each_operation_alone(
    api: httpx2.AsyncClient, shelf: Shelf, header: str, condition: str, twin: str
) -> None:
    """A header would be no operation's; the error names the field that each one has."""
    batch = {"operations": [{"op": "create", "body": {}}]}
    answer = await api.post(f"{shelf.path}/batch", json=batch, headers={header: condition})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    [error] = answer.json()["errors"]
    assert error["pointer"] == f"/header/{header}"
    assert twin in error["detail"]


async def test_reads_have_conditions_too(api: httpx2.AsyncClient, shelf: Shelf) -> None:
    """412 where If-Match names another version; it goes before If-None-Match."""
    object_id = shelf.put({}, key="k", version=7)
    for path in (f"/v1/objects/{object_id}", f"{shelf.path}/objects/by-key/k"):
        for headers, status in (
            ({"If-Match": '"7"'}, 200),
            ({"If-Match": "*"}, 200),
            ({"If-Match": '"6"'}, 412),
            ({"If-Match": 'W/"7"', "If-None-Match": '"7"'}, 412),
            ({"If-Match": '"7"', "If-None-Match": '"7"'}, 304),
            ({"If-None-Match": 'W/"7"'}, 304),
        ):
            answer = await api.get(path, headers=headers)
            assert answer.status_code == status, headers
    assert (await api.get(shelf.path, headers={"If-Match": '"99"'})).status_code == 412


async def test_what_only_changes_takes_no_if_none_match(
    api: httpx2.AsyncClient, shelf: Shelf
) -> None:
    """It would hold only where there is nothing to change."""
    object_id = shelf.put({}, key="k")
    own = f"/v1/objects/{object_id}"
    for method, path, body in (
        ("PUT", own, {"body": {}}),
        ("PATCH", own, {"body": {}}),
        ("DELETE", own, None),
        ("POST", f"{own}/versions/1/restore", None),
        ("DELETE", f"{shelf.path}/objects/by-key/k", None),
        ("PATCH", shelf.path, {}),
        ("DELETE", shelf.path, None),
    ):
        answer = await api.request(method, path, json=body, headers={"If-None-Match": "*"})
        assert (answer.status_code, answer.json()["code"]) == (412, "version_conflict"), path
