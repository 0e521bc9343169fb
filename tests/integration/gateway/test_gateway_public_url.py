"""A gateway that is reached under PUBLIC_URL: all that it answers leads there."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import update
from websockets.asyncio.client import connect

from gateway.settings import GatewaySettings
from schemas.tables import DOCUMENTS, RUNS, STEPS
from streams.clients.opensearch import SearchIndex
from streams.clients.postgres import Database
from streams.settings import Settings
from streams.targets import Targets
from tests.integration.gateway.conftest import Rows, Serve
from tests.integration.gateway.test_gateway_batch_reads import PROBLEM, Batch
from tests.integration.gateway.test_gateway_letters import put
from tests.integration.gateway.test_gateway_reviews import answer as field
from tests.integration.gateway.test_gateway_search_objects import Memory

BASE = "https://things.example/at/home"
RELATIVE = ("/v1/", "/problems", "/openapi.json")


@pytest.fixture(scope="module")
async def url(serve: Serve, gateway_settings: GatewaySettings) -> AsyncIterator[str]:
    """The URL of a gateway with a public one, which has a path and ends in a slash."""
    async with serve(gateway_settings.model_copy(update={"public_url": f"{BASE}/"})) as address:
        yield address


@pytest.fixture(scope="module")
async def api(url: str, headers: dict[str, str]) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of that gateway, with the tenant's key."""
    async with httpx2.AsyncClient(
        base_url=url, headers=headers, timeout=60, trust_env=False
    ) as client:
        yield client


@pytest.fixture(scope="module")
async def places(
    rows: Rows, database: Database, settings: Settings
) -> AsyncIterator[dict[str, str]]:
    """One of everything that has links or problems, by the parameter that names it."""
    batch, run_id, word = Batch(rows), rows.run_id(), f"w{uuid4().hex}"
    other = rows.document(run_id=run_id, needs_review=True, confidence=0.1)
    document_id = batch.entry("failed", "encrypted", problem=PROBLEM)
    of = {"document_id": document_id, "run_id": run_id}
    known = {"status": "failed", "problem": PROBLEM, "needs_review": True, "confidence": 0.1}
    rows.document(**of, batch_id=batch.batch_id, **known)
    fields = {"total": field("3.20", 0.2)}
    request_id = rows.request_id()
    about = {"request_id": request_id, "status": "failed", "problem": PROBLEM}
    rows.add(RUNS, **of, **about, number=1, fields=fields)
    rows.add(STEPS, **of, stage="parse", part=0, state="dead", fence=1, problem=PROBLEM)
    rows.settle(request_id, status="failed", problem=PROBLEM)
    search = SearchIndex.connect(settings)
    memory = Memory(rows, database, Targets(database, search))
    memory.declare(word, {"fields": ["/text"]})
    object_id = await memory.add(word, {"text": word}, key="one")
    await search.close()
    yield {
        "document_id": document_id,
        "review_id": document_id,
        "batch_id": batch.batch_id,
        "request_id": request_id,
        "dead_letter_id": put(rows, error="encrypted"),
        "object_id": object_id,
        "gpt_id": rows.gpt_id,
        "name": word,
        "key": "one",
        "version": "1",
    }
    with rows.engine.begin() as connection:
        reviewed = update(DOCUMENTS).where(DOCUMENTS.c.document_id.in_([document_id, other]))
        connection.execute(reviewed.values(needs_review=False))


def texts(value: Any) -> Iterator[str]:
    """Returns: every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from texts(each)


def links(answer: httpx2.Response) -> list[str]:
    """Returns: the links of an answer and of its headers. None of them is relative."""
    lines = answer.text.splitlines() if "jsonl" in answer.headers["content-type"] else [answer.text]
    found = [text for line in lines for text in texts(json.loads(line))]
    found += re.findall(r"<(.*?)>", answer.headers.get("link", ""))
    found.append(answer.headers.get("location", BASE))
    assert [text for text in found if text.startswith(RELATIVE)] == []
    return [text for text in found if text.startswith(BASE)]


async def test_whatever_is_read_leads_to_the_public_url(
    api: httpx2.AsyncClient, places: dict[str, str]
) -> None:
    """Every GET of the OpenAPI document, on things that have failed and that have next pages."""
    document = (await api.get("/openapi.json")).json()
    assert document["servers"] == [{"url": f"{BASE}/"}]
    found = set()
    others = re.compile(
        r"/(live|ready|health|metrics)|.*(/stream|/content|/(webhooks|admin|document-types)/.*)"
    )
    for path, operations in document["paths"].items():
        if "get" not in operations or others.fullmatch(path):
            continue
        query = {"q": places["name"], "in": f"collections/{places['name']}"}
        given = query if path == "/v1/search" else {"limit": "1"} if path.count("/") == 2 else {}
        answer = await api.get(path.format(**places), params=given)
        assert answer.status_code == 200, (path, answer.text)
        found.update(links(answer))
    for path in (
        f"/v1/documents/{places['document_id']}",
        f"/v1/documents/{places['document_id']}/text",
        f"/v1/batches/{places['batch_id']}/results",
        f"/v1/reviews/{places['review_id']}/decision",
        f"/v1/requests/{places['request_id']}",
        f"/v1/objects/{places['object_id']}",
        "/problems/encrypted",
    ):
        assert BASE + path in found
    assert any(text.startswith(f"{BASE}/v1/documents?") for text in found)


async def test_whatever_is_asked_for_leads_to_the_public_url(
    api: httpx2.AsyncClient, places: dict[str, str]
) -> None:
    """Requests that are pending, in bodies and in Location; and files that are refused beside."""
    path = f"/v1/gpts/{places['gpt_id']}/collections/{places['name']}/objects"
    asked = [
        await api.post("/v1/pings", json={"note": "x"}, params={"wait_s": 0}),
        await api.post(path, json={"body": {}}, params={"wait_s": 0}),
        await api.post("/v1/batches", json={"name": "x"}, params={"wait_s": 0}),
    ]
    for answer in asked:
        status_url = f"{BASE}/v1/requests/{answer.json()['request_id']}"
        assert (answer.status_code, answer.headers["location"]) == (202, status_url)
        assert status_url in links(answer)
    files = [("files", (name, data)) for name, data in (("a.txt", b"a"), ("b.txt", b""))]
    answer = await api.post("/v1/documents", files=files)
    assert f"{BASE}/problems/empty-file" in links(answer)


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/v1/documents/doc_1", "not-found"),
        ("GET", "/nothing", "not-found"),
        ("DELETE", "/v1/search", "method-not-allowed"),
        ("GET", "/v1/documents?limit=0", "invalid-input"),
    ],
)
async def test_problems_name_their_page_under_the_public_url(
    api: httpx2.AsyncClient, method: str, path: str, code: str
) -> None:
    """The gateway's own and the framework's; what they are about is named there too."""
    answer = await api.request(method, path)
    assert answer.json()["type"] == f"{BASE}/problems/{code}"
    assert answer.json()["instance"] == BASE + path.partition("?")[0]
    assert len(links(answer)) == 3  # type, instance, and no Location


async def test_what_is_no_http_is_told_so_under_the_public_url(url: str) -> None:
    """The server below the framework knows it too."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    writer.write(b"nonsense\r\n\r\n")
    answer = await reader.read()
    writer.close()
    assert f'"type":"{BASE}/problems/malformed"'.encode() in answer


async def test_a_websocket_is_told_so_too(url: str) -> None:
    """Its messages carry problems, which are the same documents."""
    async with connect(f"ws{url.removeprefix('http')}/v1/ws", proxy=None) as socket:
        await socket.send('{"type": "authenticate", "token": "none"}')
        said = json.loads(await socket.recv())
    assert said["problem"]["type"] == f"{BASE}/problems/unauthorised"


async def test_pages_lead_to_each_other(api: httpx2.AsyncClient) -> None:
    """Behind a proxy that puts a path before all of them, too."""
    assert "/openapi.json" not in (await api.get("/docs")).text
    page = (await api.get("/problems")).text
    assert f'href="{BASE}/problems/not-found"' in page
    assert 'href="/' not in page
    assert f'href="{BASE}/problems"' in (await api.get("/problems/not-found")).text
