"""Reads of collections: one, and a page of them by name."""

from dataclasses import dataclass
from typing import Any, Final

from gateway.direct import Direct
from gateway.errors import NotFound
from gateway.principal import Principal
from gateway.queries.objects import TIME
from schemas.json_values import escaped

_JSON: Final = f"""json_build_object(
'name', name, 'gpt_id', gpt_id, 'description', description, 'schema', json_schema,
'schema_checked', schema_checked, 'search', search, 'indexes', indexes,
'indexes_ready', shape = shaped, 'keep_versions', keep_versions,
'default_ttl_s', default_ttl_s, 'max_objects', max_objects, 'max_bytes', max_bytes,
'object_count', object_count, 'byte_count', byte_count,
'version', version, 'sequence', sequence, 'created_at', to_char(created_at, '{TIME}'),
'updated_at', to_char(updated_at, '{TIME}'))::text"""
_FROM: Final = "FROM collections WHERE gpt_id = %(gpt_id)s AND deleted_at IS NULL"
_ONE: Final = f"SELECT version, {_JSON} {_FROM} AND name = %(name)s"
_PAGE_CHARS: Final = 90_000
"""About what a page holds at most, if it has more than one collection; GPTs take 100,000."""
_NEXT: Final = f"""
SELECT name, {_JSON} AS one
FROM (SELECT * {_FROM} AND name > {{place}} ORDER BY name LIMIT 1) next_one"""  # noqa: S608 - as below
# One after the other: of what a page has no room for, Postgres is to read and write one at most.
_PAGE: Final = f"""
WITH RECURSIVE page AS (
  SELECT name, one, length(one) + 1 AS total, 1 AS number
  FROM ({_NEXT.format(place="%(after)s")}) f
  UNION ALL
  SELECT f.name, f.one, p.total + length(f.one) + 1, p.number + 1
  FROM page p CROSS JOIN LATERAL ({_NEXT.format(place="p.name")}) f
  WHERE (p.total <= {_PAGE_CHARS} OR p.number = 1) AND p.number <= %(limit)s
)
SELECT name, CASE WHEN number = 1 OR total <= {_PAGE_CHARS} THEN one END
FROM page ORDER BY number"""  # noqa: S608 - of our own parts; values go as parameters
_SHAPE: Final = f"SELECT indexes, shape = shaped, object_count {_FROM} AND name = %(name)s"


@dataclass(frozen=True, slots=True)
class Shape:
    """Which indexes a collection declares, whether all its objects are in them, and how many."""

    indexes: dict[str, Any]
    ready: bool
    object_count: int

    def slot(self, path: tuple[str, ...]) -> int | None:
        """Returns: which of the ordered indexes is on a path, if one is."""
        pointer = "".join(f"/{escaped(part)}" for part in path)
        ordered = self.indexes.get("ordered") or ()
        return ordered.index(pointer) if pointer in ordered else None


def missing(name: str) -> NotFound:
    """Returns: the error that there is no collection of that name."""
    return NotFound(f"there is no collection {name}; GET …/collections lists those that there are")


def _named(principal: Principal, name: str) -> dict[str, str]:
    return {"gpt_id": principal.gpt_id, "name": name}


async def one(direct: Direct, principal: Principal, name: str) -> tuple[int, str]:
    """Returns: a collection's version and its JSON. Raises: NotFound: there is none."""
    row = await direct.row(principal.gpt_id, _ONE, _named(principal, name))
    if row is None:
        raise missing(name)
    return row[0], row[1]


async def page(
    direct: Direct, principal: Principal, limit: int, after: str
) -> tuple[list[tuple[str, str]], bool]:
    """Returns: name and JSON of the collections behind a name, by name; and whether more follow.

    As many as `limit` and the size of a page allow, at least one.
    """
    given = {"gpt_id": principal.gpt_id, "after": after, "limit": limit}
    found = await direct.walk(principal.gpt_id, _PAGE, given)
    items = [(row[0], row[1]) for row in found[:limit] if row[1] is not None]
    return items, len(found) > len(items)


async def shape(direct: Direct, principal: Principal, name: str) -> Shape:
    """Returns: what of a collection is indexed. Raises: NotFound: there is none."""
    row = await direct.row(principal.gpt_id, _SHAPE, _named(principal, name))
    if row is None:
        raise missing(name)
    return Shape(indexes=row[0], ready=row[1], object_count=row[2])
