"""A batch is cancelled while its documents are in every stage, on a real Postgres."""

import asyncio

import pytest

from schemas.batches import Add, Cancel, Close, Retry
from schemas.messages import ReprocessDocument
from schemas.tables import DOCUMENTS, REQUESTS, RUNS, STEPS
from streams.parsing.page import Attachment
from streams.stage import Record
from tests.fakes.models import FakeModels, FakeParser
from tests.integration.stages.batching import Batch
from tests.integration.stages.conftest import TEXT, World, failure, page, parsed, reply
from tests.integration.stages.test_stage_letters import broken, parts

STAGES = ("receive", "parse", "classify", "extract", "index", "complete")
DONE = ("", "receipt")


async def cancelled(batch: Batch) -> list[Record]:
    """Cancel a batch and follow that to its end. Returns: the results that it published."""
    return await parts(batch.world, "cancel", await batch.change(Cancel()))


async def in_every_stage(world: World) -> tuple[Batch, list[Record]]:
    """Make a batch of a document before each stage, one completed, one failed, one queued."""
    batch = await Batch(world).opened(*[f"{TEXT} {place}" for place in range(9)], close=False)
    first, second, *others = await batch.released()
    await world.follow([first])
    world.models = FakeModels(broken)
    await world.follow([second])
    world.models = FakeModels(reply)
    waiting = [
        record
        for stage, start in zip(STAGES, others, strict=False)
        for record in await world.follow([start], until=stage)
    ]
    more = await batch.entry(TEXT)
    await batch.change(Add(entries=(more,)))
    return batch, [*waiting, others[-1]]


async def test_a_batch_is_cancelled_in_every_stage(world: World) -> None:
    """What is not settled ends cancelled at once, and stays so when its records come."""
    batch, waiting = await in_every_stage(world)
    world.models = asked = FakeModels(broken)

    answers = await cancelled(batch)

    counts = {("completed", "receipt"): 1, ("failed", "no_sense"): 1, ("cancelled", ""): 8}
    assert await batch.counts() == counts
    assert len(answers) == 8
    assert all(b'"cancelled"' in answer.value for answer in answers)
    left = await world.follow(waiting)
    assert await batch.counts() == counts
    assert {record.topic for record in left} <= {"results"}
    assert asked.asked == []
    for entry in await batch.entries():
        document = await world.row(entry.document_id)
        assert document.status == entry.state
        if entry.state != "cancelled":
            continue
        [request] = await world.rows(REQUESTS, entry.document_id)
        assert request.status == "cancelled"
        runs = await world.rows(RUNS, entry.document_id)
        assert {run.status for run in runs} <= {"cancelled"}
        steps = await world.rows(STEPS, entry.document_id)
        assert {step.state for step in steps} <= {"done", "cancelled"}


async def test_its_end_is_told_with_its_counts(world: World) -> None:
    """One event says that the batch is cancelled, when nothing of it is worked on any more."""
    batch, _ = await in_every_stage(world)
    await cancelled(batch)
    await cancelled(batch)

    assert await batch.told() == ["batch.created", "batch.cancelled"]
    assert (await batch.row()).state == "cancelled"


async def test_a_cancelled_batch_takes_nothing(world: World) -> None:
    """It is not opened again by adding, closing or retrying, and nothing of it is let in."""
    batch = await Batch(world).opened(TEXT, close=False)
    more = await batch.entry(TEXT)
    await cancelled(batch)

    assert await batch.refused(Add(entries=(more,))) == (409, "batch_cancelled")
    assert await batch.refused(Close()) == (409, "batch_cancelled")
    assert await batch.refused(Retry(by="someone")) == (409, "batch_cancelled")
    assert await batch.released() == []
    assert await batch.counts() == {("cancelled", ""): 1}


async def test_what_was_sent_stays(world: World) -> None:
    """The bytes of a cancelled document are kept with its row, and go when it is deleted."""
    batch = await Batch(world).opened(TEXT, TEXT)
    started = await world.follow((await batch.released())[:1], until="parse")
    await cancelled(batch)
    await world.follow(started)

    for entry in await batch.entries():
        row = await world.row(entry.document_id)
        assert await world.keys(row.s3_key) == [row.s3_key]


async def test_a_cancelled_document_runs_again_where_it_was_stored(world: World) -> None:
    """A new run of it is counted; one that was never received is refused."""
    batch = await Batch(world).opened(TEXT, TEXT)
    await world.follow((await batch.released())[:1], until="parse")
    await cancelled(batch)
    first, second = [entry.document_id for entry in await batch.entries()]

    again = await world.send("reprocess", ReprocessDocument(document_id=first))
    await world.follow(again)
    refused = await world.send("reprocess", ReprocessDocument(document_id=second))

    assert failure(refused) == "not_stored"
    assert await batch.counts() == {("completed", "receipt"): 1, ("cancelled", ""): 1}


async def test_a_commit_that_races_with_it(world: World) -> None:
    """Whichever comes first, the document's status and the counts agree."""
    for _ in range(5):
        batch = await Batch(world).opened(*[TEXT] * 4)
        left = await world.follow(await batch.released(), until="complete")
        published = await batch.change(Cancel())

        await asyncio.gather(
            parts(world, "cancel", published), *(world.give(record) for record in left)
        )

        counts = await batch.counts()
        assert sum(counts.values()) == 4
        assert {state for state, _ in counts} <= {"completed", "cancelled"}


async def with_attachment(world: World) -> tuple[Batch, Record, list[Record]]:
    """Make a batch whose document has an attachment. Returns: it, that one's record, the others."""
    child = Attachment("a.txt", b"attached")
    world.parser = FakeParser({1: parsed(page(1), attachments=(child,))})
    batch = await Batch(world).opened(TEXT, close=False)
    received = await world.follow(await batch.released(), until="parse")
    published = [record for each in received for record in await world.give(each)]
    world.parser = FakeParser({1: parsed(page(1))})
    [born] = [record for record in published if record.topic.startswith("process-document")]
    return batch, born, [record for record in published if record is not born]


@pytest.mark.parametrize("until", ["receive", "parse", "complete"])
async def test_attachments_are_cancelled_with_it(world: World, until: str) -> None:
    """A document that was attached to one of the batch goes no further, though that one is done."""
    batch, born, others = await with_attachment(world)
    await world.follow(others)
    assert await batch.counts() == {("completed", "receipt"): 1}
    waiting = await world.follow([born], until=until)

    await cancelled(batch)
    left = await world.follow(waiting)

    children = [row for row in await batch.rows(DOCUMENTS) if row.parent_id is not None]
    assert {row.status for row in children} <= {"cancelled"}
    assert [record.topic for record in left] == ["results"]
    assert await batch.counts() == {("completed", "receipt"): 1}
    assert await batch.told() == ["batch.created", "batch.cancelled"]
