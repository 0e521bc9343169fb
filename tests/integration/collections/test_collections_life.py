"""Collections on a real Postgres: schemas, indexes that follow, ends that come, and removal."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from schemas.envelope import Envelope
from schemas.ids import REQUEST
from schemas.messages import Message
from schemas.tables import COLLECTIONS, GPTS, OBJECT_VERSIONS, OBJECTS
from schemas.topics import Topic
from schemas.writes import (
    CollectionDeleted,
    CollectionReshaped,
    CreateObject,
    DefineCollection,
    DropCollection,
    ExpireObject,
    MergeObject,
    ObjectSaved,
    WriteCollection,
)
from streams.collections.expiry import Expiry
from streams.errors import InvalidMessage
from streams.stage import Outcome, Output, Stage, Work
from streams.stages import clear, reshape
from tests.fakes.publisher import FakePublisher
from tests.integration.collections.conftest import IDS, Tenant

NUMBER = {"properties": {"n": {"type": "integer"}}}


def published(outputs: Any, kind: type[Message]) -> list[Any]:
    """The messages of one kind."""
    return [each.message for each in outputs if isinstance(each.message, kind)]


async def run(tenant: Tenant, stage: Stage[Any], message: Message) -> list[Output]:
    """Work all parts of a record off, as the runner does. Returns: what they publish."""
    topic: Topic[Any] = stage.source
    envelope = Envelope(
        request_id=IDS.mint(REQUEST, tenant.gpt_id),
        gpt_id=tenant.gpt_id,
        schema_name=topic.schema_name,
    )
    outputs: list[Any] = []
    for part in range(50):
        work = stage.work(message, envelope.model_copy(update={"part": part}), None, IDS)
        outcome = await stage.handle(message, work)
        await commit(tenant, work, outcome)
        outputs += outcome.outputs
        if not outcome.hand_over:
            return outputs
    message_of_no_end = "it hands itself over for ever"
    raise AssertionError(message_of_no_end)


async def commit(tenant: Tenant, work: Work, outcome: Outcome) -> None:
    """Enter the step and run the statements of its outcome."""
    step = text(
        "INSERT INTO steps (gpt_id, run_id, stage, part, request_id, owner, state) "
        "VALUES (:gpt_id, :run_id, :stage, :part, :request_id, 'test', 'done')"
    )
    key = work.key
    values = {"gpt_id": key.gpt_id, "run_id": key.run_id, "stage": key.stage, "part": key.part}
    async with tenant.database.transaction() as connection:
        await connection.execute(step, {**values, "request_id": work.request_id})
        for each in outcome.statements:
            assert not hasattr(each, "otherwise")
            await connection.execute(each)


async def test_a_collection_is_created_and_changed(tenant: Tenant) -> None:
    """What is left out stays, null resets, and what changes nothing is no new version."""
    made = await tenant.define(
        "notes", description="Of meetings.", json_schema=NUMBER, keep_versions=3, max_objects=5
    )
    assert (made["version"], made["schema"], made["keep_versions"]) == (1, NUMBER, 3)
    same = await tenant.define("notes", json_schema=NUMBER, keep_versions=3)
    assert (same["version"], same["description"]) == (1, "Of meetings.")
    reset = await tenant.define("notes", json_schema=None, keep_versions=None)
    assert (reset["version"], reset["schema"], reset["keep_versions"]) == (2, None, 10)
    assert (reset["description"], reset["max_objects"]) == ("Of meetings.", 5)
    assert await tenant.refused(DefineCollection(must_exist=True), "none") == (404, "not_found")
    conflict = await tenant.refused(DefineCollection(if_version=1), "notes")
    assert conflict == (412, "version_conflict")


async def test_a_definition_may_ask_for_a_new_one_or_for_one_that_is_there(tenant: Tenant) -> None:
    """What it asks for is not so: nothing is created, nothing changed."""
    only_new = DefineCollection(if_absent=True, description="x", given=("description",))
    only_there = DefineCollection(if_exists=True)
    assert await tenant.refused(only_new) == (412, "already_exists")
    assert await tenant.refused(only_there, "other") == (412, "version_conflict")
    assert [row.description for row in await tenant.rows(COLLECTIONS)] == [None]
    assert (await tenant.one(only_new, "other"))["status"] == 201
    assert (await tenant.one(only_there))["status"] == 200


async def test_a_schema_that_does_not_fit_what_is_stored(tenant: Tenant) -> None:
    """It is refused if that is asked; else what does not fit stays, and is judged when written."""
    made = await tenant.create({"n": "one"})
    asked = {"json_schema": NUMBER, "check_stored": True}
    [verdict] = await tenant.write(
        DefineCollection.model_validate({**asked, "given": ("json_schema",)})
    )
    assert verdict.problem is not None
    assert (verdict.problem.status, verdict.problem.code) == (409, "schema_breaks_stored")
    assert made["id"] in verdict.problem.detail
    assert (await tenant.define(json_schema=NUMBER))["schema_checked"] is False
    present = DefineCollection(check_stored=True)
    assert await tenant.refused(present) == (409, "schema_breaks_stored")
    assert await tenant.refused(MergeObject(object_id=made["id"], patch={})) == (
        422,
        "schema_mismatch",
    )
    assert await tenant.refused(MergeObject(object_id=made["id"], patch={"m": 1})) == (
        422,
        "schema_mismatch",
    )
    await tenant.merge(made["id"], {"n": 1})
    checked = DefineCollection.model_validate({**asked, "given": ("json_schema",)})
    assert (await tenant.one(checked))["status"] == 200
    assert (await tenant.define())["schema_checked"] is True
    assert (await tenant.one(present))["collection"]["version"] == 3


async def test_a_collection_says_whether_what_is_stored_was_checked(tenant: Tenant) -> None:
    """It was where nothing is stored or no schema is left, and where it is checked later."""
    assert (await tenant.define(json_schema=NUMBER))["schema_checked"]
    await tenant.create({"n": 1})
    other = {"properties": {"n": {"type": "number"}}}
    assert not (await tenant.define(json_schema=other))["schema_checked"]
    assert not (await tenant.define(description="x"))["schema_checked"]
    found = await tenant.one(DefineCollection(check_stored=True))
    assert found["collection"]["schema_checked"]
    assert found["collection"]["version"] == 5
    assert (await tenant.define(json_schema=None))["schema_checked"]


async def test_the_check_sees_what_the_same_batch_has_written(tenant: Tenant) -> None:
    """A record before it in one batch counts, as it would in a batch of its own."""
    checked = DefineCollection(json_schema=NUMBER, check_stored=True, given=("json_schema",))
    verdicts = await tenant.write(
        CreateObject(body={"n": "one"}), checked, CreateObject(body={"n": "two"})
    )
    codes = [each.problem.code if each.problem else None for each in verdicts]
    assert codes == [None, "schema_breaks_stored", None]


async def test_objects_are_indexed_as_their_collection_says(tenant: Tenant) -> None:
    """Values at ordered paths, words in their language, fragments; long values are left out."""
    indexes = {
        "equality": True,
        "ordered": ["/date", "/n", "/long"],
        "text": {"fields": ["/title"], "language": "english", "fragments": True},
    }
    await tenant.define(indexes=indexes)
    body = {"date": "2026-11-21", "n": 10**30, "long": "x" * 3000, "title": "Walking Dogs"}
    made = await tenant.create(body)
    [row] = await tenant.rows(OBJECTS)
    assert (row.slots, row.filterable) == (["2026-11-21", 10**30, None], True)
    assert (row.words, row.fragments) == ("'dog':2 'walk':1", "walking dogs")
    await tenant.delete(made["id"])
    [row] = await tenant.rows(OBJECTS)
    assert (row.slots, row.filterable, row.words, row.fragments) == (None, False, None, None)


@pytest.mark.parametrize(
    ("fields", "place"), [(["/a", "/a"], 1), (["/a/0", "/a"], 0), (["", "/a"], 1)]
)
async def test_the_same_text_is_not_read_twice(
    tenant: Tenant, fields: list[str], place: int
) -> None:
    """A pointer that repeats another or lies within it is refused, and named."""
    for given in ({"indexes": {"text": {"fields": fields}}}, {"search": {"fields": fields}}):
        made = DefineCollection.model_validate({**given, "given": tuple(given)})
        [verdict] = await tenant.write(made)
        assert verdict.problem is not None
        assert (verdict.problem.status, verdict.problem.code) == (422, "invalid_definition")
        [wrong] = verdict.problem.errors
        assert wrong.pointer.endswith(f"/fields/{place}")
    await tenant.define(indexes={"text": {"fields": ["/a", "/ab", "/b/a"]}})


async def test_stored_objects_follow_new_indexes(tenant: Tenant) -> None:
    """Versions and sequence stay; the collection says when all have followed."""
    await tenant.write(*(CreateObject(body={"n": number}) for number in range(130)))
    before = {row.object_id: (row.version, row.sequence) for row in await tenant.rows(OBJECTS)}
    changed = {"indexes": {"ordered": ["/n"]}, "search": {"fields": ["/n"]}}
    definition = DefineCollection.model_validate({**changed, "given": tuple(changed)})
    [verdict] = await tenant.write(definition)
    assert (verdict.result or {})["collection"]["indexes_ready"] is False
    [fact] = published(verdict.outputs, CollectionReshaped)
    stage = reshape.stage(tenant.database, IDS)
    saved, _ = await asyncio.gather(
        run(tenant, stage, fact), tenant.write(*(CreateObject(body={"n": -1}) for _ in range(20)))
    )
    rows = await tenant.rows(OBJECTS)
    assert all(row.slots == [row.body["n"]] for row in rows)
    assert before.items() <= {row.object_id: (row.version, row.sequence) for row in rows}.items()
    assert (await tenant.define())["indexes_ready"] is True
    found = published(saved, ObjectSaved)
    assert set(before) <= {each.object_id for each in found}
    assert len({each.run_id for each in found}) == len(found)


async def test_indexes_and_search_are_replaced_as_a_whole(tenant: Tenant) -> None:
    """What is left out within them is gone; what is left out beside them stays."""
    indexes = {"ordered": ["/n"], "text": {"fields": ["/t"], "fragments": True}}
    await tenant.define(indexes=indexes, search={"fields": ["/t"], "title": "/n"})
    changed = await tenant.define(indexes={"equality": True})
    assert changed["indexes"] == {"equality": True, "ordered": [], "text": None}
    assert changed["search"] == {"fields": ["/t"], "title": "/n"}
    changed = await tenant.define(search={"fields": ["/t"]})
    assert changed["search"] == {"fields": ["/t"], "title": None}
    assert changed["indexes"]["equality"]


async def test_an_overtaken_reshape_does_not_say_that_all_have_followed(tenant: Tenant) -> None:
    """The record of the later change says it."""
    await tenant.create({"a": 1})
    facts = []
    for name in ("/a", "/b"):
        definition = {"indexes": {"ordered": [name]}, "given": ("indexes",)}
        [verdict] = await tenant.write(DefineCollection.model_validate(definition))
        facts += published(verdict.outputs, CollectionReshaped)
    stage = reshape.stage(tenant.database, IDS)
    await run(tenant, stage, facts[0])
    assert (await tenant.define())["indexes_ready"] is False
    await run(tenant, stage, facts[1])
    assert (await tenant.define())["indexes_ready"] is True


async def test_a_dropped_collection_is_removed_in_parts(tenant: Tenant) -> None:
    """Its name is free at once, and nothing of it stays; search is told of each object."""
    await tenant.define(search={"fields": ["/n"]})
    for _ in range(12):
        await tenant.write(*(CreateObject(body={"n": number}) for number in range(50)))
    one = await tenant.create({"n": 1})
    await tenant.merge(one["id"], {"n": 2})
    [entered] = await tenant.rows(COLLECTIONS)
    async with tenant.database.transaction() as connection:
        noted = "UPDATE objects SET entry_count = 1 WHERE object_id = :id"
        await connection.execute(text(noted), {"id": one["id"]})
    [verdict] = await tenant.write(DropCollection())
    [fact] = published(verdict.outputs, CollectionDeleted)
    [gpt] = await tenant.rows(GPTS)
    assert (gpt.object_count, gpt.byte_count) == (0, 0)
    assert (await tenant.define())["object_count"] == 0
    outputs = await run(tenant, clear.stage(tenant.database, IDS), fact)
    assert [each.object_id for each in published(outputs, ObjectSaved)] == [one["id"]]
    old = entered.collection_id
    for table in (OBJECTS, OBJECT_VERSIONS, COLLECTIONS):
        assert not await tenant.rows(table, table.c.collection_id == old)


async def test_a_collection_made_anew_counts_on(tenant: Tenant) -> None:
    """Above every number of those that were deleted, in one batch too and when all is removed."""
    for _ in range(3):
        await tenant.create({})
    [_, verdict] = await tenant.write(DropCollection(), DefineCollection())
    again = (verdict.result or {})["collection"]
    assert again["sequence"] == 4
    assert (await tenant.create({}))["version"] == 1
    [verdict] = await tenant.write(DropCollection())
    [fact] = published(verdict.outputs, CollectionDeleted)
    await run(tenant, clear.stage(tenant.database, IDS), fact)
    await tenant.define()
    [row] = await tenant.rows(COLLECTIONS, COLLECTIONS.c.deleted_at.is_(None))
    assert (row.sequence, row.forgotten_sequence) == (6, 6)
    await tenant.create({})
    [row] = await tenant.rows(COLLECTIONS, COLLECTIONS.c.deleted_at.is_(None))
    assert (row.sequence, row.forgotten_sequence) == (7, 6)


async def test_a_record_alone_clears_nothing(tenant: Tenant) -> None:
    """A collection that was not deleted keeps what it has."""
    [row] = await tenant.rows(COLLECTIONS)
    fact = CollectionDeleted(collection_id=row.collection_id)
    with pytest.raises(InvalidMessage):
        await run(tenant, clear.stage(tenant.database, IDS), fact)


async def end(tenant: Tenant, object_id: str, ago: timedelta = timedelta(seconds=1)) -> None:
    """Let an object's time have run out."""
    over = "UPDATE objects SET expires_at = clock_timestamp() - :ago WHERE object_id = :id"
    async with tenant.database.transaction() as connection:
        await connection.execute(text(over), {"id": object_id, "ago": ago})


async def test_an_end_is_asked_for_and_comes(tenant: Tenant) -> None:
    """It is a write among the others; asked for twice it is one request."""
    over = await tenant.create({}, ttl_s=60)
    await tenant.create({}, ttl_s=60)
    await end(tenant, over["id"])
    publisher = FakePublisher()
    tasks = [
        Expiry(tenant.database, publisher, IDS, keep_tombstones=timedelta(days=1)) for _ in range(2)
    ]
    for each in (tasks[0], tasks[0], tasks[1]):
        await each.turn()
    mine = [each for each in publisher.records if each.key == f"{tenant.gpt_id}/diary".encode()]
    assert len(mine) == 2
    assert mine[0] == mine[1]
    message = WriteCollection.model_validate_json(mine[0].value)
    assert message.operation == ExpireObject(object_id=over["id"])

    [verdict] = await replace(tenant).write(message.operation)
    assert (verdict.result or {})["change"] == "deleted"
    alive = [row.object_id for row in await tenant.rows(OBJECTS) if row.deleted_at is None]
    assert over["id"] not in alive
    assert len(alive) == 1


async def test_an_end_that_does_not_come_is_asked_for_anew(tenant: Tenant) -> None:
    """By another request, each hour: what became of the first may not have been the end."""
    over = await tenant.create({}, ttl_s=60)
    await end(tenant, over["id"], timedelta(hours=1, milliseconds=-500))
    publisher = FakePublisher()
    asked: list[bytes] = []
    while len(set(asked)) < 2:
        task = Expiry(tenant.database, publisher, IDS, keep_tombstones=timedelta(days=1))
        await task.turn()
        mine = [each for each in publisher.records if over["id"].encode() in each.value]
        asked = [dict(each.headers)["request-id"] for each in mine]
    assert len(set(asked)) == 2


async def test_old_tombstones_are_forgotten(tenant: Tenant) -> None:
    """With their earlier versions; younger ones stay."""
    old, young = await tenant.create({}), await tenant.create({})
    await tenant.delete(old["id"])
    await tenant.delete(young["id"])
    aged = "UPDATE objects SET deleted_at = now() - interval '2 days' WHERE object_id = :id"
    async with tenant.database.transaction() as connection:
        await connection.execute(text(aged), {"id": old["id"]})
    keep = timedelta(days=1)
    await Expiry(tenant.database, FakePublisher(), IDS, keep_tombstones=keep).turn()
    assert [row.object_id for row in await tenant.rows(OBJECTS)] == [young["id"]]
    assert await tenant.versions(old["id"]) == []
    assert await tenant.versions(young["id"]) == [1]
