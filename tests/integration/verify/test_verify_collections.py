"""Entries of objects that are missing, stale, foreign or nobody's are found, and mended."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import delete, func, insert, update

from schemas.states import StepState
from schemas.tables import COLLECTIONS, OBJECTS, STEPS
from streams.verify import Kind
from tests.integration.found.diary import LONG, Diary
from tests.integration.verify.conftest import Verified


@pytest.fixture
async def diary(verified: Verified) -> AsyncIterator[Diary]:
    """A collection of each test's own, which is gone in the end."""
    made = Diary(verified.world)
    await made.declare()
    yield made
    await verified.does(
        delete(OBJECTS).where(OBJECTS.c.collection_id == made.collection_id),
        delete(COLLECTIONS).where(COLLECTIONS.c.collection_id == made.collection_id),
    )
    await verified.repair()


async def _lose(verified: Verified, version: int, *entries: str) -> None:
    client = verified.world.search._client
    for entry in entries:
        params = {"version": version, "version_type": "external_gte", "refresh": "true"}
        await client.delete(index=verified.world.search.alias, id=entry, params=params)


async def _put(verified: Verified, entry: str, version: int, body: dict[str, object]) -> None:
    await verified.world.search._client.index(
        index=verified.world.search.alias,
        id=entry,
        body={key: value for key, value in body.items() if key != "_v"},
        params={"version": version, "version_type": "external_gte", "refresh": "true"},
    )


async def test_objects_that_agree_have_no_difference(verified: Verified, diary: Diary) -> None:
    """Indexed, changed, deleted, expired, or of a collection that search does not find."""
    changed, deleted, _ = [await diary.add({"text": LONG}) for _ in range(3)]
    await diary.change(changed, body={"text": "Short."})
    await diary.index(changed)
    await diary.end(deleted)
    await diary.index(deleted)
    await diary.add({"text": "Over."}, expires_at=func.now())
    await diary.add({"mood": "without text"})
    assert await verified.differences() == []


async def test_an_object_whose_time_is_over_is_left_alone(verified: Verified, diary: Diary) -> None:
    """Its deletion is on its way, and a search does not show it."""
    object_id = await diary.add({"text": "Soon over."})
    await verified.does(
        update(OBJECTS).where(OBJECTS.c.object_id == object_id).values(expires_at=func.now())
    )
    assert await verified.differences() == []


async def test_missing_entries_are_written_again(verified: Verified, diary: Diary) -> None:
    """An entry that went is found, and `index-object` writes it."""
    object_id = await diary.add({"text": LONG})
    before = await verified.world.entries(object_id)
    await _lose(verified, 1, f"{object_id}:0", f"{object_id}:2")
    assert await verified.found() == {(Kind.ENTRIES_MISSING, object_id)}
    [mended] = await verified.repair()
    assert mended.mended is not None
    assert mended.collection_id == diary.collection_id
    assert await verified.world.entries(object_id) == before


async def test_stale_surplus_and_foreign_entries_are_replaced(
    verified: Verified, diary: Diary
) -> None:
    """Of an older version, beyond the last chunk, of another tenant, of other fields."""
    object_id = await diary.add({"text": LONG})
    before = await verified.world.entries(object_id)
    first = before[f"{object_id}:0"]
    await _put(verified, f"{object_id}:0", 1, {**first, "run_id": "search_of_before"})
    await _put(verified, f"{object_id}:1", 1, {**first, "ordinal": 1, "gpt_id": "another"})
    await _put(verified, f"{object_id}:99", 1, {**first, "ordinal": 99})
    assert await verified.found() == {(Kind.ENTRIES_STALE, object_id)}
    await verified.repair()
    assert await verified.world.entries(object_id) == before


async def test_an_index_that_is_behind_catches_up(verified: Verified, diary: Diary) -> None:
    """A change whose record was lost is found by its version; so is one never indexed."""
    changed, new = await diary.add({"text": "a"}), await diary.write({"text": "new"})
    await diary.change(changed, body={"text": "changed"})
    assert await verified.found() == {(Kind.INDEX_BEHIND, changed), (Kind.INDEX_BEHIND, new)}
    await verified.repair()
    for object_id, text in ((changed, "changed"), (new, "new")):
        [entry] = (await verified.world.entries(object_id)).values()
        assert entry["content"] == text


async def test_other_fields_whose_record_was_lost(verified: Verified, diary: Diary) -> None:
    """Entries that were made by what the collection said before are stale."""
    object_id = await diary.add({"text": "a", "title": "b"})
    await diary.alter(search={"fields": ["/title"]})
    assert await verified.found() == {(Kind.ENTRIES_STALE, object_id)}
    await verified.repair()
    [entry] = (await verified.world.entries(object_id)).values()
    assert entry["content"] == "b"


async def test_entries_of_what_is_not_to_be_found_are_deleted(
    verified: Verified, diary: Diary
) -> None:
    """Of a deleted object, which can come back; of one without a row, which cannot."""
    deleted, removed = await diary.add({"text": "a"}), await diary.add({"text": "b"})
    await diary.end(deleted)
    await verified.does(delete(OBJECTS).where(OBJECTS.c.object_id == removed))
    assert await verified.found() == {
        (Kind.ENTRIES_OF_DELETED, deleted),
        (Kind.ENTRIES_WITHOUT_OBJECT, removed),
    }
    await verified.repair()
    assert await verified.world.entries(deleted) == await verified.world.entries(removed) == {}
    await diary.change(deleted, deleted_at=None, body={"text": "back"})
    await diary.index(deleted)
    assert len(await verified.world.entries(deleted)) == 1


async def test_entries_of_a_collection_that_is_not_searched_any_more(
    verified: Verified, diary: Diary
) -> None:
    """They are deleted, and the object says that there are none."""
    object_id = await diary.add({"text": "a"})
    await diary.alter(search=None)
    assert await verified.found() == {(Kind.ENTRIES_OF_DELETED, object_id)}
    await verified.repair()
    assert await verified.world.entries(object_id) == {}
    row = await diary.row(object_id)
    assert (row.indexed_version, row.entry_count) == (1, 0)


async def test_an_object_that_waits_for_another_attempt_is_only_a_suspicion(
    verified: Verified, diary: Diary
) -> None:
    """Its record may be on a retry topic."""
    object_id = await diary.write({"text": "a"})
    waits = insert(STEPS).values(
        gpt_id=diary.gpt_id,
        run_id="run_of_it",
        stage="index-object",
        part=0,
        state=StepState.WAITING,
        attempt=1,
    )
    await verified.does(waits)
    [found] = await verified.differences()
    assert (found.kind, found.subject, found.held) == (Kind.INDEX_BEHIND, object_id, True)
    await verified.does(delete(STEPS).where(STEPS.c.run_id == "run_of_it"))
