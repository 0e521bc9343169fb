"""What batches count beside their entries and documents, and the bytes that they wait with."""

from sqlalchemy import update

from schemas.batches import Cancel
from schemas.tables import BATCH_TALLIES, BATCHES, DOCUMENTS
from streams.verify import Kind
from tests.integration.stages.batching import Batch
from tests.integration.stages.conftest import TEXT
from tests.integration.stages.test_stage_letters import parts
from tests.integration.verify.conftest import Verified


async def test_a_batch_that_agrees(verified: Verified) -> None:
    """Queued, completed and cancelled documents differ from nothing, and nor do their bytes."""
    batch = await Batch(verified.world).opened(TEXT)
    await batch.worked()
    other = await Batch(verified.world).opened(TEXT, TEXT)
    assert await verified.found() == set()

    await parts(verified.world, "cancel", await other.change(Cancel()))

    assert await verified.differences() == []


async def test_counts_that_are_wrong(verified: Verified) -> None:
    """A tally, an entry that its document has left behind, and an end that is not told."""
    batch = await Batch(verified.world).opened(TEXT)
    await batch.worked()
    wrong = Kind.BATCH_COUNTS, batch.batch_id
    tally = update(BATCH_TALLIES).where(
        BATCH_TALLIES.c.batch_id == batch.batch_id, BATCH_TALLIES.c.state == "completed"
    )
    document = update(DOCUMENTS).where(DOCUMENTS.c.batch_id == batch.batch_id)
    row = update(BATCHES).where(BATCHES.c.batch_id == batch.batch_id)
    for breaks, mends in (
        (tally.values(count=2), tally.values(count=1)),
        (document.values(type="invoice"), document.values(type="receipt")),
        (row.values(unsettled=1), row.values(unsettled=0)),
        (row.values(state="closed"), row.values(state="completed")),
    ):
        await verified.does(breaks)
        assert wrong in await verified.found()
        await verified.does(mends)
        assert await verified.found() == set()
