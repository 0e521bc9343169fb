"""Objects that are there already: entered by SQL, as the product and as Kinto write them.

Millions of them over HTTP would take hours. Their ids are made as the product makes them; every
column bears what a write would have left in it; the counts of collection and tenant agree. Indexes
are dropped before and built again afterwards, and the tables are analysed.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Final, LiteralString

import psycopg
from psycopg import sql

from bench.kinto import COLLECTION
from schemas.ids import OBJECT, Ids

_ENTRIES: Final[LiteralString] = """
CREATE TEMPORARY TABLE entries AS
SELECT n, jsonb_build_object(
    'date', to_char(date '2016-01-01' + (n %% 3650)::int, 'YYYY-MM-DD'),
    'mood', 1 + n %% 5,
    'title', 'Entry ' || n,
    'text', 'Walked to the harbour before work, called ' ||
        (array['Anna', 'Bertil', 'Chidi', 'Dora'])[1 + n %% 4] ||
        ' about the weekend and cooked for two. Slept ' || 5 + n %% 4 || ' hours, read a little.',
    'tags', jsonb_build_array((array['home', 'work', 'family', 'travel'])[1 + n %% 4],
        'week-' || n %% 520),
    'weather', jsonb_build_object('sky', (array['rain', 'sun', 'clouds'])[1 + n %% 3],
        'temperature_c', round((n %% 300) / 10.0, 1)),
    'number', n) AS body
FROM generate_series(1::bigint, %(count)s) AS n
"""
"""Bodies of about 300 bytes; `n` counts from 1, so that filters can be aimed at any share."""

INDEXES: Final[Mapping[str, Any]] = {
    "equality": True,
    "ordered": ["/date", "/number"],
    "text": {"fields": ["/title", "/text"], "language": "english"},
}
"""What the collection declares that filters are measured on."""

FRAGMENTS: Final = {**INDEXES, "text": {**INDEXES["text"], "fragments": True}}
"""What the one declares that is sought by parts of words; the one of all other measures nothing."""

_OBJECTS: Final[LiteralString] = """
INSERT INTO objects (object_id, gpt_id, collection_id, body, size_bytes, version, sequence, slots,
                     filterable, words, fragments, created_at, updated_at)
SELECT object_id, %(gpt_id)s, %(collection_id)s, body, octet_length(body::text), 1, n,
       CASE WHEN %(indexed)s THEN jsonb_build_array(body -> 'date', body -> 'number') END,
       %(indexed)s,
       CASE WHEN %(indexed)s
            THEN to_tsvector('english', (body ->> 'title') || ' ' || (body ->> 'text')) END,
       CASE WHEN %(fragments)s THEN lower((body ->> 'title') || E'\\n' || (body ->> 'text')) END,
       timestamptz '2016-01-01' + n * interval '100 seconds',
       timestamptz '2016-01-01' + n * interval '100 seconds'
FROM made JOIN entries USING (n) ORDER BY n
"""
_COUNTS: Final[LiteralString] = """
WITH mine AS (SELECT count(*) AS objects, sum(size_bytes) AS bytes, max(sequence) AS sequence,
                     max(created_at) AS newest
              FROM objects WHERE collection_id = %(collection_id)s)
UPDATE collections SET object_count = mine.objects, byte_count = mine.bytes,
                       sequence = mine.sequence, last_created_at = mine.newest,
                       max_objects = 1000000000, max_bytes = 1000000000000
FROM mine WHERE collection_id = %(collection_id)s
"""
_TENANT: Final[LiteralString] = """
UPDATE gpts SET object_count = mine.objects, byte_count = mine.bytes,
                max_objects = 1000000000, max_bytes = 1000000000000
FROM (SELECT sum(object_count) AS objects, sum(byte_count) AS bytes FROM collections
      WHERE gpt_id = %(gpt_id)s) AS mine
WHERE gpt_id = %(gpt_id)s
"""
_KINTO_OBJECTS: Final[LiteralString] = """
INSERT INTO objects (id, parent_id, resource_name, last_modified, data, deleted)
SELECT gen_random_uuid()::text, %(parent)s, 'record',
       timestamp '2016-01-01' + n * interval '100 seconds', body, false
FROM entries ORDER BY n
"""
_KINTO_RIGHTS: Final[LiteralString] = """
INSERT INTO access_control_entries (object_id, permission, principal)
SELECT parent_id || '/records/' || id, 'write', owner.principal
FROM objects,
     (SELECT principal FROM access_control_entries
      WHERE object_id = %(parent)s AND permission = 'write') AS owner
WHERE parent_id = %(parent)s AND resource_name = 'record'
"""


@dataclass(frozen=True, slots=True)
class Place:
    """The collection that objects are entered into."""

    gpt_id: str
    collection_id: str
    indexed: bool
    fragments: bool = False


def enter(url: str, ids: Ids, places: list[Place], count: int) -> None:
    """Have each collection hold so many objects, and no others.

    Args:
        url: of the product's database, of a role that may drop indexes.
        ids: makes the objects' ids.
        places: empty collections, or those that this has filled before.
        count: objects a collection.
    """
    with psycopg.connect(url) as connection:
        connection.execute("TRUNCATE objects, object_versions")
        connection.execute(_ENTRIES, {"count": count})
        with _without_indexes(connection, "objects"):
            for place in places:
                _copy_ids(connection, ids, place.gpt_id, count)
                for statement in (_OBJECTS, _COUNTS, _TENANT):
                    connection.execute(statement, asdict(place))
        connection.commit()
        _tidy(connection, "objects", "object_versions", "collections", "gpts")


def enter_into_kinto(url: str, count: int) -> None:
    """Have Kinto's collection hold so many records, and no others."""
    values = {"parent": COLLECTION, "count": count}
    with psycopg.connect(url) as connection:
        with (
            _without_indexes(connection, "objects"),
            _without_indexes(connection, "access_control_entries"),
        ):
            connection.execute(_ENTRIES, values)
            connection.execute("ALTER TABLE objects DISABLE TRIGGER USER")
            connection.execute(
                "DELETE FROM objects WHERE parent_id = %(parent)s AND resource_name = 'record'",
                values,
            )
            connection.execute(
                "DELETE FROM access_control_entries"
                " WHERE object_id LIKE %(parent)s || '/records/%%'",
                values,
            )
            connection.execute(_KINTO_OBJECTS, values)
            connection.execute(_KINTO_RIGHTS, values)
            connection.execute("ALTER TABLE objects ENABLE TRIGGER USER")
        connection.commit()
        _tidy(connection, "objects", "access_control_entries")


def column(url: str, query: LiteralString, **values: object) -> list[Any]:
    """Returns: the first column of a query with named values."""
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute(query, values)]


def _copy_ids(connection: psycopg.Connection, ids: Ids, gpt_id: str, count: int) -> None:
    connection.execute("DROP TABLE IF EXISTS made")
    connection.execute("CREATE TEMPORARY TABLE made (object_id text, n bigint)")
    with connection.cursor().copy("COPY made FROM STDIN") as copy:
        for number in range(1, count + 1):
            copy.write(f"{ids.mint(OBJECT, gpt_id)}\t{number}\n")


@contextmanager
def _without_indexes(connection: psycopg.Connection, table: str) -> Iterator[None]:
    """Drop what indexes a table has beside its primary key, and build them again at the end."""
    found = connection.execute(
        "SELECT indexname, indexdef FROM pg_indexes"
        " WHERE schemaname = 'public' AND tablename = %s AND indexname NOT LIKE '%%_pkey'",
        (table,),
    ).fetchall()
    for name, _ in found:
        connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
    yield
    connection.execute("SET LOCAL maintenance_work_mem = '512MB'")
    for _, definition in found:
        connection.execute(definition)


def _tidy(connection: psycopg.Connection, *tables: str) -> None:
    """Do what autovacuum would have done in the meantime."""
    connection.autocommit = True
    for table in tables:
        connection.execute(sql.SQL("VACUUM ANALYZE {}").format(sql.Identifier(table)))
    connection.execute("CHECKPOINT")


def example() -> dict[str, object]:
    """Returns: the body of a new object, as large as those that are stored."""
    return {
        "date": "2026-11-01",
        "mood": 3,
        "title": "Entry of today",
        "text": "Walked to the harbour before work, called Anna about the weekend and cooked for"
        " two. Slept 6 hours, read a little.",
        "tags": ["home", "week-44"],
        "weather": {"sky": "rain", "temperature_c": 12.5},
        "number": 0,
    }
