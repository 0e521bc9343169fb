"""Redrive and discard: dead letters are sent again once, and what they ended is open again."""

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import Row, select

from schemas.envelope import Envelope
from schemas.messages import (
    DeleteDocument,
    DiscardDeadLetters,
    DocumentUpdated,
    Inline,
    ProcessDocument,
    RedriveDeadLetters,
)
from schemas.tables import DEAD_LETTERS, EVENTS, REQUESTS, RUNS, STEPS
from schemas.topics import PROCESS_DOCUMENT
from streams import letters
from streams.errors import InvalidMessage
from streams.stage import Record
from tests.fakes.models import FakeModels
from tests.integration.stages.conftest import TENANT, World, body, failure, reply

BAD = ProcessDocument(source=Inline(content_base64="%"))


def broken(user: str, schema: dict[str, Any]) -> Any:
    """Fail as a stage does that cannot work its record off."""
    del user, schema
    raise InvalidMessage("no_sense", "The model answers with rubbish.")


async def redrive(world: World, *ids: str, by: str = "someone", **conditions: Any) -> list[Record]:
    """Ask for a redrive and follow the request. Returns: what it published, the answer too."""
    message = RedriveDeadLetters(ids=ids, by=by, **conditions)
    return await parts(world, "redrive", await world.send("redrive", message))


async def parts(world: World, stage: str, records: Sequence[Record]) -> list[Record]:
    """Follow a request through its parts. Returns: all that was published but its own records."""
    source, out, waiting = world.stages[stage].source.name, list[Record](), list(records)
    while waiting:
        record = waiting.pop(0)
        if record.topic == source:
            waiting.extend(await world.give(record))
        else:
            out.append(record)
    return out


async def letter(world: World, document_id: str) -> Row[Any]:
    [row] = await world.rows(DEAD_LETTERS, document_id)
    return row


async def by_id(world: World, letter_id: str) -> Row[Any]:
    query = select(DEAD_LETTERS).where(DEAD_LETTERS.c.dead_letter_id == letter_id)
    async with world.database.transaction() as connection:
        return (await connection.execute(query)).one()


async def dead_extraction(world: World) -> str:
    """Take a document in whose extraction fails for good. Returns: its id."""
    document_id = await world.take_in(until="extract")
    world.models = FakeModels(broken)
    await world.follow(world.left)
    world.models = FakeModels(reply)
    return document_id


async def test_a_redriven_document_is_completed(world: World) -> None:
    """Document, run and request are open again, the record is the one that died, and all ends."""
    document_id = await dead_extraction(world)
    dead = await letter(world, document_id)
    assert (await world.row(document_id)).status == "failed"

    published = await redrive(world, dead.dead_letter_id)

    answer = body(published, "results")
    assert answer["result"] == {"redriven": 1, "skipped_count": 0, "skipped": []}
    [again] = [record for record in published if record.topic == "extract-again"]
    assert (again.key, again.value) == (dead.record_key, dead.record_value)
    assert Envelope.from_headers(again.headers).attempt == 1
    document, [run] = await world.row(document_id), await world.rows(RUNS, document_id)
    assert (document.status, document.problem, document.completed_at) == ("processing", None, None)
    assert (run.status, run.problem, run.completed_at) == ("processing", None, None)
    [request] = await world.rows(REQUESTS, document_id)
    assert (request.status, request.problem, request.completed_at) == ("processing", None, None)
    [step] = [row for row in await world.rows(STEPS, document_id) if row.stage == "extract"]
    assert (step.state, step.attempt, step.waiting_for) == ("waiting", 1, "a redrive")
    assert (step.failures, step.crashes, step.outputs, step.finished_at) == (0, 0, None, None)

    left = await world.follow([again])

    assert body(left, "results")["request_id"] == request.request_id
    assert body(left, "results")["status"] == "completed"
    assert (await world.row(document_id)).status == "completed"
    [request] = await world.rows(REQUESTS, document_id)
    assert request.result["document_id"] == document_id


async def test_who_and_when_are_kept(world: World) -> None:
    """The letter says who had it sent again and when, and an event tells of it."""
    document_id = await dead_extraction(world)
    letter_id = (await letter(world, document_id)).dead_letter_id

    await redrive(world, letter_id, by="key:demo")

    decided = await by_id(world, letter_id)
    assert (decided.state, decided.decided_by) == ("redriven", "key:demo")
    assert decided.decided_at is not None
    query = select(EVENTS).where(EVENTS.c.type == "document.redriven")
    async with world.database.transaction() as connection:
        events = (await connection.execute(query)).all()
    [event] = [event for event in events if event.object_id == document_id]
    assert event.data == {"dead_letter_id": letter_id, "stage": "extract"}


async def test_a_letter_that_dies_again_is_a_new_one(world: World) -> None:
    """The old one stays redriven; a request by conditions does not send the new one again."""
    document_id = world.document()
    await world.send("receive", BAD.model_copy(update={"document_id": document_id}))
    first = await letter(world, document_id)

    message = RedriveDeadLetters(stage="receive", since=first.created_at, by="someone")
    left = await world.follow(await world.send("redrive", message))

    assert body([r for r in left if b'"redriven":1' in r.value], "results")["status"] == "completed"
    states = {row.state: row for row in await world.rows(DEAD_LETTERS, document_id)}
    assert set(states) == {"redriven", "dead"}
    assert states["dead"].topic == "receive-again"
    assert (states["dead"].error, (await world.row(document_id)).status) == ("bad_base64", "failed")


async def test_the_same_letter_is_sent_again_once(world: World) -> None:
    """Of requests that race for it one gets it, and the others say that it is gone."""
    document_id = await dead_extraction(world)
    letter_id = (await letter(world, document_id)).dead_letter_id
    message = RedriveDeadLetters(ids=(letter_id,), by="someone")
    before = len(world.publisher.records)

    await asyncio.gather(*(world.send("redrive", message) for _ in range(4)))
    published = await parts(world, "redrive", world.publisher.records[before:])

    assert len([record for record in published if record.topic == "extract-again"]) == 1
    answers = [json.loads(each.value)["result"] for each in published if each.topic == "results"]
    assert sorted(answer["redriven"] for answer in answers) == [0, 0, 0, 1]
    skipped = [each for answer in answers for each in answer["skipped"]]
    assert skipped == [{"id": letter_id, "reason": "redriven"}] * 3
    [step] = [row for row in await world.rows(STEPS, document_id) if row.stage == "extract"]
    assert step.attempt == 1


async def test_a_redelivered_request_publishes_the_same_again(world: World) -> None:
    """After a crash between commit and publish its stored records go out again."""
    document_id = await dead_extraction(world)
    letter_id = (await letter(world, document_id)).dead_letter_id
    request = world.request()
    message = RedriveDeadLetters(ids=(letter_id,), by="someone")

    first = await world.send("redrive", message, request=request)
    second = await world.send("redrive", message, request=request)

    assert first == second
    assert [record.topic for record in first] == ["extract-again", "redrive-dead-letters"]


async def test_many_letters_go_in_parts(world: World) -> None:
    """Each takes as many as a second may, the next one a second later; the last counts them all."""
    world.redrive_per_second = 2
    documents = [world.document() for _ in range(5)]
    for document_id in documents:
        await world.send("receive", BAD.model_copy(update={"document_id": document_id}))
    ids = [(await letter(world, document_id)).dead_letter_id for document_id in documents]
    since = (await by_id(world, ids[0])).created_at

    message = RedriveDeadLetters(stage="receive", since=since, by="someone")
    began = time.monotonic()
    sizes, published = list[int](), await world.send("redrive", message)
    while own := [record for record in published if record.topic == "redrive-dead-letters"]:
        sizes.append(len([record for record in published if record.topic == "receive-again"]))
        published = await world.give(own[0])

    assert sizes == [2, 2, 1]
    assert time.monotonic() - began >= 2
    assert body(published, "results")["result"]["redriven"] == 5
    assert {(await by_id(world, one)).state for one in ids} == {"redriven"}


async def test_what_was_sent_is_not_kept(world: World) -> None:
    """When a request has ended its steps hold no values, which could outlive their documents."""
    document_id = await dead_extraction(world)
    request = world.request()
    letter_id = (await letter(world, document_id)).dead_letter_id
    message = RedriveDeadLetters(ids=(letter_id,), by="someone")

    await parts(world, "redrive", await world.send("redrive", message, request=request))

    query = select(STEPS.c.part, STEPS.c.outputs).where(STEPS.c.request_id == request)
    async with world.database.transaction() as connection:
        kept = {row.part: row.outputs for row in await connection.execute(query)}
    assert kept[0] == []
    assert [each["topic"] for each in kept[1]] == ["results"]


async def test_values_of_a_part_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Letters with large values go one by one."""
    monkeypatch.setattr(letters, "_PART_BYTES", 10)
    documents = [await dead_extraction(world) for _ in range(2)]
    ids = [(await letter(world, document_id)).dead_letter_id for document_id in documents]

    message = RedriveDeadLetters(ids=tuple(ids), by="someone")
    first = await world.send("redrive", message)
    published = await parts(world, "redrive", first)

    assert [record.topic for record in first] == ["extract-again", "redrive-dead-letters"]
    assert body(published, "results")["result"]["redriven"] == 2


async def test_letters_without_a_value_are_skipped(world: World) -> None:
    """A deletion takes the value away; the answer says that there is nothing to send."""
    document_id = await dead_extraction(world)
    letter_id = (await letter(world, document_id)).dead_letter_id
    await world.follow(await world.send("delete", DeleteDocument(document_id=document_id)))

    published = await redrive(world, letter_id)

    skipped = body(published, "results")["result"]["skipped"]
    assert skipped == [{"id": letter_id, "reason": "deleted"}]
    assert (await by_id(world, letter_id)).state == "dead"
    assert (await world.row(document_id)).status == "cancelled"


async def test_a_deletion_that_died_goes_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own letter is sent again although its document is deleted: that is what it is about."""
    document_id = await world.take_in()

    async def refuse(prefix: str) -> None:
        raise InvalidMessage("no_sense", f"The object store knows no {prefix}.")

    with monkeypatch.context() as patched:
        patched.setattr(world.store, "delete_all", refuse)
        await world.follow(await world.send("delete", DeleteDocument(document_id=document_id)))
    dead = await letter(world, document_id)

    published = await redrive(world, dead.dead_letter_id)
    left = await world.follow([r for r in published if r.topic == "purge-again"])

    assert body(left, "results")["result"] == {"document_id": document_id, "deleted": True}
    assert await world.entries(document_id) == {}
    [request] = [r for r in await world.rows(REQUESTS, document_id) if r.kind == "delete-document"]
    assert request.status == "completed"
    assert (await world.row(document_id)).status == "cancelled"


async def test_a_newer_run_is_not_disturbed(world: World) -> None:
    """The letter of a run that another has taken the place of is not sent again."""
    document_id = await dead_extraction(world)
    letter_id = (await letter(world, document_id)).dead_letter_id
    await world.follow(await world.reprocess(document_id))

    published = await redrive(world, letter_id)

    assert body(published, "results")["result"]["skipped"] == [
        {"id": letter_id, "reason": "superseded"}
    ]
    assert (await world.row(document_id)).status == "completed"


async def test_letters_of_others_are_as_if_there_were_none(world: World) -> None:
    """Neither a foreign letter nor one that was never there can be decided on."""
    document_id = await dead_extraction(world)
    letter_id = (await letter(world, document_id)).dead_letter_id
    missing = "dl_" + "0" * 32
    message = DiscardDeadLetters(ids=(letter_id, missing), by="someone")

    published = await parts(
        world, "discard", await world.send("discard", message, tenant="somebody-else")
    )

    assert body(published, "results")["result"] == {
        "discarded": 0,
        "skipped_count": 2,
        "skipped": [{"id": one, "reason": "not_found"} for one in (letter_id, missing)],
    }
    assert (await by_id(world, letter_id)).state == "dead"


async def test_an_undecodable_record_goes_again_as_it_was(world: World) -> None:
    """It has no step, so that its headers stay; it dies again under a new id."""
    await world.give(Record(PROCESS_DOCUMENT.name, b"k", b"not json", good_headers()))
    query = select(DEAD_LETTERS).order_by(DEAD_LETTERS.c.created_at.desc()).limit(1)
    async with world.database.transaction() as connection:
        dead = (await connection.execute(query)).one()
    assert (dead.run_id, dead.error) == (None, "invalid_record")

    published = await redrive(world, dead.dead_letter_id)

    [again] = [record for record in published if record.topic == "receive-again"]
    assert (again.value, again.headers) == (b"not json", good_headers())
    assert [record.topic for record in await world.give(again)] == ["process-document-dlq"]


def good_headers() -> tuple[tuple[str, bytes], ...]:
    return (
        ("request-id", b"mine"),
        ("gpt-id", TENANT.encode()),
        ("schema", b"process-document.v1"),
    )


async def test_a_letter_beside_a_finished_request(world: World) -> None:
    """A refresh of the index fails for nobody: its request stays as it is."""
    document_id = await world.take_in()
    [record, _] = await world.amend(document_id, title="x")
    message = DocumentUpdated.model_validate_json(record.value)
    world.models.embed = broken_embedding  # type: ignore[method-assign]
    request = Envelope.from_headers(record.headers).request_id
    await world.send("refresh", message, request=request)
    dead = await letter(world, document_id)
    world.models = FakeModels(reply)

    await redrive(world, dead.dead_letter_id)

    requests = {row.kind: row.status for row in await world.rows(REQUESTS, document_id)}
    assert requests["update-document"] == "completed"
    assert (await by_id(world, dead.dead_letter_id)).state == "redriven"


async def broken_embedding(texts: Sequence[str]) -> list[list[float]]:
    raise InvalidMessage("no_sense", "The model cannot embed this.")


async def test_discarded_letters_are_left_alone(world: World) -> None:
    """They stay readable with who discarded them, and can be neither redriven nor discarded."""
    documents = [await dead_extraction(world) for _ in range(2)]
    ids = [(await letter(world, document_id)).dead_letter_id for document_id in documents]
    since = (await by_id(world, ids[0])).created_at
    message = DiscardDeadLetters(error="no_sense", since=since, by="key:demo")

    published = await parts(world, "discard", await world.send("discard", message))
    repeated = await redrive(world, *ids)

    assert body(published, "results")["result"]["discarded"] == 2
    assert body(repeated, "results")["result"]["skipped"] == [
        {"id": one, "reason": "discarded"} for one in ids
    ]
    rows = [await by_id(world, one) for one in ids]
    assert {(row.state, row.decided_by) for row in rows} == {("discarded", "key:demo")}
    assert all(row.record_value for row in rows)


@pytest.mark.parametrize("stage", ["redrive", "discard"])
async def test_nothing_chosen_is_refused(world: World, stage: str) -> None:
    """A request without an id or a condition would mean everything."""
    model = {"redrive": RedriveDeadLetters, "discard": DiscardDeadLetters}[stage]

    assert failure(await world.send(stage, model(by="someone"))) == "empty_choice"
