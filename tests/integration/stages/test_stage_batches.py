"""Batches of documents: opened, filled, closed, counted, retried; on a real Postgres."""

import asyncio

from schemas.batches import Add, BatchEntry, Close, Open, Retry
from schemas.messages import DeleteDocument, StoredFile
from schemas.tables import DOCUMENTS, EVENTS
from tests.fakes.models import FakeModels
from tests.integration.stages.batching import Batch
from tests.integration.stages.conftest import TENANT, TEXT, World, reply, sources
from tests.integration.stages.test_stage_letters import broken, letter, redrive


async def test_a_batch_goes_through(world: World) -> None:
    """Its documents are counted from state to state, and its completion is told once."""
    batch = await Batch(world).opened(TEXT, TEXT + " again")
    assert await batch.counts() == {("queued", ""): 2}

    left = await world.follow(await batch.released(), until="parse")
    assert await batch.counts() == {("processing", ""): 2}
    assert (await batch.row()).state == "closed"

    await world.follow(left)

    assert await batch.counts() == {("completed", "receipt"): 2}
    row = await batch.row()
    assert (row.state, row.closings, row.completed_closings) == ("completed", 1, 1)
    assert row.completed_at is not None
    assert await batch.told() == ["batch.created", "batch.closed", "batch.completed"]
    [last] = [row for row in await batch.rows(EVENTS) if row.type == "batch.completed"]
    assert last.data == {
        "name": "Receipts",
        "closing": 1,
        "counts": {"queued": 0, "processing": 0, "completed": 2, "failed": 0, "cancelled": 0},
    }
    for entry in await batch.entries():
        document = await world.row(entry.document_id)
        assert (document.batch_id, document.status) == (batch.batch_id, "completed")
        assert (entry.order, entry.settled_at is None) == (None, False)


async def test_every_event_of_its_documents_names_it(world: World) -> None:
    """Filters of events by batch find all that happened to its documents."""
    batch = await Batch(world).opened(TEXT)
    await batch.worked()

    types = {row.type for row in await batch.rows(EVENTS)}

    assert {"document.received", "document.parsed", "document.indexed"} <= types


async def test_the_last_two_at_once(world: World) -> None:
    """Two workers complete the last two documents at the same time: it is told once."""
    for _ in range(5):
        batch = await Batch(world).opened(TEXT, TEXT)
        left = await world.follow(await batch.released(), until="complete")
        last = [record for record in left if record.topic.startswith("document-indexed")]
        assert len(last) == 2

        await asyncio.gather(*(world.give(record) for record in last))

        assert await batch.counts() == {("completed", "receipt"): 2}
        assert (await batch.told()).count("batch.completed") == 1


async def test_redelivered_records_count_nothing(world: World) -> None:
    """Each record given twice leaves the counts as they are."""
    batch = await Batch(world).opened(TEXT)
    waiting = await batch.released()
    while waiting:
        record = waiting.pop()
        if not any(record.topic in sources(stage) for stage in world.stages.values()):
            continue
        waiting.extend(await world.give(record))
        await batch.counts()
        await world.give(record)
        await batch.counts()

    assert await batch.counts() == {("completed", "receipt"): 1}
    assert (await batch.told()).count("batch.completed") == 1


async def test_an_empty_batch_is_complete_when_it_is_closed(world: World) -> None:
    """Nothing is left to do, so it is told at once."""
    batch = Batch(world)
    await batch.change(Open(), Close())

    assert (await batch.row()).state == "completed"
    assert await batch.told() == ["batch.created", "batch.closed", "batch.completed"]
    assert batch.results[-1]["result"]["state"] == "completed"


async def test_a_key_is_added_once(world: World) -> None:
    """An entry of the same key is known, within one record and in a later one."""
    batch = Batch(world)
    first, second = await batch.entry(TEXT, key="a"), await batch.entry(TEXT, key="b")
    await batch.change(Open(), Add(entries=(first, first)))
    await batch.change(Add(entries=(second, first)))

    told = [{k: r["result"][k] for k in ("added", "known")} for r in batch.results]
    assert told == [{"added": 1, "known": 1}, {"added": 1, "known": 1}]
    assert [entry.ordinal for entry in await batch.entries()] == [1, 2]
    assert await batch.counts() == {("queued", ""): 2}


async def test_failed_documents_are_retried(world: World) -> None:
    """A retry sends its dead letters again, and its end is told again."""
    world.models = FakeModels(broken)
    batch = await Batch(world).opened(TEXT, TEXT)
    await batch.worked()
    assert await batch.counts() == {("failed", "no_sense"): 2}
    assert (await batch.row()).state == "completed"
    world.models = FakeModels(reply)

    published = await batch.change(Retry(by="someone"))
    row = await batch.row()
    assert (row.state, row.closings, row.completed_closings) == ("closed", 2, 1)
    await world.follow(published)

    assert await batch.counts() == {("completed", "receipt"): 2}
    row = await batch.row()
    assert (row.state, row.closings, row.completed_closings) == ("completed", 2, 2)
    assert (await batch.told()).count("batch.completed") == 2


async def test_a_retry_takes_what_failed_when_it_was_processed_again(world: World) -> None:
    """A document of the batch that was reprocessed on its own, without naming the batch."""
    batch = await Batch(world).opened(TEXT)
    await batch.worked()
    [entry] = await batch.entries()
    world.models = FakeModels(broken)
    await world.follow(await world.reprocess(entry.document_id))
    assert await batch.counts() == {("failed", "no_sense"): 1}
    world.models = FakeModels(reply)

    await world.follow(await batch.change(Retry(by="someone")))

    assert await batch.counts() == {("completed", "receipt"): 1}


async def test_a_retry_of_nothing_is_told_too(world: World) -> None:
    """Where no letter can be sent again, the retry is over at once."""
    batch = await Batch(world).opened()
    await world.follow(await batch.change(Retry(by="someone")))

    row = await batch.row()
    assert (row.state, row.sources, row.completed_closings) == ("completed", 0, 2)


async def test_what_is_refused_changes_nothing(world: World) -> None:
    """A foreign key, a closed batch, one too many, an unknown batch: each with its own problem."""
    batch = await Batch(world).opened(TEXT)
    foreign = BatchEntry(source=StoredFile(key="other/inbox/a.txt"))
    more = await batch.entry(TEXT)

    assert await batch.refused(Add(entries=(more,))) == (409, "batch_closed")
    assert await Batch(world).refused(Close()) == (404, "not_found")
    other = Batch(world)
    assert await other.refused(Open(), Add(entries=(more, foreign))) == (422, "foreign_key")
    assert await other.refused(Close()) == (404, "not_found")
    await other.change(Open())
    for _ in range(2):
        await other.change(Add(entries=(more,) * 500))
    assert await other.refused(Add(entries=(more,))) == (403, "too_many_documents")
    assert await other.counts() == {("queued", ""): 1000}


async def test_a_redrive_of_one_document_is_no_closing(world: World) -> None:
    """It takes one from failed; the batch is closed until it ends, and nothing is told again."""
    world.models = FakeModels(broken)
    batch = await Batch(world).opened(TEXT)
    await batch.worked()
    [entry] = await batch.entries()
    world.models = FakeModels(reply)

    again = await redrive(world, (await letter(world, entry.document_id)).dead_letter_id)
    assert await batch.counts() == {("processing", ""): 1}
    assert (await batch.row()).state == "closed"
    await world.follow(again)

    assert await batch.counts() == {("completed", "receipt"): 1}
    assert (await batch.row()).state == "completed"
    assert (await batch.told()).count("batch.completed") == 1


async def test_a_document_whose_bytes_came_late(world: World) -> None:
    """Retried, it has the name and the bytes that its failure could not store."""
    batch = Batch(world)
    key = f"{TENANT}/inbox/{world.request()}"
    entry = BatchEntry(source=StoredFile(key=key), filename="late.txt", metadata={"a": 1})
    await batch.change(Open(), Add(entries=(entry,)), Close())
    await batch.worked()
    assert await batch.counts() == {("failed", "no_such_object"): 1}
    await world.store.put(key, TEXT.encode(), content_type="text/plain")

    await world.follow(await batch.change(Retry(by="someone")))

    assert await batch.counts() == {("completed", "receipt"): 1}
    [document] = await batch.rows(DOCUMENTS)
    assert (document.s3_key, document.filename, document.metadata) == (key, "late.txt", {"a": 1})


async def test_documents_that_change_afterwards(world: World) -> None:
    """A corrected type, a new run and a deletion are counted, and told by no new end."""
    batch = await Batch(world).opened(TEXT, TEXT)
    await batch.worked()
    first, second = [entry.document_id for entry in await batch.entries()]

    await world.amend(first, type="invoice")
    assert await batch.counts() == {("completed", "invoice"): 1, ("completed", "receipt"): 1}
    again = await world.reprocess(second)
    assert await batch.counts() == {("completed", "invoice"): 1, ("processing", ""): 1}
    world.models = FakeModels(broken)
    await world.follow(again)
    await world.follow(await world.send("delete", DeleteDocument(document_id=first)))

    assert await batch.counts() == {("cancelled", ""): 1, ("failed", "no_sense"): 1}
    assert (await batch.row()).state == "completed"
    assert (await batch.told()).count("batch.completed") == 1
    types = {row.type for row in await batch.rows(EVENTS)}
    assert {"document.updated", "document.deleted"} <= types


async def test_another_end_users_batch_is_not_found(world: World) -> None:
    """Who comes for an end user changes that one's batches only; a plain key changes all."""
    batch = Batch(world, subject="alice")
    await batch.change(Open())
    other, plain = Batch(world, batch.batch_id, "bob"), Batch(world, batch.batch_id)

    assert await other.refused(Close()) == (404, "not_found")
    await plain.change(Close())

    rows = [row for row in await batch.rows(EVENTS) if row.object_id == batch.batch_id]
    assert {row.subject for row in rows} == {"alice"}
    assert (await batch.row()).state == "completed"
