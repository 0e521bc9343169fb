"""Reading what a batch concerns, under locks that let no other writer in until the commit.

Locks are taken in one order everywhere: tenants, collections, objects, each sorted by id.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.writes import (
    CreateObject,
    DefineCollection,
    ExpireObject,
    Indexes,
    RestoreObject,
    Target,
    WriteBatch,
)
from streams.collections import rows
from streams.collections.rows import Row
from streams.collections.values import (
    Caller,
    Collection,
    Earlier,
    Limits,
    Loaded,
    Object,
    Tenant,
)

_TENANTS: Final = """
SELECT gpt_id, disabled_at IS NOT NULL, deleted_at IS NOT NULL, max_objects, max_bytes,
       object_count, byte_count, clock_timestamp()
FROM gpts WHERE gpt_id = ANY(%s) ORDER BY gpt_id FOR NO KEY UPDATE
"""
_COLLECTIONS: Final = """
SELECT collection_id, gpt_id, name, created_at, updated_at, description, json_schema::text, search,
       indexes, shape, shaped, keep_versions, default_ttl_s, max_objects, max_bytes, object_count,
       byte_count, sequence, last_created_at, version, deleted_at, forgotten_sequence,
       schema_checked
FROM collections
WHERE (gpt_id, name) IN (SELECT * FROM unnest(%s::text[], %s::text[])) AND deleted_at IS NULL
ORDER BY gpt_id, name FOR UPDATE
"""
_COUNTS: Final = """
SELECT gpt_id, dropped_sequence, (SELECT count(*) FROM collections
    WHERE collections.gpt_id = gpts.gpt_id AND deleted_at IS NULL)
FROM gpts WHERE gpt_id = ANY(%s)
"""
# By key: the one that bears it, though its time may be over, and the latest deleted one, whose
# versions the next one of that key goes on from; each end user has keys of its own. The outer join
# gives a row, and so the time, where there is no object.
_OBJECTS: Final = """
WITH by_key AS (
    SELECT * FROM unnest(%(collections)s::text[], %(keys)s::text[], %(subjects)s::text[])
                  AS wanted (collection_id, key, subject)
), found AS MATERIALIZED (
    SELECT object_id, gpt_id, collection_id, subject, key, body::text, size_bytes, version,
           sequence, created_at, updated_at, expires_at, deleted_at
    FROM objects WHERE object_id IN (
        SELECT unnest(%(ids)s::text[])
        UNION ALL
        SELECT o.object_id FROM by_key w JOIN objects o ON o.collection_id = w.collection_id
            AND o.key = w.key AND coalesce(o.subject COLLATE "C", '') = coalesce(w.subject, '')
            AND o.deleted_at IS NULL
        UNION ALL
        SELECT g.object_id FROM by_key w CROSS JOIN LATERAL (
            SELECT object_id FROM objects
            WHERE collection_id = w.collection_id AND key = w.key AND deleted_at IS NOT NULL
                  AND coalesce(subject COLLATE "C", '') = coalesce(w.subject, '')
            ORDER BY version DESC LIMIT 1) g
        UNION ALL
        SELECT b.object_id FROM objects t JOIN objects b ON b.collection_id = t.collection_id
            AND b.key = t.key AND coalesce(b.subject COLLATE "C", '') = coalesce(t.subject, '')
            AND b.deleted_at IS NULL
        WHERE t.object_id = ANY(%(restored)s)
        UNION ALL
        SELECT g.object_id FROM objects t CROSS JOIN LATERAL (
            SELECT object_id FROM objects
            WHERE collection_id = t.collection_id AND key = t.key AND deleted_at IS NOT NULL
                  AND coalesce(subject COLLATE "C", '') = coalesce(t.subject, '')
            ORDER BY version DESC LIMIT 1) g
        WHERE t.object_id = ANY(%(restored)s)
    ) ORDER BY object_id FOR UPDATE
)
SELECT clock_timestamp(), found.* FROM (SELECT) AS one LEFT JOIN found ON true
"""
_EARLIER: Final = """
SELECT object_id, version, gpt_id, collection_id, subject, body::text, size_bytes, written_at
FROM object_versions
WHERE (object_id, version) IN (SELECT * FROM unnest(%s::text[], %s::bigint[]))
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """One operation of a batch: who asks what of which collection."""

    caller: Caller
    name: str
    operation: Any


async def lock(connection: AsyncConnection, gpt_ids: Iterable[str]) -> None:
    """Lock these tenants: first of all, where the rest of a batch is read part by part."""
    await rows.fetch(connection, _TENANTS, (sorted(gpt_ids),))


async def load(connection: AsyncConnection, asked: Sequence[Asked], limits: Limits) -> Loaded:
    """Returns: all that these operations can concern, locked until the transaction ends."""
    single = [
        Asked(each.caller, each.name, one) for each in asked for one in _singles(each.operation)
    ]
    gpt_ids = sorted({each.caller.gpt_id for each in asked})
    now, tenants = await _tenants(connection, gpt_ids, limits)
    collections = await _collections(connection, asked)
    loaded = await _objects(connection, single, collections, now)
    loaded.tenants = tenants
    loaded.collections = {each.collection_id: each for each in collections.values()}
    if restores := [each for each in single if isinstance(each.operation, RestoreObject)]:
        loaded.earlier = await _earlier(connection, restores, loaded.objects)
    if any(isinstance(each.operation, DefineCollection) for each in asked):
        counted = await rows.fetch(connection, _COUNTS, (gpt_ids,))
        loaded.dropped_sequences = {gpt_id: last for gpt_id, last, _ in counted}
        loaded.collection_counts = {gpt_id: count for gpt_id, _, count in counted}
    return loaded


def _singles(operation: Any) -> Sequence[Any]:  # noqa: ANN401 - any operation
    return operation.operations if isinstance(operation, WriteBatch) else (operation,)


async def _tenants(
    connection: AsyncConnection, gpt_ids: Sequence[str], limits: Limits
) -> tuple[datetime | None, dict[str, Tenant]]:
    """Returns: the time, if there are any, and the tenants."""
    found = await rows.fetch(connection, _TENANTS, (gpt_ids,))
    now = found[-1][-1] if found else None
    return now, {
        gpt_id: Tenant(
            gpt_id,
            disabled,
            deleted,
            limits.max_objects if objects is None else objects,
            limits.max_bytes if size is None else size,
            *counts,
        )
        for gpt_id, disabled, deleted, objects, size, *counts, _ in found
    }


async def _collections(
    connection: AsyncConnection, asked: Iterable[Asked]
) -> dict[tuple[str, str], Collection]:
    places = sorted({(each.caller.gpt_id, each.name) for each in asked})
    found = [
        _collection(row) for row in await rows.fetch(connection, _COLLECTIONS, rows.columns(places))
    ]
    return {(each.gpt_id, each.name): each for each in found}


def _collection(row: Row) -> Collection:
    indexes = Indexes.model_validate(row[8])
    return Collection(*(*row[:8], indexes, *row[9:]))


async def _objects(
    connection: AsyncConnection,
    asked: Sequence[Asked],
    collections: dict[tuple[str, str], Collection],
    now: datetime | None,
) -> Loaded:
    """Returns: the objects that are meant; where none can be, Postgres is not asked again."""
    ids: set[str] = set()
    restored: set[str] = set()
    keys: set[tuple[str, str, str | None]] = set()
    for each in asked:
        collection = collections.get((each.caller.gpt_id, each.name))
        if collection is None:
            continue
        match each.operation:
            case ExpireObject(object_id=object_id):
                ids.add(object_id)
            case CreateObject(key=key) | Target(key=key) if key is not None:
                keys.add((collection.collection_id, key, each.caller.subject))
            case RestoreObject(object_id=object_id) if object_id is not None:
                restored.add(object_id)
            case Target(object_id=object_id) if object_id is not None:
                ids.add(object_id)
            case _:
                pass
    if now is not None and not (ids or restored or keys):
        return Loaded(now)
    by_key = rows.columns(list(keys), 3)
    names = ("collections", "keys", "subjects")
    parameters = {
        "ids": [*ids, *restored],
        "restored": list(restored),
        **dict(zip(names, by_key, strict=True)),
    }
    found = await rows.fetch(connection, _OBJECTS, parameters)
    objects = [Object(*row[1:]) for row in found if row[1] is not None]
    return Loaded(found[0][0], objects={each.object_id: each for each in objects})


async def _earlier(
    connection: AsyncConnection, restores: Sequence[Asked], objects: dict[str, Object]
) -> dict[tuple[str, int], Earlier]:
    """Returns: the versions that are to be restored, of all objects that may be meant."""
    versions = {each.operation.version for each in restores}
    named = {each.operation.object_id for each in restores}
    keys = {each.operation.key for each in restores} - {None}
    pairs = [
        (one.object_id, version)
        for one in objects.values()
        if one.object_id in named or one.key in keys
        for version in versions
    ]
    if not pairs:
        return {}
    found = await rows.fetch(connection, _EARLIER, rows.columns(pairs))
    return {(row[0], row[1]): Earlier(*row) for row in found}
