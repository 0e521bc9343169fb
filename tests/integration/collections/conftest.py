"""A tenant of its own for each test, and its collections stage, on a real Postgres."""

import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import Row, Table, insert, select

from schemas.envelope import Envelope
from schemas.ids import REQUEST, Ids
from schemas.tables import COLLECTIONS, GPTS, OBJECT_VERSIONS, OBJECTS
from schemas.topics import WRITE_COLLECTION
from schemas.writes import (
    CreateObject,
    DefineCollection,
    DeleteObject,
    MergeObject,
    ObjectChange,
    ObjectChanged,
    PutObject,
    WriteCollection,
)
from streams.clients.postgres import Database
from streams.collections.values import Limits
from streams.stage import Taken, Verdict
from streams.stages import collections

IDS = Ids("a secret of the tests")
LIMITS = Limits(max_objects=1000, max_bytes=10_000_000, max_collections=10)


@dataclass
class Tenant:
    """A tenant that writes, each call one batch in one transaction."""

    database: Database
    gpt_id: str
    subject: str | None = None
    ids: Ids = IDS
    stage: Any = field(default_factory=lambda: collections.stage(IDS, LIMITS))

    def taken(self, operation: Any, name: str = "diary") -> Taken[WriteCollection]:
        """Make a record that asks for an operation."""
        envelope = Envelope(
            request_id=IDS.mint(REQUEST, self.gpt_id),
            gpt_id=self.gpt_id,
            subject=self.subject,
            schema_name=WRITE_COLLECTION.schema_name,
        )
        message = WriteCollection(collection=name, operation=operation)
        return Taken(message, self.stage.work(message, envelope, None, IDS))

    async def write(self, *operations: Any, name: str = "diary") -> Sequence[Verdict]:
        """Write a batch of records on one collection."""
        return await self.together(*(self.taken(each, name) for each in operations))

    async def together(self, *taken: Taken[WriteCollection]) -> Sequence[Verdict]:
        """Write a batch of records."""
        async with self.database.transaction() as connection:
            return list(await self.stage.handle(connection, taken))

    async def one(self, operation: Any, name: str = "diary") -> dict[str, Any]:
        """Write one record that is done. Returns: its result."""
        [verdict] = await self.write(operation, name=name)
        assert verdict.problem is None, verdict.problem
        assert verdict.result is not None
        return verdict.result

    async def refused(self, operation: Any, name: str = "diary") -> tuple[int, str]:
        """Write one record that is not done. Returns: why."""
        [verdict] = await self.write(operation, name=name)
        assert verdict.problem is not None, verdict.result
        return verdict.problem.status, verdict.problem.code

    async def define(self, name: str = "diary", **given: Any) -> dict[str, Any]:
        """Define a collection."""
        made = DefineCollection.model_validate({**given, "given": tuple(given)})
        return (await self.one(made, name))["collection"]

    async def refused_definition(self, name: str = "diary", **given: Any) -> tuple[int, str]:
        """Define a collection in vain. Returns: why."""
        made = DefineCollection.model_validate({**given, "given": tuple(given)})
        return await self.refused(made, name)

    async def create(self, body: Any, **more: Any) -> dict[str, Any]:
        """Create an object."""
        return (await self.one(CreateObject(body=body, **more)))["object"]

    async def put(self, key: str, body: Any, **more: Any) -> dict[str, Any]:
        """Put an object by key."""
        return await self.one(PutObject(key=key, body=body, **more))

    async def merge(self, object_id: str, patch: Any, **more: Any) -> dict[str, Any]:
        """Merge into an object."""
        return await self.one(MergeObject(object_id=object_id, patch=patch, **more))

    async def delete(self, object_id: str, **more: Any) -> dict[str, Any]:
        """Delete an object."""
        return await self.one(DeleteObject(object_id=object_id, **more))

    async def rows(self, table: Table, *where: Any) -> Sequence[Row[Any]]:
        """Read this tenant's rows of a table."""
        query = select(table).where(table.c.gpt_id == self.gpt_id, *where)
        async with self.database.transaction() as connection:
            return (await connection.execute(query)).all()

    async def check_counts(self) -> None:
        """Check that what is counted is what is there."""
        [gpt] = await self.rows(GPTS)
        alive = COLLECTIONS.c.deleted_at.is_(None)
        live = await self.rows(COLLECTIONS, alive)
        for each in live:
            objects = await self.rows(OBJECTS, OBJECTS.c.collection_id == each.collection_id)
            there = [one for one in objects if one.deleted_at is None]
            assert each.object_count == len(there)
            assert each.byte_count == sum(one.size_bytes for one in there)
            sequences = [one.sequence for one in objects]
            assert len(set(sequences)) == len(sequences)
            assert each.sequence >= max(sequences, default=0)
            created = [one.created_at for one in objects]
            assert len(set(created)) == len(created)
        assert gpt.object_count == sum(each.object_count for each in live)
        assert gpt.byte_count == sum(each.byte_count for each in live)

    async def versions(self, object_id: str) -> list[int]:
        """Returns: which earlier versions of an object are kept."""
        rows = await self.rows(OBJECT_VERSIONS, OBJECT_VERSIONS.c.object_id == object_id)
        return sorted(row.version for row in rows)


async def new_tenant(database: Database, **columns: Any) -> Tenant:
    """Enter a tenant."""
    gpt_id = f"t-{uuid.uuid4().hex[:12]}"
    async with database.transaction() as connection:
        await connection.execute(insert(GPTS).values(gpt_id=gpt_id, name="A test", **columns))
    return Tenant(database, gpt_id)


@pytest.fixture
async def tenant(database: Database) -> AsyncIterator[Tenant]:
    """A tenant with the collection `diary`."""
    made = await new_tenant(database)
    await made.define()
    yield made
    await made.check_counts()


def changes(verdict: Verdict) -> Sequence[ObjectChange]:
    """What the fact says that a record makes."""
    [output] = verdict.outputs
    assert isinstance(output.message, ObjectChanged)
    return output.message.changes
