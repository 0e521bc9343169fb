"""Writing what a batch has come to: one statement a table, however many records there were."""

import json
from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.writes import Indexes
from streams.collections import derived, rows
from streams.collections.values import Collection, Object
from streams.collections.world import World

_TENANTS: Final = """
UPDATE gpts SET object_count = n.objects, byte_count = n.bytes
FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS n (gpt_id, objects, bytes)
WHERE gpts.gpt_id = n.gpt_id
"""
_COUNTS: Final = """
UPDATE collections AS c SET object_count = n.objects, byte_count = n.bytes, sequence = n.sequence,
       last_created_at = n.last_created_at
FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::timestamptz[])
     AS n (collection_id, objects, bytes, sequence, last_created_at)
WHERE c.collection_id = n.collection_id
"""
_COLLECTION: Final = """
INSERT INTO collections (collection_id, gpt_id, name, created_at, updated_at, description,
    json_schema, search, indexes, shape, shaped, keep_versions, default_ttl_s, max_objects,
    max_bytes, object_count, byte_count, sequence, last_created_at, version, deleted_at)
VALUES (%s, %s, %s, %s, %s, %s, %s::jsonb, %s::jsonb, %s::jsonb, %s, %s, %s, %s, %s, %s, %s, %s,
        %s, %s, %s, %s)
ON CONFLICT (collection_id) DO UPDATE SET updated_at = excluded.updated_at,
    description = excluded.description, json_schema = excluded.json_schema,
    search = excluded.search, indexes = excluded.indexes, shape = excluded.shape,
    shaped = excluded.shaped, keep_versions = excluded.keep_versions,
    default_ttl_s = excluded.default_ttl_s, max_objects = excluded.max_objects,
    max_bytes = excluded.max_bytes, object_count = excluded.object_count,
    byte_count = excluded.byte_count, sequence = excluded.sequence,
    last_created_at = excluded.last_created_at, version = excluded.version,
    deleted_at = excluded.deleted_at
"""
_WORDS: Final = (
    "CASE WHEN n.language IS NOT NULL THEN to_tsvector(n.language::regconfig, n.words) END"
)
# Deleted ones stand first, so that a key is free before another object takes it.
_OBJECTS: Final = """
INSERT INTO objects (object_id, gpt_id, collection_id, subject, key, body, size_bytes, version,
    sequence, created_at, updated_at, expires_at, deleted_at, slots, filterable, words, fragments)
SELECT n.object_id, n.gpt_id, n.collection_id, n.subject, n.key, n.body, n.size_bytes, n.version,
    n.sequence, n.created_at, n.updated_at, n.expires_at, n.deleted_at, n.slots, n.filterable,
    to_tsvector(n.language::regconfig, n.words), n.fragments
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::jsonb[], %s::int[],
    %s::bigint[], %s::bigint[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[],
    %s::timestamptz[], %s::jsonb[], %s::boolean[], %s::text[], %s::text[], %s::text[])
    WITH ORDINALITY AS n (object_id, gpt_id, collection_id, subject, key, body, size_bytes,
    version, sequence, created_at, updated_at, expires_at, deleted_at, slots, filterable, words,
    language, fragments, place)
ORDER BY n.place
ON CONFLICT (object_id) DO UPDATE SET body = excluded.body, size_bytes = excluded.size_bytes,
    version = excluded.version, sequence = excluded.sequence, updated_at = excluded.updated_at,
    expires_at = excluded.expires_at, deleted_at = excluded.deleted_at, slots = excluded.slots,
    filterable = excluded.filterable, words = excluded.words, fragments = excluded.fragments
"""
_RESHAPED: Final = """
UPDATE objects SET slots = n.slots, filterable = n.filterable, fragments = n.fragments,
       words = to_tsvector(n.language::regconfig, n.words)
FROM unnest(%s::text[], %s::jsonb[], %s::boolean[], %s::text[], %s::text[], %s::text[])
     AS n (object_id, slots, filterable, words, language, fragments)
WHERE objects.object_id = n.object_id
"""
_SUPERSEDED: Final = """
INSERT INTO object_versions (object_id, version, gpt_id, collection_id, subject, body, size_bytes,
                             written_at)
SELECT * FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::jsonb[],
                     %s::int[], %s::timestamptz[])
ON CONFLICT DO NOTHING
"""
_FORGOTTEN: Final = """
DELETE FROM object_versions AS v USING unnest(%s::text[], %s::bigint[]) AS n (object_id, floor)
WHERE v.object_id = n.object_id AND v.version <= n.floor
"""


async def save(connection: AsyncConnection, world: World) -> None:
    """Write what differs from what was loaded."""
    objects = world.changed_objects()
    await _save_collections(connection, world)
    await rows.write(connection, _OBJECTS, [_object(each, world) for each in objects])
    earlier = [
        (
            each.object_id,
            each.version,
            each.gpt_id,
            each.collection_id,
            each.subject,
            each.body,
            each.size_bytes,
            each.written_at,
        )
        for each in world.superseded()
    ]
    await rows.write(connection, _SUPERSEDED, earlier)
    changed = {each.object_id for each in objects} | set(world.forgotten)
    floors = [(one, world.floor(world.objects[one])) for one in sorted(changed)]
    await rows.write(connection, _FORGOTTEN, [each for each in floors if each[1] > 0])
    tenants = [
        (each.gpt_id, each.object_count, each.byte_count) for each in world.changed_tenants()
    ]
    await rows.write(connection, _TENANTS, tenants)


async def reshape(
    connection: AsyncConnection, indexes: Indexes, bodies: Iterable[tuple[str, str]]
) -> None:
    """Write the derived columns anew of objects, given as ids with their bodies' JSON texts."""
    reshaped = [(name, *_derived(indexes, body)) for name, body in bodies]
    await rows.write(connection, _RESHAPED, reshaped)


async def _save_collections(connection: AsyncConnection, world: World) -> None:
    counted: list[tuple[Any, ...]] = []
    for each in world.changed_collections():
        before = world.was(each)
        if before is not None and before.version == each.version:
            counted.append(
                (
                    each.collection_id,
                    each.object_count,
                    each.byte_count,
                    each.sequence,
                    each.last_created_at,
                )
            )
        else:
            await connection.exec_driver_sql(_COLLECTION, _collection(each))
    await rows.write(connection, _COUNTS, counted)


def _collection(one: Collection) -> tuple[Any, ...]:
    return (
        one.collection_id,
        one.gpt_id,
        one.name,
        one.created_at,
        one.updated_at,
        one.description,
        one.json_schema,
        None if one.search is None else json.dumps(one.search, ensure_ascii=False),
        one.indexes.model_dump_json(),
        one.shape,
        one.shaped,
        one.keep_versions,
        one.default_ttl_s,
        one.max_objects,
        one.max_bytes,
        one.object_count,
        one.byte_count,
        one.sequence,
        one.last_created_at,
        one.version,
        one.deleted_at,
    )


def _object(one: Object, world: World) -> tuple[Any, ...]:
    return (
        one.object_id,
        one.gpt_id,
        one.collection_id,
        one.subject,
        one.key,
        one.body,
        one.size_bytes,
        one.version,
        one.sequence,
        one.created_at,
        one.updated_at,
        one.expires_at,
        one.deleted_at,
        *(
            _derived(world.collections[one.collection_id].indexes, one.body)
            if one.deleted_at is None
            else _NOT_INDEXED
        ),
    )


def _derived(indexes: Indexes, body: str) -> tuple[Any, ...]:
    found = derived.of(indexes, body)
    return found.slots, found.filterable, found.words, found.language, found.fragments


_NOT_INDEXED: Final = (None, False, None, None, None)
