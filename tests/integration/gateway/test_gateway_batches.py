"""Batches over HTTP: what a call makes of files, archives, links and keys, as one record."""

import base64
import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from confluent_kafka import Message

from gateway.settings import GatewaySettings
from schemas.ids import BATCH, DOCUMENT, REQUEST
from tests.integration.gateway.conftest import Answer, Bearer, Records, Rows
from tests.integration.gateway.test_gateway_uploads import MIB, s3, stored

__all__ = ["s3"]

NOW = {"wait_s": "0"}
LINK = {"file_url": "https://example.com/a.pdf"}


def steps_of(records: Records, batch_id: str) -> list[list[dict[str, Any]]]:
    """Returns: the steps of each record about a batch, in their order."""
    return [json.loads(one.value())["steps"] for one in records.of("change-batch", batch_id)]


async def made(api: httpx2.AsyncClient, **call: Any) -> dict[str, Any]:
    """Make a batch. Returns: the answer, which does not wait for it."""
    response = await api.post("/v1/batches", params=NOW, **call)
    assert response.status_code == 202, response.text
    answer: dict[str, Any] = response.json()
    assert response.headers["location"] == answer["status_url"]
    return answer


async def test_documents_are_links_keys_and_bytes(
    api: httpx2.AsyncClient, records: Records, s3: Any, gateway_settings: GatewaySettings
) -> None:
    """Bytes go to the object store; ids are told at once, and follow from batch and key."""
    documents = [
        {**LINK, "key": "one", "type": "invoice", "metadata": {"a": 1}},
        {"s3_key": "demo/in/b.pdf", "path": "in/b.pdf"},
        {"content_base64": base64.b64encode(b"hello").decode(), "filename": "c.txt"},
    ]
    defaults = {"metadata": {"a": 0, "b": 2}, "type": "letter"}
    body = {"name": "May", "metadata": {"m": 5}, "documents": documents, "defaults": defaults}
    answer = await made(api, json=body)

    [[opened, added, closed]] = steps_of(records, answer["batch_id"])
    assert opened == {"do": "open", "name": "May", "metadata": {"m": 5}}
    assert closed == {"do": "close"}
    first, second, third = added["entries"]
    assert first["source"] == {"kind": "link", "url": LINK["file_url"]}
    assert (first["key"], first["type"], first["metadata"]) == ("one", "invoice", {"a": 1, "b": 2})
    assert second["source"] == {"kind": "s3", "key": "demo/in/b.pdf"}
    assert (second["path"], second["type"], second["title"]) == ("in/b.pdf", "letter", None)
    found = await s3.get_object(Bucket=gateway_settings.s3_bucket, Key=third["source"]["key"])
    assert await found["Body"].read() == b"hello"
    shown = answer["documents"]
    assert [one["key"] for one in shown] == [one["key"] for one in added["entries"]]
    assert third["source"]["key"].startswith(f"demo/documents/{shown[2]['document_id']}/")
    assert len({one["key"] for one in shown}) == 3


async def test_ids_are_those_that_the_workers_derive(api: httpx2.AsyncClient, rows: Rows) -> None:
    """The batch's from its request, the document's from batch and key."""
    answer = await made(api, json={"documents": [{**LINK, "key": "k"}]})
    ids, gpt_id = rows.ids, rows.gpt_id
    batch_id = ids.derive(BATCH, gpt_id, "batch", answer["request_id"])
    request_id = ids.derive(REQUEST, gpt_id, batch_id, "k")
    document_id = ids.derive(DOCUMENT, gpt_id, "document", request_id)
    assert answer["batch_id"] == batch_id
    [document] = answer["documents"]
    assert (document["request_id"], document["document_id"]) == (request_id, document_id)


async def test_an_empty_batch_stays_open_and_is_filled(
    api: httpx2.AsyncClient, records: Records
) -> None:
    """Nothing given, nothing closed; documents come by further calls, in the same partition."""
    batch_id = (await made(api, json={"name": "later"}))["batch_id"]
    for path, body in (
        ("documents", {"documents": [LINK]}),
        ("documents", {"s3_prefix": "demo/in/", "close": True}),
        ("close", None),
        ("cancel", None),
        ("retry", None),
    ):
        response = await api.post(f"/v1/batches/{batch_id}/{path}", params=NOW, json=body)
        assert response.status_code == 202, response.text
    done = [[step["do"] for step in steps] for steps in steps_of(records, batch_id)]
    assert done == [["open"], ["add"], ["add", "close"], ["close"], ["cancel"], ["retry"]]


async def test_files_bear_what_the_manifest_says(
    api: httpx2.AsyncClient, records: Records, s3: Any, gateway_settings: GatewaySettings
) -> None:
    """Lines of the manifest fit files by name; folders are kept in the path, not in the name."""
    lines = [
        {"path": "a/b.txt", "key": "kb", "title": "B", "metadata": {"x": 1}},
        {"path": "c.txt", "type": "letter"},
    ]
    manifest = "\n".join(map(json.dumps, lines))
    files = [
        ("manifest", ("manifest.jsonl", manifest)),
        ("files", ("a/b.txt", b"bee")),
        ("files", ("c.txt", b"sea")),
        ("files", ("empty.txt", b"")),
    ]
    form = {"name": "N", "metadata": '{"m": 1}', "defaults": '{"type": "invoice"}'}
    answer = await made(api, files=files, data={**form, "close": "false"})

    [[opened, added]] = steps_of(records, answer["batch_id"])
    assert opened == {"do": "open", "name": "N", "metadata": {"m": 1}}
    bee, sea, empty = added["entries"]
    assert (bee["path"], bee["filename"], bee["key"]) == ("a/b.txt", "b.txt", "kb")
    assert (bee["title"], bee["metadata"], bee["type"]) == ("B", {"x": 1}, "invoice")
    assert (sea["type"], empty["type"], empty["path"]) == ("letter", "invoice", "empty.txt")
    found = await s3.get_object(Bucket=gateway_settings.s3_bucket, Key=bee["source"]["key"])
    assert await found["Body"].read() == b"bee"


async def test_an_archive_goes_by_reference_with_its_manifest(
    api: httpx2.AsyncClient, records: Records, s3: Any, gateway_settings: GatewaySettings
) -> None:
    """Lines that name no file of the call are about the files in the archive."""
    manifest = json.dumps([{"path": "in.txt", "title": "In"}, {"path": "own.txt", "title": "Own"}])
    files = [
        ("manifest", (None, manifest)),
        ("files", ("own.txt", b"own")),
        ("archive", ("all.zip", b"PK not really")),
    ]
    answer = await made(api, files=files, data={"defaults": '{"metadata": {"d": 1}}'})

    [[_, added, closed]] = steps_of(records, answer["batch_id"])
    assert closed == {"do": "close"}
    assert [one["title"] for one in added["entries"]] == ["Own"]
    [many] = added["many"]
    assert many["defaults"]["metadata"] == {"d": 1}
    bucket, prefix = gateway_settings.s3_bucket, f"demo/batches/{answer['batch_id']}/uploads/"
    assert await stored(s3, bucket, prefix) == {many["source"]["key"], many["manifest_key"]}
    kept = await s3.get_object(Bucket=bucket, Key=many["manifest_key"])
    text = (await kept["Body"].read()).decode()
    assert [json.loads(line) for line in text.splitlines()] == [{"path": "in.txt", "title": "In"}]


async def test_a_repeat_gets_the_first_answer(
    api: httpx2.AsyncClient, rows: Rows, s3: Any, gateway_settings: GatewaySettings
) -> None:
    """The same ids; what it uploaded again is removed, since nothing names it."""
    body = {"documents": [{"content_base64": "aGVsbG8="}]}
    key = {"Idempotency-Key": rows.request_id()[:40]}
    first = await made(api, json=body, headers=key)
    said = {"batch_id": first["batch_id"], "state": "closed", "added": 1, "known": 0}
    rows.settle(first["request_id"], kind="change-batch", result=said)
    again = await api.post("/v1/batches", params=NOW, json=body, headers=key)
    assert again.status_code == 200
    assert again.json()["batch_id"] == first["batch_id"]
    assert (again.json()["state"], again.json()["added"]) == ("closed", 1)
    assert again.json()["documents"] == first["documents"]
    prefix = f"demo/documents/{first['documents'][0]['document_id']}/"
    assert len(await stored(s3, gateway_settings.s3_bucket, prefix)) == 1


async def test_a_key_with_another_body_is_refused(api: httpx2.AsyncClient, rows: Rows) -> None:
    """Other bytes under the same idempotency key are an error and not another's answer."""
    key = {"Idempotency-Key": rows.request_id()[:40]}
    first = await made(api, json={"documents": [{"content_base64": "aGVsbG8="}]}, headers=key)
    rows.settle(first["request_id"], kind="change-batch", fingerprint="another")
    again = await api.post("/v1/batches", json={"documents": [LINK]}, headers=key)
    assert (again.status_code, again.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(("status", "kept"), [(409, 0), (500, 1)])
async def test_a_refusal_is_the_answer(
    *,
    api: httpx2.AsyncClient,
    rows: Rows,
    records: Records,
    answering: Callable[[str, Answer], None],
    s3: Any,
    gateway_settings: GatewaySettings,
    status: int,
    kept: int,
) -> None:
    """With the workers' own status and code; what was stored goes, unless it was their fault."""
    batch_id = (await made(api, json={}))["batch_id"]
    problem = {
        "type": "/problems/batch-cancelled",
        "title": "Batch cancelled",
        "status": status,
        "detail": "It was cancelled.",
        "code": "batch_cancelled",
    }
    sources = []

    def refuse(message: Message, request_id: str) -> None:
        value = message.value()
        assert value is not None
        sources.append(json.loads(value)["steps"][0]["entries"][0]["source"]["key"])
        values = {"status": "failed", "result": None, "problem": problem}
        rows.settle(request_id, kind="change-batch", **values)
        records.wake(request_id)

    answering("change-batch", refuse)
    body = {"documents": [{"content_base64": "aGVsbG8="}]}
    answer = await api.post(f"/v1/batches/{batch_id}/documents", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, "batch_cancelled")
    [key] = sources
    assert len(await stored(s3, gateway_settings.s3_bucket, key)) == kept


@pytest.mark.parametrize(
    ("call", "status", "pointer"),
    [
        ({"json": {"documents": [{}]}}, 422, "/documents/0"),
        ({"json": {"documents": [{**LINK, "s3_key": "demo/a"}]}}, 422, "/documents/0"),
        ({"json": {"documents": [{"file_url": "http://a.b/c"}]}}, 422, "/documents/0"),
        (
            {"json": {"documents": [{"content_base64": "!"}]}},
            422,
            "/documents/0/content_base64",
        ),
        ({"json": {"documents": [LINK], "manifest": [{"path": "a"}]}}, 422, ""),
        ({"json": {"document": [LINK]}}, 422, "/document"),
        ({"json": {"close": "false"}}, 422, "/close"),
        ({"json": {"documents": [LINK] * 501}}, 422, "/documents"),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400, None),
        ({"content": b"a", "headers": {"Content-Type": "text/plain"}}, 415, None),
        ({"files": [("other", ("a.txt", b"a"))]}, 422, "/other"),
        ({"files": [("files", ("a", b"a")), ("manifest", (None, "[]"))]}, 422, "/manifest"),
        (
            {"files": [("manifest", (None, '{"path": "x"}')), ("files", ("a", b"a"))]},
            422,
            "/manifest",
        ),
        (
            {"files": [("manifest", (None, '{"path": ""}')), ("files", ("a", b"a"))]},
            422,
            "/manifest/0/path",
        ),
        ({"files": [("manifest", (None, "{]")), ("files", ("a", b"a"))]}, 400, None),
        (
            {"files": [("manifest", (None, '{"path":"a"}\n{"path":"a"}')), ("files", ("a", b"a"))]},
            422,
            "/manifest",
        ),
        ({"files": [("archive", ("a", b"a")), ("archive", ("b", b"b"))]}, 422, "/archive"),
        ({"files": [("close", (None, "maybe")), ("files", ("a", b"a"))]}, 422, "/close"),
    ],
)
async def test_what_cannot_be_used_is_said_with_its_place(
    api: httpx2.AsyncClient, call: dict[str, Any], status: int, pointer: str | None
) -> None:
    """Nothing is published, and the error names the place in the body."""
    response = await api.post("/v1/batches", **call)
    assert response.status_code == status, response.text
    pointers = [error["pointer"] for error in response.json().get("errors", [])]
    assert pointers == ([] if pointer is None else [pointer])


async def test_an_addition_adds_or_closes(api: httpx2.AsyncClient) -> None:
    """A call that asks for nothing is a mistake; a name belongs to the batch, not to documents."""
    batch_id = (await made(api, json={}))["batch_id"]
    path = f"/v1/batches/{batch_id}/documents"
    assert (await api.post(path, json={})).status_code == 422
    assert (await api.post(path, json={"name": "x", "documents": [LINK]})).status_code == 422
    assert (await api.post(path, params=NOW, json={"close": True})).status_code == 202


async def test_ids_that_were_never_handed_out_are_not_found(
    api: httpx2.AsyncClient, rows: Rows
) -> None:
    """Neither another tenant's nor one of another kind."""
    for batch_id in (rows.ids.mint(BATCH, "another"), rows.request_id(), "batch_1"):
        for method, path in (
            ("GET", ""),
            ("GET", "/documents"),
            ("GET", "/results"),
            ("POST", "/close"),
            ("POST", "/cancel"),
            ("POST", "/retry"),
        ):
            response = await api.request(method, f"/v1/batches/{batch_id}{path}")
            assert (response.status_code, response.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "body",
    [
        {"documents": [LINK, {"s3_key": "demo/documents/another/original"}]},
        {"s3_prefix": "demo/"},
        {"archive_key": "demo/all.zip"},
    ],
)
async def test_end_users_name_no_objects(url: str, bearer: Bearer, body: dict[str, Any]) -> None:
    """What lies in the tenant's bucket may be another end user's."""
    async with httpx2.AsyncClient(
        base_url=url, headers=bearer(subject="ada"), trust_env=False
    ) as ada:
        response = await ada.post("/v1/batches", json=body)
        assert (response.status_code, response.json()["code"]) == (403, "forbidden")
        assert (await ada.post("/v1/batches", params=NOW, json={"name": "x"})).status_code == 202


async def test_bodies_are_bounded_as_those_of_uploads(api: httpx2.AsyncClient) -> None:
    """Files come in the size of an upload, JSON in that of a JSON upload, changes in neither."""
    batch_id = (await made(api, json={}))["batch_id"]
    path = f"/v1/batches/{batch_id}/documents"
    for size, status in ((2 * MIB, 202), (13 * MIB, 413)):
        files = {"files": ("large.bin", b"x" * size)}
        assert (await api.post(path, params=NOW, files=files)).status_code == status
    large = {"documents": [{"content_base64": "A" * 9 * MIB}]}
    assert (await api.post(path, json=large)).status_code == 413
    answer = await api.post(f"/v1/batches/{batch_id}/close", content=b"x" * 2 * MIB)
    assert answer.status_code == 413


async def test_reading_keys_change_nothing(url: str, bearer: Bearer) -> None:
    """Making and closing batches needs the scope to write."""
    async with httpx2.AsyncClient(
        base_url=url, headers=bearer(scopes=["read"]), trust_env=False
    ) as reader:
        assert (await reader.post("/v1/batches", json={})).status_code == 403
        assert (await reader.get("/v1/batches")).status_code == 200
