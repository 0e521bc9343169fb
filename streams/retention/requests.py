"""Requests that ended long ago go, with their steps.

What stays: a request of which a step is worked on or waits, or a dead letter is undecided; and the
one by which a living document came in, or its present run was asked for, because the document's
timeline tells of its steps, and a repeat of that request must find it.
"""

from datetime import timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from streams.collections import rows
from streams.retention.walk import ENDED, OF_A_LIVING_DOCUMENT, STANDING, Page, Place

_PAGE: Final = 500
_MOST_STEPS: Final = 5000
"""Steps that one page removes; long work that was handed over has thousands."""

_TENANT: Final = "SELECT min(gpt_id) FROM requests WHERE gpt_id > %s"
# In the order of an index that is there for lists, so that writes pay for no other one.
_LOOK: Final = f"""
SELECT r.created_at, r.request_id,
    r.status = ANY(%(ended)s)
    AND coalesce(r.completed_at, r.updated_at) < clock_timestamp() - %(keep)s::interval
    AND NOT EXISTS (
        SELECT 1 FROM steps s WHERE s.request_id = r.request_id AND NOT (
            s.state = ANY(%(standing)s)
            AND coalesce(s.finished_at, s.started_at) < clock_timestamp() - %(keep)s::interval))
    AND NOT EXISTS (
        SELECT 1 FROM dead_letters l WHERE l.request_id = r.request_id AND l.state = 'dead')
    AND NOT EXISTS (
        SELECT 1 FROM steps s WHERE s.request_id = r.request_id AND {OF_A_LIVING_DOCUMENT})
FROM requests r
WHERE r.gpt_id = %(gpt_id)s AND (r.created_at, r.request_id) > (%(at)s::timestamptz, %(id)s)
    AND r.created_at < clock_timestamp() - %(keep)s::interval
ORDER BY r.created_at, r.request_id LIMIT %(page)s FOR UPDATE OF r SKIP LOCKED
"""  # noqa: S608 - put together of our own parts; values go as parameters
_STEPS: Final = """
DELETE FROM steps WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM steps WHERE request_id = ANY(%s) LIMIT %s))
"""
_REMOVE: Final = "DELETE FROM requests WHERE request_id = ANY(%s)"
_FIRST: Final = ("-infinity", "")


class Requests:
    """The walk through requests, tenant by tenant, in the order in which they came."""

    name = "requests"

    async def page(self, connection: AsyncConnection, after: Place | None, keep: timedelta) -> Page:
        """Remove what is over in the next page."""
        gpt_id, *place = after or ("", None, None)
        if place == [None, None]:
            [(gpt_id,)] = await rows.fetch(connection, _TENANT, (gpt_id,))
            if gpt_id is None:
                return Page(0, None)
            place = list(_FIRST)
        found = await rows.fetch(
            connection,
            _LOOK,
            {
                "gpt_id": gpt_id,
                "at": place[0],
                "id": place[1],
                "keep": keep,
                "ended": ENDED,
                "standing": STANDING,
                "page": _PAGE,
            },
        )
        over = [request_id for _, request_id, is_over in found if is_over]
        removed = 0
        if over:
            steps = await connection.exec_driver_sql(_STEPS, (over, _MOST_STEPS))
            if steps.rowcount == _MOST_STEPS:
                return Page(steps.rowcount, (gpt_id, *place))
            gone = await connection.exec_driver_sql(_REMOVE, (over,))
            removed = steps.rowcount + gone.rowcount
        if len(found) < _PAGE:
            return Page(removed, (gpt_id, None, None))
        return Page(removed, (gpt_id, *found[-1][:2]))
