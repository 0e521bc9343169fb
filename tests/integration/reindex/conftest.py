"""An installation of its own for a rebuild of the index, with workers that are played."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import delete as sql_delete
from sqlalchemy import insert, select

from schemas.ids import RUN, Ids
from schemas.indexes import Vectors
from schemas.messages import DeleteDocument, DocumentExtracted
from schemas.tables import CHUNKS, DOCUMENTS, PAGES, REBUILDS, RUNS
from streams import documents
from streams.chunking import chunk
from streams.clients import s3
from streams.clients.opensearch import SearchIndex
from streams.clients.postgres import Database
from streams.rebuild.run import Reindex
from streams.settings import Settings
from tests.fakes.models import FakeModels
from tests.integration.conftest import installation
from tests.integration.stages.conftest import TENANT, World, page, reply

SENTENCE = "The river carries nitrate past the mill and the samples were drawn in May. "


OTHER = Vectors("other-embed", 8)


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


@dataclass
class Watched:
    """Progress that keeps what it was told, and ends the process at its n-th word."""

    kill_at: int | None = None
    said: list[str] = field(default_factory=list)

    def show(self, doing: str, done: int, total: int) -> None:
        self.say(f"{doing} {done} {total}")

    def say(self, line: str) -> None:
        self.said.append(line)
        if len(self.said) == self.kill_at:
            raise Killed


@dataclass
class Library:
    """An installation of its own, with workers that are played and a command that rebuilds."""

    settings: Settings
    database: Database
    store: s3.ObjectStore
    search: SearchIndex
    made: list[str] = field(default_factory=list)

    def world(self) -> World:
        ids = Ids(self.settings.id_secret.get_secret_value())
        models = FakeModels(reply, dimensions={OTHER.model: OTHER.dimensions})
        return World(self.settings, self.database, self.store, self.search, ids, models)

    @property
    def same(self) -> Vectors:
        return Vectors(self.settings.embedding_model, self.settings.embedding_dimensions)

    def reindex(
        self, progress: Watched | None = None, wanted: Vectors | None = None, **more: Any
    ) -> Reindex:
        models = more.pop("models", None) or self.world().models
        return Reindex(
            self.database,
            self.search,
            models,
            wanted or self.same,
            progress or Watched(),
            grace_s=0.05,
            page=more.pop("page", 3),
        )

    async def read(self, word: str = "number", pages: int = 1) -> DocumentExtracted:
        """Enter a document that was read to its end. Returns: what `index` is told of it."""
        world = self.world()
        document_id, run_id = world.document(), world.ids.mint(RUN, TENANT)
        whose = {"gpt_id": TENANT, "document_id": document_id}
        run = {**whose, "run_id": run_id, "request_id": "r", "number": 1, "status": "processing"}
        texts = [
            {**whose, "run_id": run_id, "number": one.number, "text": one.text, "source": "text"}
            for one in long(pages, word)
        ]
        async with self.database.transaction() as connection:
            row = {**whose, "run_id": run_id, "status": "processing", "title": f"Title {word}"}
            await connection.execute(insert(DOCUMENTS).values(**row))
            await connection.execute(insert(RUNS).values(**run, fields={}))
            await connection.execute(insert(PAGES).values(texts))
        return DocumentExtracted(
            document_id=document_id, run_id=run_id, type="other", confidence=1, needs_review=False
        )

    async def add(self, count: int, pages: int = 1) -> list[str]:
        """Enter documents and have them indexed, side by side. Returns: their ids."""
        read = [await self.read(f"number {number}", pages) for number in range(count)]
        await asyncio.gather(*(self.world().send("index", message) for message in read))
        self.made += [message.document_id for message in read]
        return self.made[-count:]

    async def clear(self) -> None:
        """Leave no document, and a live index that is empty."""
        async with self.database.transaction() as connection:
            for table in (DOCUMENTS, RUNS, PAGES, CHUNKS):
                await connection.execute(sql_delete(table))
        await self.reindex().abort()
        await self.reindex().run()

    async def live(self) -> str:
        name, retired = await self.search.written()
        assert retired == []
        assert name is not None
        return name

    async def state_of(self, name: str) -> str | None:
        query = select(REBUILDS.c.state).where(REBUILDS.c.index_name == name)
        async with self.database.transaction() as connection:
            state: str | None = await connection.scalar(query)
        return state

    async def held(self, name: str) -> dict[str, dict[str, Any]]:
        """Returns: all entries of an index by id."""
        client = self.search._client
        await client.indices.refresh(index=name)
        body = {"size": 10_000, "version": True, "query": {"match_all": {}}}
        hits = (await client.search(index=name, body=body))["hits"]["hits"]
        return {hit["_id"]: {**hit["_source"], "_v": hit["_version"]} for hit in hits}

    async def wanted(self) -> dict[str, tuple[int, str, str | None]]:
        """Returns: by id the version, text and title of each entry that Postgres asks for."""
        async with self.database.transaction() as connection:
            rows = (await connection.execute(select(DOCUMENTS))).all()
        found = {}
        for row in rows:
            run_id = await documents.readable_run(self.database, row.document_id)
            if row.deleted_at is None and run_id is not None:
                for each in chunk(await documents.pages(self.database, run_id)):
                    key = f"{row.document_id}:{each.ordinal}"
                    found[key] = (row.version, each.text, row.title)
        return found

    async def agrees(self, name: str, vectors: Vectors) -> None:
        """Assert that an index holds exactly what it should, each entry with its own vector."""
        held = await self.held(name)
        assert {key: (e["_v"], e["content"], e["title"]) for key, e in held.items()} == (
            await self.wanted()
        )
        assert all(entry["version"] == entry["_v"] for entry in held.values())
        assert {(entry["embedding_model"], len(entry["embedding"])) for entry in held.values()} <= {
            (vectors.model, vectors.dimensions)
        }


def long(pages: int, word: str) -> list[Any]:
    return [page(number, f"{word} {SENTENCE * 12}") for number in range(1, pages + 1)]


@pytest.fixture(scope="module")
def own() -> Settings:
    """An installation that nobody else writes to."""
    return installation()


@pytest.fixture
async def library(own: Settings) -> AsyncIterator[Library]:
    """The installation, with nothing left from the test before."""
    database = Database.connect(own.database_url.get_secret_value(), pool=10)
    search = SearchIndex.connect(own)
    async with s3.connect(own) as store:
        made = Library(own, database, store, search)
        await made.clear()
        yield made
    await search.close()
    await database.close()


async def delete(world: World, document_id: str) -> None:
    await world.follow(await world.send("delete", DeleteDocument(document_id=document_id)))
