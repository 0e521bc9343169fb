"""Batches on a real Postgres: each record has its own outcome, and nothing happens twice."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import Row, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import topics
from schemas.events import EventType
from schemas.messages import Ping
from schemas.tables import DEAD_LETTERS, DOCUMENT_TYPES, EVENTS, REQUESTS, STEPS
from streams import failures
from streams.batch_ledger import BatchLedger
from streams.batches import Batches
from streams.clients.postgres import Database
from streams.endings import Claimed, Ending
from streams.errors import DependencyDown, GiveWay
from streams.ledger import Ledger
from streams.retries import Attempts
from streams.runner import Patience, Runner
from streams.stage import BatchStage, Event, Taken, Verdict, Work
from streams.wire import Incoming
from tests.fakes.publisher import FakePublisher
from tests.suites.ledger import IDS

# A type's version counts how often its note was kept.
KEEP = text(
    "INSERT INTO document_types AS t (gpt_id, name, version, definition) "
    "SELECT :gpt_id, note, count(*), '{}' FROM unnest(CAST(:notes AS text[])) AS note GROUP BY 2 "
    "ON CONFLICT (gpt_id, name) DO UPDATE SET version = t.version + excluded.version"
)


@dataclass
class World:
    """A worker with one batch stage, which counts the notes that it is given."""

    database: Database
    gpt_id: str
    publisher: FakePublisher = field(default_factory=FakePublisher)
    batches_seen: list[list[str]] = field(default_factory=list)
    meanwhile: Callable[[], Any] | None = None
    slow: str = "slow"
    leaving: bool = False
    generation: int = 1
    offset: int = 0

    def __post_init__(self) -> None:
        self.partition = hash(self.gpt_id) % 1_000_000
        self.stage = BatchStage("ping", topics.PING, self._handle, most=5)
        ledger = Ledger(self.database, owner="test", lease=timedelta(seconds=15))
        self.runner = Runner(
            ledger,
            self.publisher,
            IDS,
            attempts=Attempts(2),
            grace=timedelta(seconds=1),
            patience=Patience(first_seconds=0.01, longest_seconds=0.02, look_seconds=0.01),
        )
        self.ledger = BatchLedger(self.database, owner="test")
        self.batches = Batches(self.runner, self.ledger)

    async def _handle(
        self, connection: AsyncConnection, taken: Sequence[Taken[Ping]]
    ) -> list[Verdict]:
        notes = [each.message.note or "" for each in taken]
        self.batches_seen.append(notes)
        if self.meanwhile is not None:
            await self.meanwhile()
        await connection.execute(KEEP, {"gpt_id": self.gpt_id, "notes": notes})
        if self.slow in notes:
            await connection.execute(text("SET LOCAL statement_timeout = 20"))
            await connection.execute(text("SELECT pg_sleep(60)"))
        if "bug" in notes:
            raise ZeroDivisionError
        return [self._verdict(each) for each in taken]

    @staticmethod
    def _verdict(each: Taken[Ping]) -> Verdict:
        if each.message.note == "no":
            problem = failures.problem("not_liked", "No.", each.work.request_id, 422)
            return Verdict(problem=problem)
        event = Event(EventType.OBJECT_CREATED, {"note": each.message.note}, "obj_1")
        return Verdict(result={"note": each.message.note}, told={}, events=(event, event))

    def record(self, note: str, *, attempt: int = 0, request_id: str | None = None) -> Incoming:
        self.offset += 1
        headers = {
            "request-id": request_id or IDS.mint("req", self.gpt_id),
            "gpt-id": self.gpt_id,
            "schema": "ping.v1",
            "attempt": str(attempt),
        }
        return Incoming(
            topic="ping",
            partition=self.partition,
            offset=self.offset,
            key=b"key",
            value=json.dumps({"note": note}).encode(),
            headers=tuple((name, value.encode()) for name, value in headers.items()),
            leaving=lambda: self.leaving,
            generation=self.generation,
        )

    async def begin(self) -> "World":
        """Work off the records that are watched because the partition changed hands."""
        own, self.gpt_id = self.gpt_id, "b-others"
        for _ in range(self.stage.most):
            await self.run(self.record("begin"))
        self.gpt_id = own
        self.batches_seen.clear()
        self.publisher.records.clear()
        return self

    async def run(self, *records: Incoming) -> None:
        await self.batches.run(self.stage, records)

    async def rows(self, query: Any) -> Sequence[Row[Any]]:
        async with self.database.transaction() as connection:
            return (await connection.execute(query)).all()

    async def answers(self) -> dict[str, str]:
        columns = REQUESTS.c
        query = select(columns.request_id, columns.status).where(columns.gpt_id == self.gpt_id)
        return {row.request_id: row.status for row in await self.rows(query)}

    async def kept(self) -> list[str]:
        columns = DOCUMENT_TYPES.c
        query = select(columns.name, columns.version).where(columns.gpt_id == self.gpt_id)
        return sorted(row.name for row in await self.rows(query) for _ in range(row.version))


@pytest.fixture
async def world(database: Database, request: pytest.FixtureRequest) -> World:
    name = request.node.name.replace("_", "-")[:50]
    return await World(database, f"b-{name}").begin()


def asked(record: Incoming) -> str:
    return dict(record.headers)["request-id"].decode()


async def test_each_record_is_answered_and_told_of(world: World) -> None:
    """One transaction; every record has its row, its step, its events and its answer."""
    first, second = world.record("a"), world.record("no")
    await world.run(first, second)

    assert world.batches_seen == [["a", "no"]]
    assert await world.answers() == {asked(first): "completed", asked(second): "failed"}
    results = [each for each in world.publisher.records if each.topic == "results"]
    assert [json.loads(each.value)["status"] for each in results] == ["completed", "failed"]
    assert json.loads(results[0].value)["result"] == {}
    events = await world.rows(
        select(EVENTS.c.sequence, EVENTS.c.type).where(EVENTS.c.gpt_id == world.gpt_id)
    )
    assert sorted(row.sequence for row in events) == [1, 2]
    assert world.publisher.topics() == ["results", "events", "events", "results"]


async def test_a_redelivered_batch_is_only_published_again(world: World) -> None:
    """The work is not done twice, and what was published is published again as it was."""
    records = [world.record("a"), world.record("b")]
    await world.run(*records)
    before = list(world.publisher.records)
    await world.run(*records, world.record("c"))

    assert world.publisher.records[len(before) : 2 * len(before)] == before
    assert world.batches_seen == [["a", "b"], ["c"]]
    assert await world.kept() == ["a", "b", "c"]


async def test_the_same_request_twice_in_a_batch_is_worked_off_once(world: World) -> None:
    """A repeat finds the first one's outcome though neither is committed yet."""
    first = world.record("a")
    await world.run(first, world.record("a", request_id=asked(first)))

    assert await world.kept() == ["a"]
    assert world.publisher.topics().count("results") == 2


async def test_of_two_requests_of_one_key_the_first_is_done(world: World) -> None:
    """What comes with the same idempotency key but another body changes nothing."""
    first = world.record("a")
    await world.run(first, world.record("b", request_id=asked(first)))

    assert world.batches_seen == [["a"]]
    assert await world.kept() == ["a"]


async def test_a_batch_that_takes_too_long_is_halved(world: World) -> None:
    """What no transaction can hold is committed in parts, in its order."""
    records = [world.record(note) for note in "abcde"]

    async def too_long() -> None:
        if len(world.batches_seen[-1]) > 2:
            raise DependencyDown("postgres", "a transaction did not end within 45 s")

    world.meanwhile = too_long
    await world.run(*records)

    assert world.batches_seen == [[*"abcde"], [*"ab"], [*"cde"], [*"c"], [*"de"]]
    assert await world.kept() == [*"abcde"]
    answered = [each.key for each in world.publisher.records if each.topic == "results"]
    assert answered == [asked(record).encode() for record in records]


async def test_a_write_that_always_takes_too_long_is_a_dead_letter(world: World) -> None:
    """Postgres answers otherwise, so that it is no outage; the others are worked off."""
    good, slow, other = world.record("a"), world.record("slow"), world.record("b")
    await world.run(good, slow, other)

    assert await world.answers() == {
        asked(good): "completed",
        asked(slow): "failed",
        asked(other): "completed",
    }
    letters = await world.rows(select(DEAD_LETTERS).where(DEAD_LETTERS.c.gpt_id == world.gpt_id))
    assert [(row.error, row.attempts) for row in letters] == [("too_slow", 2)]
    assert "canceling statement due to statement timeout" in letters[0].reason
    assert await world.kept() == ["a", "b"]


async def test_an_outage_that_meets_a_time_limit_is_waited_out(world: World) -> None:
    """While Postgres does not even answer otherwise, no attempt is counted."""
    pings, ping = [], world.ledger.ping

    async def away_at_first() -> None:
        pings.append(len(world.batches_seen))
        if len(pings) < 4:
            raise DependencyDown("postgres", "away")
        world.slow = ""
        await ping()

    world.ledger.ping = away_at_first  # type: ignore[method-assign]
    slow = world.record("slow")
    await world.run(slow)

    assert pings == [1, 2, 3, 4]
    assert await world.answers() == {asked(slow): "completed"}


async def test_records_are_counted_by_what_became_of_them(world: World) -> None:
    """Those that were worked off before are repeated, and dead ones are dead."""

    def counted(outcome: str) -> float:
        name, labels = "actionstream_records_total", {"stage": "ping", "outcome": outcome}
        return REGISTRY.get_sample_value(name, labels) or 0

    before = {name: counted(name) for name in ("done", "repeated", "dead")}
    records = [world.record("a"), world.record("bug"), world.record("b")]
    await world.run(*records)
    await world.run(*records, world.record("c"))

    found = {name: counted(name) - value for name, value in before.items()}
    assert found == {"done": 3, "repeated": 3, "dead": 1}


async def test_a_record_whose_step_cannot_be_ended_stops_nothing_but_itself(world: World) -> None:
    """It is a dead letter named by its place, and its neighbours are worked off."""
    commit = world.runner.ledger.commit

    async def refuse(work: Work, claim: Claimed | None, ending: Ending) -> Ending:
        if claim is not None:
            raise ValueError("invalid input for a column")
        return await commit(work, claim, ending)

    world.runner.ledger.commit = refuse  # type: ignore[method-assign]
    await world.run(world.record("a"), world.record("bug"), world.record("b"))

    assert await world.kept() == ["a", "b"]
    letters = await world.rows(select(DEAD_LETTERS).where(DEAD_LETTERS.c.gpt_id == world.gpt_id))
    assert [(row.error, row.run_id) for row in letters] == [("internal_error", None)]


async def test_the_first_records_of_an_owner_are_worked_off_one_by_one(world: World) -> None:
    """Those that are settled do not count, and the others follow together."""
    settled = [world.record(note) for note in "ab"]
    await world.run(*settled)
    heir = World(world.database, world.gpt_id)
    await heir.run(*settled, *[world.record(note) for note in "cde"])
    await heir.run(*[world.record(note) for note in "fghi"])

    assert heir.batches_seen == [["c"], ["d"], ["e"], ["f"], ["g"], ["h", "i"]]
    assert await world.kept() == [*"abcdefghi"]


async def test_an_owner_that_gets_a_partition_again_begins_anew(world: World) -> None:
    """Another one may have died over its records meanwhile."""
    world.generation += 1
    await world.run(world.record("a"), world.record("b"))

    assert world.batches_seen == [["a"], ["b"]]


async def test_an_owner_that_gives_way_counts_no_crash(world: World) -> None:
    """Its lease is given back, and the next owner begins at once."""
    leaver = World(world.database, world.gpt_id)
    record = leaver.record("slow")

    async def leave() -> None:
        leaver.leaving = True
        raise DependencyDown("postgres", "away")

    leaver.meanwhile = leave
    with pytest.raises(GiveWay):
        await leaver.run(record)
    leaver.leaving = False
    heir = World(world.database, world.gpt_id)
    heir.slow = ""
    await heir.run(record)

    assert await heir.answers() == {asked(record): "completed"}
    steps = await world.rows(select(STEPS).where(STEPS.c.gpt_id == world.gpt_id))
    assert [(row.state, row.crashes, row.failures) for row in steps] == [("done", 0, 0)]


async def test_a_bad_record_stops_nothing_but_itself(world: World) -> None:
    """The batch is divided; the bad one is tried once more and is then a dead letter."""
    good, bad, other = world.record("a"), world.record("bug"), world.record("b")
    await world.run(good, bad, other)

    assert await world.answers() == {
        asked(good): "completed",
        asked(bad): "failed",
        asked(other): "completed",
    }
    assert await world.kept() == ["a", "b"]
    letters = await world.rows(select(DEAD_LETTERS).where(DEAD_LETTERS.c.gpt_id == world.gpt_id))
    assert [(row.error, row.attempts) for row in letters] == [("internal_error", 2)]
    assert world.batches_seen == [["a", "bug", "b"], ["a"], ["bug"], ["bug"], ["b"]]


async def test_an_unreadable_record_is_a_dead_letter_beside_the_others(world: World) -> None:
    """What cannot be read never reaches the stage."""
    odd = world.record("a")
    unreadable = Incoming(
        odd.topic, odd.partition, odd.offset, odd.key, b"{", odd.headers, odd.leaving
    )
    await world.run(unreadable, world.record("b"))

    assert world.batches_seen == [["b"]]
    assert "ping-dlq" in world.publisher.topics()


async def test_a_dead_record_that_is_sent_again_is_worked_off(world: World) -> None:
    """Its new attempt takes the step over; the old one is only acknowledged."""
    bad = world.record("bug")
    await world.run(bad)
    opened = update(STEPS).where(STEPS.c.gpt_id == world.gpt_id)
    async with world.database.transaction() as connection:
        await connection.execute(opened.values(state="waiting", attempt=1, outputs=None))
    world.batches_seen.clear()
    await world.run(world.record("good now", attempt=1, request_id=asked(bad)), bad)

    assert world.batches_seen == [["good now"]]
    assert await world.answers() == {asked(bad): "completed"}
    steps = await world.rows(select(STEPS.c.state).where(STEPS.c.gpt_id == world.gpt_id))
    assert [row.state for row in steps] == ["done"]


async def test_a_step_whose_worker_died_while_it_made_a_dead_letter_goes_on(world: World) -> None:
    """It was claimed for its end; once that claim's lease is over, the record is worked off."""
    bad = world.record("bug")
    await world.run(bad)
    claimed = {"state": "working", "attempt": 1, "lease_until": func.now(), "outputs": None}
    async with world.database.transaction() as connection:
        await connection.execute(
            update(STEPS).where(STEPS.c.gpt_id == world.gpt_id).values(**claimed)
        )
    await world.run(world.record("good now", attempt=1, request_id=asked(bad)))

    assert await world.answers() == {asked(bad): "completed"}
    steps = await world.rows(select(STEPS).where(STEPS.c.gpt_id == world.gpt_id))
    assert [(row.state, row.lease_until) for row in steps] == [("done", None)]


async def test_a_zombie_writes_nothing(world: World) -> None:
    """Two workers with the same records: one commits, the other finds that it has."""
    records = [world.record("a"), world.record("b")]
    heir = await World(world.database, world.gpt_id).begin()

    async def taken_over() -> None:
        world.meanwhile = None
        await heir.run(*records)

    world.meanwhile = taken_over
    await world.run(*records)

    assert await world.kept() == ["a", "b"]
    assert world.publisher.records == heir.publisher.records


async def test_what_is_not_acknowledged_is_published_until_it_is(world: World) -> None:
    """The brokers may be away after the commit; the batch waits for them in place."""
    world.publisher.failing = 2
    await world.run(world.record("a"))

    assert world.publisher.topics() == ["results", "events", "events"]


async def test_a_worker_that_leaves_gives_way(world: World) -> None:
    """With the brokers away it must not be acknowledged: the next owner publishes it."""
    world.publisher.failing = 1_000_000
    record = world.record("a")
    working = asyncio.create_task(world.run(record))
    await world.publisher.failed.wait()
    world.leaving = True
    with pytest.raises(GiveWay):
        await working

    heir = await World(world.database, world.gpt_id).begin()
    await heir.run(record)
    assert heir.batches_seen == []
    assert heir.publisher.topics() == ["results", "events", "events"]
