"""Clear: remove the objects of a deleted collection with all their versions, in parts.

Reads collection-deleted. Removes objects and object_versions, and in the end the collection's row;
emits object-saved for each object that the search index may hold, which then removes it.
"""

from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.sql.base import Executable

from schemas import topics
from schemas.ids import RUN, Ids
from schemas.tables import COLLECTIONS, OBJECT_VERSIONS, OBJECTS
from schemas.writes import CollectionDeleted, ObjectSaved
from streams.clients.postgres import Database
from streams.collections import walking
from streams.collections.walking import Passed
from streams.errors import InvalidMessage
from streams.stage import Outcome, Output, Scope, Stage, Work

_MOST: Final = 500


def stage(database: Database, ids: Ids) -> Stage[CollectionDeleted]:
    """Returns: the stage."""

    async def clear(message: CollectionDeleted, work: Work) -> Outcome:
        collection_id = message.collection_id
        await _require_tombstone(database, collection_id)
        passed = await walking.page(database, collection_id, "", most=_MOST)
        if not passed:
            return Outcome(_the_rest(collection_id))
        chosen = [each.object_id for each in passed]
        removed = [
            delete(table).where(table.c.object_id.in_(chosen))
            for table in (OBJECT_VERSIONS, OBJECTS)
        ]
        outputs = [_gone(ids, message, work, each) for each in passed if each.may_be_found]
        return Outcome(removed, outputs, hand_over=True)

    return Stage(
        "clear",
        topics.COLLECTION_DELETED,
        clear,
        scope=Scope.NOTHING,
        request=topics.WRITE_COLLECTION,
    )


async def _require_tombstone(database: Database, collection_id: str) -> None:
    """Raises: InvalidMessage: the collection was not deleted; a record alone deletes nothing."""
    query = select(COLLECTIONS.c.collection_id).where(
        COLLECTIONS.c.collection_id == collection_id, COLLECTIONS.c.deleted_at.is_(None)
    )
    async with database.transaction() as connection:
        if (await connection.execute(query)).one_or_none() is not None:
            detail = "The collection that the record names was not deleted."
            raise InvalidMessage("not_deleted", detail)


def _the_rest(collection_id: str) -> list[Executable]:
    return [
        delete(table).where(table.c.collection_id == collection_id)
        for table in (OBJECT_VERSIONS, COLLECTIONS)
    ]


def _gone(ids: Ids, message: CollectionDeleted, work: Work, one: Passed) -> Output:
    saved = ObjectSaved(
        run_id=ids.derive(RUN, work.gpt_id, one.object_id, one.version, "cleared"),
        object_id=one.object_id,
        collection_id=message.collection_id,
        version=one.version,
    )
    return Output(topics.OBJECT_SAVED, one.object_id, saved)
