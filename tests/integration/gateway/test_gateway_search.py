"""Searches against a real index: what is found, by what, within whose documents."""

import json
import random
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from opensearchpy import AsyncOpenSearch

from gateway.settings import GatewaySettings
from schemas.attributes import attributes
from schemas.indexes import ALIAS
from tests.fakes.embeddings import embedding as vectors
from tests.integration.gateway.conftest import Rows, Serve

TEXT = "The river Tamsel carries nitrate. Samples were drawn in May. The river is slow.\n"
DOCUMENTS = 12
PER_DOCUMENT = 5


@pytest.fixture(scope="module")
async def index(gateway_settings: GatewaySettings) -> AsyncIterator[AsyncOpenSearch]:
    """A client of the session's index."""
    client = AsyncOpenSearch(hosts=[gateway_settings.opensearch_url])
    yield client
    await client.close()


@pytest.fixture(scope="module")
async def library(
    index: AsyncOpenSearch, rows: Rows, gateway_settings: GatewaySettings
) -> dict[str, str]:
    """Documents of five chunks each, their vectors random; returns names by id."""
    chance = random.Random(7)
    names: dict[str, str] = {}
    body: list[dict[str, Any]] = []
    for number in range(DOCUMENTS):
        name = f"doc-{number}"
        kind = "report" if number % 2 else "letter"
        metadata = {"number": number}
        document_id = rows.document(
            filename=name, type=kind, indexed_version=2, version=2, metadata=metadata
        )
        names[document_id] = name
        for ordinal in range(PER_DOCUMENT):
            entry = {
                "gpt_id": rows.gpt_id,
                "document_id": document_id,
                "run_id": "run",
                "version": 2,
                "ordinal": ordinal,
                "page": 1 + ordinal,
                "start": 10,
                "end": 10 + len(TEXT),
                "content": f"{TEXT}Part {ordinal} of {name}.",
                "type": kind,
                "needs_review": number == 0,
                "content_type": "text/plain",
                "filename": name,
                "created_at": "2026-11-01T00:00:00Z",
                "attributes": attributes(metadata, {"total": {"amount": f"{number}.50"}}, 0.5),
                "embedding": [
                    chance.gauss(0, 1) for _ in range(gateway_settings.embedding_dimensions)
                ],
            }
            place = {"_index": gateway_settings.index_prefix + ALIAS}
            body += [{"index": {**place, "_id": f"{document_id}:{ordinal}"}}, entry]
    foreign = {**body[1], "gpt_id": "other", "document_id": "doc_other"}
    body += [{"index": {**body[0]["index"], "_id": "doc_other:0"}}, foreign]
    answer = await index.bulk(body=body, params={"refresh": "true"})
    assert not answer["errors"], answer["items"][0]
    return names


@pytest.fixture(scope="module")
async def embedding(
    serve: Serve, gateway_settings: GatewaySettings, headers: dict[str, str]
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a gateway whose model server answers every query with one vector."""
    async with vectors(gateway_settings.embedding_dimensions) as models:
        own = gateway_settings.model_copy(update={"ollama_url": models})
        async with (
            serve(own) as url,
            httpx2.AsyncClient(base_url=url, headers=headers, timeout=60) as client,
        ):
            yield client


async def everything(
    client: httpx2.AsyncClient, limit: int = 5, **query: str
) -> list[dict[str, Any]]:
    """Returns: the hits of all pages."""
    hits: list[dict[str, Any]] = []
    parameters = {"q": "river nitrate", "limit": str(limit), **query}
    while True:
        response = await client.get("/v1/search", params=parameters)
        body = response.json()
        assert response.status_code == 200, body
        assert len(body["items"]) <= limit
        hits += body["items"]
        if not body["has_more"]:
            return hits
        parameters["cursor"] = body["next_cursor"]


@pytest.mark.parametrize("mode", ["hybrid", "keyword", "semantic"])
@pytest.mark.parametrize("limit", [1, 5, 50])
async def test_pages_hold_every_document_once(
    embedding: httpx2.AsyncClient, library: dict[str, str], mode: str, limit: int
) -> None:
    """However it is searched and cut, no document is lost or repeated by grouping."""
    hits = await everything(embedding, limit, mode=mode)
    assert sorted(hit["document_id"] for hit in hits) == sorted(library)


@pytest.mark.parametrize("mode", ["hybrid", "keyword", "semantic"])
async def test_chunks_come_each_on_its_own(
    embedding: httpx2.AsyncClient, library: dict[str, str], mode: str
) -> None:
    """Ungrouped, every chunk is one hit."""
    hits = await everything(embedding, 50, mode=mode, group="chunks")
    places = {(hit["document_id"], hit["ordinal"]) for hit in hits}
    assert len(hits) == len(places) == len(library) * PER_DOCUMENT


async def test_highlights_point_into_the_page(
    embedding: httpx2.AsyncClient, library: dict[str, str]
) -> None:
    """A passage's offsets are those of the page: the chunk begins at its tenth character."""
    [hit, *_] = await everything(embedding, q="river")
    [passage, *_] = hit["highlights"]
    page = " " * 10 + TEXT + f"Part {hit['ordinal']} of {library[hit['document_id']]}."
    assert page[passage["start"] : passage["end"]] == passage["text"]
    words = [page[match["start"] : match["end"]] for match in passage["matches"]]
    assert words == ["river", "river"]
    assert passage["page"] == hit["ordinal"] + 1


async def test_a_hit_by_meaning_alone_shows_its_beginning(
    embedding: httpx2.AsyncClient, library: dict[str, str]
) -> None:
    """Where no word matches there is a passage all the same, without matches."""
    [hit, *_] = await everything(embedding, q="zzz", mode="semantic")
    assert hit["document_id"] in library
    assert hit["highlights"][0]["matches"] == []
    assert hit["highlights"][0]["text"].startswith("The river Tamsel")


@pytest.mark.parametrize(
    ("where", "numbers"),
    [
        ({"type": "report"}, range(1, DOCUMENTS, 2)),
        ({"needs_review": True}, [0]),
        ({"metadata.number": {"in": [3, 4]}}, [3, 4]),
        ({"metadata.number": {"gt": 3, "lte": 5}}, [4, 5]),
        ({"fields.total": {"lt": 2}}, [0, 1]),
        ({"fields.total": 7.5}, [7]),
        ({"filename": {"contains": "C-1"}}, [1, 10, 11]),
        ({"metadata.number": {"ne": 3}}, [n for n in range(DOCUMENTS) if n != 3]),
        ({"metadata.nothing": {"exists": True}}, []),
        ({"confidence": {"gte": 0.5}}, range(DOCUMENTS)),
        ({"created_at": {"lt": "2026-11-01"}}, []),
    ],
)
async def test_conditions_hold_in_every_mode(
    embedding: httpx2.AsyncClient,
    library: dict[str, str],
    where: dict[str, Any],
    numbers: list[int],
) -> None:
    """The query language filters both rankings alike."""
    for mode in ("hybrid", "keyword", "semantic"):
        hits = await everything(embedding, 50, where=json.dumps(where), mode=mode)
        found = {library[hit["document_id"]] for hit in hits}
        assert found == {f"doc-{number}" for number in numbers}, mode


async def test_facets_count_documents(
    embedding: httpx2.AsyncClient, library: dict[str, str]
) -> None:
    """Grouped by document, facets count documents and not chunks."""
    body = {"q": "river", "facets": ["type", "needs_review"], "limit": 1}
    found = (await embedding.post("/v1/search", json=body)).json()
    counts = {one["value"]: one["count"] for one in found["facets"]["type"]}
    assert counts == {"letter": 6, "report": 6}
    assert {one["value"]: one["count"] for one in found["facets"]["needs_review"]} == {
        True: 1,
        False: 11,
    }


async def test_without_the_model_the_search_goes_by_words(
    serve: Serve,
    gateway_settings: GatewaySettings,
    headers: dict[str, str],
    library: dict[str, str],
) -> None:
    """The answer says so, in mode and notice."""
    lonely = gateway_settings.model_copy(update={"ollama_url": "http://127.0.0.1:1"})
    async with serve(lonely) as url, httpx2.AsyncClient(base_url=url, headers=headers) as client:
        body = (await client.get("/v1/search", params={"q": "river"}, timeout=30)).json()
    assert body["mode"] == "keyword"
    assert body["notices"]
    assert body["items"][0]["document_id"] in library


async def test_what_is_not_current_is_not_found(
    embedding: httpx2.AsyncClient, library: dict[str, str], rows: Rows
) -> None:
    """Entries of an older version, and of a deleted document, are dropped."""
    stale, *_ = library
    rows.change(stale, indexed_version=3)
    hits = await everything(embedding, 50)
    rows.change(stale, indexed_version=2)
    assert {hit["document_id"] for hit in hits} == set(library) - {stale}


@pytest.mark.parametrize(
    "query",
    [
        {"q": ""},
        {"q": "x" * 1001},
        {"q": "x", "mode": "magic"},
        {"q": "x", "limit": "51"},
        {"q": "x", "where": '{"status": "completed"}'},
        {"q": "x", "where": "{"},
        {"q": "x", "facets": "nothing"},
        {"q": "a\0b"},
    ],
)
async def test_a_wrong_search_is_refused(api: httpx2.AsyncClient, query: dict[str, str]) -> None:
    """Each wrong parameter is 422 and named."""
    response = await api.get("/v1/search", params=query)
    assert response.status_code == 422
    assert response.json()["errors"]


async def test_without_opensearch_search_gets_503(
    serve: Serve, gateway_settings: GatewaySettings, headers: dict[str, str]
) -> None:
    """OpenSearch away is 503 for search, and only degraded health."""
    lonely = gateway_settings.model_copy(update={"opensearch_url": "http://127.0.0.1:1"})
    async with serve(lonely) as url, httpx2.AsyncClient(base_url=url, headers=headers) as client:
        found = await client.get("/v1/search", params={"q": "river", "mode": "keyword"}, timeout=30)
        health = await client.get("/health", timeout=30)
    assert (found.status_code, found.json()["code"]) == (503, "unavailable")
    assert health.status_code == 200
    assert health.json()["status"] == "degraded"
