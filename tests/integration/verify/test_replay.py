"""A replay begins a run a document, once, at its pace, and follows them to their ends."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete

from schemas.states import Status
from schemas.tables import RUNS
from streams.clients.producer import CommandPublisher
from streams.errors import DependencyDown
from streams.replay import Choice, Replay, Standing
from streams.verify.flow import Flow, sources
from tests.integration.stages.conftest import World
from tests.integration.verify.conftest import Verified
from tests.integration.verify.kafka import Topics


class Told:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.published: list[int] = []

    def __call__(self, standing: Standing) -> None:
        self.published.append(standing.published)


@pytest.fixture
async def documents(apart: Verified) -> AsyncIterator[tuple[World, list[str]]]:
    """Three documents that are through, the last of which failed."""
    world = apart.world
    ids = [await world.take_in(), await world.take_in(), await world.take_in(until="extract")]
    yield world, ids
    await world.follow(world.left)


def _replay(world: World, name: str, stage: Any = "extract") -> Replay:
    return Replay(world.database, world.publisher, world.ids, name=name, stage=stage)


async def _numbers(world: World, document_id: str) -> list[int]:
    return [run.number for run in await world.runs(document_id)]


async def test_a_replay_begins_one_run_a_document_however_often(
    documents: tuple[World, list[str]],
) -> None:
    """Documents in work are left alone; the same replay again follows what the first began."""
    world, [first, second, in_work] = documents
    choice = Choice(document_ids=(first, second, in_work))
    told = Told()
    begun = _replay(world, "once")
    before = len(world.publisher.records)
    assert await begun.count(choice) == 2
    await begun.publish(choice, per_second=1000, tell=told)
    assert told.published == [2]
    repeated = _replay(world, "once")
    await repeated.publish(choice, per_second=1000, tell=told)
    # None of them is entered yet, so all are published again; the ledger takes each once.
    published = world.publisher.records[before:]
    assert [each.topic for each in published] == ["reprocess-document"] * 4
    assert published[:2] == published[2:]
    await world.follow(published)
    await begun.follow(tell=told)
    assert begun.standing.ended == {"completed": 2}
    late = _replay(world, "once")
    await late.publish(choice, per_second=1000, tell=told)
    assert (late.standing.published, late.standing.ended) == (0, {"completed": 2})
    assert [await _numbers(world, each) for each in (first, second, in_work)] == [
        [1, 2],
        [1, 2],
        [1],
    ]


async def test_another_replay_or_stage_begins_other_runs(
    documents: tuple[World, list[str]],
) -> None:
    """The name and the stage tell replays apart."""
    world, [first, _, _] = documents
    choice = Choice(document_ids=(first,))
    for name, stage in (("one", "extract"), ("two", "extract"), ("two", "index")):
        before = len(world.publisher.records)
        replay = _replay(world, name, stage)
        await replay.publish(choice, per_second=1000, tell=Told())
        await world.follow(world.publisher.records[before:])
        await replay.follow(tell=Told())
    assert await _numbers(world, first) == [1, 2, 3, 4]


async def test_what_cannot_begin_there_is_told_with_its_reason(
    documents: tuple[World, list[str]],
) -> None:
    """A document without anything to take over is refused, and the replay ends all the same."""
    world, [first, _, _] = documents
    async with world.database.transaction() as connection:
        await connection.execute(delete(RUNS).where(RUNS.c.document_id == first))
    replay = _replay(world, "refused")
    before = len(world.publisher.records)
    await replay.publish(Choice(document_ids=(first,)), per_second=1000, tell=Told())
    await world.follow(world.publisher.records[before:])
    await replay.follow(tell=Told())
    assert replay.standing.problems == {"not_classified": 1}
    await world.follow(await world.reprocess(first))


async def test_the_choice_is_by_time_type_and_state(documents: tuple[World, list[str]]) -> None:
    """Each condition narrows the choice."""
    world, ids = documents
    replay, of_these = _replay(world, "choice"), tuple(ids)
    now = datetime.now(UTC)
    hour = timedelta(hours=1)
    assert await replay.count(Choice(document_ids=of_these, since=now - hour)) == 2
    assert await replay.count(Choice(document_ids=of_these, since=now + hour)) == 0
    assert await replay.count(Choice(document_ids=of_these, until=now - hour)) == 0
    assert await replay.count(Choice(document_ids=of_these, type="receipt")) == 2
    assert await replay.count(Choice(document_ids=of_these, type="letter")) == 0
    failed = Choice(document_ids=of_these, statuses=(Status.FAILED,))
    assert await replay.count(failed) == 0


async def test_records_go_to_kafka_at_their_pace(
    documents: tuple[World, list[str]], topics: Topics
) -> None:
    """Two documents at two a second take half a second, and are on the topic with their keys."""
    world, [first, second, _] = documents
    replay = Replay(
        world.database, CommandPublisher(topics.settings), world.ids, name="paced", stage="index"
    )
    began = asyncio.get_running_loop().time()
    await replay.publish(Choice(document_ids=(first, second)), per_second=2, tell=Told())
    assert asyncio.get_running_loop().time() - began >= 0.5
    records = await topics.read("reprocess-document", 2)
    assert sorted(record.key.decode() for record in records if record.key) == sorted(
        (first, second)
    )
    assert not await Flow(topics.settings).passed(sources(["reprocess"]), within_s=0)
    await world.follow(records)
    await topics.acknowledge("reprocess-document")
    assert await Flow(topics.settings).passed(sources(["reprocess"]), within_s=0)


async def test_a_broker_that_is_away_is_an_expected_failure(apart: Verified) -> None:
    """Neither publishing nor comparing offsets hides that Kafka does not answer."""
    nowhere = apart.world.settings.model_copy(update={"kafka_bootstrap": "127.0.0.1:9"})
    with pytest.raises(DependencyDown):
        await Flow(nowhere, timeout_s=1).passed(sources(["parse"]), within_s=0)
