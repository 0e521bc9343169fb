"""Entries that are missing, stale, or nobody's are found, and mended through the stages."""

from dataclasses import replace

from sqlalchemy import delete, insert, update

from schemas.messages import DeleteDocument
from schemas.states import StepState
from schemas.tables import CHUNKS, DOCUMENTS, STEPS
from streams.clients.producer import CommandPublisher
from streams.verify import Kind
from tests.integration.stages.conftest import World, page, parsed
from tests.integration.verify.conftest import Verified
from tests.integration.verify.kafka import Topics

LONG = "\n\n".join(f"Paragraph {n}. " + "Nothing is lost on its way. " * 20 for n in range(12))


async def _several(world: World) -> str:
    world.parser.parts = {1: parsed(page(1, LONG))}
    return await world.take_in()


async def _lose(verified: Verified, version: int, *entries: str) -> None:
    client = verified.world.search._client
    for entry in entries:
        params = {"version": version, "version_type": "external_gte", "refresh": "true"}
        await client.delete(index=verified.world.search.alias, id=entry, params=params)


async def _put(verified: Verified, entry: str, version: int, body: dict[str, object]) -> None:
    client = verified.world.search._client
    await client.index(
        index=verified.world.search.alias,
        id=entry,
        body=body,
        params={"version": version, "version_type": "external_gte", "refresh": "true"},
    )


async def test_stores_that_agree_have_no_difference(verified: Verified) -> None:
    """Documents that came in, changed, ran again or were deleted leave nothing to find."""
    world = verified.world
    changed = await _several(world)
    await world.follow(await world.amend(changed, title="Another title"))
    again = await world.take_in()
    await world.follow(await world.reprocess(again))
    await world.take_in(text="Nothing but this.")
    assert await verified.differences() == []


async def test_missing_entries_are_written_again(verified: Verified) -> None:
    """An entry that went is found, and `refresh` writes it."""
    document_id = await _several(verified.world)
    before = await verified.world.entries(document_id)
    version = before[f"{document_id}:0"]["_v"]
    await _lose(verified, version, f"{document_id}:0", f"{document_id}:2")
    assert await verified.found() == {(Kind.ENTRIES_MISSING, document_id)}
    [mended] = await verified.repair()
    assert mended.mended is not None
    assert await verified.world.entries(document_id) == before


async def test_a_failed_run_does_not_hide_what_is_missing(verified: Verified) -> None:
    """A search still finds the run before it, so its entries are asked for too."""
    world = verified.world
    document_id = await world.take_in()
    before = await world.entries(document_id)
    world.parser.parts = {}
    await world.follow(await world.reprocess(document_id))
    world.parser.parts = {1: parsed(page(1, LONG))}
    assert (await world.row(document_id)).status == "failed"
    assert await verified.differences() == []
    entry = f"{document_id}:0"
    await _lose(verified, before[entry]["_v"], entry)
    assert await verified.found() == {(Kind.ENTRIES_MISSING, document_id)}
    await verified.repair()
    assert await world.entries(document_id) == before


async def test_stale_and_surplus_entries_are_replaced(verified: Verified) -> None:
    """Entries of an older run, and some beyond the last chunk, are found and mended."""
    world = verified.world
    document_id = await _several(world)
    entries = await world.entries(document_id)
    first = {k: v for k, v in entries[f"{document_id}:0"].items() if k != "_v"}
    version = entries[f"{document_id}:0"]["_v"]
    await _put(verified, f"{document_id}:0", version, {**first, "run_id": "run_of_before"})
    beyond = len(entries)
    await _put(verified, f"{document_id}:{beyond}", version, {**first, "ordinal": beyond})
    assert await verified.found() == {(Kind.ENTRIES_STALE, document_id)}
    await verified.repair()
    assert await world.entries(document_id) == entries


async def test_an_index_that_is_behind_catches_up(verified: Verified) -> None:
    """A change whose record was lost is found by its version, and indexed."""
    world = verified.world
    document_id = await world.take_in()
    await verified.does(
        update(DOCUMENTS)
        .where(DOCUMENTS.c.document_id == document_id)
        .values(version=DOCUMENTS.c.version + 1, title="Changed")
    )
    assert await verified.found() == {
        (Kind.INDEX_BEHIND, document_id),
        (Kind.ENTRIES_STALE, document_id),
    }
    await verified.repair()
    entries = await world.entries(document_id)
    assert {entry["title"] for entry in entries.values()} == {"Changed"}


async def test_a_change_that_waits_for_another_attempt_is_only_a_suspicion(
    verified: Verified, topics: Topics
) -> None:
    """Its record is on a retry topic, so the index is behind for a while and no longer."""
    world = verified.world
    document_id = await world.take_in()
    [record, _] = await world.amend(document_id, title="Changed")
    waits = insert(STEPS).values(
        gpt_id="demo",
        run_id=dict(record.headers)["request-id"].decode(),
        stage="refresh",
        part=0,
        document_id=document_id,
        state=StepState.WAITING,
        attempt=1,
    )
    await verified.does(waits)
    await CommandPublisher(topics.settings).publish((replace(record, topic="retry-5m"),))
    found = await verified.differences()
    assert {each.kind for each in found} == {Kind.INDEX_BEHIND, Kind.ENTRIES_STALE}
    assert not any(each.certain for each in found)
    await topics.acknowledge("retry-5m")
    assert (Kind.INDEX_BEHIND, document_id) in await verified.found()
    await verified.does(
        delete(STEPS).where(STEPS.c.document_id == document_id, STEPS.c.attempt > 0)
    )
    await world.follow([record])


async def test_missing_chunk_rows_are_stored_again(verified: Verified) -> None:
    """Chunk rows that went, all or some, are found and made again from the pages."""
    world = verified.world
    document_id = await _several(world)
    before = len(await world.rows(CHUNKS, document_id))
    gone = delete(CHUNKS).where(CHUNKS.c.document_id == document_id)
    await verified.does(gone.where(CHUNKS.c.ordinal == 1))
    assert (Kind.CHUNKS_MISSING, document_id) in await verified.found()
    await verified.repair()
    await verified.does(gone)
    assert (Kind.CHUNKS_MISSING, document_id) in await verified.found()
    await verified.repair()
    assert len(await world.rows(CHUNKS, document_id)) == before


async def test_entries_of_nobody_are_deleted(verified: Verified) -> None:
    """Entries of a document without a row, and of a deleted one, are found and deleted for good."""
    world = verified.world
    nobody, deleted = world.document(), await world.take_in()
    await world.follow(await world.send("delete", _deletion(deleted)))
    body = {"gpt_id": "demo", "ordinal": 0, "content": "left over"}
    await _put(verified, f"{nobody}:0", 1, {**body, "document_id": nobody})
    # Beside the tombstones that the deletion left.
    await _put(verified, f"{deleted}:99", 1, {**body, "document_id": deleted})
    assert await verified.found() == {
        (Kind.ENTRIES_WITHOUT_DOCUMENT, nobody),
        (Kind.ENTRIES_OF_DELETED, deleted),
    }
    await verified.repair()
    assert await world.entries(nobody) == {}
    assert await world.entries(deleted) == {}


async def test_entries_of_a_later_version_are_left_to_a_rebuild(verified: Verified) -> None:
    """Where the index knows more than the database, repair does nothing and says so."""
    world = verified.world
    document_id = await world.take_in()
    entry = f"{document_id}:0"
    body = {k: v for k, v in (await world.entries(document_id))[entry].items() if k != "_v"}
    await _put(verified, entry, 90, body)
    assert await verified.found() == {(Kind.ENTRIES_NEWER, document_id)}
    [left] = await verified.repair()
    assert left.mended is None
    assert "reindex" in left.remedy
    await world.follow(await world.send("delete", _deletion(document_id)))


def _deletion(document_id: str) -> DeleteDocument:
    return DeleteDocument(document_id=document_id)
