"""Objects that nothing names, and rows whose object is gone."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import insert, update

from schemas.retention import LONGEST_INPUT
from schemas.tables import DEAD_LETTERS
from streams.clients.s3 import ObjectStore, StoredObject
from streams.verify import Kind
from tests.integration.verify.conftest import Verified


class Aged(ObjectStore):
    """The store, in which everything is as old as no topic keeps its records."""

    async def pages(self) -> AsyncIterator[Sequence[StoredObject]]:
        async for page in super().pages():
            yield [self._aged(each) for each in page]

    async def find(self, key: str) -> StoredObject | None:
        found = await super().find(key)
        return None if found is None else self._aged(found)

    def _aged(self, each: StoredObject) -> StoredObject:
        return replace(each, modified_at=datetime.now(UTC) - LONGEST_INPUT - timedelta(hours=1))


def _aged(verified: Verified) -> Verified:
    store = verified.stores.store
    aged = Aged(store._client, store._bucket)
    return Verified(verified.world, replace(verified.stores, store=aged))


async def _put(verified: Verified, key: str) -> str:
    await verified.world.store.put(key, b"waste", content_type="text/plain")
    return key


def _key(verified: Verified) -> str:
    return f"demo/documents/{verified.world.document()}/0a1b/original"


async def test_a_young_object_without_a_row_is_only_a_suspicion(verified: Verified) -> None:
    """Its record may be on its way, so nothing is deleted."""
    key = await _put(verified, _key(verified))
    [found] = await verified.differences()
    assert (found.key, found.certain) == ((Kind.OBJECT_WITHOUT_ROW, key), False)
    await verified.repair()
    assert await verified.world.store.find(key) is not None
    await verified.world.store.delete(key)


async def test_an_object_older_than_every_topic_is_deleted(verified: Verified) -> None:
    """What no row names and no record can name any more is waste; what is named stays."""
    world = verified.world
    document_id = await world.take_in()
    key = await _put(verified, _key(verified))
    aged = _aged(verified)
    assert await aged.found() == {(Kind.OBJECT_WITHOUT_ROW, key)}
    await aged.repair()
    assert await world.store.find(key) is None
    row = await world.row(document_id)
    assert await world.store.find(row.s3_key) is not None


async def test_what_a_dead_letter_names_is_kept(verified: Verified) -> None:
    """However old: a redrive still needs the bytes."""
    key = await _put(verified, _key(verified))
    letter = insert(DEAD_LETTERS).values(
        topic="process-document",
        partition=0,
        record_offset=10**9,
        dead_letter_id="dl_" + "0" * 32,
        stage="receive",
        gpt_id="demo",
        record_value=f'{{"source": {{"kind": "s3", "key": "{key}"}}}}'.encode(),
        headers=[],
        attempts=1,
        error="x",
        reason="x",
    )
    await verified.does(letter)
    aged = _aged(verified)
    assert await aged.differences() == []
    await verified.does(update(DEAD_LETTERS).values(record_value=None))
    assert await aged.found() == {(Kind.OBJECT_WITHOUT_ROW, key)}
    await aged.repair()


async def test_what_others_put_there_is_not_the_products(verified: Verified) -> None:
    """An object outside a document's own prefix is never certain, whatever its age."""
    key = await _put(verified, "demo/incoming/of-another-program.pdf")
    [found] = await _aged(verified).differences()
    assert (found.subject, found.certain) == (key, False)
    await verified.world.store.delete(key)


async def test_a_row_whose_object_is_gone_is_found(verified: Verified) -> None:
    """It cannot be mended from here."""
    world = verified.world
    document_id = await world.take_in()
    key = (await world.row(document_id)).s3_key
    await world.store.delete(key)
    assert await verified.found() == {(Kind.OBJECT_MISSING, document_id)}
    [left] = await verified.repair()
    assert left.mended is None
    await _put(verified, key)
