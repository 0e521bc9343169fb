"""The runner: what becomes of a record, whatever its handler does."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from schemas import topics
from schemas.messages import Ping, Result
from schemas.states import Status, StepState
from streams.endings import Claimed, Wait
from streams.errors import DependencyDown, GiveWay, InvalidMessage, RecordTrouble, Refused
from streams.stage import Claim, Outcome, Output, Stage, Work
from tests.suites.ledger import IDS
from tests.unit.streams.conftest import REQUEST_ID, World

StageOf = Callable[..., Stage[Ping]]
ANSWER = Result(request_id=REQUEST_ID, status=Status.COMPLETED)
OUTCOME = Outcome(outputs=(Output(topics.RESULTS, REQUEST_ID, ANSWER),))


async def succeed(message: Ping, work: Work) -> Outcome:
    return OUTCOME


async def trouble(message: Ping, work: Work) -> Outcome:
    raise RecordTrouble("models", "no answer")


async def bug(message: Ping, work: Work) -> Outcome:
    raise ZeroDivisionError


def states(world: World) -> list[StepState]:
    return [row.state for row in world.ledger.rows.values()]


def dead_letter(world: World) -> dict[str, str]:
    [record] = [each for each in world.publisher.records if each.topic == "ping-dlq"]
    return {name: value.decode() for name, value in record.headers}


@pytest.mark.parametrize("claim", list(Claim))
async def test_work_is_committed_then_published(
    world: World, stage_of: StageOf, claim: Claim
) -> None:
    """A step that succeeds ends done, with its outputs on their topics."""
    await world.runner.run(stage_of(succeed, claim), world.record())

    assert states(world) == [StepState.DONE]
    assert world.publisher.topics() == ["results"]


async def test_a_redelivered_record_is_not_worked_off_again(
    world: World, stage_of: StageOf
) -> None:
    """The second delivery publishes the stored outputs and calls no handler."""
    calls: list[Ping] = []

    async def count(message: Ping, work: Work) -> Outcome:
        calls.append(message)
        return OUTCOME

    for _ in range(2):
        await world.runner.run(stage_of(count), world.record())

    assert len(calls) == 1
    assert world.publisher.topics() == ["results", "results"]


@pytest.mark.parametrize(
    ("value", "headers", "code"),
    [
        (b"\xff\xfenot json", {}, "invalid_record"),
        (b"[1, 2]", {}, "invalid_record"),
        ({"note": 17}, {}, "invalid_record"),
        (b"", {}, "invalid_record"),
        (b" " * (1024 * 1024 + 1), {}, "bad_value"),
        ({}, {"gpt_id": None}, "invalid_record"),
        ({}, {"gpt_id": "../other"}, "invalid_record"),
        ({}, {"request_id": None}, "invalid_record"),
        ({}, {"schema": "ping.v9"}, "unknown_schema"),
        ({}, {"schema": "process-document.v1"}, "unknown_schema"),
        ({}, {"schema": "ping"}, "invalid_record"),
        ({"note": "a\0b"}, {}, "nul_character"),
        ({}, {"correlation_id": "a\0b"}, "nul_character"),
    ],
)
async def test_an_undecodable_record_is_dead_lettered_at_once(
    world: World, stage_of: StageOf, value: Any, headers: dict[str, Any], code: str
) -> None:
    """Bad bytes, values and headers become dead letters with the reason; the pipeline goes on."""
    await world.runner.run(stage_of(succeed), world.record(value, **headers))

    letter = dead_letter(world)
    assert letter["error"] == code
    assert letter["origin-offset"] == "7"
    assert letter["stage"] == "ping"


async def test_an_undecodable_record_is_dead_lettered_once(world: World, stage_of: StageOf) -> None:
    """Its step is named by topic, partition and offset."""
    for _ in range(2):
        await world.runner.run(stage_of(succeed), world.record(b"nonsense"))

    assert len(world.ledger.rows) == 1


async def test_a_wrong_message_is_never_tried_again(world: World, stage_of: StageOf) -> None:
    """`InvalidMessage` ends the step dead at the first attempt, and answers the request."""

    async def refuse(message: Ping, work: Work) -> Outcome:
        raise InvalidMessage("encrypted", "The PDF has a password.")

    await world.runner.run(stage_of(refuse), world.record())

    assert states(world) == [StepState.DEAD]
    assert dead_letter(world)["attempts"] == "1"
    [answer] = [each for each in world.publisher.records if each.topic == "results"]
    assert json.loads(answer.value)["problem"]["code"] == "encrypted"


async def test_a_refusal_is_an_answer_and_no_dead_letter(world: World, stage_of: StageOf) -> None:
    """`Refused` ends the step done with a failed request."""

    async def refuse(message: Ping, work: Work) -> Outcome:
        raise Refused("not_found", "There is no such document.", 404)

    await world.runner.run(stage_of(refuse), world.record())

    assert states(world) == [StepState.DONE]
    [answer] = world.publisher.records
    assert json.loads(answer.value)["problem"]["status"] == 404


async def test_an_outage_costs_no_attempt(world: World, stage_of: StageOf) -> None:
    """While a dependency is down for everyone the stage waits in place, however often."""
    calls = 0

    async def flaky(message: Ping, work: Work) -> Outcome:
        nonlocal calls
        calls += 1
        if calls < 4:
            raise DependencyDown("models", "away")
        return OUTCOME

    world.attempts = 1
    await world.runner.run(stage_of(flaky), world.record())

    [row] = world.ledger.rows.values()
    assert (row.state, row.failures) == (StepState.DONE, 0)


async def test_a_records_own_trouble_is_bounded(world: World, stage_of: StageOf) -> None:
    """`RecordTrouble` costs an attempt each time, and the last one is a dead letter."""
    await world.runner.run(stage_of(trouble), world.record())
    await world.runner.run(stage_of(trouble), world.record(attempt="1"))

    [row] = world.ledger.rows.values()
    assert (row.state, row.failures) == (StepState.DEAD, 1)
    assert dead_letter(world)["attempts"] == "2"


async def test_a_bug_is_tried_once_more(world: World, stage_of: StageOf) -> None:
    """An unexpected exception becomes a dead letter at its second occurrence."""
    calls = 0

    async def bug(message: Ping, work: Work) -> Outcome:
        nonlocal calls
        calls += 1
        raise ZeroDivisionError

    await world.runner.run(stage_of(bug), world.record())

    assert calls == 2
    assert dead_letter(world)["error"] == "internal_error"
    assert "ZeroDivisionError" in dead_letter(world)["reason"]


async def test_publishing_is_repeated_until_acknowledged(world: World, stage_of: StageOf) -> None:
    """A broker that is away delays the outputs and loses none."""
    world.publisher.failing = 2
    await world.runner.run(stage_of(succeed), world.record())

    assert world.publisher.topics() == ["results"]


async def test_a_leaving_worker_gives_way(world: World, stage_of: StageOf) -> None:
    """At shutdown a waiting step is released, uncounted, and the record is not acknowledged."""

    async def away(message: Ping, work: Work) -> Outcome:
        world.leaving = True
        raise DependencyDown("models", "away")

    with pytest.raises(GiveWay):
        await world.runner.run(stage_of(away), world.record())

    [row] = world.ledger.rows.values()
    assert (row.state, row.failures, row.crashes) == (StepState.WAITING, 0, 0)
    assert world.publisher.records == []


async def test_a_running_handler_is_abandoned_after_the_grace(
    world: World, stage_of: StageOf
) -> None:
    """Work that outlives the grace is cancelled, and its step released."""
    cancelled = asyncio.Event()

    async def slow(message: Ping, work: Work) -> Outcome:
        world.leaving = True
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return OUTCOME

    with pytest.raises(GiveWay):
        await world.runner.run(stage_of(slow), world.record())

    assert cancelled.is_set()
    assert states(world) == [StepState.WAITING]


async def test_a_lost_lease_stops_the_work(world: World, stage_of: StageOf) -> None:
    """A worker that finds its step taken over writes nothing, and claims again."""
    world.ledger.lease_seconds = 0.06
    runs = 0

    async def overtaken(message: Ping, work: Work) -> Outcome:
        nonlocal runs
        runs += 1
        if runs == 1:
            world.ledger.rows[work.key].fence += 1
            await asyncio.sleep(60)
        return OUTCOME

    await world.runner.run(stage_of(overtaken), world.record())

    assert runs == 2
    assert world.publisher.topics() == ["results"]


async def test_another_workers_live_lease_is_waited_for(world: World, stage_of: StageOf) -> None:
    """A record whose step somebody works on is not acknowledged until that step has ended."""
    stage = stage_of(succeed)
    record = world.record()
    message, envelope = Ping(note="hello"), world.runner.decoder.read(stage, record)[1]
    work = stage.work(message, envelope, None, IDS)
    claim = await world.ledger.claim(work)
    assert isinstance(claim, Claimed)
    waiting = asyncio.create_task(world.runner.run(stage, record))
    await asyncio.sleep(0.05)
    assert not waiting.done()

    await world.ledger.release(work.key, claim, Wait("a worker"))
    await waiting

    assert states(world) == [StepState.DONE]


async def test_long_work_hands_itself_on(world: World, stage_of: StageOf) -> None:
    """A handover publishes the same input as the next part, and the two are steps of their own."""

    async def part(message: Ping, work: Work) -> Outcome:
        return Outcome(hand_over=work.key.part == 0)

    stage = stage_of(part)
    await world.runner.run(stage, world.record())
    [next_part] = world.publisher.records
    assert next_part.topic == "ping"
    assert dict(next_part.headers)["part"] == b"1"

    await world.runner.run(stage, world.record(part="1"))

    assert sorted(key.part for key in world.ledger.rows) == [0, 1]


async def test_an_outside_request_id_is_scoped_to_its_tenant(
    world: World, stage_of: StageOf
) -> None:
    """A producer's own UUID becomes a signed id, another one for each tenant, and is echoed."""
    seen: list[Work] = []

    async def look(message: Ping, work: Work) -> Outcome:
        seen.append(work)
        return Outcome()

    own = "6f0f35c4-5b0c-4a48-9f2a-3c1f6d1f8a11"
    for gpt_id in ("one", "two"):
        await world.runner.run(stage_of(look), world.record(request_id=own, gpt_id=gpt_id))

    first, second = seen
    assert IDS.verify(first.request_id, "req", "one")
    assert first.request_id != second.request_id
    assert first.envelope.correlation_id == own


async def test_answers_go_to_allowed_topics_only(world: World, stage_of: StageOf) -> None:
    """A `reply-to` that is not allow-listed is as if it were not there."""
    await world.runner.run(stage_of(succeed), world.record(reply_to="document-received"))

    assert world.publisher.topics() == ["results"]


async def test_deleted_documents_cancel_their_work(world: World) -> None:
    """A step of a deleted document is undone, and publishes only that it was cancelled."""
    undone: list[str | None] = []
    document_id = IDS.mint("doc", "demo")
    world.ledger.deleted.add(document_id)

    async def undo(message: Any, work: Work) -> None:
        undone.append(work.document_id)

    async def handle(message: Any, work: Work) -> Outcome:
        return OUTCOME

    stage = Stage("update", topics.UPDATE_DOCUMENT, handle, cancelled=undo)
    record = world.record(
        {"document_id": document_id, "by": "someone"}, schema="update-document.v1"
    )
    await world.runner.run(stage, record)

    await world.runner.run(stage, record)

    # Again at a redelivery, because the first worker may have died before it undid anything.
    assert undone == [document_id, document_id]
    assert world.publisher.topics() == ["results", "results"]
    assert json.loads(world.publisher.records[0].value)["status"] == "cancelled"


async def test_statements_that_postgres_refuses_are_a_bug(world: World, stage_of: StageOf) -> None:
    """A commit that fails, and not for an outage, ends in a dead letter, not in a crash."""
    commit = world.ledger.commit

    async def refuse(work: Work, claim: Any, ending: Any) -> Any:
        if ending.state is StepState.DONE:
            raise ValueError("invalid input for a column")
        return await commit(work, claim, ending)

    world.ledger.commit = refuse  # type: ignore[method-assign]
    await world.runner.run(stage_of(succeed), world.record())

    assert states(world) == [StepState.DEAD]
    assert dead_letter(world)["error"] == "internal_error"


async def test_a_record_whose_failure_cannot_be_told_does_not_kill_the_worker(
    world: World, stage_of: StageOf
) -> None:
    """If not even its step can be entered, the record is a dead letter named by its place."""

    async def refuse(work: Work, first: Any = (), resumed: Any = ()) -> Any:
        raise ValueError("invalid input for a column")

    world.ledger.claim = refuse  # type: ignore[method-assign]
    await world.runner.run(stage_of(succeed), world.record())

    assert dead_letter(world)["origin-offset"] == "7"


@pytest.mark.parametrize("claim", list(Claim))
async def test_a_refusal_at_the_commit_is_answered_at_once(
    world: World, stage_of: StageOf, claim: Claim
) -> None:
    """Under the claim that there is; nobody waits for its lease to end."""
    commit, waits = world.ledger.commit, []

    async def refuse(work: Work, claimed: Any, ending: Any) -> Any:
        if ending.problem is None:
            waits.append(claimed)
            raise Refused("version_conflict", "It has changed.", 412)
        return await commit(work, claimed, ending)

    world.ledger.commit = refuse  # type: ignore[method-assign]
    await world.runner.run(stage_of(succeed, claim), world.record())

    assert states(world) == [StepState.DONE]
    assert len(waits) == 1
    [row] = world.ledger.rows.values()
    assert (row.fence, row.crashes) == (1, 0)


async def test_an_outage_at_the_commit_costs_no_work(world: World, stage_of: StageOf) -> None:
    """The work is done once, and committed under its claim when Postgres is back."""
    commit, failures, calls = world.ledger.commit, [1, 2], []

    async def away(work: Work, claimed: Any, ending: Any) -> Any:
        if failures:
            raise DependencyDown("postgres", f"away {failures.pop()}")
        return await commit(work, claimed, ending)

    async def count(message: Ping, work: Work) -> Outcome:
        calls.append(message)
        return OUTCOME

    world.ledger.commit = away  # type: ignore[method-assign]
    await world.runner.run(stage_of(count), world.record())

    assert states(world) == [StepState.DONE]
    assert len(calls) == 1


async def test_a_foreign_document_id_does_not_reach_the_ledger(world: World) -> None:
    """An id that was not handed out to the tenant is left to its stage, which refuses it."""
    seen: list[str | None] = []

    async def handle(message: Any, work: Work) -> Outcome:
        seen.append(work.document_id)
        return OUTCOME

    stage = Stage("update", topics.UPDATE_DOCUMENT, handle)
    value = {"document_id": IDS.mint("doc", "another"), "by": "someone"}
    await world.runner.run(stage, world.record(value, schema="update-document.v1"))

    assert seen == [None]
