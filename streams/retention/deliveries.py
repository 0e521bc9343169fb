"""Deliveries of webhooks of long ago go, with those whose endpoint is gone.

One that still waits goes with its event, without which it cannot be delivered.
"""

from datetime import timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from streams.collections import rows
from streams.retention.walk import Page, Place

_PAGE: Final = 1000

# In the order of the index; what was sent again by hand is as old as that.
_LOOK: Final = """
SELECT d.gpt_id, d.webhook_id, d.sequence, d.delivery_id,
    greatest(d.created_at, d.settled_at) < clock_timestamp() - %(keep)s::interval
    OR NOT EXISTS (SELECT 1 FROM webhooks w WHERE w.webhook_id = d.webhook_id)
FROM webhook_deliveries d
WHERE (d.gpt_id, d.webhook_id, d.sequence) > (%(gpt_id)s, %(webhook_id)s, %(sequence)s::bigint)
ORDER BY d.gpt_id, d.webhook_id, d.sequence LIMIT %(page)s
"""
_REMOVE: Final = "DELETE FROM webhook_deliveries WHERE delivery_id = ANY(%s)"


class Deliveries:
    """The walk through deliveries, endpoint by endpoint."""

    name = "webhook_deliveries"

    async def page(self, connection: AsyncConnection, after: Place | None, keep: timedelta) -> Page:
        """Remove what is over in the next page."""
        place = dict(zip(("gpt_id", "webhook_id", "sequence"), after or ("", "", -1), strict=True))
        found = await rows.fetch(connection, _LOOK, {**place, "keep": keep, "page": _PAGE})
        over = [row[3] for row in found if row[4]]
        if over:
            await connection.exec_driver_sql(_REMOVE, (over,))
        return Page(len(over), tuple(found[-1][:3]) if len(found) == _PAGE else None)
