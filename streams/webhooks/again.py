"""Delivering again by hand: deliveries that are named, or all of a time."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.states import DeliveryState
from schemas.webhooks import Redeliver
from streams.collections import rows
from streams.errors import Refused
from streams.webhooks import due
from streams.webhooks.changes import Change

MOST: Final = 10_000
"""Deliveries that one request sends again; its answer says where the next one begins."""

# All of them or none.
_NAMED: Final = """
UPDATE webhook_deliveries SET state = 'pending', urgent = true, attempts_before = attempts,
    retry_at = NULL, settled_at = NULL, error = NULL
WHERE gpt_id = %(gpt_id)s AND webhook_id = %(webhook_id)s AND delivery_id = ANY(%(ids)s)
    AND cardinality(%(ids)s) = (
        SELECT count(*) FROM webhook_deliveries
        WHERE gpt_id = %(gpt_id)s AND webhook_id = %(webhook_id)s AND delivery_id = ANY(%(ids)s))
RETURNING delivery_id
"""
_RANGE: Final = """
WITH wanted AS (
    SELECT delivery_id, created_at FROM webhook_deliveries
    WHERE gpt_id = %(gpt_id)s AND webhook_id = %(webhook_id)s AND state = ANY(%(states)s)
        AND event_type <> 'webhook.test'
        AND created_at >= coalesce(%(since)s::timestamptz, '-infinity')
        AND created_at < coalesce(%(until)s::timestamptz, 'infinity')
    ORDER BY created_at, sequence LIMIT %(most)s
), again AS (
    UPDATE webhook_deliveries d SET state = 'pending', attempts_before = attempts,
        retry_at = NULL, settled_at = NULL, error = NULL
    FROM wanted WHERE d.delivery_id = wanted.delivery_id RETURNING d.delivery_id
)
SELECT (SELECT count(*) FROM again), (SELECT max(created_at) FROM wanted)
"""


async def redeliver(connection: AsyncConnection, row: Row[Any], change: Redeliver) -> Change:
    """Have deliveries tried again, each with all its attempts; those that are named go first.

    Raises: Refused: one that is named is not this endpoint's; none of them is tried.
    """
    if change.delivery_ids:
        count = await _named(connection, row, sorted(set(change.delivery_ids)))
        more = None
    else:
        count, more = await _range(connection, row, change)
    await due.write(connection, [row.webhook_id])
    return Change({"redelivering": count, "more_since": more})


async def _named(connection: AsyncConnection, row: Row[Any], delivery_ids: Sequence[str]) -> int:
    given = {"gpt_id": row.gpt_id, "webhook_id": row.webhook_id, "ids": delivery_ids}
    found = await rows.fetch(connection, _NAMED, given)
    if not found:
        raise Refused("not_found", "There is no such delivery; check the ids.", 404)
    return len(found)


async def _range(
    connection: AsyncConnection, row: Row[Any], change: Redeliver
) -> tuple[int, str | None]:
    states = [DeliveryState.FAILED]
    given = {
        "gpt_id": row.gpt_id,
        "webhook_id": row.webhook_id,
        "states": states if change.only_failed else [*states, DeliveryState.DELIVERED],
        "since": change.since,
        "until": change.until,
        "most": MOST,
    }
    [(count, last)] = await rows.fetch(connection, _RANGE, given)
    return count, last.isoformat() if count == MOST else None
