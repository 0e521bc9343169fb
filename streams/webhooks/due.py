"""When an endpoint is to be tried next, which whoever changes what that depends on writes anew.

The endpoint's row is locked first, by a statement of its own, so that the next one sees all that
was committed before.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from streams.collections import rows

# In the order of the index of what is pending, so that each part looks at one row.
_WRITE: Final = """
UPDATE webhooks w SET due_at = CASE
    WHEN EXISTS (SELECT 1 FROM webhook_deliveries d
                 WHERE d.webhook_id = w.webhook_id AND d.state = 'pending' AND d.urgent)
        THEN clock_timestamp()
    WHEN w.state <> 'active' THEN NULL
    WHEN EXISTS (SELECT 1 FROM webhook_deliveries d
                 WHERE d.webhook_id = w.webhook_id AND d.state = 'pending' AND NOT d.urgent
                     AND d.retry_at IS NULL)
        THEN greatest(w.held_until, clock_timestamp())
    ELSE (SELECT greatest(w.held_until, d.retry_at) FROM webhook_deliveries d
          WHERE d.webhook_id = w.webhook_id AND d.state = 'pending' AND NOT d.urgent
          ORDER BY d.retry_at NULLS FIRST LIMIT 1)
    END
WHERE w.webhook_id = ANY(%s)
"""
_LOCK: Final = """
SELECT webhook_id FROM webhooks WHERE webhook_id = ANY(%s) ORDER BY webhook_id FOR NO KEY UPDATE
"""


async def lock(connection: AsyncConnection, webhook_ids: Sequence[str]) -> None:
    """Lock the rows of these endpoints until the commit."""
    await rows.fetch(connection, _LOCK, (list(webhook_ids),))


async def write(connection: AsyncConnection, webhook_ids: Sequence[str]) -> None:
    """Write when these endpoints are to be tried, whose rows are locked."""
    await connection.exec_driver_sql(_WRITE, (list(webhook_ids),))
