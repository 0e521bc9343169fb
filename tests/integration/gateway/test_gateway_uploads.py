"""Uploads: bytes to the object store first, then one record for each document."""

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from aiobotocore.session import get_session

from gateway.settings import GatewaySettings
from tests.integration.gateway.conftest import Records, Rows, Serve

MIB = 1024**2


@pytest.fixture(scope="session")
async def s3(gateway_settings: GatewaySettings) -> AsyncIterator[Any]:
    """A client of the session's bucket."""
    key, secret = gateway_settings.s3_access_key, gateway_settings.s3_secret_key
    assert key is not None
    assert secret is not None
    async with get_session().create_client(
        "s3",
        endpoint_url=gateway_settings.s3_endpoint,
        region_name=gateway_settings.s3_region,
        aws_access_key_id=key.get_secret_value(),
        aws_secret_access_key=secret.get_secret_value(),
    ) as client:
        yield client


async def stored(s3: Any, bucket: str, prefix: str = "demo/documents/") -> set[str]:
    """Returns: the keys below a prefix."""
    found = await s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1000)
    return {one["Key"] for one in found.get("Contents", [])}


def record_of(records: Records, document_id: str) -> dict[str, Any]:
    """Returns: the one record of a document, decoded."""
    [message] = records.of("process-document", document_id)
    value: dict[str, Any] = json.loads(message.value())
    return value


@pytest.mark.parametrize("size", [1, 8 * MIB, 8 * MIB + 1, 11 * MIB])
async def test_bytes_are_stored_before_the_record_names_them(
    api: httpx2.AsyncClient,
    records: Records,
    s3: Any,
    gateway_settings: GatewaySettings,
    size: int,
) -> None:
    """A file of one part or several arrives byte for byte under a key of its tenant's."""
    content = hashlib.shake_256(b"seed").digest(size)
    response = await api.post(
        "/v1/documents",
        files={"file": ("../up/Büro.pdf", content)},
        data={"title": "T", "metadata": '{"a": [1]}', "type": "invoice"},
    )
    body = response.json()
    assert response.status_code == 202, body
    value = record_of(records, body["document_id"])
    key = value["source"]["key"]
    assert key.startswith(f"demo/documents/{body['document_id']}/")
    assert value["filename"] == "Büro.pdf"
    assert (value["title"], value["metadata"], value["type"]) == ("T", {"a": [1]}, "invoice")
    answer = await s3.get_object(Bucket=gateway_settings.s3_bucket, Key=key)
    assert await answer["Body"].read() == content


async def test_base64_and_links_are_taken_as_json(
    api: httpx2.AsyncClient, records: Records
) -> None:
    """Base64 goes to the store, a link goes into the record as it is."""
    content = base64.b64encode(b"hello").decode()
    body = {"content_base64": content, "filename": "a.txt", "correlation_id": "c-1"}
    inline = (await api.post("/v1/documents", json=body)).json()
    link = (await api.post("/v1/documents", json={"file_url": "https://example.org/a.pdf"})).json()
    assert inline["correlation_id"] == "c-1"
    assert record_of(records, inline["document_id"])["source"]["kind"] == "s3"
    source = record_of(records, link["document_id"])["source"]
    assert source == {"kind": "link", "url": "https://example.org/a.pdf"}


async def test_of_several_files_each_has_its_own_outcome(
    api: httpx2.AsyncClient, records: Records
) -> None:
    """An empty file among others fails alone, in its place."""
    files = [("file", ("a.txt", b"a")), ("file", ("b.txt", b"")), ("files", ("c.txt", b"c"))]
    response = await api.post("/v1/documents", files=files)
    items = response.json()["items"]
    assert response.status_code == 202
    assert [item["filename"] for item in items] == ["a.txt", "b.txt", "c.txt"]
    assert [item["status"] for item in items] == ["accepted", "failed", "accepted"]
    assert items[1]["problem"]["code"] == "empty_file"
    assert items[0]["document_id"] != items[2]["document_id"]
    assert record_of(records, items[2]["document_id"])["filename"] == "c.txt"


async def test_a_document_answers_from_the_moment_its_id_is_out(
    api: httpx2.AsyncClient,
) -> None:
    """Before any worker has seen it, a document and its parts are there, as accepted."""
    taken = (await api.post("/v1/documents", files={"file": ("a.txt", b"a")})).json()
    path = f"/v1/documents/{taken['document_id']}"
    document = (await api.get(path)).json()
    assert (document["status"], document["timeline"]) == ("accepted", [])
    for part in ("text", "fields", "chunks", "runs"):
        assert (await api.get(f"{path}/{part}")).status_code == 200
    content = await api.get(f"{path}/content")
    assert (content.status_code, content.json()["code"]) == (409, "not_ready")


ONE = {"file": ("a", b"a")}
BAD = {
    "no file": ({"data": {"title": "x"}, "files": {}}, 415, "unsupported_media_type"),
    "empty file": ({"files": {"file": ("a", b"")}}, 422, "empty_file"),
    "unknown field": ({"files": ONE, "data": {"nope": "1"}}, 422, "/nope"),
    "unknown file field": ({"files": {"upload": ("a", b"a")}}, 422, "/upload"),
    "metadata not JSON": (
        {"files": ONE, "data": {"metadata": "{"}},
        422,
        "/metadata",
    ),
    "metadata a list": (
        {"files": ONE, "data": {"metadata": "[]"}},
        422,
        "/metadata",
    ),
    "NUL in metadata": (
        {"files": ONE, "data": {"metadata": '{"a": "\\u0000"}'}},
        422,
        "/metadata",
    ),
    "NUL in title": ({"files": ONE, "data": {"title": "a\0b"}}, 422, "/title"),
    "bad type": ({"files": ONE, "data": {"type": "Not A Type"}}, 422, "/type"),
    "bad wait": ({"files": ONE, "data": {"wait_s": "-1"}}, 422, "/wait_s"),
    "not JSON": (
        {"content": b"{", "headers": {"Content-Type": "application/json"}},
        400,
        "malformed",
    ),
    "JSON of invalid UTF-8": (
        {"content": b'{"filename": "\xff"}', "headers": {"Content-Type": "application/json"}},
        400,
        "malformed",
    ),
    "both sources": (
        {"json": {"file_url": "https://a.example/", "content_base64": "YQ=="}},
        422,
        "invalid_input",
    ),
    "plain link": ({"json": {"file_url": "http://a.example/"}}, 422, "invalid_input"),
    "bad base64": ({"json": {"content_base64": "???"}}, 422, "/content_base64"),
    "empty base64": ({"json": {"content_base64": ""}}, 422, "empty_file"),
    "unknown key": ({"json": {"file_url": "https://a.example/", "titel": "x"}}, 422, "/titel"),
    "wrong type": ({"json": {"file_url": 7}}, 422, "/file_url"),
    "no boundary": (
        {"content": b"x", "headers": {"Content-Type": "multipart/form-data"}},
        400,
        "malformed",
    ),
    "not multipart": (
        {"content": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=b"}},
        400,
        "malformed",
    ),
    "text": ({"content": b"x", "headers": {"Content-Type": "text/plain"}}, 415, "Send multipart"),
}


@pytest.mark.parametrize(("call", "status", "says"), BAD.values(), ids=BAD.keys())
async def test_what_is_wrong_is_named_with_its_remedy(
    api: httpx2.AsyncClient, call: dict[str, Any], status: int, says: str
) -> None:
    """Each bad upload is answered with a problem document that names the place or the kind."""
    response = await api.post("/v1/documents", **call)
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    assert says in response.text
    assert response.json()["detail"]


async def test_nothing_is_left_of_a_refused_upload(
    api: httpx2.AsyncClient, s3: Any, gateway_settings: GatewaySettings
) -> None:
    """Bytes that were stored before the form turned out wrong are removed."""
    bucket = gateway_settings.s3_bucket
    before = await stored(s3, bucket)
    response = await api.post(
        "/v1/documents",
        content=b"--b\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\nabc\r\n"
        b"--b\r\nContent-Disposition: form-data; name=nope\r\n\r\n1\r\n--b--\r\n",
        headers={"Content-Type": "multipart/form-data; boundary=b"},
    )
    assert response.status_code == 422
    assert await stored(s3, bucket) == before


async def test_too_much_is_refused_before_it_is_read(url: str, headers: dict[str, str]) -> None:
    """A Content-Length above the limit is 413 although no byte of the body was sent."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    lines = (
        "POST /v1/documents HTTP/1.1",
        f"Host: {host}",
        f"Authorization: {headers['Authorization']}",
        "Content-Type: multipart/form-data; boundary=b",
        "Content-Length: 100000000",
        "Expect: 100-continue",
    )
    writer.write("\r\n".join((*lines, "", "")).encode())
    answer = await reader.readuntil(b"\r\n")
    writer.close()
    assert answer.split()[1] == b"413"


async def test_too_much_without_a_length_ends_at_the_limit(api: httpx2.AsyncClient) -> None:
    """A chunked body is cut off at the limit, with 413."""

    async def body() -> AsyncIterator[bytes]:
        yield b"--b\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\n"
        for _ in range(200):
            yield b"x" * 100_000

    response = await api.post(
        "/v1/documents",
        content=body(),
        headers={"Content-Type": "multipart/form-data; boundary=b"},
    )
    assert response.status_code == 413


async def test_a_repeated_upload_leaves_one_document(
    api: httpx2.AsyncClient,
    rows: Rows,
    records: Records,
    s3: Any,
    gateway_settings: GatewaySettings,
) -> None:
    """The repeat finds the first one's row: same ids, no record, and its bytes are removed."""
    call: dict[str, Any] = {
        "data": {"idempotency_key": "up-1"},
        "files": {"file": ("a.txt", b"same")},
    }
    first = (await api.post("/v1/documents", **call)).json()
    [record] = records.of("process-document", first["document_id"])
    fingerprint = dict(record.headers())["fingerprint"].decode()
    rows.settle(
        first["request_id"],
        kind="process-document",
        document_id=first["document_id"],
        fingerprint=fingerprint,
    )
    second = (await api.post("/v1/documents", **call)).json()
    prefix = f"demo/documents/{first['document_id']}/"
    assert second["document_id"] == first["document_id"]
    assert second["status"] == "completed"
    assert len(records.of("process-document", first["document_id"])) == 1
    assert len(await stored(s3, gateway_settings.s3_bucket, prefix)) == 1
    other = await api.post(
        "/v1/documents",
        data={"idempotency_key": "up-1"},
        files={"file": ("a.txt", b"different")},
    )
    assert other.json()["code"] == "idempotency_key_reused"
    assert len(await stored(s3, gateway_settings.s3_bucket, prefix)) == 1


async def test_without_the_object_store_uploads_get_503(
    serve: Serve, gateway_settings: GatewaySettings, headers: dict[str, str]
) -> None:
    """The store away is 503 with Retry-After; nothing is published."""
    lonely = gateway_settings.model_copy(update={"s3_endpoint": "http://127.0.0.1:1"})
    async with serve(lonely) as url, httpx2.AsyncClient(base_url=url, headers=headers) as client:
        response = await client.post("/v1/documents", files={"file": ("a.txt", b"a")}, timeout=60)
    assert response.status_code == 503
    assert response.headers["Retry-After"]
