"""A rebuild of the index while objects come, change and go, and their collection does too."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from sqlalchemy import delete, select

from schemas.indexes import Vectors
from schemas.tables import COLLECTIONS, OBJECTS
from streams.clients import s3
from streams.clients.opensearch import SearchIndex
from streams.clients.postgres import Database
from streams.settings import Settings
from streams.sources.objects import Objects
from tests.integration.conftest import installation
from tests.integration.found.diary import LONG, Diary
from tests.integration.reindex.conftest import Killed, Library, Watched

OTHER = Vectors("other-embed", 8)


@pytest.fixture(scope="module")
def own() -> Settings:
    """An installation that nobody else writes to."""
    return installation()


@pytest.fixture(scope="module")
async def shelf(own: Settings) -> AsyncIterator[Library]:
    """The servers' side of it, and what rebuilds."""
    database = Database.connect(own.database_url.get_secret_value(), pool=8)
    search = SearchIndex.connect(own)
    async with s3.connect(own) as store:
        yield Library(own, database, store, search)
    await search.close()
    await database.close()


@pytest.fixture
async def library(shelf: Library) -> Library:
    """Nothing stored, and an index that is empty."""
    shelf.made = []
    async with shelf.database.transaction() as connection:
        for table in (OBJECTS, COLLECTIONS):
            await connection.execute(delete(table))
    await shelf.clear()
    return shelf


async def diary(library: Library, name: str = "diary") -> Diary:
    made = Diary(library.world(), name=name)
    await made.declare()
    return made


async def agrees(library: Library, vectors: Vectors) -> None:
    """Assert that the live index holds exactly what it should of all objects."""
    async with library.database.transaction() as connection:
        ids = (await connection.execute(select(OBJECTS.c.object_id))).scalars().all()
    wanted: dict[str, tuple[int, str, str | None]] = {}
    for object_id in ids:
        content = await Objects(library.database).find(object_id)
        assert content is not None
        for each in content.chunks:
            wanted[f"{object_id}:{each.ordinal}"] = (content.version, each.text, content.origin)
    held = await library.held(await library.live())
    objects = {key: entry for key, entry in held.items() if entry.get("kind") == "object"}
    assert {key: (e["_v"], e["content"], e["run_id"]) for key, e in objects.items()} == wanted
    assert {(e["embedding_model"], len(e["embedding"])) for e in objects.values()} <= {
        (vectors.model, vectors.dimensions)
    }


async def test_objects_are_taken_along(library: Library) -> None:
    """Behind the documents, whatever the model; what is not to be found is not."""
    mine, hidden = await diary(library), await diary(library, "hidden")
    await library.add(2)
    for number in range(5):
        await mine.add({"text": f"Day {number}. {LONG}"})
    await hidden.write({"text": "Nobody finds this."})
    await hidden.alter(search=None)
    await mine.end(await mine.add({"text": "Gone."}))
    watched = Watched()

    await library.reindex(watched, OTHER).run()

    await agrees(library, OTHER)
    assert "building 8 8" in watched.said
    documents = [e for e in (await library.held(await library.live())).values() if "type" in e]
    assert len({entry["document_id"] for entry in documents}) == 2


async def test_objects_that_come_change_and_go_meanwhile(library: Library) -> None:
    """The new index holds what each object is in the end, at its version, and no other entry."""
    mine = await diary(library)
    made = [await mine.add({"text": f"Day {number}. {LONG}"}) for number in range(12)]
    chance = random.Random(5)
    finished = asyncio.Event()

    async def disturb(of: Sequence[str]) -> None:
        left, steps = list(of), 0
        while not finished.is_set() or steps < 8:
            steps += 1
            own, object_id = Diary(library.world(), mine.name), chance.choice(left)
            own.collection_id, own.sequence = mine.collection_id, 1000 + steps
            text = f"Step {steps}. " + LONG * chance.randint(0, 2)
            match steps % 3:
                # A walk of three at a time would not come to the end of what never stops growing.
                case 0 if steps < 30:
                    left.append(await own.add({"text": text}))
                case 0 | 1:
                    await own.change(object_id, body={"text": text})
                    await own.index(object_id)
                case _ if len(left) > 2:
                    left.remove(object_id)
                    await own.end(object_id)
                    await own.index(object_id)

    disturbed = [asyncio.create_task(disturb(made[at::3])) for at in range(3)]
    await library.reindex().run()
    finished.set()
    await asyncio.gather(*disturbed)

    await agrees(library, library.same)


@pytest.mark.parametrize("kill_at", range(2, 8))
async def test_killed_and_resumed(library: Library, kill_at: int) -> None:
    """Wherever it ends, the next call goes on behind what was passed, documents or objects."""
    await library.add(2)
    mine = await diary(library)
    first, second, *_ = [await mine.add({"text": f"Day {n}."}) for n in range(4)]
    with pytest.raises(Killed):
        await library.reindex(Watched(kill_at), page=2).run()
    await mine.end(first)
    await mine.index(first)
    await mine.change(second, body={"text": "Changed while it was dead."})
    await mine.index(second)

    await library.reindex(page=2).run()

    await agrees(library, library.same)


@pytest.mark.parametrize("what", ["removed", "other fields"])
async def test_what_happens_while_the_walk_writes(library: Library, what: str) -> None:
    """A row that is removed leaves no entry behind; other fields of the same version win."""
    mine = await diary(library)
    object_id = await mine.write({"title": "Rain", "text": "doomed"})
    models = library.world().models
    embed, pending = models.embed, [what]

    async def meanwhile(texts: Sequence[str], **how: Any) -> list[list[float]]:
        if pending and any("doomed" in text for text in texts):
            await _happens(mine, object_id, pending.pop())
        return await embed(texts, **how)

    models.embed = meanwhile  # type: ignore[method-assign]
    await library.reindex(models=models).run()

    assert pending == []
    await agrees(library, library.same)


async def _happens(mine: Diary, object_id: str, what: str) -> None:
    if what == "other fields":
        await mine.alter(search={"fields": ["/title"]})
    else:
        async with mine.world.database.transaction() as connection:
            await connection.execute(delete(OBJECTS).where(OBJECTS.c.object_id == object_id))
    await mine.index(object_id, 1)
