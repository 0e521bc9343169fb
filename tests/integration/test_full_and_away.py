"""Servers and disks that are full, or answer with errors: an outage each, that passes unaided."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from opensearchpy import AsyncOpenSearch

from schemas import indexes
from streams.clients import s3
from streams.clients.index_entries import IndexEntries
from streams.clients.s3 import ObjectStore
from streams.errors import DependencyDown
from streams.files import Files
from streams.settings import Settings

KEY = "demo/documents/d/original"
BLOCK = "index.blocks.read_only_allow_delete"


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[AsyncOpenSearch]:
    """A client of the real OpenSearch."""
    password = settings.opensearch_password
    async with AsyncOpenSearch(
        hosts=[settings.opensearch_url],
        http_auth=(settings.opensearch_username, password.get_secret_value()) if password else None,
        ca_certs=settings.opensearch_ca_file,
    ) as client:
        yield client


@pytest.fixture
async def index(settings: Settings, client: AsyncOpenSearch) -> AsyncIterator[str]:
    """An index of this test alone, with the alias that it is written by."""
    name = f"{settings.index_prefix}full-{uuid.uuid4().hex[:8]}"
    await client.indices.create(index=name)
    await client.indices.put_alias(index=name, name=indexes.write_alias(name))
    yield name
    await client.indices.put_settings(index=name, body={BLOCK: None})
    await client.indices.delete(index=name)


async def test_the_flood_stage_is_an_outage_and_passes(client: AsyncOpenSearch, index: str) -> None:
    """With the block that a full disk sets, writes and deletes wait; without it they succeed."""
    entries = IndexEntries(client, index)
    entry = {"document_id": "d", "ordinal": 0, "version": 1}
    await client.indices.put_settings(index=index, body={BLOCK: True})

    with pytest.raises(DependencyDown, match="its disk is full"):
        await entries.write([("d:0", entry)])
    with pytest.raises(DependencyDown, match="its disk is full"):
        await entries.delete(["d:0"], version=1)

    await client.indices.put_settings(index=index, body={BLOCK: None})
    await entries.write([("d:0", entry)])
    found = await client.get(index=index, id="d:0")
    assert found["_source"] == entry


async def test_a_blocked_request_is_an_outage(client: AsyncOpenSearch, index: str) -> None:
    """Not only items of a bulk are refused, but whole requests."""
    entries = IndexEntries(client, index)
    await client.indices.put_settings(index=index, body={"index.blocks.read": True})
    try:
        with pytest.raises(DependencyDown, match="the index is blocked"):
            await entries.ids("d")
    finally:
        await client.indices.put_settings(index=index, body={"index.blocks.read": None})


class Stub:
    """An object store that answers every request alike, or not at all."""

    def __init__(self) -> None:
        self.status: HTTPStatus | None = HTTPStatus.OK
        self.requests = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            self.requests += 1
            if self.status is None:
                await reader.read()
                return
            head = f"HTTP/1.1 {self.status.value} {self.status.phrase}\r\n"
            writer.write(f"{head}content-length: 0\r\nconnection: close\r\n\r\n".encode())
            await writer.drain()
        finally:
            writer.close()
            await writer.wait_closed()


@pytest.fixture
async def stub(settings: Settings) -> AsyncIterator[tuple[Stub, Settings]]:
    """The store that can only say one thing, and settings that name it."""
    stub = Stub()
    server = await asyncio.start_server(stub, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield stub, settings.model_copy(update={"s3_endpoint": f"http://127.0.0.1:{port}"})
    server.close()


@pytest.mark.parametrize("status", [500, 503, 507])
async def test_a_store_with_errors_is_an_outage_and_passes(
    stub: tuple[Stub, Settings], tmp_path: Path, status: int
) -> None:
    """No room, too busy or broken: every kind of call waits, and goes on without a restart."""
    async with s3.connect(stub[1]) as store:
        calls: list[Any] = [
            lambda: store.put(KEY, b"text", content_type="text/plain"),
            lambda: store.download(KEY, tmp_path / "file", limit=10),
            lambda: store.delete(KEY),
        ]
        stub[0].status = HTTPStatus(status)
        for call in calls:
            with pytest.raises(DependencyDown, match=str(status)):
                await call()

        stub[0].status = HTTPStatus.OK
        for call in calls:
            await call()


async def test_a_store_that_never_answers_is_an_outage(stub: tuple[Stub, Settings]) -> None:
    """Each call has a hard limit."""
    async with s3.connect(stub[1]) as store:
        # The first request of a client also loads what it needs, which takes a while.
        await store.delete(KEY)
        stub[0].status = None
        bounded = ObjectStore(store._client, "bucket", call_seconds=0.5)
        with pytest.raises(DependencyDown, match="TimeoutError"):
            await bounded.delete(KEY)
    assert stub[0].requests == 2


async def test_a_full_disk_of_the_worker_is_an_outage(settings: Settings) -> None:
    """A file that cannot be written is everybody's trouble, and passes with room for it."""
    async with s3.connect(settings) as store:
        files = Files(store, max_bytes=10_000_000)
        await store.put(KEY, b"x" * 2_000_000, content_type="text/plain")

        async def fetch(place: Path | None) -> int:
            with files.scratch() as path:
                if place is not None:
                    path.symlink_to(place)
                await files.download(KEY, path)
                return path.stat().st_size

        with pytest.raises(DependencyDown, match="disk of the work folder is full") as caught:
            await fetch(Path("/dev/full"))

        assert caught.value.dependency == "disk"
        assert await fetch(None) == 2_000_000


async def test_a_missing_bucket_says_what_makes_it(settings: Settings) -> None:
    """A worker that starts before the stores are prepared waits with a reason."""
    other = settings.model_copy(update={"s3_bucket": f"none-{uuid.uuid4().hex}"})
    async with s3.connect(other) as store:
        with pytest.raises(DependencyDown, match="run `actionstream migrate`"):
            await store.ping()
