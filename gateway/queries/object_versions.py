"""Reads of an object's versions: the present one and those that are kept of before."""

from typing import Any, Final

from gateway.direct import Direct
from gateway.principal import Principal
from gateway.queries.objects import TIME

_ALL: Final = """
SELECT o.version, o.size_bytes, o.updated_at AS written_at, true AS current, o.body
FROM tenant_objects o WHERE o.object_id = %(id)s AND o.gpt_id = %(gpt_id)s AND o.deleted_at IS NULL
UNION ALL
SELECT v.version, v.size_bytes, v.written_at, false, v.body
FROM object_versions v WHERE v.object_id = %(id)s AND v.gpt_id = %(gpt_id)s
"""
_LIST: Final = f"""
SELECT version, size_bytes, to_char(written_at, '{TIME}'), current FROM ({_ALL}) each
ORDER BY version DESC"""  # noqa: S608 - of our own parts; values go as parameters
_ONE: Final = f"""
SELECT '{{"id":"' || %(id)s || '","collection":"' || %(collection)s || '","version":' || version
|| ',"size_bytes":' || size_bytes || ',"written_at":"' || to_char(written_at, '{TIME}')
|| '","current":' || current || ',"body":' || body::text || '}}'
FROM ({_ALL}) each WHERE version = %(version)s"""  # noqa: S608


async def listed(direct: Direct, principal: Principal, object_id: str) -> list[dict[str, Any]]:
    """Returns: number, size and time of each version, newest first; at most 101."""
    given = {"id": object_id, "gpt_id": principal.gpt_id}
    return [
        {"version": version, "size_bytes": size, "written_at": at, "current": current}
        for version, size, at, current in await direct.rows(principal.gpt_id, _LIST, given)
    ]


async def one(
    direct: Direct, principal: Principal, object_id: str, collection: str, version: int
) -> str | None:
    """Returns: the JSON of one version, if it is kept."""
    given = {
        "id": object_id,
        "gpt_id": principal.gpt_id,
        "collection": collection,
        "version": version,
    }
    row = await direct.row(principal.gpt_id, _ONE, given)
    return None if row is None else str(row[0])
