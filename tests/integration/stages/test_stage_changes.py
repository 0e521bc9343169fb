"""Index, update, delete and purge: what changes a document, in any order."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import Table

from schemas.messages import (
    DeleteDocument,
    DocumentExtracted,
    DocumentUpdated,
    Inline,
    ProcessDocument,
    StoredFile,
)
from schemas.tables import (
    CHUNKS,
    CORRECTIONS,
    DEAD_LETTERS,
    MODEL_ANSWERS,
    PAGES,
    REQUESTS,
    RUNS,
    STEPS,
)
from streams.stage import Record
from tests.integration.stages.conftest import (
    TENANT,
    World,
    body,
    failure,
    inline,
    page,
    parsed,
)

LONG = "\n\n".join(f"Paragraph {i} of a text about bread and rolls. " * 12 for i in range(6))


async def delete(world: World, document_id: str) -> list[Record]:
    """Delete a document and follow it to the end."""
    message = DeleteDocument(document_id=document_id)
    return await world.follow(await world.send("delete", message))


def extracted(document_id: str, run_id: str) -> DocumentExtracted:
    return DocumentExtracted(
        document_id=document_id, run_id=run_id, type="receipt", confidence=None, needs_review=False
    )


async def test_a_correction_is_kept_with_who_and_what_was_there(world: World) -> None:
    """Beside the machine's answer, with the person's name."""
    document_id = await world.take_in()
    version = (await world.row(document_id)).version

    records = await world.amend(
        document_id, fields={"company": "Bakery Ltd"}, metadata={"seen": True}, if_version=version
    )

    row = await world.row(document_id)
    assert body(records, "results")["result"]["version"] == row.version == version + 1
    assert (row.fields["company"], row.metadata, row.needs_review) == (
        "Bakery Ltd",
        {"seen": True},
        False,
    )
    [correction] = await world.rows(CORRECTIONS, document_id)
    assert (correction.name, correction.value) == ("company", "Bakery Ltd")
    assert correction.machine_value["value"] == "Corner Bakery"
    assert correction.corrected_by == "someone"
    assert correction.corrected_at is not None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"title": "x", "if_version": 1}, "version_conflict"),
        ({"fields": {"colour": "blue"}}, "unknown_field"),
        ({"type": "novel"}, "unknown_type"),
    ],
)
async def test_changes_that_are_refused(world: World, changes: dict[str, Any], code: str) -> None:
    """The answer says why, and nothing has changed."""
    document_id = await world.take_in()
    before = await world.row(document_id)

    records = await world.amend(document_id, **changes)

    assert failure(records) == code
    assert await world.row(document_id) == before
    assert await world.rows(DEAD_LETTERS, document_id) == []


async def test_a_shorter_run_leaves_no_surplus(world: World) -> None:
    """Entries of a longer run before are gone from the index."""
    world.parser.parts = {1: parsed(page(1, LONG))}
    document_id = await world.take_in()
    first = await world.entries(document_id)
    world.parser.parts = {1: parsed(page(1, "Short."))}
    await world.follow(await world.reprocess(document_id))

    assert len(first) > 2
    row = await world.row(document_id)
    [entry] = (await world.entries(document_id)).values()
    assert (entry["run_id"], entry["_v"]) == (row.run_id, row.version)
    assert [run.number for run in await world.runs(document_id)] == [1, 2]
    kept = await world.rows(CHUNKS, document_id)
    assert {chunk.run_id for chunk in kept} == {run.run_id for run in await world.runs(document_id)}


async def test_an_older_run_indexed_late_does_not_win(world: World) -> None:
    """Whenever its record comes, the index shows the newer run."""
    document_id = await world.take_in("old", until="index")
    first = (await world.row(document_id)).run_id
    world.parser.parts = {1: parsed(page(1, "The newer text."))}
    await world.follow(await world.reprocess(document_id))
    newer = await world.entries(document_id)

    await world.send("index", extracted(document_id, first))

    assert await world.entries(document_id) == newer
    assert {entry["content"] for entry in newer.values()} == {"The newer text."}


async def test_an_older_version_written_late_changes_nothing(world: World) -> None:
    """An entry of a newer version stays as it is."""
    document_id = await world.take_in()
    [(entry_id, entry)] = (await world.entries(document_id)).items()
    old = {name: value for name, value in entry.items() if name != "_v"} | {"title": "Old"}

    live, _ = await world.search.written()
    await world.search.at(live or "").write([(entry_id, old)], version=entry["_v"] - 1)

    assert await world.entries(document_id) == {entry_id: entry}


async def test_a_change_during_a_new_run_keeps_the_document_in_the_index(world: World) -> None:
    """A document that is being run again is found as it was read before."""
    document_id = await world.take_in()
    await world.reprocess(document_id)

    await world.follow(await world.amend(document_id, title="In between"))

    [entry] = (await world.entries(document_id)).values()
    assert entry["title"] == "In between"
    assert entry["content"].startswith("Corner Bakery")


async def test_a_change_before_anything_is_read_indexes_nothing(world: World) -> None:
    """The index stage will come to it."""
    document_id = await world.take_in(until="classify")

    await world.send("refresh", DocumentUpdated(document_id=document_id, version=1))

    assert await world.entries(document_id) == {}


async def test_a_purge_leaves_nothing(world: World) -> None:
    """Of bytes, text, entries, answers and letters; the tombstone alone stays, emptied."""
    document_id = await world.take_in(title="Secret", metadata={"secret": 1})
    await world.amend(document_id, fields={"company": "Secret Ltd"})
    bad = ProcessDocument(source=Inline(content_base64="%"), document_id=document_id, type="letter")
    await world.send("receive", bad)

    left = await delete(world, document_id)

    assert body(left, "results")["result"] == {"document_id": document_id, "deleted": True}
    assert await world.keys(f"{TENANT}/documents/{document_id}/") == []
    assert await world.entries(document_id) == {}
    gone: tuple[Table, ...] = (PAGES, CHUNKS, RUNS, CORRECTIONS, MODEL_ANSWERS)
    for table in gone:
        assert await world.rows(table, document_id) == []
    assert [row.record_value for row in await world.rows(DEAD_LETTERS, document_id)] == [None]
    results = [row.result for row in await world.rows(REQUESTS, document_id) if row.result]
    assert results == [{"document_id": document_id, "deleted": True}]
    assert {row.stage for row in await world.rows(STEPS, document_id) if row.outputs} <= {
        "delete",
        "purge",
    }
    row = await world.row(document_id)
    assert (row.title, row.metadata, row.fields, row.s3_key) == (None, {}, {}, None)
    assert (row.status, row.deleted_at is not None) == ("cancelled", True)


async def test_only_the_documents_own_object_is_deleted(world: World) -> None:
    """Not those whose keys begin alike, and not one that another document has too."""
    key = f"{TENANT}/inbox/{world.document()}"
    for each in (key, key + "0"):
        await world.store.put(each, b"words", content_type="text/plain")
    documents = [world.document(), world.document()]
    for document_id in documents:
        message = ProcessDocument(source=StoredFile(key=key), document_id=document_id)
        await world.send("receive", message)

    await delete(world, documents[0])
    shared = await world.keys(key)
    await delete(world, documents[1])

    assert shared == [key, key + "0"]
    assert await world.keys(key) == [key + "0"]


async def test_attachments_go_with_their_parent(world: World) -> None:
    """The deletion of a mail deletes what was attached to it."""
    parent = await world.take_in()
    child = await world.take_in(parent_id=parent)

    await delete(world, parent)

    row = await world.row(child)
    assert row.deleted_at is not None
    assert await world.entries(child) == {}
    assert await world.keys(f"{TENANT}/documents/{child}/") == []


async def test_a_child_that_comes_after_its_parents_deletion(world: World) -> None:
    """It is not taken in."""
    parent = await world.take_in()
    await delete(world, parent)

    await world.take_in(parent_id=parent)

    assert failure(world.left) == "not_found"


async def test_a_deletion_that_comes_first(world: World) -> None:
    """The document is never registered, its bytes are removed, its request is told."""
    document_id = world.document()
    key = f"{TENANT}/documents/{document_id}/upload/original"
    await delete(world, document_id)
    await world.store.put(key, b"words", content_type="text/plain")

    message = ProcessDocument(source=StoredFile(key=key), document_id=document_id)
    records = await world.send("receive", message)

    assert body(records, "results")["status"] == "cancelled"
    assert await world.keys(f"{TENANT}/documents/{document_id}/") == []
    assert await world.rows(RUNS, document_id) == []
    assert (await world.row(document_id)).s3_key is None


@pytest.mark.parametrize("stage", ["parse", "classify", "extract", "index", "complete"])
async def test_work_in_flight_cannot_bring_a_document_back(world: World, stage: str) -> None:
    """Whatever stage its record waits for, nothing of it is written again."""
    document_id = await world.take_in(until=stage)
    [waiting] = world.left
    await delete(world, document_id)

    left = await world.follow([waiting])

    assert [body([r], r.topic)["status"] for r in left if r.topic == "results"] == ["cancelled"]
    assert [r.topic for r in left if r.topic.endswith("-dlq")] == []
    for table in (PAGES, CHUNKS, RUNS, MODEL_ANSWERS, DEAD_LETTERS):
        assert await world.rows(table, document_id) == []
    assert await world.entries(document_id) == {}
    assert await world.keys(f"{TENANT}/documents/{document_id}/") == []
    assert (await world.row(document_id)).status == "cancelled"


async def test_a_change_of_a_deleted_document_is_answered(world: World) -> None:
    """Who asks for it is told that there is no such document."""
    document_id = await world.take_in()
    await delete(world, document_id)

    assert failure(await world.amend(document_id, title="x")) == "not_found"
    assert failure(await world.reprocess(document_id)) == "not_found"


async def test_a_deletion_of_a_foreign_document(world: World) -> None:
    """Another tenant's id is as if it were none."""
    foreign = world.ids.mint("doc", "somebody-else")

    records = await world.send("delete", DeleteDocument(document_id=foreign))

    assert failure(records) == "not_found"


async def test_a_failed_document_can_run_again_only_if_it_is_stored(world: World) -> None:
    """Without bytes there is nothing to read."""
    document_id = world.document()
    await world.send(
        "receive",
        ProcessDocument(source=Inline(content_base64="%"), document_id=document_id),
    )
    stored = await world.take_in(inline("x").content_base64, type="novel")

    assert failure(await world.reprocess(document_id)) == "not_stored"
    assert failure(await world.reprocess(stored, "novel")) == "unknown_type"
    await world.follow(await world.reprocess(stored, "letter"))
    assert (await world.row(stored)).status == "completed"


async def test_an_index_overtaken_by_a_change_follows_it(world: World) -> None:
    """A document that changes while its entries are written is written again as it is then."""
    document_id = await world.take_in(until="index")
    [waiting] = world.left
    embed, changes = world.models.embed, [{"title": "Changed meanwhile"}]

    async def meanwhile(texts: Sequence[str], **how: Any) -> list[list[float]]:
        if changes:
            await world.amend(document_id, **changes.pop())
        return await embed(texts, **how)

    world.models.embed = meanwhile  # type: ignore[method-assign]
    indexed = body(await world.give(waiting), "document-indexed")

    row = await world.row(document_id)
    [entry] = (await world.entries(document_id)).values()
    assert (entry["title"], entry["_v"]) == ("Changed meanwhile", row.version)
    assert (indexed["version"], row.indexed_version) == (row.version, row.version)


async def test_a_change_without_a_version_meets_no_conflict(world: World) -> None:
    """It is laid over whatever the document is by then."""
    document_id = await world.take_in()

    await asyncio.gather(
        *(world.amend(document_id, fields={name: "x"}) for name in ("company", "address", "date"))
    )

    row = await world.row(document_id)
    assert {name: row.fields[name] for name in ("company", "address", "date")} == {
        "company": "x",
        "address": "x",
        "date": "x",
    }
    assert len(await world.rows(CORRECTIONS, document_id)) == 3
