"""Searches while one index takes the place of another that has another model's vectors."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx2
import pytest

from gateway.settings import GatewaySettings
from schemas.indexes import Vectors
from streams.clients.opensearch import SearchIndex
from tests.integration.gateway.conftest import Serve

FIRST = Vectors("first-model", 4)
SECOND = Vectors("second-model", 3)
LENGTHS = {"first-model": 4, "second-model": 3}


@pytest.fixture
async def search(gateway_settings: GatewaySettings) -> AsyncIterator[SearchIndex]:
    """Indexes of this module's own; none is left in the end."""
    prefix = gateway_settings.index_prefix + "live-"
    opened = SearchIndex.connect(gateway_settings.model_copy(update={"index_prefix": prefix}))
    await opened.prepare(FIRST.model, FIRST.dimensions)
    yield opened
    for name in await opened.names():
        await opened.drop(name)
    await opened.close()


@pytest.fixture
async def asked() -> list[str]:
    """The models that were asked for a vector, in their order."""
    return []


@pytest.fixture
async def client(
    search: SearchIndex,
    asked: list[str],
    serve: Serve,
    gateway_settings: GatewaySettings,
    headers: dict[str, str],
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a gateway over those indexes, and over a server that has both models."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length:")[1].split()[0])
        model = json.loads(await reader.readexactly(length))["model"]
        asked.append(model)
        body = json.dumps({"model": model, "embeddings": [[0.5] * LENGTHS[model]]}).encode()
        writer.write(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    own = gateway_settings.model_copy(
        update={"ollama_url": f"http://127.0.0.1:{port}", "index_prefix": search.prefix}
    )
    async with (
        server,
        serve(own) as url,
        httpx2.AsyncClient(base_url=url, headers=headers, timeout=60) as opened,
    ):
        yield opened


async def replaced(search: SearchIndex, vectors: Vectors) -> None:
    """Put an empty index of these vectors in the live one's place, and drop that at once."""
    old, _ = await search.written()
    assert old is not None
    new = f"{search.alias}-v2-other"
    await search.create(new, vectors)
    await search.swap(old, new)
    await search.drop(old)


async def test_a_query_is_embedded_as_the_live_index_is(
    search: SearchIndex, client: httpx2.AsyncClient, asked: list[str]
) -> None:
    """The index's model is asked, whatever the settings name; after the swap the other one's."""
    before = (await client.get("/v1/search", params={"q": "river"})).json()
    await replaced(search, SECOND)
    after = await client.get("/v1/search", params={"q": "river"})

    assert (before["mode"], before["notices"]) == ("hybrid", [])
    assert after.status_code == 200, after.text
    assert (after.json()["mode"], after.json()["notices"]) == ("hybrid", [])
    assert asked[0] == FIRST.model
    assert asked[-1] == SECOND.model


async def test_vectors_that_cannot_be_made_are_not_searched(
    search: SearchIndex, client: httpx2.AsyncClient, asked: list[str]
) -> None:
    """An index that an older release prepared is searched by words, and the notice says why."""
    await replaced(search, Vectors(FIRST.model, FIRST.dimensions, preparation=0))
    found = (await client.get("/v1/search", params={"q": "river"})).json()

    assert found["mode"] == "keyword"
    assert "actionstream reindex" in found["notices"][0]
    assert asked == []


async def test_a_retired_index_is_soon_forgotten(
    search: SearchIndex, client: httpx2.AsyncClient, asked: list[str]
) -> None:
    """A gateway that knew it goes over to the live one by itself."""
    await client.get("/v1/search", params={"q": "river"})
    old, _ = await search.written()
    await search.create(f"{search.alias}-v2-other", SECOND)
    await search.swap(old or "", f"{search.alias}-v2-other")

    while asked == [FIRST.model]:
        await client.get("/v1/search", params={"q": "river"})

    assert asked == [FIRST.model, SECOND.model]
