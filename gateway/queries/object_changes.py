"""The feed of a collection's changes: each object at the place of its latest change.

A collection's changes are numbered under its lock, in the order in which they are committed, so
whoever goes on from a number misses nothing.
"""

from typing import Final

from gateway.direct import Direct
from gateway.errors import ChangesExpired
from gateway.principal import Principal
from gateway.queries.collections import missing
from gateway.queries.object_pages import PAGE_CHARS
from gateway.queries.objects import ALIVE, HEAD, TIME

_ROW_CHARS: Final = 720
"""What a change takes beside its body, where its key and its end user's name are long."""

_PAGE: Final = f"""
SELECT c.sequence, c.forgotten_sequence, p.* FROM collections c LEFT JOIN LATERAL (
  SELECT o.sequence, CASE WHEN o.before < {PAGE_CHARS} THEN
    '{{"sequence":' || o.sequence || ',"id":"' || o.object_id || '","key":'
    || coalesce(to_json(o.key)::text, 'null') || ',"change":"'
    || CASE WHEN NOT o.alive THEN 'deleted' WHEN o.version = coalesce(o.first_version, 1)
       THEN 'created' ELSE 'updated' END
    || '","version":' || o.version || ',"changed_at":"' || to_char(o.updated_at, '{TIME}')
    || '","object":' || CASE WHEN o.alive THEN {HEAD} || o.body::text || '}}}}' ELSE 'null}}' END
    END
  FROM (
    SELECT o.*, {ALIVE} AS alive,
           sum(o.size_bytes + {_ROW_CHARS}) OVER (ORDER BY o.sequence ROWS UNBOUNDED PRECEDING)
           - o.size_bytes - {_ROW_CHARS} AS before
    FROM (
      SELECT o.* FROM tenant_objects o
      WHERE o.collection_id = c.collection_id AND o.gpt_id = c.gpt_id
        AND o.sequence > %(since)s {{subject}}
      ORDER BY o.sequence LIMIT {{limit}}) o) o
  ORDER BY o.sequence) p ON true
WHERE c.gpt_id = %(gpt_id)s AND c.name = %(name)s AND c.deleted_at IS NULL"""  # noqa: S608 - of our own parts


async def page(direct: Direct, principal: Principal, name: str, since: int, limit: int) -> str:
    """Returns: the JSON of what changed since a number, oldest first.

    Raises:
        NotFound: there is no such collection.
        ChangesExpired: something that was deleted since then is no longer known.
    """
    subject = "" if principal.subject is None else "AND o.subject = %(subject)s"
    given = {
        "gpt_id": principal.gpt_id,
        "subject": principal.subject,
        "name": name,
        "since": since,
    }
    # The limit is written out for the same reason as in lists of objects.
    statement = _PAGE.replace("{subject}", subject).replace("{limit}", str(int(limit) + 1))
    found = await direct.walk(principal.gpt_id, statement, given)
    if not found:
        raise missing(name)
    latest, forgotten = found[0][:2]
    if since > latest or 0 < since < forgotten:
        raise ChangesExpired(
            f"what happened since {since} is not known in full: the collection has been made anew, "
            "or it is too long ago; begin again with since=0, and drop what does not come"
        )
    items = [row for row in found[:limit] if row[3] is not None]
    has_more = len(found) > len(items) and found[0][2] is not None
    # Numbers behind the last item are changes of objects that came again later or are not seen.
    following = items[-1][2] if has_more else max(since, latest)
    texts = ",".join([row[3] for row in items])
    return (
        f'{{"items":[{texts}],"next_since":{following},'
        f'"has_more":{"true" if has_more else "false"},"latest":{latest}}}'
    )
