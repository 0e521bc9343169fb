"""Reads of objects: one, by id or by key, as ready JSON.

Postgres writes the JSON that clients get, so that no body is parsed on its way out.
"""

from dataclasses import dataclass
from typing import Final

from gateway.direct import Direct
from gateway.principal import Principal
from gateway.queries.scope import seen

TIME: Final = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
"""RFC 3339 in UTC with microseconds, in the language of to_char."""


def head(created_at: str, updated_at: str) -> str:
    """Returns: SQL of an object's JSON up to its body, given the SQL of its two times as texts.

    It stands among the rows `c` of its collection and `o` of its own. One concat costs half of what
    as many concatenations do, and each to_char of a page as much as reading its row.
    """
    return f"""concat('{{"id":"', o.object_id, '","gpt_id":"', o.gpt_id,
'","collection":"', c.name, '","key":', coalesce(to_json(o.key)::text, 'null'),
',"subject":', coalesce(to_json(o.subject)::text, 'null'),
',"version":', o.version, ',"size_bytes":', o.size_bytes,
',"created_at":"', {created_at}, '","updated_at":"', {updated_at},
'","expires_at":', coalesce('"' || to_char(o.expires_at, '{TIME}') || '"', 'null'), ',"body":')"""


HEAD: Final = head(f"to_char(o.created_at, '{TIME}')", f"to_char(o.updated_at, '{TIME}')")

ALIVE: Final = "o.deleted_at IS NULL AND (o.expires_at IS NULL OR o.expires_at > now())"
"""That an object is there, neither deleted nor past its time."""

_ONE: Final = f"""
SELECT o.version, c.name, o.object_id, {HEAD}, o.body::text
FROM tenant_objects o JOIN collections c ON c.collection_id = o.collection_id
WHERE c.deleted_at IS NULL AND {ALIVE} AND o.gpt_id = %s AND """  # noqa: S608 - of our own parts; values go as parameters
_BY_ID: Final = _ONE + "o.object_id = %s"
_BY_KEY: Final = f"""
{_ONE} c.gpt_id = o.gpt_id AND c.name = %s AND o.key = %s
AND coalesce(o.subject COLLATE "C", '') = %s
"""
_WHERE: Final = """
SELECT c.name, o.version, c.deleted_at IS NULL AND o.deleted_at IS NULL
       AND (o.expires_at IS NULL OR o.expires_at > now()), c.deleted_at IS NULL
FROM tenant_objects o JOIN collections c ON c.collection_id = o.collection_id
WHERE o.object_id = %s AND o.gpt_id = %s"""


@dataclass(frozen=True, slots=True)
class Found:
    """One object: its JSON is `head`, the JSON of its body, and a brace."""

    version: int
    collection: str
    object_id: str
    head: str
    body: str


@dataclass(frozen=True, slots=True)
class Located:
    """In which collection an object is or was; `alive`: it still is; `shelved`: the collection is.

    What a deleted collection held stays for a while, until it has been removed.
    """

    collection: str
    version: int
    alive: bool
    shelved: bool


async def by_id(direct: Direct, principal: Principal, object_id: str) -> Found | None:
    """Returns: an object that this caller sees, if it is there."""
    scope, subject = seen(principal)
    given = (principal.gpt_id, object_id, *subject)
    row = await direct.row(principal.gpt_id, _BY_ID + scope, given)
    return None if row is None else Found(*row)


async def by_key(direct: Direct, principal: Principal, name: str, key: str) -> Found | None:
    """Returns: the object of that key in the collection of that name, if it is there.

    Each end user has keys of its own; a caller without a subject gets what belongs to none.
    """
    given = (principal.gpt_id, name, key, principal.subject or "")
    row = await direct.row(principal.gpt_id, _BY_KEY, given)
    return None if row is None else Found(*row)


async def located(direct: Direct, principal: Principal, object_id: str) -> Located | None:
    """Returns: where an object is, or was before it was deleted; none where nothing is known."""
    scope, subject = seen(principal)
    given = (object_id, principal.gpt_id, *subject)
    row = await direct.row(principal.gpt_id, _WHERE + scope, given)
    return None if row is None else Located(*row)


_BODY: Final = """
SELECT body::text FROM tenant_objects WHERE object_id = %(id)s AND gpt_id = %(gpt_id)s
AND version = %(version)s AND deleted_at IS NULL
UNION ALL
SELECT body::text FROM object_versions WHERE object_id = %(id)s AND gpt_id = %(gpt_id)s
AND version = %(version)s
LIMIT 1
"""


async def body(direct: Direct, gpt_id: str, object_id: str, version: int) -> str | None:
    """Returns: the JSON of the body that an object had at a version, if it is still kept."""
    given = {"id": object_id, "gpt_id": gpt_id, "version": version}
    row = await direct.row(gpt_id, _BODY, given)
    return None if row is None else str(row[0])
