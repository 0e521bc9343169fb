"""What the ledger, the rows and the letters say of one another, and work that stands still."""

from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from schemas.messages import DeleteDocument
from schemas.states import Status, StepState
from schemas.tables import (
    DEAD_LETTERS,
    DOCUMENTS,
    EVENT_COUNTERS,
    EVENTS,
    PAGES,
    REQUESTS,
    RUNS,
    STEPS,
)
from streams.clients.producer import CommandPublisher
from streams.errors import InvalidMessage
from streams.verify import Kind, Pace, found_in
from tests.integration.stages.conftest import World, reply
from tests.integration.verify.conftest import Verified
from tests.integration.verify.kafka import Topics


async def _run(world: World, document_id: str) -> str:
    return str((await world.row(document_id)).run_id)


async def _fails(world: World) -> str:
    def refuse(*_: Any) -> Any:
        raise InvalidMessage("no_answer", "The model has none.")

    world.models.reply = refuse
    document_id = await world.take_in()
    world.models.reply = reply
    return document_id


async def test_failures_and_refusals_are_no_differences(verified: Verified) -> None:
    """What ended badly but in order, and what cannot be decoded, agrees everywhere."""
    world = verified.world
    failed = await _fails(world)
    await world.follow(await world.amend(failed, title="Changed", if_version=77))
    [record] = await world.send("receive", DeleteDocument(document_id="x"))
    assert record.topic == "process-document-dlq"
    assert await verified.differences() == []


async def test_a_lost_record_is_published_again(verified: Verified) -> None:
    """Wherever the record of a run is lost, repair finds it in the ledger and the run goes on."""
    world = verified.world
    for stage in ("parse", "classify", "extract", "index", "complete"):
        document_id = await world.take_in(until=stage)
        stuck = (Kind.STUCK, await _run(world, document_id))
        assert await verified.found() == {stuck}
        [mended] = await verified.repair()
        assert mended.mended is not None
        assert (await world.row(document_id)).status == "completed"


async def test_a_step_that_nobody_has_gets_its_record_again(verified: Verified) -> None:
    """A lapsed lease, and a retry whose record is lost, are brought on as the newest attempt."""
    world = verified.world
    for state, attempt in ((StepState.WORKING, 0), (StepState.WAITING, 3)):
        document_id = await world.take_in(until="classify")
        run_id = await _run(world, document_id)
        held = insert(STEPS).values(
            gpt_id="demo",
            run_id=run_id,
            stage="classify",
            part=0,
            document_id=document_id,
            request_id=(await world.row(document_id)).request_id,
            state=state,
            attempt=attempt,
            lease_until=func.now() - timedelta(hours=1),
        )
        await verified.does(held)
        assert await verified.found() == {(Kind.STUCK, run_id)}
        await verified.repair()
        assert (await world.row(document_id)).status == "completed"


async def test_a_live_lease_and_a_retry_to_come_are_left_in_peace(verified: Verified) -> None:
    """Work that a worker has, or that is due later, is no difference."""
    world = verified.world
    document_id = await world.take_in(until="classify")
    run_id = await _run(world, document_id)
    held = insert(STEPS).values(
        gpt_id="demo",
        run_id=run_id,
        stage="classify",
        part=0,
        document_id=document_id,
        request_id=(await world.row(document_id)).request_id,
        state=StepState.WORKING,
        lease_until=func.now() + timedelta(hours=1),
    )
    await verified.does(held)
    assert await verified.differences() == []
    step = update(STEPS).where(STEPS.c.run_id == run_id, STEPS.c.stage == "classify")
    later = func.now() + timedelta(hours=1)
    await verified.does(step.values(state=StepState.WAITING, lease_until=None, retry_at=later))
    assert await verified.differences() == []
    await verified.does(delete(STEPS).where(STEPS.c.run_id == run_id, STEPS.c.stage == "classify"))
    await world.follow(world.left)


async def test_a_record_that_waits_in_kafka_is_only_a_suspicion(
    verified: Verified, topics: Topics
) -> None:
    """Work is stuck for certain once its stage has passed all that its topic held."""
    world = verified.world
    document_id = await world.take_in(until="parse")
    records = tuple(each for each in world.left if each.topic == "document-received")
    await CommandPublisher(topics.settings).publish(records)
    [waits] = await verified.differences()
    assert (waits.kind, waits.certain) == (Kind.STUCK, False)
    [left] = await verified.repair()
    assert left.mended is None
    await topics.acknowledge("document-received")
    assert await verified.found() == {(Kind.STUCK, await _run(world, document_id))}
    await world.follow(world.left)


async def test_work_within_the_margin_is_left_in_peace(verified: Verified) -> None:
    """What moved a moment ago is in flight."""
    world = verified.world
    await world.take_in(until="parse")
    stores = verified.stores
    patient = type(stores)(
        stores.database,
        stores.store,
        stores.search,
        stores.flow,
        stores.ids,
        timedelta(hours=1),
    )
    assert [each async for each in found_in(patient, Pace(pause_s=0))] == []
    await world.follow(world.left)


async def test_missing_effects_are_found(verified: Verified) -> None:
    """Pages, a type, fields or a whole run that went leave a step without its effect."""
    world = verified.world
    document_id = await world.take_in()
    run_id = await _run(world, document_id)
    run = update(RUNS).where(RUNS.c.run_id == run_id)
    kept = (await world.runs(document_id))[0]
    broken = {"type": None, "page_count": None, "completed_at": None}
    for name in broken:
        await verified.does(run.values(**{name: None}))
        assert (Kind.EFFECT_MISSING, run_id) in await verified.found()
        await verified.does(run.values(**{name: getattr(kept, name)}))
    await verified.does(delete(PAGES).where(PAGES.c.run_id == run_id))
    assert (Kind.EFFECT_MISSING, run_id) in await verified.found()
    await verified.does(delete(RUNS).where(RUNS.c.run_id == run_id))
    assert (Kind.EFFECT_MISSING, document_id) in await verified.found()
    [left, *_] = await verified.repair()
    assert left.mended is None
    assert "replay" in left.remedy
    await world.follow(await world.reprocess(document_id))


async def test_states_that_disagree_are_found(verified: Verified) -> None:
    """A request or a document that ended while its run did not, and the reverse."""
    world = verified.world
    document_id = await world.take_in()
    row = await world.row(document_id)
    request = update(REQUESTS).where(REQUESTS.c.request_id == row.request_id)
    document = update(DOCUMENTS).where(DOCUMENTS.c.document_id == document_id)
    disagrees = {(Kind.STATUS_DISAGREES, str(row.run_id))}
    for statement in (request, document):
        await verified.does(statement.values(status=Status.FAILED))
        assert await verified.found() == disagrees
        await verified.does(statement.values(status=Status.PROCESSING))
        assert await verified.found() == disagrees
        await verified.does(statement.values(status=Status.COMPLETED))


async def test_a_request_that_nothing_brings_on_is_found(verified: Verified) -> None:
    """A deletion whose fact was lost is brought on by repair; one without any step cannot be."""
    world = verified.world
    document_id, request = await world.take_in(), world.request()
    await world.send("delete", DeleteDocument(document_id=document_id), request=request)
    assert (Kind.STUCK, request) in await verified.found()
    await verified.repair()
    assert (await world.row(document_id)).s3_key is None
    entered = {"request_id": world.request(), "gpt_id": "demo", "kind": "update-document"}
    await verified.does(insert(REQUESTS).values(**entered, status=Status.PROCESSING))
    assert await verified.found() == {(Kind.STUCK, entered["request_id"])}
    [left] = await verified.repair()
    assert left.mended is None
    await verified.does(delete(REQUESTS).where(REQUESTS.c.request_id == entered["request_id"]))


async def test_a_dead_step_and_its_letter_belong_together(verified: Verified) -> None:
    """A dead step without a letter, and a letter of a step that is done, are found."""
    world = verified.world
    document_id = await _fails(world)
    run_id = await _run(world, document_id)
    letters = DEAD_LETTERS.c.document_id == document_id
    async with world.database.transaction() as connection:
        kept = (await connection.execute(select(DEAD_LETTERS).where(letters))).one()
    step = update(STEPS).where(STEPS.c.run_id == run_id, STEPS.c.stage == "classify")
    await verified.does(step.values(state=StepState.DONE))
    assert (Kind.DONE_AND_DEAD, kept.dead_letter_id) in await verified.found()
    await verified.does(step.values(state=StepState.DEAD), delete(DEAD_LETTERS).where(letters))
    assert await verified.found() == {(Kind.DEAD_WITHOUT_LETTER, f"{run_id}/classify/0")}
    await verified.does(insert(DEAD_LETTERS).values(**kept._asdict()))


async def test_numbers_of_events_have_no_gaps(verified: Verified) -> None:
    """A missing number is found, and a counter that is ahead of the events."""
    row = {"gpt_id": "numbered", "type": "document.received", "data": {}}
    rows = [{**row, "sequence": n, "event_id": f"evt_numbered_{n}"} for n in range(1, 9)]
    counter = {"gpt_id": "numbered", "last": 8}
    await verified.does(insert(EVENTS).values(rows), insert(EVENT_COUNTERS).values(**counter))
    assert await verified.differences() == []
    gone = delete(EVENTS).where(EVENTS.c.gpt_id == "numbered")
    for numbers, said in (
        ([1], "from 1 to 1"),
        ([4, 5], "from 4 to 5"),
        ([8], "counter stands at 8, the last event is 7"),
    ):
        await verified.does(gone.where(EVENTS.c.sequence.in_(numbers)))
        [found] = await verified.differences()
        assert found.key == (Kind.EVENT_NUMBERS, "numbered")
        assert said in found.detail
        await verified.does(insert(EVENTS).values([rows[n - 1] for n in numbers]))
    await verified.does(gone, delete(EVENT_COUNTERS).where(EVENT_COUNTERS.c.gpt_id == "numbered"))
