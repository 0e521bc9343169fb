"""What a deleted GPT has goes, part by part; what stays are rows of ids and times."""

import json
import uuid
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import Row, Table, func, insert, select, update

from schemas.batches import Add, BatchEntry, ChangeBatch, Many, Open, Prefix
from schemas.ids import COLLECTION, DOCUMENT
from schemas.messages import Link, ProcessDocument, PutDocumentType
from schemas.tables import (
    API_KEYS,
    BATCH_ENTRIES,
    BATCH_TALLIES,
    BATCHES,
    CHUNKS,
    COLLECTIONS,
    DEAD_LETTERS,
    DOCUMENT_TYPES,
    DOCUMENTS,
    EVENTS,
    GPTS,
    MODEL_ANSWERS,
    PAGES,
    REQUESTS,
    RUNS,
    STEPS,
    WEBHOOK_DELIVERIES,
    WEBHOOKS,
)
from schemas.tenants import ADMIN, GptDeleted
from streams.stage import Record
from streams.tenants import leavings
from tests.integration.stages.conftest import TENANT, World, failure, inline

TYPE: dict[str, Any] = {
    "name": "note",
    "title": "Note",
    "version": 1,
    "description": "A note.",
    "examples": [],
    "fields": {"type": "object", "properties": {}, "required": []},
}


@pytest.fixture
async def gpt_id(world: World) -> str:
    """A tenant with a key, a collection and a type of its own."""
    made = f"t-{uuid.uuid4().hex[:12]}"
    async with world.database.transaction() as connection:
        await connection.execute(insert(GPTS).values(gpt_id=made, name="x", object_count=3))
        key = {"key_id": made, "name": "x", "scopes": ["read"], "hash": b"x"}
        await connection.execute(insert(API_KEYS).values(gpt_id=made, **key))
        collection = {"collection_id": world.ids.mint(COLLECTION, made), "name": "diary"}
        await connection.execute(insert(COLLECTIONS).values(gpt_id=made, **collection))
        webhook = {"url": "https://x", "events": ["*"], "secrets": [], "state": "active"}
        await connection.execute(insert(WEBHOOKS).values(gpt_id=made, webhook_id=made, **webhook))
        delivery = {"event_type": "batch.closed", "state": "pending"}
        for number in range(3):
            place = {"delivery_id": f"{made}-{number}", "webhook_id": made, "sequence": number}
            await connection.execute(
                insert(WEBHOOK_DELIVERIES).values(gpt_id=made, **place, **delivery)
            )
    await world.send("define", PutDocumentType(name="note", definition=TYPE), tenant=made)
    return made


async def take_in(world: World, gpt_id: str, text: str = "A note.", until: str = "") -> str:
    """Take a document of the tenant in and follow it. Returns: its id."""
    document_id = world.ids.mint(DOCUMENT, gpt_id)
    message = ProcessDocument(source=inline(text), document_id=document_id)
    await world.follow(await world.send("receive", message, tenant=gpt_id), until=until)
    return document_id


async def bury(world: World, gpt_id: str) -> None:
    """Set the tombstone, as the stage `tenants` does."""
    async with world.database.transaction() as connection:
        tombstone = update(GPTS).where(GPTS.c.gpt_id == gpt_id)
        await connection.execute(tombstone.values(deleted_at=func.now()))


async def forget(world: World, gpt_id: str) -> list[Record]:
    """Forget the tenant and follow all that comes of it. Returns: the records that are left."""
    request = world.ids.mint("req", ADMIN)
    message = GptDeleted(gpt_id=gpt_id)
    sent = await world.send("forget", message, request=request, tenant=ADMIN)
    return await world.follow(sent)


async def count(world: World, table: Table, gpt_id: str, *conditions: Any) -> int:
    query = select(func.count()).select_from(table).where(table.c.gpt_id == gpt_id, *conditions)
    async with world.database.transaction() as connection:
        return (await connection.execute(query)).scalar_one()


def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every walk take two rows at once, so that some have several pages."""
    walks = [
        leavings.Walk(each.table, each.order, 2, each.only, each.ends, each.follows)
        for each in leavings.WALKS
    ]
    monkeypatch.setattr(leavings, "WALKS", tuple(walks))


async def test_everything_of_a_deleted_gpt_goes(
    world: World, gpt_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows, bytes and index entries; tombstones, steps and dead letters stay without contents."""
    small_pages(monkeypatch)
    documents = [await take_in(world, gpt_id, f"Note {number}") for number in range(3)]
    await world.send("receive", ProcessDocument(source=inline("x")), tenant=gpt_id)
    broken = ProcessDocument(source=inline("x").model_copy(update={"content_base64": "%"}))
    await world.send("receive", broken, tenant=gpt_id)
    assert await count(world, DEAD_LETTERS, gpt_id) == 1
    assert await world.keys(f"{gpt_id}/")
    await bury(world, gpt_id)
    left = await forget(world, gpt_id)
    own = (API_KEYS, DOCUMENT_TYPES, RUNS, PAGES, CHUNKS, MODEL_ANSWERS)
    for table in (*own, WEBHOOKS, WEBHOOK_DELIVERIES):
        assert await count(world, table, gpt_id) == 0, table.name
    assert await count(world, DOCUMENTS, gpt_id, DOCUMENTS.c.deleted_at.is_(None)) == 0
    assert await count(world, DOCUMENTS, gpt_id, DOCUMENTS.c.sha256.is_not(None)) == 0
    assert await count(world, DEAD_LETTERS, gpt_id, DEAD_LETTERS.c.record_value.is_not(None)) == 0
    assert await world.keys(f"{gpt_id}/") == []
    assert [await world.entries(document_id) for document_id in documents] == [{}, {}, {}]
    cleared = [record for record in left if record.topic == "collection-deleted"]
    assert [dict(record.headers)["gpt-id"].decode() for record in cleared] == [gpt_id]
    assert await count(world, COLLECTIONS, gpt_id, COLLECTIONS.c.deleted_at.is_(None)) == 0
    [row] = await gpts(world, gpt_id)
    assert (row.object_count, row.byte_count) == (0, 0)


async def gpts(world: World, gpt_id: str) -> Sequence[Row[Any]]:
    async with world.database.transaction() as connection:
        return (await connection.execute(select(GPTS).where(GPTS.c.gpt_id == gpt_id))).all()


async def test_nothing_is_kept_of_what_was_said(world: World, gpt_id: str) -> None:
    """Requests are those of the removal itself; events and steps have ids, and no gaps."""
    await take_in(world, gpt_id, "Secret words")
    await bury(world, gpt_id)
    await forget(world, gpt_id)
    async with world.database.transaction() as connection:
        requests = select(REQUESTS.c.kind).where(REQUESTS.c.gpt_id == gpt_id)
        assert set((await connection.execute(requests)).scalars()) <= {"delete-document"}
        events = select(EVENTS.c.sequence, EVENTS.c.data).where(EVENTS.c.gpt_id == gpt_id)
        found = (await connection.execute(events.order_by(EVENTS.c.sequence))).all()
        assert [row.sequence for row in found] == list(range(1, len(found) + 1))
        assert {str(row.data) for row in found} == {"{}"}
        told = select(STEPS.c.stage).where(
            STEPS.c.gpt_id == gpt_id, func.jsonb_array_length(STEPS.c.outputs) > 0
        )
        assert set((await connection.execute(told)).scalars()) <= {"delete", "purge"}


async def test_a_record_that_comes_again_forgets_nothing_twice(world: World, gpt_id: str) -> None:
    """Each part is one step: its records are published again, and name the same requests."""
    await take_in(world, gpt_id)
    await bury(world, gpt_id)
    request, message = world.ids.mint("req", ADMIN), GptDeleted(gpt_id=gpt_id)
    first = await world.send("forget", message, request=request, tenant=ADMIN)
    again = await world.send("forget", message, request=request, tenant=ADMIN)
    assert again == first
    [deletion] = [record for record in first if record.topic == "delete-document"]
    other = await world.send("forget", message, tenant=ADMIN)
    [repeated] = [record for record in other if record.topic == "delete-document"]
    assert dict(repeated.headers)["request-id"] == dict(deletion.headers)["request-id"]


async def test_a_record_alone_deletes_nothing(world: World, gpt_id: str) -> None:
    """Without the tombstone the record is a dead letter, and the tenant keeps what it has."""
    left = await forget(world, gpt_id)
    assert topics(left) == ["gpt-deleted-dlq"]
    assert await count(world, API_KEYS, gpt_id) == 1


async def test_what_comes_behind_the_tombstone_is_refused(world: World, gpt_id: str) -> None:
    """A document and a type that were on their way are not taken, and leave no dead letter."""
    await bury(world, gpt_id)
    document = await world.send("receive", ProcessDocument(source=inline("x")), tenant=gpt_id)
    assert failure(document) == "gpt_deleted"
    definition = PutDocumentType(name="other", definition={**TYPE, "name": "other"})
    assert failure(await world.send("define", definition, tenant=gpt_id)) == "gpt_deleted"
    assert await count(world, DOCUMENT_TYPES, gpt_id) == 1
    assert await count(world, DEAD_LETTERS, gpt_id) == 0


async def test_other_tenants_keep_what_they_have(world: World, gpt_id: str) -> None:
    """A neighbour's document is found as before."""
    document_id = await world.take_in()
    await bury(world, gpt_id)
    await forget(world, gpt_id)
    assert (await world.row(document_id)).status == "completed"
    assert await world.entries(document_id)
    assert await count(world, EVENTS, TENANT) > 0


def topics(records: Sequence[Record]) -> list[str]:
    return [record.topic for record in records]


def test_values_are_json() -> None:
    """A place survives the ledger, which keeps it as JSON."""
    place = leavings.Place(walk=3, after=("2026-11-21 10:00:00.123456+00:00", "doc_1"))
    assert leavings.Place.model_validate(json.loads(place.model_dump_json())) == place


async def test_batches_of_a_deleted_gpt_go(world: World, gpt_id: str) -> None:
    """Batch, entries and tallies are gone, and a source that is listed late adds nothing."""
    batch_id = world.ids.mint("batch", gpt_id)
    entry = BatchEntry(source=Link(url="https://example.com/"), path="Secret.pdf")
    many = Many(source=Prefix(prefix=f"{gpt_id}/inbox/"))
    message = ChangeBatch(batch_id=batch_id, steps=(Open(), Add(entries=(entry,), many=(many,))))
    published = await world.send("batches", message, tenant=gpt_id)
    [source] = [record for record in published if record.topic == "batch-source-added"]
    await bury(world, gpt_id)

    await forget(world, gpt_id)
    await world.follow([source])

    for table in (BATCHES, BATCH_ENTRIES, BATCH_TALLIES):
        assert await count(world, table, gpt_id) == 0, table.name
    late = await world.send("batches", message, tenant=gpt_id)
    assert failure(late) == "gpt_disabled"
