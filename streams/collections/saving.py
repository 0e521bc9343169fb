"""Writing what a batch has come to: one statement a table, however many records there were."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.writes import Indexes
from streams.clients import postgres
from streams.collections import derived, rows
from streams.collections.values import Collection, Earlier, Object
from streams.collections.world import World

_COLLECTION: Final = """
INSERT INTO collections (collection_id, gpt_id, name, created_at, updated_at, description,
    json_schema, search, indexes, shape, shaped, keep_versions, default_ttl_s, max_objects,
    max_bytes, object_count, byte_count, sequence, last_created_at, version, deleted_at,
    forgotten_sequence, schema_checked)
VALUES (%s, %s, %s, %s, %s, %s, %s::jsonb, %s::jsonb, %s::jsonb, %s, %s, %s, %s, %s, %s, %s, %s,
        %s, %s, %s, %s, %s, %s)
ON CONFLICT (collection_id) DO UPDATE SET updated_at = excluded.updated_at,
    description = excluded.description, json_schema = excluded.json_schema,
    search = excluded.search, indexes = excluded.indexes, shape = excluded.shape,
    shaped = excluded.shaped, keep_versions = excluded.keep_versions,
    default_ttl_s = excluded.default_ttl_s, max_objects = excluded.max_objects,
    max_bytes = excluded.max_bytes, object_count = excluded.object_count,
    byte_count = excluded.byte_count, sequence = excluded.sequence,
    last_created_at = excluded.last_created_at, version = excluded.version,
    deleted_at = excluded.deleted_at, schema_checked = excluded.schema_checked
"""
_DROPPED: Final = """
UPDATE gpts SET dropped_sequence = greatest(dropped_sequence, %s) WHERE gpt_id = %s
"""
# One statement, because each costs the way to the server and back. Objects are entered in their
# order, in which deleted ones stand first, so that a key is free before another object takes it. As
# JSON they cost the driver a third of what arrays cost.
_SAVE: Final = """
WITH objects AS (
    INSERT INTO objects (object_id, gpt_id, collection_id, subject, key, body, size_bytes, version,
        sequence, created_at, updated_at, expires_at, deleted_at, slots, filterable, words,
        fragments, first_version)
    SELECT object_id, gpt_id, collection_id, subject, key, body, size_bytes, version, sequence,
        created_at, updated_at, expires_at, deleted_at, slots, filterable,
        to_tsvector(language::regconfig, words), fragments, first_version
    FROM json_to_recordset(%s::json) AS n (object_id text, gpt_id text, collection_id text,
        subject text, key text, body jsonb, size_bytes int, version bigint, sequence bigint,
        created_at timestamptz, updated_at timestamptz, expires_at timestamptz,
        deleted_at timestamptz, slots jsonb, filterable boolean, words text, language text,
        fragments text, first_version bigint)
    ON CONFLICT (object_id) DO UPDATE SET body = excluded.body, size_bytes = excluded.size_bytes,
        version = excluded.version, sequence = excluded.sequence, updated_at = excluded.updated_at,
        expires_at = excluded.expires_at, deleted_at = excluded.deleted_at, slots = excluded.slots,
        filterable = excluded.filterable, words = excluded.words, fragments = excluded.fragments,
        first_version = coalesce(excluded.first_version, objects.first_version)
), kept AS (
    INSERT INTO object_versions
    SELECT * FROM json_populate_recordset(NULL::object_versions, %s::json) ON CONFLICT DO NOTHING
), dropped AS (
    DELETE FROM object_versions AS v
    USING unnest(%s::text[], %s::bigint[]) AS n (object_id, floor)
    WHERE v.object_id = n.object_id AND v.version <= n.floor
), tenants AS (
    UPDATE gpts SET object_count = n.objects, byte_count = n.bytes
    FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS n (gpt_id, objects, bytes)
    WHERE gpts.gpt_id = n.gpt_id
)
UPDATE collections AS c SET object_count = n.objects, byte_count = n.bytes, sequence = n.sequence,
       last_created_at = n.last_created_at
FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::timestamptz[])
     AS n (collection_id, objects, bytes, sequence, last_created_at)
WHERE c.collection_id = n.collection_id
"""
_RESHAPED: Final = """
UPDATE objects SET slots = n.slots, filterable = n.filterable, fragments = n.fragments,
       words = to_tsvector(n.language::regconfig, n.words)
FROM json_to_recordset(%s::json) AS n (object_id text, slots jsonb, filterable boolean, words text,
    language text, fragments text)
WHERE objects.object_id = n.object_id
"""


async def save(connection: AsyncConnection, world: World) -> None:
    """Write what differs from what was loaded."""
    for each in world.redefined_collections():
        await postgres.execute(connection, _COLLECTION, _collection(each))
        if each.deleted_at is not None:
            await postgres.execute(connection, _DROPPED, (each.sequence, each.gpt_id))
    objects, counted = world.changed_objects(), world.counted_collections()
    earlier, floors = world.superseded(), world.floors()
    if not (objects or counted or earlier or floors):
        return
    entries = [_object(each, world.collections[each.collection_id]) for each in objects]
    tenants = world.changed_tenants()
    given = (
        _array(entries),
        _array([_earlier(each) for each in earlier]),
        *rows.columns(floors, 2),
        *rows.columns([(each.gpt_id, each.object_count, each.byte_count) for each in tenants], 3),
        *rows.columns([_counts(each) for each in counted], 5),
    )
    await postgres.execute(connection, _SAVE, given)


async def reshape(
    connection: AsyncConnection, indexes: Indexes, bodies: Iterable[tuple[str, str]]
) -> None:
    """Write the derived columns anew of objects, given as ids with their bodies' JSON texts."""
    entries = [
        _json({"object_id": name, **derived.of(indexes, body).columns()}) for name, body in bodies
    ]
    if entries:
        await postgres.execute(connection, _RESHAPED, (_array(entries),))


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
        one.forgotten_sequence,
        one.schema_checked,
    )


def _counts(one: Collection) -> tuple[Any, ...]:
    return (
        one.collection_id,
        one.object_count,
        one.byte_count,
        one.sequence,
        one.last_created_at,
    )


def _object(one: Object, collection: Collection) -> str:
    indexes = collection.indexes if one.deleted_at is None else Indexes()
    return _json(
        {
            "object_id": one.object_id,
            "gpt_id": one.gpt_id,
            "collection_id": one.collection_id,
            "subject": one.subject,
            "key": one.key,
            "size_bytes": one.size_bytes,
            "version": one.version,
            "sequence": one.sequence,
            "created_at": one.created_at,
            "updated_at": one.updated_at,
            "expires_at": one.expires_at,
            "deleted_at": one.deleted_at,
            # Seldom there, and what is absent is null.
            **({} if one.first_version is None else {"first_version": one.first_version}),
            **derived.of(indexes, one.body).columns(),
        },
        one.body,
    )


def _earlier(one: Earlier) -> str:
    return _json(
        {
            "object_id": one.object_id,
            "version": one.version,
            "gpt_id": one.gpt_id,
            "collection_id": one.collection_id,
            "subject": one.subject,
            "size_bytes": one.size_bytes,
            "written_at": one.written_at,
        },
        one.body,
    )


def _json(row: dict[str, Any], body: str | None = None) -> str:
    """Returns: a row as JSON, with its body, which is JSON text already."""
    text = json.dumps(row, ensure_ascii=False, default=datetime.isoformat)
    return text if body is None else f'{text[:-1]}, "body": {body}}}'


def _array(entries: Sequence[str]) -> str:
    return f"[{','.join(entries)}]"
