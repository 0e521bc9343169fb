"""What ended long ago is removed, and nothing else; what is left agrees everywhere."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Table, delete, func, select, text, update

from schemas.messages import DeleteDocument, DiscardDeadLetters
from schemas.states import StepState
from schemas.tables import (
    DEAD_LETTERS,
    EVENT_COUNTERS,
    EVENTS,
    MODEL_ANSWERS,
    REQUESTS,
    STEPS,
)
from streams.clients.postgres import Database
from streams.errors import InvalidMessage
from streams.retention import requests as walk_of_requests
from streams.retention.sweep import Sweep
from streams.verify import Kind
from tests.integration.stages.conftest import TENANT, World, body, reply
from tests.integration.verify.conftest import Verified

KEEP = timedelta(days=40)
TABLES = (REQUESTS, STEPS, MODEL_ANSWERS, DEAD_LETTERS, EVENTS)


async def age(world: World) -> None:
    """Let all that has happened be fifty days old."""
    async with world.database.transaction() as connection:
        for table in TABLES:
            times = [each.name for each in table.c if each.name.endswith("_at")]
            moved = ", ".join(f"{name} = {name} - interval '50 days'" for name in times)
            await connection.execute(text(f"UPDATE {table.name} SET {moved}"))  # noqa: S608 - our own names


async def sweep(database: Database) -> None:
    """Take as many turns as it takes to pass everything."""
    task = Sweep(database, keep_requests=KEEP, keep_events=KEEP)
    for _ in range(3):
        await task.turn()


async def count(world: World, table: Table, *where: Any) -> int:
    """Count rows."""
    async with world.database.transaction() as connection:
        query = select(func.count()).select_from(table).where(*where)
        return int((await connection.execute(query)).scalar_one())


async def requests_of(world: World, document_id: str) -> Sequence[str]:
    """Which requests about a document are there."""
    return sorted(row.request_id for row in await world.rows(REQUESTS, document_id))


async def fails(world: World) -> str:
    """Take in a document that no model answers about."""

    def refuse(*_: Any) -> Any:
        raise InvalidMessage("no_answer", "The model has none.")

    world.models.reply = refuse
    document_id = await world.take_in()
    world.models.reply = reply
    return document_id


async def test_what_ended_long_ago_goes(verified: Verified) -> None:
    """A change's request goes with its steps; what is young stays, and so does the document."""
    world = verified.world
    document_id = await world.take_in()
    came_in = await requests_of(world, document_id)
    await world.follow(await world.amend(document_id, title="Old"))
    old = set(await requests_of(world, document_id)) - set(came_in)
    await age(world)
    await world.follow(await world.amend(document_id, title="Young"))
    young = set(await requests_of(world, document_id)) - set(came_in) - old

    await sweep(world.database)

    assert await requests_of(world, document_id) == sorted({*came_in, *young})
    assert not await count(world, STEPS, STEPS.c.request_id.in_(old))
    assert (await world.row(document_id)).title == "Young"
    assert await verified.differences() == []


async def test_a_living_document_keeps_its_timeline(verified: Verified) -> None:
    """The steps of its present run and how it came in; not the run between, nor models' answers."""
    world = verified.world
    document_id = await world.take_in()
    first = await world.row(document_id)
    for _ in range(2):
        await world.follow(await world.reprocess(document_id))
    present = (await world.row(document_id)).run_id
    assert await count(world, MODEL_ANSWERS, MODEL_ANSWERS.c.document_id == document_id)
    await age(world)

    await sweep(world.database)

    kept = {row.run_id for row in await world.rows(STEPS, document_id)}
    assert {first.run_id, present} <= kept
    runs = {row.run_id for row in await world.runs(document_id)}
    assert len(runs - kept) == 1
    assert not await count(world, MODEL_ANSWERS, MODEL_ANSWERS.c.document_id == document_id)


async def test_a_deleted_document_leaves_its_tombstone_alone(verified: Verified) -> None:
    """Once all about it ended long ago."""
    world = verified.world
    document_id = await world.take_in()
    message = DeleteDocument(document_id=document_id)
    await world.follow(await world.send("delete", message))
    await age(world)

    await sweep(world.database)

    assert await requests_of(world, document_id) == []
    assert await world.rows(STEPS, document_id) == []
    assert (await world.row(document_id)).deleted_at is not None


async def test_work_that_waits_keeps_all_that_it_needs(verified: Verified) -> None:
    """However old: a step at which a run stands, and a dead letter that nobody decided on."""
    world = verified.world
    await world.take_in(until="extract")
    waiting = world.left
    await fails(world)
    await age(world)
    before = [await count(world, table) for table in (REQUESTS, STEPS, DEAD_LETTERS)]

    await sweep(world.database)

    assert [await count(world, table) for table in (REQUESTS, STEPS, DEAD_LETTERS)] == before
    left = await world.follow(waiting)
    assert body(left, "results")["status"] == "completed"


async def test_letters_that_were_decided_on_go(verified: Verified) -> None:
    """With the steps of what had been deleted, and with those of what could never be read."""
    world = verified.world
    failed = await fails(world)
    [unread] = await world.send("receive", DeleteDocument(document_id="x"))
    assert unread.topic.endswith("-dlq")
    await world.follow(await world.send("delete", DeleteDocument(document_id=failed)))
    async with world.database.transaction() as connection:
        query = select(DEAD_LETTERS.c.dead_letter_id).where(DEAD_LETTERS.c.state == "dead")
        ids = list((await connection.execute(query)).scalars())
    discard = DiscardDeadLetters(ids=ids, by="a test")
    await world.follow(await world.send("discard", discard))
    await age(world)

    await sweep(world.database)
    await sweep(world.database)

    for document in (DEAD_LETTERS.c.document_id.is_(None), DEAD_LETTERS.c.document_id == failed):
        assert not await count(world, DEAD_LETTERS, document)
    for document in (STEPS.c.document_id.is_(None), STEPS.c.document_id == failed):
        assert not await count(world, STEPS, STEPS.c.state == StepState.DEAD, document)


async def test_events_go_from_the_lowest_number_on(verified: Verified) -> None:
    """The latest stays; numbers go on as they were; a number lost behind them is still found."""
    world = verified.world
    await world.take_in()
    await age(world)

    await sweep(world.database)

    own = EVENT_COUNTERS.c.gpt_id == TENANT
    async with world.database.transaction() as connection:
        counter = (await connection.execute(select(EVENT_COUNTERS).where(own))).one()
        left = select(EVENTS.c.sequence).where(EVENTS.c.gpt_id == TENANT)
        kept = list((await connection.execute(left)).scalars())
    assert kept == [counter.last]
    assert counter.forgotten_sequence == counter.last - 1
    assert await verified.differences() == []
    await world.take_in()
    assert await verified.differences() == []

    async with world.database.transaction() as connection:
        await connection.execute(
            delete(EVENTS).where(EVENTS.c.gpt_id == TENANT, EVENTS.c.sequence == counter.last)
        )
    assert (Kind.EVENT_NUMBERS, TENANT) in await verified.found()
    await verified.does(update(EVENT_COUNTERS).where(own).values(forgotten_sequence=counter.last))


async def test_long_work_goes_part_by_part(
    verified: Verified, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request whose steps do not fit a page goes when its last step has gone."""
    world = verified.world
    monkeypatch.setattr(walk_of_requests, "_MOST_STEPS", 2)
    document_id = await world.take_in()
    await world.follow(await world.send("delete", DeleteDocument(document_id=document_id)))
    await age(world)
    await sweep(world.database)
    assert await world.rows(STEPS, document_id) == []
    assert await requests_of(world, document_id) == []


async def test_sweeps_take_turns(verified: Verified) -> None:
    """While one process sweeps, another one's turn is over at once."""
    world = verified.world
    document_id = await world.take_in()
    await world.follow(await world.amend(document_id, title="Old"))
    await age(world)
    before = await count(world, REQUESTS)
    async with world.database.alone("retention") as hold:
        assert hold is not None
        await sweep(world.database)
    assert await count(world, REQUESTS) == before
    await sweep(world.database)
    assert await count(world, REQUESTS) < before
