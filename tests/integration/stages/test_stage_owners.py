"""Deletions of documents that are not stored yet, by who owns them and by who does not."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from schemas.batches import Add, Close, Open
from schemas.messages import DeleteDocument, Inline, ProcessDocument, StoredFile, UpdateDocument
from schemas.tables import DEAD_LETTERS, DOCUMENTS, REQUESTS, RUNS, STEPS
from streams.stage import Record
from tests.integration.stages.batching import Batch
from tests.integration.stages.conftest import TENANT, TEXT, World, body, failure
from tests.integration.stages.test_stage_cancel import cancelled
from tests.integration.stages.test_stage_events import kinds, told

GONE = "document.deleted"


@dataclass
class Queued:
    """An upload of Ada's whose record has not been taken yet."""

    world: World
    document_id: str = ""
    requests: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.document_id = self.document_id or self.world.document()

    @property
    def prefix(self) -> str:
        return f"{TENANT}/documents/{self.document_id}/"

    async def stored(self) -> "Queued":
        key = f"{self.prefix}upload/original"
        await self.world.store.put(key, TEXT.encode(), content_type="text/plain")
        return self

    async def delete(self, subject: str | None) -> list[Record]:
        """Have someone delete it, with the same request each time."""
        request = self.requests.setdefault(f"delete {subject}", self.world.request())
        message = DeleteDocument(document_id=self.document_id)
        sent = await self.world.send("delete", message, request=request, subject=subject)
        return await self.world.follow(sent)

    async def receive(self, source: Any = None, *, until: str = "") -> list[Record]:
        """Have its record come, the same one each time."""
        request = self.requests.setdefault("process", self.world.request())
        source = source or StoredFile(key=f"{self.prefix}upload/original")
        message = ProcessDocument(source=source, document_id=self.document_id)
        sent = await self.world.send("receive", message, request=request, subject="ada")
        return await self.world.follow(sent, until=until)

    async def is_whole(self) -> None:
        """Check that it is Ada's, completed, with its bytes, and that nobody was told otherwise."""
        row = await self.world.row(self.document_id)
        assert (row.subject, row.status, row.deleted_at) == ("ada", "completed", None)
        assert await self.world.keys(self.prefix) == [row.s3_key]
        assert len(await self.world.entries(self.document_id)) == 1
        assert GONE not in kinds(self.world, self.document_id)
        assert await self.request() == "completed"

    async def is_gone(self) -> None:
        """Check that its tombstone is all that is left, and that it was told of."""
        row = await self.world.row(self.document_id)
        assert (row.status, row.s3_key, row.title) == ("cancelled", None, None)
        assert row.deleted_at is not None
        assert await self.world.keys(self.prefix) == []
        assert await self.world.entries(self.document_id) == {}
        assert await self.world.rows(RUNS, self.document_id) == []
        assert await self.world.rows(DEAD_LETTERS, self.document_id) == []
        # A record that comes again has the same event published again, which is one all the same.
        events = [each for each in told(self.world, self.document_id) if each["type"] == GONE]
        assert len({each["sequence"] for each in events}) == 1
        assert await self.request() == "cancelled"

    async def request(self) -> str:
        """Read the status of the request that it came with."""
        rows = await self.world.rows(REQUESTS, self.document_id)
        [status] = [row.status for row in rows if row.kind == "process-document"]
        return str(status)


@pytest.fixture
async def queued(world: World) -> Queued:
    return await Queued(world).stored()


def answer(records: Sequence[Record]) -> dict[str, Any]:
    """Returns: what a deletion was answered with, but for its ids."""
    said = body(records, "results")
    deleted = said["result"] and said["result"]["deleted"]
    return {"status": said["status"], "deleted": deleted, "problem": said["problem"]}


async def test_a_stranger_deletes_nothing(queued: Queued) -> None:
    """The document comes as if nobody had asked, and the answer is that of an id of nobody's."""
    strangers = await queued.delete("bob")
    nobodys = await Queued(queued.world).delete("bob")
    await queued.receive()

    assert answer(strangers) == answer(nobodys)
    await queued.is_whole()
    assert await queued.delete("bob") == strangers
    later = DeleteDocument(document_id=queued.document_id)
    assert failure(await queued.world.send("delete", later, subject="bob")) == "not_found"
    await queued.is_whole()


async def test_an_owner_deletes_what_is_queued(queued: Queued) -> None:
    """Its record finds the deletion, whichever comes again and however often."""
    answered = body(await queued.delete("ada"), "results")
    waiting = await queued.world.rows(DOCUMENTS, queued.document_id)
    received = await queued.receive()
    again = [await queued.receive(), await queued.delete("ada")]

    assert answered["result"] == {"document_id": queued.document_id, "deleted": True}
    assert waiting == []
    assert body(received, "results")["status"] == "cancelled"
    assert [body(each, "results")["status"] for each in again] == ["cancelled", "completed"]
    assert (await queued.world.row(queued.document_id)).subject == "ada"
    await queued.is_gone()


@pytest.mark.parametrize(
    "who",
    [("ada", "bob"), ("bob", "ada"), ("bob", None), (None, "bob"), (None, "ada")],
    ids=str,
)
async def test_of_two_deletions_the_rightful_one_counts(
    queued: Queued, who: tuple[str | None, ...]
) -> None:
    """In any order: the owner's, and that of the tenant's own key."""
    for subject in who:
        await queued.delete(subject)
    await queued.receive()

    await queued.is_gone()


@pytest.mark.parametrize("until", ["parse", "complete"])
async def test_of_deletions_on_its_way_the_owners_counts(queued: Queued, until: str) -> None:
    """A stranger's that was there before and one that comes now change nothing in that."""
    await queued.delete("bob")
    waiting = await queued.receive(until=until)
    await queued.delete("cy")
    await queued.world.follow(await queued.delete("ada"))
    await queued.world.follow(waiting)

    await queued.is_gone()


@pytest.mark.parametrize("subject", ["ada", "bob"])
async def test_a_deletion_that_races_with_the_document(world: World, subject: str) -> None:
    """Whichever commits first, an owner's counts and a stranger's does not."""
    for _ in range(8):
        queued = await Queued(world).stored()
        await asyncio.gather(queued.delete(subject), queued.receive(until="parse"))

        row = await world.row(queued.document_id)
        assert (row.deleted_at is not None) == (subject == "ada")
        kept = await world.keys(queued.prefix)
        assert len(kept) == (subject == "bob")


async def test_what_was_attached_goes_in_the_name_of_its_owner(queued: Queued) -> None:
    """Also what was found in it when the tenant's own key had it processed again."""
    await queued.receive()
    child = await queued.world.take_in(parent_id=queued.document_id)
    await queued.delete("ada")

    row = await queued.world.row(child)
    assert (row.subject, row.deleted_at is not None) == (None, True)


async def test_a_deleted_document_that_cannot_be_read_fails_nobody(queued: Queued) -> None:
    """It leaves no dead letter with what was in it."""
    await queued.delete("ada")
    await queued.receive(Inline(content_base64="%"))

    await queued.is_gone()


async def test_a_stranger_cannot_have_a_deletion_count_by_other_calls(queued: Queued) -> None:
    """Only the document's own processing says whose it is."""
    await queued.delete("bob")
    change = UpdateDocument(document_id=queued.document_id, by="bob", title="Mine")
    refused = await queued.world.send("update", change, subject="bob")
    await queued.receive()

    assert failure(refused) == "not_found"
    await queued.is_whole()


async def test_a_batchs_documents_are_its_owners(world: World) -> None:
    """While they are queued in it, a stranger is refused, and the owner's deletion is counted."""
    batch = await Batch(world, subject="ada").opened(TEXT, f"{TEXT} 2")
    first, second = [Queued(world, entry.document_id) for entry in await batch.entries()]
    assert failure(await first.delete("bob")) == "not_found"
    await second.delete("ada")

    assert await batch.counts() == {("queued", ""): 1, ("cancelled", ""): 1}
    await batch.worked()
    assert await batch.counts() == {("completed", "receipt"): 1, ("cancelled", ""): 1}
    assert (await batch.row()).state == "completed"


async def early(world: World, subject: str | None, *, close: bool) -> tuple[Batch, Queued, str]:
    """Have a document deleted before its batch has it. Returns: both, and its bytes' key."""
    batch = Batch(world, subject="ada")
    entry = await batch.entry(TEXT, key="one", path="private/one.txt")
    ids = world.ids
    request_id = ids.derive("req", TENANT, batch.batch_id, "one")
    queued = Queued(world, ids.derive("doc", TENANT, "document", request_id))
    await queued.delete(subject)
    await batch.change(Open(), Add(entries=(entry,)), *([Close()] if close else []))
    [row] = await batch.entries()
    assert (row.document_id, row.path) == (queued.document_id, "private/one.txt")
    assert isinstance(entry.source, StoredFile)
    return batch, queued, entry.source.key


@pytest.mark.parametrize(
    ("subject", "state"),
    [("ada", "cancelled"), (None, "cancelled"), ("bob", "completed")],
)
async def test_a_deletion_before_the_batch_has_the_document(
    world: World, subject: str | None, state: str
) -> None:
    """It ends when it is let in, and its batch with it; a stranger's is as if it were none."""
    batch, _, key = await early(world, subject, close=True)
    await batch.worked()

    assert [state for state, _ in await batch.counts()] == [state]
    assert (await batch.row()).state == "completed"
    assert await world.keys(key) == ([key] if state == "completed" else [])
    [entry] = await batch.entries()
    assert (entry.path, entry.order) == ("private/one.txt" if subject == "bob" else None, None)


@pytest.mark.parametrize(("subject", "is_deleted"), [("ada", True), (None, True), ("bob", False)])
async def test_a_deletion_before_a_batch_that_is_cancelled(
    world: World, subject: str | None, *, is_deleted: bool
) -> None:
    """Both happen, whoever of those who may has deleted it."""
    batch, queued, key = await early(world, subject, close=False)
    left = await world.follow(await cancelled(batch))

    row = await world.row(queued.document_id)
    assert (row.status, row.deleted_at is not None) == ("cancelled", is_deleted)
    assert await batch.counts() == {("cancelled", ""): 1}
    assert await queued.request() == "cancelled"
    [entry] = await batch.entries()
    assert (entry.path is None) == is_deleted
    assert await world.keys(key) == ([] if is_deleted else [key])
    assert (kinds(world, queued.document_id)[-1] == GONE) == is_deleted
    assert row.s3_key == (None if is_deleted else key)
    assert {record.topic for record in left} == {"results"}
    steps = await world.rows(STEPS, queued.document_id)
    assert {step.state for step in steps} <= {"done"}
