"""What the index holds of an object, whatever happens to it meanwhile."""

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import delete, func

from schemas.indexes import ADDED, Vectors, index_body, write_alias
from schemas.tables import OBJECTS
from streams.clients.opensearch import SearchIndex
from streams.errors import RecordTrouble
from streams.sources.objects import Objects
from streams.stage import Record
from tests.integration.found.diary import LONG, Diary

BODY = {"title": "Rain", "text": "It rained all day.", "tags": ["wet", "grey"], "mood": 4}


async def test_an_object_is_found_by_what_its_fields_say(diary: Diary) -> None:
    """One entry of its text, with title, collection, version and what can be asked of its body."""
    object_id = await diary.add(BODY, key="2026-11-03", subject="ann")
    [(entry_id, entry)] = (await diary.world.entries(object_id)).items()
    assert entry_id == f"{object_id}:0"
    assert entry["content"] == "It rained all day.\n\nwet, grey"
    assert (entry["kind"], entry["collection"], entry["title"]) == ("object", diary.name, "Rain")
    assert (entry["gpt_id"], entry["subject"]) == (diary.gpt_id, "ann")
    assert entry["version"] == entry["_v"] == 1
    assert "mood?" in entry["attributes"]
    assert "tags=wet" in entry["attributes"]
    assert len(entry["embedding"]) == diary.world.settings.embedding_dimensions
    row = await diary.row(object_id)
    assert (row.indexed_version, row.entry_count) == (1, 1)


@pytest.mark.parametrize(
    ("body", "key", "title"),
    [
        ({"text": "a"}, "monday", "monday"),
        ({"text": "a  b\nc"}, None, "a b c"),
        ({"text": "word " * 40}, None, ("word " * 15).strip() + "…"),
        ({"text": "a", "title": 7}, "monday", "7"),
    ],
)
async def test_what_has_no_title_is_named_by_its_key_or_first_words(
    diary: Diary, body: dict[str, Any], key: str | None, title: str
) -> None:
    """A hit always has something to be called by."""
    object_id = await diary.add(body, key=key)
    [entry] = (await diary.world.entries(object_id)).values()
    assert entry["title"] == title


async def test_a_record_that_comes_late_changes_nothing(diary: Diary) -> None:
    """Versions decide, whichever record is worked off first, or again."""
    object_id = await diary.write(BODY)
    await diary.change(object_id, body={**BODY, "text": "It snowed."})
    await diary.index(object_id, 1)
    assert await diary.world.entries(object_id) == {}
    await diary.index(object_id, 2)
    found = await diary.world.entries(object_id)
    await diary.index(object_id, 1)
    assert await diary.world.entries(object_id) == found
    assert found[f"{object_id}:0"]["content"].startswith("It snowed.")
    old = {**found[f"{object_id}:0"], "version": 1, "content": "It rained."}
    del old["_v"]
    live, _ = await diary.world.search.written()
    assert live is not None
    await diary.world.search.at(live).write([(f"{object_id}:0", old)])
    assert await diary.world.entries(object_id) == found


async def test_a_text_that_becomes_shorter_leaves_no_surplus(diary: Diary) -> None:
    """Chunks beyond the last one go, with those that no search has found yet."""
    object_id = await diary.add({"text": LONG})
    row = await diary.row(object_id)
    assert row.entry_count == len(await diary.world.entries(object_id)) > 3
    await diary.change(object_id, body={"text": LONG + LONG})
    await diary.index(object_id)
    await diary.change(object_id, body={"text": "Short."})
    await diary.index(object_id)
    assert list(await diary.world.entries(object_id)) == [f"{object_id}:0"]
    assert (await diary.row(object_id)).entry_count == 1


async def test_a_change_while_it_is_embedded_leaves_no_surplus(diary: Diary) -> None:
    """The record of the change finds what the one before has written, and takes it away."""
    object_id = await diary.write({"text": LONG})
    embed = diary.world.models.embed
    pending = [{"text": "Short."}]

    async def meanwhile(texts: Sequence[str], **how: Any) -> list[list[float]]:
        if pending:
            await diary.change(object_id, body=pending.pop())
        return await embed(texts, **how)

    diary.world.models.embed = meanwhile  # type: ignore[method-assign]
    await diary.index(object_id, 1)
    assert (await diary.row(object_id)).indexed_version is None
    await diary.index(object_id, 2)
    found = await diary.world.entries(object_id)
    assert {key: entry["content"] for key, entry in found.items()} == {f"{object_id}:0": "Short."}


async def _end(diary: Diary, object_id: str) -> None:
    await diary.end(object_id)


async def _expire(diary: Diary, object_id: str) -> None:
    await diary.change(object_id, expires_at=func.now())


async def _empty(diary: Diary, object_id: str) -> None:
    await diary.change(object_id, body={"text": " ", "tags": [None, True], "mood": 3})


async def _drop(diary: Diary, object_id: str) -> None:
    del object_id
    await diary.alter(deleted_at=func.now())


async def _hide(diary: Diary, object_id: str) -> None:
    del object_id
    await diary.alter(search=None)


@pytest.mark.parametrize("goes", [_end, _expire, _empty, _drop, _hide])
async def test_what_is_not_to_be_found_has_no_entries(diary: Diary, goes: Any) -> None:
    """Deleted, past its time, without text, or of a collection that is gone or not searched."""
    object_id = await diary.add({"text": LONG})
    await goes(diary, object_id)
    await diary.index(object_id)
    assert await diary.world.entries(object_id) == {}
    row = await diary.row(object_id)
    assert (row.indexed_version, row.entry_count) == (row.version, 0)


async def test_what_was_deleted_may_come_back(diary: Diary) -> None:
    """A tombstone bears the deletion's version, which a restored object's is above."""
    object_id = await diary.add(BODY)
    await diary.end(object_id)
    await diary.index(object_id)
    await diary.change(object_id, deleted_at=None, body=BODY)
    await diary.index(object_id)
    assert [each["_v"] for each in (await diary.world.entries(object_id)).values()] == [3]


async def test_a_change_of_what_is_not_searched_any_more_leaves_no_entries(diary: Diary) -> None:
    """It tells search nothing, so that the record of the version before removes them."""
    object_id = await diary.add(BODY)
    await _hide(diary, object_id)
    await diary.change(object_id, body={"text": "It snowed."})
    await diary.index(object_id, 1)
    assert await diary.world.entries(object_id) == {}


async def test_a_row_that_was_removed_takes_its_entries_along(diary: Diary) -> None:
    """Those too that were written a moment ago; the version that a record names is of no matter."""
    object_id = await diary.add({"text": LONG})
    async with diary.world.database.transaction() as connection:
        await connection.execute(delete(OBJECTS).where(OBJECTS.c.object_id == object_id))
    await diary.index(object_id, 1)
    assert await diary.world.entries(object_id) == {}


async def test_other_fields_make_other_entries_of_the_same_version(diary: Diary) -> None:
    """What a collection says of search may change while no object does."""
    object_id = await diary.add(BODY)
    await diary.alter(search={"fields": ["/title"]})
    await diary.index(object_id)
    [entry] = (await diary.world.entries(object_id)).values()
    assert (entry["content"], entry["_v"]) == ("Rain", 1)


async def test_a_model_that_fails_is_tried_again_later(diary: Diary) -> None:
    """The record goes to a retry topic and comes back; nothing else waits for it."""
    object_id = await diary.write(BODY)
    embed = diary.world.models.embed
    failures = [RecordTrouble("models", "it answered oddly")]

    async def once(texts: Sequence[str], **how: Any) -> list[list[float]]:
        if failures:
            raise failures.pop()
        return await embed(texts, **how)

    diary.world.models.embed = once  # type: ignore[method-assign]
    [waiting] = await diary.index(object_id)
    assert waiting.topic == "retry-5s"
    assert await diary.world.follow([waiting]) == []
    assert len(await diary.world.entries(object_id)) == 1


async def test_a_record_of_another_tenant_is_refused(diary: Diary) -> None:
    """It is a dead letter, and the object's entries stay."""
    object_id = await diary.add(BODY)
    diary.gpt_id = "another"
    left: Sequence[Record] = await diary.index(object_id, 1)
    assert [record.topic for record in left] == ["object-saved-dlq"]
    assert len(await diary.world.entries(object_id)) == 1


async def test_an_index_of_an_older_release_takes_objects(diary: Diary) -> None:
    """`migrate` gives it the fields that it lacks; its documents stay."""
    world = diary.world
    older = SearchIndex(world.search._client, name_prefix=f"{world.search.prefix}older-")
    made = index_body(Vectors("older", 4))
    fields = made["mappings"]["properties"]
    made["mappings"]["properties"] = {k: v for k, v in fields.items() if k not in ADDED}
    name = f"{older.alias}-v1-older-4"
    made["aliases"] = {older.alias: {}, write_alias(name): {}}
    await world.search._client.indices.create(index=name, body=made)
    content = await Objects(world.database).find(await diary.write(BODY))
    assert content is not None
    entries = content.entries(content.chunks, None, None)
    with pytest.raises(RuntimeError, match="strict"):
        await older.at(name).write(entries)

    assert await older.prepare("another", 3) == name

    await older.at(name).write(entries)
    assert len(await older.at(name).ids(content.id)) == 1
    await older.drop(name)
