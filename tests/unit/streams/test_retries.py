"""Trying again: where a record waits, who may work on it, and when it is given up."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.messages import Ping
from schemas.states import StepState
from streams.endings import Claimed
from streams.errors import DependencyDown, GiveWay, InvalidMessage, RecordTrouble
from streams.stage import Claim, Outcome, Record, Stage, Work
from streams.wire import Incoming
from tests.unit.streams.conftest import World

StageOf = Callable[..., Stage[Ping]]


async def trouble(message: Ping, work: Work) -> Outcome:
    raise RecordTrouble("models", "no answer")


async def bug(message: Ping, work: Work) -> Outcome:
    raise ZeroDivisionError


async def succeed(message: Ping, work: Work) -> Outcome:
    return Outcome()


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(2000):
        if holds():
            return
        await asyncio.sleep(0.001)


def returned(world: World) -> Incoming:
    """Returns: the record as the delay consumer gives it back, once it is due."""
    sent = world.publisher.records[-1]
    headers = {name: value.decode() for name, value in sent.headers}
    assert headers.pop("return-to") == "ping-again"
    headers.pop("not-before")
    return world.record(
        json.loads(sent.value), **{n.replace("-", "_"): v for n, v in headers.items()}
    )


async def test_a_failed_attempt_leaves_the_partition(world: World, stage_of: StageOf) -> None:
    """It goes to the topic of its delay with what is needed to bring it back, and no answer."""
    world.attempts = 5
    before = datetime.now(UTC).timestamp() * 1000
    await world.runner.run(stage_of(trouble), world.record())

    [record] = world.publisher.records
    headers = dict(record.headers)
    assert (record.topic, record.key) == ("retry-5s", b"key")
    assert (headers["attempt"], headers["return-to"]) == (b"1", b"ping-again")
    assert (headers["origin-topic"], headers["origin-offset"]) == (b"ping", b"7")
    assert int(headers["not-before"]) >= before + 5000
    [row] = world.ledger.rows.values()
    assert (row.state, row.attempt, row.failures) == (StepState.WAITING, 1, 1)
    assert row.wait is not None
    assert (row.wait.reason, row.wait.allowed) == ("models", 5)


async def test_the_delays_grow(world: World, stage_of: StageOf) -> None:
    """Five seconds, thirty, five minutes, five minutes, and then the dead letter."""
    world.attempts = 5
    stage, record = stage_of(trouble), world.record()
    for _ in range(5):
        await world.runner.run(stage, record)
        if world.publisher.records[-1].topic.startswith("retry"):
            record = returned(world)

    assert world.publisher.topics() == [
        "retry-5s",
        "retry-30s",
        "retry-5m",
        "retry-5m",
        "results",
        "ping-dlq",
    ]
    letter = dict(world.publisher.records[-1].headers)
    assert (letter["attempts"], letter["origin-topic"]) == (b"5", b"ping")


async def test_a_redelivered_record_is_not_tried_early(world: World, stage_of: StageOf) -> None:
    """A worker that dies after the commit leaves the sending to the next one, not the work."""
    calls: list[Ping] = []

    async def count(message: Ping, work: Work) -> Outcome:
        calls.append(message)
        raise RecordTrouble("models", "no answer")

    for _ in range(2):
        await world.runner.run(stage_of(count), world.record())

    assert len(calls) == 1
    assert world.publisher.topics() == ["retry-5s", "retry-5s"]


async def test_an_ordered_stage_waits_in_place(world: World, stage_of: StageOf) -> None:
    """Its records never leave the partition, so that none overtakes another."""
    calls: list[Ping] = []

    async def twice(message: Ping, work: Work) -> Outcome:
        calls.append(message)
        if len(calls) < 3:
            raise RecordTrouble("models", "no answer")
        return Outcome()

    world.attempts = 3
    await world.runner.run(stage_of(twice, ordered=True), world.record())

    assert len(calls) == 3
    assert world.publisher.records == []
    [row] = world.ledger.rows.values()
    assert (row.state, row.failures) == (StepState.DONE, 2)


async def test_a_redriven_record_opens_the_step_again(world: World, stage_of: StageOf) -> None:
    """Also in a stage whose steps are entered by their commit."""
    stage = stage_of(succeed, Claim.AT_COMMIT)
    await world.runner.run(stage, world.record())
    [row] = world.ledger.rows.values()
    row.state, row.attempt = StepState.WAITING, 1

    await world.runner.run(stage, world.record(attempt="1"))

    assert (row.state, row.fence) == (StepState.DONE, 2)


async def test_many_bugs_in_a_row_stop_the_stage(world: World, stage_of: StageOf) -> None:
    """The last of them is not a dead letter: it waits, as all after it do."""
    for number in range(2):
        await world.runner.run(stage_of(bug), world.record(request_id=f"request-{number}"))
    waiting = asyncio.create_task(world.runner.run(stage_of(bug), world.record()))
    await until(lambda: bool(world.runner.alarm.stopped))
    behind = asyncio.create_task(
        world.runner.run(stage_of(succeed), world.record(request_id="request-3"))
    )
    await asyncio.sleep(0.02)
    world.leaving = True

    for task in (waiting, behind):
        with pytest.raises(GiveWay):
            await task
    assert world.runner.alarm.stopped == {"ping": "3 bugs in a row, the last one ZeroDivisionError"}
    assert world.publisher.topics().count("ping-dlq") == 2


async def test_rubbish_does_not_stop_a_stage(world: World, stage_of: StageOf) -> None:
    """Wrong messages are the sender's doing; and one record that goes well ends a row of bugs."""

    async def wrong(message: Ping, work: Work) -> Outcome:
        raise InvalidMessage("encrypted", "It has a password.")

    for number, handle in enumerate((bug, wrong, bug, succeed, bug, wrong, bug)):
        await world.runner.run(stage_of(handle), world.record(request_id=f"request-{number}"))

    assert world.runner.alarm.stopped == {}


def crashed(world: World, stage: Stage[Ping], record: Incoming, **counts: Any) -> None:
    """Leave the step as a worker does that dies over it."""
    _, work = world.runner.decoder.work(stage, record)
    asyncio.run(world.ledger.claim(work))
    row = world.ledger.rows[work.key]
    row.lease_until = 0
    for name, value in counts.items():
        setattr(row, name, value)


def test_a_suspect_is_worked_on_alone(world: World, stage_of: StageOf) -> None:
    """A record that ended its worker twice waits until all others have left, and is then alone."""
    inside: list[int] = []
    most: dict[str, int] = {}

    async def watch(message: Ping, work: Work) -> Outcome:
        inside.append(1)
        for _ in range(5):
            name = message.note or ""
            most[name] = max(most.get(name, 0), len(inside))
            await asyncio.sleep(0.005)
        inside.pop()
        return Outcome()

    stage = stage_of(watch)
    suspect = world.record({"note": "suspect"})
    crashed(world, stage, suspect, crashes=1)

    async def all_at_once() -> None:
        others = [world.record({"note": "other"}, request_id=f"r-{i}") for i in range(4)]
        await asyncio.gather(
            *(world.runner.run(stage, each) for each in (*others[:2], suspect, *others[2:]))
        )

    asyncio.run(all_at_once())

    assert most["suspect"] == 1
    assert most["other"] > 1
    assert all(row.state is StepState.DONE for row in world.ledger.rows.values())


def test_poison_is_dead_lettered(world: World, stage_of: StageOf) -> None:
    """A record that ended its worker twice while it was alone is not worked on again."""
    calls: list[Ping] = []

    async def count(message: Ping, work: Work) -> Outcome:
        calls.append(message)
        return Outcome()

    stage = stage_of(count)
    crashed(world, stage, world.record(), crashes=3, crashes_alone=1, alone=True)
    asyncio.run(world.runner.run(stage, world.record()))

    assert calls == []
    letter = dict(world.publisher.records[-1].headers)
    assert letter["error"] == b"poison"
    assert (
        b"ended the worker's process 4 times, 2 of them while nothing else ran" in letter["reason"]
    )


async def test_the_claim_of_a_suspect_is_marked(world: World, stage_of: StageOf) -> None:
    """So that the next crash is known to have happened alone."""
    marked: list[bool] = []

    async def look(message: Ping, work: Work) -> Outcome:
        marked.append(world.ledger.rows[work.key].alone)
        return Outcome()

    stage, record = stage_of(look), world.record()
    _, work = world.runner.decoder.work(stage, record)
    assert isinstance(await world.ledger.claim(work), Claimed)
    row = world.ledger.rows[work.key]
    row.lease_until, row.crashes = 0, 1
    await world.runner.run(stage, record)

    assert marked == [True]


async def test_a_lease_that_could_not_be_released_is_no_crash(
    world: World, stage_of: StageOf
) -> None:
    """Postgres was away when the step was to be given back; it is given back before the claim."""
    release, away = world.ledger.release, [1]

    async def once_away(*given: Any) -> None:
        if away:
            away.pop()
            raise DependencyDown("postgres", "away")
        await release(*given)

    calls: list[Ping] = []

    async def flaky(message: Ping, work: Work) -> Outcome:
        calls.append(message)
        if len(calls) == 1:
            raise DependencyDown("postgres", "away")
        return Outcome()

    world.ledger.release = once_away  # type: ignore[method-assign]
    await world.runner.run(stage_of(flaky), world.record())

    [row] = world.ledger.rows.values()
    assert (row.state, row.fence, row.crashes) == (StepState.DONE, 2, 0)


async def test_the_next_part_goes_out_last(world: World, stage_of: StageOf) -> None:
    """What else the part says is acknowledged before, since the next part may settle this one."""

    async def part(message: Ping, work: Work) -> Outcome:
        fact = Record("document-parsed", b"k", b"{}", ())
        return Outcome(outputs=(fact,), hand_over=True, events=())

    await world.runner.run(stage_of(part), world.record())

    assert world.publisher.topics() == ["document-parsed", "ping"]
