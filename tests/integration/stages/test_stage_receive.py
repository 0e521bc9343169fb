"""Receive and parse: bytes in, pages out."""

import json

import pytest
from sqlalchemy import update

from schemas.messages import DocumentReceived, ProcessDocument, StoredFile
from schemas.tables import DEAD_LETTERS, DOCUMENTS, PAGES, RUNS
from streams.parsing.page import Attachment
from tests.integration.stages.conftest import (
    MAX_BYTES,
    TENANT,
    World,
    body,
    failure,
    inline,
    page,
    parsed,
)


async def test_inline_bytes_are_stored_and_registered(world: World) -> None:
    """Document, run and bytes are there, with hash, size and type by content."""
    document_id = await world.take_in("plain words", until="parse", metadata={"a": 1})

    row = await world.row(document_id)
    [run] = await world.rows(RUNS, document_id)
    assert (row.status, row.size_bytes, row.metadata) == ("processing", 11, {"a": 1})
    assert row.content_type.startswith("text/")
    assert await world.keys(f"{TENANT}/documents/{document_id}/") == [row.s3_key]
    assert (run.run_id, run.number) == (row.run_id, 1)


async def test_stored_bytes_stay_where_they_are(world: World) -> None:
    """A key under the tenant's prefix is read and kept as it is."""
    document_id = world.document()
    key = f"{TENANT}/inbox/{document_id}"
    await world.store.put(key, b"words", content_type="text/plain")

    message = ProcessDocument(source=StoredFile(key=key), document_id=document_id)
    records = await world.send("receive", message)

    assert body(records, "document-received")["s3_key"] == key
    assert (await world.row(document_id)).s3_key == key


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("other/documents/x", "foreign_key"),
        (f"{TENANT}/../other/x", "foreign_key"),
        (f"{TENANT}-2/x", "foreign_key"),
        (f"{TENANT}/nothing-here", "no_such_object"),
    ],
)
async def test_keys_that_cannot_be_read(world: World, key: str, code: str) -> None:
    """A foreign or a missing object fails the document at once, with the reason."""
    document_id = world.document()
    message = ProcessDocument(source=StoredFile(key=key), document_id=document_id)

    records = await world.send("receive", message)

    assert failure(records) == code
    assert (await world.row(document_id)).status == "failed"
    [letter] = await world.rows(DEAD_LETTERS, document_id)
    assert letter.error == code


async def test_too_large_an_object(world: World) -> None:
    """More bytes than are allowed are not read to their end."""
    key = f"{TENANT}/inbox/large-{world.document()}"
    await world.store.put(key, b"x" * (MAX_BYTES + 1), content_type="text/plain")

    records = await world.send("receive", ProcessDocument(source=StoredFile(key=key)))

    assert failure(records) == "too_large"


async def test_the_same_bytes_again(world: World) -> None:
    """A repeat within the tenant names the first document."""
    text = f"words of their own {world.document()}"
    first = await world.take_in(text, until="parse")
    second = await world.take_in(text, until="parse")

    assert (await world.row(first)).duplicate_of is None
    assert (await world.row(second)).duplicate_of == first


async def test_the_same_bytes_of_another_end_user(world: World) -> None:
    """Nobody learns that someone else has a document, nor its id; old rows do not tell either."""
    text = f"words of their own {world.document()}"
    taken = list[tuple[str, str | None, str | None]]()
    for subject in (None, "ann", "bob", "bob"):
        document_id, request = world.document(), world.request()
        message = ProcessDocument(source=inline(text), document_id=document_id)
        records = await world.send("receive", message, request=request, subject=subject)
        if subject == "ann":
            known = update(DOCUMENTS).where(DOCUMENTS.c.document_id == document_id)
            async with world.database.transaction() as connection:
                await connection.execute(known.values(duplicate_of=taken[0][0]))
        [answer] = await world.follow(records)
        told = json.loads(answer.value)["result"]["duplicate_of"]
        taken.append((document_id, told, (await world.row(document_id)).duplicate_of))

    (nobodys, first, _), (_, anns, _), (bobs, none, kept), (_, again, _) = taken
    assert (first, anns, none, kept, again) == (None, None, None, None, bobs)
    assert nobodys != bobs


async def test_an_unknown_tenant(world: World) -> None:
    """A tenant that does not exist gets nothing done."""
    message = ProcessDocument(source=inline("words"))

    records = await world.send("receive", message, tenant="nobody-here")

    assert failure(records) == "unknown_tenant"


async def test_a_disabled_tenant(world: World, disabled: str) -> None:
    """Nor does one that is disabled."""
    records = await world.send("receive", ProcessDocument(source=inline("w")), tenant=disabled)

    assert failure(records) == "disabled_tenant"


async def test_a_document_id_of_another_tenant(world: World) -> None:
    """It is refused, and leaves no trace under that id."""
    foreign = world.ids.mint("doc", "somebody-else")
    message = ProcessDocument(source=inline("words"), document_id=foreign)

    records = await world.send("receive", message)

    assert failure(records) == "bad_document_id"
    assert await world.rows(DOCUMENTS, foreign) == []
    assert await world.rows(DEAD_LETTERS, foreign) == []


async def test_nested_too_deep(world: World) -> None:
    """A mail in a mail in a mail in a mail is not opened."""
    records = await world.send("receive", ProcessDocument(source=inline("words"), depth=4))

    assert failure(records) == "nested_too_deep"


async def test_an_attachment_of_nothing(world: World) -> None:
    """A document cannot be attached to one that is not there."""
    message = ProcessDocument(source=inline("words"), parent_id=world.document())

    assert failure(await world.send("receive", message)) == "not_found"


async def test_a_long_document_is_parsed_in_parts(world: World) -> None:
    """Each part stores its pages and hands on; the next begins where the pages end."""
    world.parser.parts = {
        1: parsed(page(1), page(2), page_count=3, next_page=3, title="Found", notes=("One.",)),
        3: parsed(page(3, "last"), page_count=3, notes=("Two.",)),
    }

    document_id = await world.take_in(until="classify")

    assert world.parser.begun == [1, 3]
    assert sorted(row.number for row in await world.rows(PAGES, document_id)) == [1, 2, 3]
    [run] = await world.rows(RUNS, document_id)
    assert (run.page_count, run.notices) == (3, ["One.", "Two."])
    assert body(world.left, "document-parsed")["page_count"] == 3
    assert (await world.row(document_id)).title == "Found"


async def test_a_given_title_stays(world: World) -> None:
    """The document's own title comes after the one that was given."""
    world.parser.parts = {1: parsed(page(1), title="Found")}

    document_id = await world.take_in(until="classify", title="Given")

    assert (await world.row(document_id)).title == "Given"


async def test_a_redelivered_record_publishes_the_same(world: World) -> None:
    """A crash after the commit costs nothing: the stored outputs go out again, byte for byte."""
    request, message = world.request(), ProcessDocument(source=inline("words"))
    first = await world.send("receive", message, request=request)
    again = await world.send("receive", message, request=request)
    parsed_once = await world.give(first[0])
    parsed_again = await world.give(again[0])

    assert again == first
    assert parsed_again == parsed_once
    assert world.parser.begun == [1]


async def test_attachments_become_documents_once(world: World) -> None:
    """A child is known by its parent, and a new run of the parent meets the same child again."""
    files = (Attachment("a.txt", b"attached words"),)
    world.parser.parts = {1: parsed(page(1), attachments=files)}
    parent = world.document()
    received = await world.send(
        "receive", ProcessDocument(source=inline("mail"), document_id=parent)
    )
    child, _ = await world.give(received[0])
    world.parser.parts = {1: parsed(page(1))}
    await world.follow([child])

    row = await world.row(body([child], "process-document")["document_id"])
    assert (row.parent_id, row.filename, row.status) == (parent, "a.txt", "completed")

    world.parser.parts = {1: parsed(page(1), attachments=files)}
    fresh = DocumentReceived.model_validate_json(received[0].value).model_copy(
        update={"run_id": world.run_of(world.request())}
    )
    [same, _] = await world.send("parse", fresh)
    assert same.value == child.value
    assert dict(same.headers)["request-id"] == dict(child.headers)["request-id"]
