"""Whether what a collection holds already fits its schema, or one that it is to have."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.writes import DefineCollection
from streams.collections import bodies, rows
from streams.collections.effort import Effort
from streams.collections.loading import Asked
from streams.collections.rejected import Rejected
from streams.collections.validation import Schema, ready
from streams.collections.values import Collection
from streams.collections.world import World

MOST_OBJECTS: Final = 20_000
MOST_BYTES: Final = 32 * 1024 * 1024
MOST_STEPS: Final = 10_000_000
"""What is checked within one write: some seconds, in which the collection's other writes wait."""
_SLICE_SECONDS: Final = 0.02
_NAMED: Final = 20
_PAGE: Final = 500
_BODIES: Final = """
SELECT object_id, body::text FROM objects
WHERE collection_id = %s AND deleted_at IS NULL AND object_id > %s
ORDER BY object_id LIMIT %s
"""


async def objection(
    connection: AsyncConnection, world: World, asked: Asked, judged: Callable[[], object]
) -> Rejected | None:
    """Returns: why a collection cannot have its schema, new or present, because of what it holds.

    `judged` does the rest of what is asked. Where that is refused, or nothing is asked of what is
    stored, there is none: looking costs seconds.
    """
    operation = asked.operation
    if not isinstance(operation, DefineCollection) or not operation.check_stored:
        return None
    collection = world.collection(asked.caller.gpt_id, asked.name)
    schema = None if collection is None else _schema(operation, collection)
    if collection is None or schema is None or _refused(world, judged):
        return None
    if collection.object_count > MOST_OBJECTS or collection.byte_count > MOST_BYTES:
        detail = (
            f"The collection holds {collection.object_count:,} objects in "
            f"{collection.byte_count:,} bytes; at most {MOST_OBJECTS:,} in {MOST_BYTES:,} are "
            "checked. Without the check, objects that do not fit stay until they are written; "
            "merging {} into an object tells whether it fits, and changes nothing."
        )
        return Rejected("too_large_to_check", detail, 409)
    try:
        found = await _misfits(connection, collection, schema)
    except Rejected as error:
        return error
    if not found:
        return None
    detail = f"Objects that are stored do not fit the schema: {', '.join(found)}."
    return Rejected("schema_breaks_stored", detail, 409)


def _schema(operation: DefineCollection, collection: Collection) -> dict[str, Any] | None:
    """Returns: the schema that the collection is to have; none where it is to have none."""
    if "json_schema" in operation.given:
        return operation.json_schema
    return None if collection.json_schema is None else json.loads(collection.json_schema)


def _refused(world: World, judged: Callable[[], object]) -> bool:
    mark = world.mark()
    try:
        judged()
    except Rejected:
        return True
    finally:
        world.undo(mark)
    return False


async def _misfits(
    connection: AsyncConnection, collection: Collection, wanted: dict[str, Any]
) -> list[str]:
    schema = ready(wanted)
    effort = Effort(MOST_STEPS)
    found: list[str] = []
    last = ""
    while len(found) < _NAMED:
        page = await rows.fetch(connection, _BODIES, (collection.collection_id, last, _PAGE))
        heard = time.monotonic()
        for name, body in page:
            if not _fits(schema, body, effort):
                found.append(name)
            # The validator lets no other thread run, so nothing but a pause lets others go on.
            if time.monotonic() > heard + _SLICE_SECONDS:
                await asyncio.sleep(0)
                heard = time.monotonic()
        if len(page) < _PAGE:
            break
        last = page[-1][0]
    return found[:_NAMED]


def _fits(schema: Schema, body: str, effort: Effort) -> bool:
    """Returns: whether a stored body fits.

    Raises: Rejected: that would take more effort than is left, or than one write of it may take.
    """
    steps = bodies.count(body) * (1 + schema.steps)
    Effort().spend(steps)
    effort.spend(steps)
    return schema.validator.is_valid(json.loads(body))
