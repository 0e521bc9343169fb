"""Whether what a collection holds already fits a schema that it is to have from now on."""

import json
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.writes import DefineCollection
from streams.collections import bodies, rows
from streams.collections.effort import Effort
from streams.collections.loading import Asked
from streams.collections.rejected import Rejected
from streams.collections.validation import ready
from streams.collections.values import Collection
from streams.collections.world import World

MOST_OBJECTS: Final = 20_000
MOST_BYTES: Final = 32 * 1024 * 1024
MOST_STEPS: Final = 10_000_000
"""What is checked within one write: some seconds, in which the collection's other writes wait."""
_NAMED: Final = 20
_PAGE: Final = 500
_BODIES: Final = """
SELECT object_id, body::text FROM objects
WHERE collection_id = %s AND deleted_at IS NULL AND object_id > %s
ORDER BY object_id LIMIT %s
"""


async def objection(connection: AsyncConnection, world: World, asked: Asked) -> Rejected | None:
    """Returns: why a collection cannot have the schema that is asked for, of what it holds.

    None where the operation does not ask for the check, or is refused for other reasons anyway.
    """
    operation = asked.operation
    if not isinstance(operation, DefineCollection) or not operation.check_stored:
        return None
    collection = world.collection(asked.caller.gpt_id, asked.name)
    if collection is None or operation.json_schema is None:
        return None
    if collection.object_count > MOST_OBJECTS or collection.byte_count > MOST_BYTES:
        detail = (
            f"The collection holds {collection.object_count:,} objects in "
            f"{collection.byte_count:,} bytes; at most {MOST_OBJECTS:,} in {MOST_BYTES:,} are "
            "checked. Without the check, objects that do not fit stay until they are written."
        )
        return Rejected("too_large_to_check", detail, 409)
    try:
        found = await _misfits(connection, collection, operation)
    except Rejected as error:
        return error
    if not found:
        return None
    detail = f"Objects that are stored do not fit the schema: {', '.join(found)}."
    return Rejected("schema_breaks_stored", detail, 409)


async def _misfits(
    connection: AsyncConnection, collection: Collection, operation: DefineCollection
) -> list[str]:
    try:
        schema = ready(operation.json_schema or {})
    except Rejected:
        return []
    effort = Effort(MOST_STEPS)
    found: list[str] = []
    last = ""
    while len(found) < _NAMED:
        page = await rows.fetch(connection, _BODIES, (collection.collection_id, last, _PAGE))
        for name, body in page:
            effort.spend(bodies.count(body) * (1 + schema.steps))
            if not schema.validator.is_valid(json.loads(body)):
                found.append(name)
        if len(page) < _PAGE:
            break
        last = page[-1][0]
    return found[:_NAMED]
