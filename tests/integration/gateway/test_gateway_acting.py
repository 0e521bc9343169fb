"""Acting as an end user: a key of the whole GPT does no more, nor less, than one of theirs."""

import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import connect

from streams.settings import Settings
from tests.integration.gateway.conftest import Bearer, Records, Rows
from tests.integration.gateway.telling import teller
from tests.integration.gateway.test_gateway_batch_reads import Batch
from tests.integration.gateway.test_gateway_objects import Shelf
from tests.integration.gateway.test_gateway_websocket import ended, hear, say, subscribed

NOW = {"wait_s": "0"}
AS_ANN = {"Actionstream-Subject": "ann"}


@pytest.fixture(scope="module")
async def ann(url: str, bearer: Bearer) -> AsyncIterator[httpx2.AsyncClient]:
    """A client with a key of Ann's own."""
    async with httpx2.AsyncClient(
        base_url=url, headers=bearer(subject="ann"), trust_env=False
    ) as client:
        yield client


@pytest.fixture(scope="module")
def paths(rows: Rows) -> list[str]:
    """Reads of what Ann, Bob and nobody have of each kind, all under the same names."""
    shelf = Shelf(rows)
    found = [shelf.path, f"{shelf.path}/objects/by-key/note", f"{shelf.path}/changes?since=0"]
    for subject in ("ann", "bob", None):
        batch_id = Batch(rows, subject=subject).batch_id
        object_id = shelf.put({"of": subject}, key="note", subject=subject)
        document_id = rows.document(title=f"of {subject}", subject=subject)
        request_id = rows.request_id()
        rows.settle(request_id, subject=subject)
        found += [
            f"/v1/objects/{object_id}",
            f"/v1/objects/{object_id}/versions",
            f"/v1/documents/{document_id}",
            f"/v1/documents/{document_id}/fields",
            f"/v1/documents/{document_id}/runs",
            f"/v1/batches/{batch_id}",
            f"/v1/requests/{request_id}",
        ]
    lists = ("/v1/documents", "/v1/batches", "/v1/reviews", "/v1/webhooks", "/v1/dead-letters")
    return [*found, f"{shelf.path}/objects", "/v1/search?q=of", *lists]


def _told(answer: httpx2.Response) -> tuple[int, Any]:
    return answer.status_code, {**answer.json(), "took_ms": None}


async def test_it_reads_what_a_key_of_the_end_user_reads(
    api: httpx2.AsyncClient, ann: httpx2.AsyncClient, paths: list[str]
) -> None:
    """To the letter, whatever is asked for, be it named by parameter or by header."""
    for path in paths:
        theirs = _told(await ann.get(path))
        assert "bob" not in str(theirs)
        joint = "&" if "?" in path else "?"
        assert _told(await api.get(f"{path}{joint}subject=ann")) == theirs, path
        assert _told(await api.get(path, headers=AS_ANN)) == theirs, path


async def test_everything_says_whose_it_is(api: httpx2.AsyncClient, rows: Rows) -> None:
    """Alone and in lists, so that who sees all can tell them apart, and an export can keep it."""
    shelf = Shelf(rows)
    for subject in ('ann "A"', None):
        object_id = shelf.put({}, key="k", subject=subject)
        document_id = rows.document(subject=subject)
        batch_id = Batch(rows, subject=subject).batch_id
        found = [
            (f"/v1/objects/{object_id}", f"{shelf.path}/objects", "id"),
            (f"/v1/documents/{document_id}", "/v1/documents", "document_id"),
            (f"/v1/batches/{batch_id}", "/v1/batches", "batch_id"),
        ]
        for one, several, name in found:
            alone = (await api.get(one)).json()
            items = (await api.get(several)).json()["items"]
            listed = {item[name]: item["subject"] for item in items}
            assert (alone["subject"], listed[alone[name]]) == (subject, subject), one
    changes = (await api.get(f"{shelf.path}/changes", params={"since": 0})).json()["items"]
    assert [one["object"]["subject"] for one in changes] == ['ann "A"', None]


async def test_the_same_bytes_are_told_to_their_end_user_alone(
    ann: httpx2.AsyncClient, rows: Rows
) -> None:
    """Rows of the first versions may name another one's document."""
    for subject, told in (("bob", False), (None, False), ("ann", True)):
        first = rows.document(subject=subject)
        second = rows.document(subject="ann", duplicate_of=first)
        detail = (await ann.get(f"/v1/documents/{second}")).json()
        [listed] = (await ann.get("/v1/documents", params={"limit": 1})).json()["items"]
        shown = first if told else None
        assert (detail["duplicate_of"], listed["duplicate_of"]) == (shown, shown), subject


async def test_what_it_writes_is_the_end_users(
    api: httpx2.AsyncClient, ann: httpx2.AsyncClient, rows: Rows, records: Records
) -> None:
    """Records bear the end user; an idempotency key is that end user's, whatever key calls."""
    shelf, given = Shelf(rows), {"body": {"n": 1}}
    path, key = f"{shelf.path}/objects/by-key/note", {"Idempotency-Key": uuid.uuid4().hex}

    theirs = await ann.put(path, params=NOW, json=given, headers=key)
    same = await api.put(path, params=NOW, json=given, headers=key | AS_ANN)
    other = await api.put(path, params=NOW, json=given, headers=key)

    claimed = [answer.json()["request_id"] for answer in (theirs, same, other)]
    assert claimed[0] == claimed[1] != claimed[2]
    batch = await api.post("/v1/batches", params=NOW | {"subject": "ann"}, json={"name": "x"})
    [record] = records.of("change-batch", batch.json()["batch_id"])
    assert dict(record.headers())["subject"] == b"ann"


async def test_it_may_no_more_than_the_end_user(api: httpx2.AsyncClient) -> None:
    """What is the whole GPT's is not changed on behalf of one."""
    path = "/v1/document-types/receipt"
    answer = await api.put(path, json={"fields": []}, headers=AS_ANN)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_a_cursor_is_the_end_users(
    api: httpx2.AsyncClient, ann: httpx2.AsyncClient, rows: Rows
) -> None:
    """It goes on for the same end user alone; the link to the next page names them too."""
    shelf = Shelf(rows)
    for n in range(2):
        shelf.put({"n": n}, subject="ann")
    path = f"{shelf.path}/objects"
    first = await api.get(path, params={"limit": 1, "subject": "ann"})
    place = {"limit": 1, "cursor": first.json()["next_cursor"]}

    assert (await api.get(path, params=place)).status_code == 400
    assert (await api.get(path, params=place | {"subject": "bob"})).status_code == 400
    assert (await ann.get(path, params=place)).json()["items"][0]["body"] == {"n": 1}
    by_header = await api.get(path, params={"limit": 1}, headers=AS_ANN)
    for page in (first, by_header):
        following = page.links["next"]["url"]
        assert (await api.get(following)).json()["items"][0]["body"] == {"n": 1}


async def test_nobody_else_may_be_named(ann: httpx2.AsyncClient, api: httpx2.AsyncClient) -> None:
    """403 with a key of one end user, 422 where no end user can be called so."""
    assert (await ann.get("/v1/documents", params={"subject": "ann"})).status_code == 200
    answer = await ann.get("/v1/documents", params={"subject": "bob"})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    for text in ("", "a\0", "x" * 257):
        answer = await api.get("/v1/documents", params={"subject": text})
        assert answer.status_code == 422, text
        assert answer.json()["errors"][0]["pointer"] == "/query/subject"
    for name in ("Subject", "subject "):
        answer = await api.get("/v1/documents", params={name: "ann"})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input"), name


async def test_streams_are_the_end_users(url: str, settings: Settings, rows: Rows) -> None:
    """Server-sent events and the WebSocket, whose first message or handshake names them."""
    told = teller(settings, rows.engine)
    key = rows.key(told.gpt_id)
    [mine] = told.tell("object.created", subject="ann")
    told.tell("object.created", subject="bob")
    wanted = {"since": "0", "wait_s": "0", "subject": "ann"}
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(base_url=url, headers=headers, trust_env=False) as client:
        text = (await client.get("/v1/events/stream", params=wanted)).text
    numbers = [
        json.loads(line[6:]).get("sequence") for line in text.splitlines() if "specv" in line
    ]
    assert numbers == [mine]

    address = f"{url.replace('http', 'ws')}/v1/ws"
    for handshake, message in (({}, {"subject": "ann"}), (AS_ANN, {})):
        async with connect(address, proxy=None, additional_headers=handshake) as socket:
            await say(socket, type="authenticate", token=str(key), **message)
            await subscribed(socket)
            told.tell("object.created", subject="bob")
            [later] = told.tell("object.created", subject="ann")
            heard = await hear(socket)
            while heard["type"] == "position":
                heard = await hear(socket)
            assert heard["event"]["sequence"] == later
    for message, code in (({"subject": "bob"}, 4403), ({"subject": ""}, 4400)):
        async with connect(address, proxy=None) as socket:
            theirs = rows.key(told.gpt_id, subject="ann")
            await say(socket, type="authenticate", token=str(theirs), **message)
            assert (await ended(socket))[0] == code
