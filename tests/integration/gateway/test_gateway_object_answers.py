"""What the answer to a change of an object shows: to whom, and how long, its body."""

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from confluent_kafka import Message

from schemas.tables import OBJECT_VERSIONS
from tests.integration.gateway.conftest import Answer, Bearer, Records, Rows
from tests.integration.gateway.test_gateway_objects import Shelf

Answering = Callable[[str, Answer], None]
MERGE = "application/merge-patch+json"
STORED = {"secret": "of the collection"}
AT = "2026-11-01T08:00:00.000000Z"


@pytest.fixture
def shelf(rows: Rows) -> Shelf:
    """An empty collection."""
    return Shelf(rows)


@pytest.fixture
def object_id(shelf: Shelf, rows: Rows, records: Records, answering: Answering) -> str:
    """An object of version 9; a worker answers changes of it as if they had made version 4."""
    made = shelf.put(STORED, key="k", version=9)
    head = {
        "id": made,
        "gpt_id": rows.gpt_id,
        "collection": shelf.name,
        "key": "k",
        "subject": None,
        "version": 4,
        "size_bytes": 30,
        "created_at": AT,
        "updated_at": AT,
        "expires_at": None,
    }

    def change(message: Message, request_id: str) -> None:
        value = message.value()
        assert value is not None
        if json.loads(value)["collection"] == shelf.name:
            result = {"status": 200, "change": "updated", "object": head}
            rows.settle(request_id, kind="write-collection", result=result)
            records.wake(request_id)

    answering("write-collection", change)
    return made


def keep(shelf: Shelf, object_id: str, body: dict[str, Any]) -> None:
    """Keep the body of version 4 as an earlier one."""
    shelf.rows.add(
        OBJECT_VERSIONS,
        object_id=object_id,
        collection_id=shelf.collection_id,
        version=4,
        body=body,
        size_bytes=30,
        written_at=AT,
    )


Change = tuple[str, str, dict[str, Any]]
CHANGES: list[Change] = [
    ("PATCH", "", {"content": "{}", "headers": {"Content-Type": MERGE}}),
    ("POST", "/versions/1/restore", {}),
]


@pytest.mark.parametrize("change", CHANGES, ids=["patch", "restore"])
async def test_a_change_whose_version_is_no_longer_kept_has_been_made(
    api: httpx2.AsyncClient,
    shelf: Shelf,
    object_id: str,
    change: Change,
) -> None:
    """It is 200 with what it made and no body; while the version is kept, with its body."""
    method, path, sent = change
    for body in (None, {"n": 4}):
        if body is not None:
            keep(shelf, object_id, body)
        answer = await api.request(method, f"/v1/objects/{object_id}{path}", **sent)
        assert (answer.status_code, answer.headers["etag"]) == (200, '"4"'), answer.text
        assert answer.json() | {"id": object_id, "version": 4, "body": body} == answer.json()


@pytest.mark.parametrize("change", CHANGES, ids=["patch", "restore"])
async def test_who_may_only_write_is_shown_no_body(
    url: str,
    shelf: Shelf,
    object_id: str,
    bearer: Bearer,
    change: Change,
) -> None:
    """But the version that it made; a key that reads this collection too is shown all of it."""
    method, path, sent = change
    keep(shelf, object_id, STORED)
    for scopes, body in (
        (["write"], None),
        ([f"write:{shelf.name}", "read:another"], None),
        (["write", f"read:{shelf.name}"], STORED),
    ):
        async with httpx2.AsyncClient(
            base_url=url, headers=bearer(scopes=scopes), trust_env=False
        ) as client:
            answer = await client.request(method, f"/v1/objects/{object_id}{path}", **sent)
        assert (answer.status_code, answer.json()["version"]) == (200, 4), answer.text
        assert answer.json()["body"] == body


async def test_who_may_only_write_gets_back_what_it_sent(
    url: str, shelf: Shelf, object_id: str, bearer: Bearer
) -> None:
    """A body that replaces another one is the caller's own."""
    async with httpx2.AsyncClient(
        base_url=url, headers=bearer(scopes=["write"]), trust_env=False
    ) as client:
        for path in (f"/v1/objects/{object_id}", f"{shelf.path}/objects/by-key/k"):
            answer = await client.put(path, json={"body": {"mine": 1}})
            assert (answer.status_code, answer.json()["body"]) == (200, {"mine": 1}), answer.text
