"""Walking through a collection's objects in the order of their ids, page by page."""

from dataclasses import dataclass
from typing import Final

from schemas.writes import CollectionReshaped, Indexes
from streams.clients.postgres import Database
from streams.collections import rows, saving

_PAGE: Final = """
SELECT object_id, version, indexed_version IS NOT NULL OR entry_count > 0 FROM objects
WHERE collection_id = %s AND object_id > %s ORDER BY object_id LIMIT %s
"""
# The lock keeps a change of what is indexed out, until what is derived here by the old is written.
_INDEXES: Final = """
SELECT indexes, shape, shaped FROM collections
WHERE collection_id = %s AND deleted_at IS NULL FOR SHARE
"""
_BODIES: Final = """
SELECT object_id, version, body::text FROM objects
WHERE collection_id = %s AND object_id > %s AND deleted_at IS NULL
ORDER BY object_id LIMIT %s FOR UPDATE
"""


@dataclass(frozen=True, slots=True)
class Passed:
    """An object that a walk has passed; `may_be_found` says that the search index may hold it."""

    object_id: str
    version: int
    may_be_found: bool


async def page(database: Database, collection_id: str, after: str, *, most: int) -> list[Passed]:
    """Returns: the next objects behind `after`, tombstones among them."""
    async with database.transaction() as connection:
        found = await rows.fetch(connection, _PAGE, (collection_id, after, most))
    return [Passed(*row) for row in found]


async def reshape(
    database: Database, message: CollectionReshaped, after: str, *, most: int
) -> list[Passed]:
    """Have the next live objects behind `after` bear what the collection's indexes need now.

    Where they do already, or a later change of the indexes has its own record, nothing is written.

    Returns: these objects.
    """
    async with database.transaction() as connection:
        found = await rows.fetch(connection, _INDEXES, (message.collection_id,))
        if not found:
            return []
        [(indexes, shape, shaped)] = found
        place = (message.collection_id, after, most)
        objects = await rows.fetch(connection, _BODIES, place)
        if shaped != shape == message.shape:
            bodies = [(object_id, body) for object_id, _, body in objects]
            await saving.reshape(connection, Indexes.model_validate(indexes), bodies)
    return [Passed(object_id, version, may_be_found=True) for object_id, version, _ in objects]
