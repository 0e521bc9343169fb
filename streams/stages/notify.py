"""Notify: an event becomes a delivery for each endpoint of its tenant that wants it.

Reads event-watched. Writes webhook_deliveries and when their endpoints are due; emits nothing,
since `streams/webhooks/deliverer.py` goes on from the rows. It may be repeated: an event and an
endpoint have one delivery.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import topics
from schemas.events import EventType
from schemas.ids import DELIVERY, Ids
from schemas.messages import EventWatched
from schemas.webhooks import matches
from streams.collections import rows
from streams.collections.rows import Row
from streams.stage import BatchStage, Scope, Taken, Verdict
from streams.webhooks import due
from streams.webhooks.bell import Bell

NAME: Final = "notify"

# Locked, so that no run of deliveries ends between this and the commit without seeing them.
_ENDPOINTS: Final = """
SELECT webhook_id, gpt_id, events FROM webhooks WHERE gpt_id = ANY(%s)
ORDER BY webhook_id FOR NO KEY UPDATE
"""
# The event's row says whose it is, and that it happened at all.
_ENTER: Final = """
INSERT INTO webhook_deliveries (delivery_id, webhook_id, gpt_id, sequence, event_type, state,
                                urgent)
SELECT n.delivery_id, w.webhook_id, w.gpt_id, e.sequence, e.type, 'pending', n.urgent
FROM unnest(%b::text[], %b::text[], %b::bigint[], %b::bool[])
    AS n (delivery_id, webhook_id, sequence, urgent)
JOIN webhooks w ON w.webhook_id = n.webhook_id
JOIN events e ON e.gpt_id = w.gpt_id AND e.sequence = n.sequence
WHERE (w.subject IS NULL OR w.subject = e.subject) AND e.created_at >= w.created_at
ON CONFLICT DO NOTHING RETURNING webhook_id
"""


def stage(ids: Ids, bell: Bell) -> BatchStage[EventWatched]:
    """Returns: the stage; it rings when it has entered deliveries."""

    async def notify(
        connection: AsyncConnection, taken: Sequence[Taken[EventWatched]]
    ) -> list[Verdict]:
        events = [each.message for each in taken if _concerns_anyone(each.message)]
        tenants = sorted({event.gptid for event in events})
        found = await rows.fetch(connection, _ENDPOINTS, (tenants,)) if tenants else []
        wanted = list(_deliveries(ids, events, found))
        if wanted:
            entered = await rows.fetch(connection, _ENTER, rows.columns(wanted))
            await due.write(connection, sorted({webhook_id for (webhook_id,) in entered}))
            bell.ring()
        return [Verdict() for _ in taken]

    return BatchStage(
        NAME,
        topics.EVENT_WATCHED,
        notify,
        scope=Scope.NOTHING,
        ordered=False,
        run_field="id",
    )


def delivery_of_test(ids: Ids, gpt_id: str, request_id: str | None) -> str:
    """Returns: the id of the delivery that a request for a test leads to."""
    return ids.derive(DELIVERY, gpt_id, "test", request_id or "")


def _concerns_anyone(event: EventWatched) -> bool:
    return event.type == EventType.WEBHOOK_TEST or matches(("*",), event.type)


def _deliveries(
    ids: Ids, events: Sequence[EventWatched], endpoints: Sequence[Row]
) -> Iterator[Row]:
    """Yield id, endpoint, number and urgency of each delivery that these events come to."""
    of_tenant = defaultdict[str, list[Row]](list)
    for webhook_id, gpt_id, patterns in endpoints:
        of_tenant[gpt_id].append((webhook_id, patterns))
    for event in events:
        for webhook_id, patterns in of_tenant[event.gptid]:
            if event.type == EventType.WEBHOOK_TEST and event.subject == webhook_id:
                delivery_id = delivery_of_test(ids, event.gptid, event.requestid)
                yield delivery_id, webhook_id, event.sequence, True
            elif matches(patterns, event.type):
                delivery_id = ids.derive(DELIVERY, event.gptid, webhook_id, event.sequence)
                yield delivery_id, webhook_id, event.sequence, False
