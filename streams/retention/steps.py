"""Steps whose request has no row, or none any more, go when they ended long ago.

Such are those of records that could not be read, of attachments, and of GPTs that were deleted.
"""

from datetime import timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from streams.collections import rows
from streams.retention.walk import OF_A_LIVING_DOCUMENT, STANDING, Page, Place

_PAGE: Final = 1000

_LOOK: Final = f"""
SELECT s.gpt_id, s.run_id, s.stage, s.part,
    s.state = ANY(%(standing)s)
    AND coalesce(s.finished_at, s.started_at) < clock_timestamp() - %(keep)s::interval
    AND NOT EXISTS (SELECT 1 FROM requests r WHERE r.request_id = s.request_id)
    AND NOT EXISTS (
        SELECT 1 FROM dead_letters l WHERE l.request_id = s.request_id AND l.state = 'dead')
    AND NOT {OF_A_LIVING_DOCUMENT}
FROM steps s
WHERE (s.gpt_id, s.run_id, s.stage, s.part) > (%(gpt_id)s, %(run_id)s, %(stage)s, %(part)s::int)
ORDER BY s.gpt_id, s.run_id, s.stage, s.part LIMIT %(page)s
"""  # noqa: S608 - put together of our own parts; values go as parameters
_REMOVE: Final = """
DELETE FROM steps s USING unnest(%s::text[], %s::text[], %s::text[], %s::int[])
    AS n (gpt_id, run_id, stage, part)
WHERE s.gpt_id = n.gpt_id AND s.run_id = n.run_id AND s.stage = n.stage AND s.part = n.part
    AND s.state = ANY(%s)
"""


class Steps:
    """The walk through the ledger in the order of its primary key."""

    name = "steps"

    async def page(self, connection: AsyncConnection, after: Place | None, keep: timedelta) -> Page:
        """Remove what is over in the next page."""
        place = zip(("gpt_id", "run_id", "stage", "part"), after or ("", "", "", -1), strict=True)
        given = {**dict(place), "keep": keep, "standing": STANDING, "page": _PAGE}
        found = await rows.fetch(connection, _LOOK, given)
        over = [row[:4] for row in found if row[4]]
        removed = 0
        if over:
            columns = rows.columns(over)
            gone = await connection.exec_driver_sql(_REMOVE, (*columns, STANDING))
            removed = gone.rowcount
        return Page(removed, tuple(found[-1][:4]) if len(found) == _PAGE else None)
