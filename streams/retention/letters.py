"""Dead letters that were redriven or discarded long ago go, once their step is not dead any more.

One on which nothing was decided stays: it waits for a decision.
"""

from datetime import timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from streams.collections import rows
from streams.retention.walk import Page, Place

_PAGE: Final = 500

# A record that could not be read names its step by its place alone.
_LOOK: Final = """
SELECT l.topic, l.partition, l.record_offset,
    l.state <> 'dead' AND l.decided_at < clock_timestamp() - %(keep)s::interval
    AND NOT EXISTS (
        SELECT 1 FROM steps s WHERE s.gpt_id = coalesce(l.gpt_id, '-') AND s.stage = l.stage
        AND s.part = coalesce(l.part, 0) AND s.state = 'dead' AND s.run_id = coalesce(
            l.run_id, 'undecodable:' || l.topic || '/' || l.partition || '/' || l.record_offset))
FROM dead_letters l
WHERE (l.topic, l.partition, l.record_offset) > (%(topic)s, %(partition)s::int, %(offset)s::bigint)
ORDER BY l.topic, l.partition, l.record_offset LIMIT %(page)s
"""
_REMOVE: Final = """
DELETE FROM dead_letters l USING unnest(%s::text[], %s::int[], %s::bigint[])
    AS n (topic, partition, record_offset)
WHERE l.topic = n.topic AND l.partition = n.partition AND l.record_offset = n.record_offset
    AND l.state <> 'dead'
"""


class Letters:
    """The walk through dead letters in the order of their places."""

    name = "dead_letters"

    async def page(self, connection: AsyncConnection, after: Place | None, keep: timedelta) -> Page:
        """Remove what is over in the next page."""
        place = dict(zip(("topic", "partition", "offset"), after or ("", -1, -1), strict=True))
        found = await rows.fetch(connection, _LOOK, {**place, "keep": keep, "page": _PAGE})
        over = [row[:3] for row in found if row[3]]
        removed = 0
        if over:
            gone = await connection.exec_driver_sql(_REMOVE, rows.columns(over))
            removed = gone.rowcount
        return Page(removed, tuple(found[-1][:3]) if len(found) == _PAGE else None)
