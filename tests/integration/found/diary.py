"""A collection whose objects a search finds, written straight into the database."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, insert, select, update

from schemas.ids import COLLECTION, OBJECT, RUN
from schemas.tables import COLLECTIONS, OBJECTS
from schemas.writes import ObjectSaved
from streams.stage import Record
from tests.integration.stages.conftest import TENANT, World

SEARCH = {"fields": ["/text", "/tags"], "title": "/title"}
LONG = "\n\n".join(f"Paragraph {n}. " + "Nothing is lost on its way. " * 20 for n in range(12))


@dataclass
class Diary:
    """One collection; the tests play the stage that writes it."""

    world: World
    name: str = "diary"
    gpt_id: str = TENANT
    collection_id: str = ""
    sequence: int = 0

    async def declare(self, search: dict[str, Any] | None = None) -> None:
        """Make the collection."""
        self.collection_id = self.world.ids.mint(COLLECTION, self.gpt_id)
        row = insert(COLLECTIONS).values(
            collection_id=self.collection_id,
            gpt_id=self.gpt_id,
            name=self.name,
            search=SEARCH if search is None else search,
        )
        await self._does(row)

    async def alter(self, **values: Any) -> None:
        """Change the collection's row."""
        mine = COLLECTIONS.c.collection_id == self.collection_id
        await self._does(update(COLLECTIONS).where(mine).values(**values))

    async def write(self, body: dict[str, Any], **values: Any) -> str:
        """Make an object. Returns: its id."""
        object_id = self.world.ids.mint(OBJECT, self.gpt_id)
        self.sequence += 1
        row = insert(OBJECTS).values(
            object_id=object_id,
            gpt_id=self.gpt_id,
            collection_id=self.collection_id,
            body=body,
            size_bytes=1,
            sequence=self.sequence,
            **values,
        )
        await self._does(row)
        return object_id

    async def change(self, object_id: str, **values: Any) -> None:
        """Change an object's row, and raise its version."""
        changed = update(OBJECTS).where(OBJECTS.c.object_id == object_id)
        await self._does(changed.values(version=OBJECTS.c.version + 1, **values))

    async def end(self, object_id: str) -> None:
        """Delete an object, as the stage does."""
        await self.change(object_id, deleted_at=func.now(), body={})

    async def row(self, object_id: str) -> Any:
        """Returns: an object's row."""
        query = select(OBJECTS).where(OBJECTS.c.object_id == object_id)
        async with self.world.database.transaction() as connection:
            return (await connection.execute(query)).one()

    async def index(self, object_id: str, version: int | None = None) -> list[Record]:
        """Give the record of a version, or of the present one, to its stage."""
        if version is None:
            version = (await self.row(object_id)).version
        saved = ObjectSaved(
            run_id=self.world.ids.mint(RUN, self.gpt_id),
            object_id=object_id,
            collection_id=self.collection_id,
            version=version,
        )
        return await self.world.send("index-object", saved, tenant=self.gpt_id)

    async def add(self, body: dict[str, Any], **values: Any) -> str:
        """Make an object and have it indexed. Returns: its id."""
        object_id = await self.write(body, **values)
        await self.index(object_id)
        return object_id

    async def _does(self, statement: Any) -> None:
        async with self.world.database.transaction() as connection:
            await connection.execute(statement)
