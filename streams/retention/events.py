"""Events that happened long ago go, each tenant's from its lowest number on.

So the numbers that are left have no gaps; `event_counters.forgotten_sequence` is the highest that
went. A tenant's latest event stays, however old it is.
"""

from datetime import timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from streams.collections import rows
from streams.retention.walk import Page, Place

_PAGE: Final = 2000

_TENANT: Final = """
SELECT c.gpt_id FROM event_counters c
CROSS JOIN LATERAL (SELECT e.sequence, e.created_at FROM events e WHERE e.gpt_id = c.gpt_id
                    ORDER BY e.sequence LIMIT 1) AS lowest
WHERE c.gpt_id >= %s AND lowest.sequence < c.last
    AND lowest.created_at < clock_timestamp() - %s::interval
ORDER BY c.gpt_id LIMIT 1
"""
# Up to the first one that stays, wherever a clock that was set back has put a later one.
_REMOVE: Final = """
WITH looked_at AS (
    SELECT e.sequence, e.created_at < clock_timestamp() - %(keep)s::interval
                       AND e.sequence < c.last AS is_over
    FROM event_counters c JOIN events e ON e.gpt_id = c.gpt_id
    WHERE c.gpt_id = %(gpt_id)s ORDER BY e.sequence LIMIT %(page)s
), kept AS (
    SELECT coalesce(min(sequence) FILTER (WHERE NOT is_over), max(sequence) + 1) AS first
    FROM looked_at
), gone AS (
    DELETE FROM events
    WHERE gpt_id = %(gpt_id)s AND sequence < (SELECT first FROM kept) RETURNING sequence
)
UPDATE event_counters
SET forgotten_sequence = greatest(forgotten_sequence, (SELECT max(sequence) FROM gone))
WHERE gpt_id = %(gpt_id)s RETURNING (SELECT count(*) FROM gone)
"""


class Events:
    """The walk through events, tenant by tenant."""

    name = "events"

    async def page(self, connection: AsyncConnection, after: Place | None, keep: timedelta) -> Page:
        """Remove what is over of the next tenant, as far as a page goes.

        A tenant of which more is over is the next one again.
        """
        place = after or ("",)
        found = await rows.fetch(connection, _TENANT, (*place, keep))
        if not found:
            return Page(0, None)
        [(gpt_id,)] = found
        given = {"gpt_id": gpt_id, "keep": keep, "page": _PAGE}
        [(removed,)] = await rows.fetch(connection, _REMOVE, given)
        return Page(removed, (gpt_id,))
