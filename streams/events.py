"""Numbering what happened: rows first, one sequence a tenant without gaps, then the records.

The tenant's counter is locked last before the commit, so numbers become visible in their order.
Source: CloudEvents 1.0, https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.ids import uuid7
from schemas.messages import CloudEvent
from schemas.tables import EVENT_COUNTERS, EVENTS
from schemas.topics import EVENTS as TOPIC
from streams.stage import Event, Record, Work


async def enter(
    connection: AsyncConnection, work: Work, events: Sequence[Event]
) -> tuple[Record, ...]:
    """Number and store events. Returns: their records, which the commit's end must publish."""
    if not events:
        return ()
    counter = insert(EVENT_COUNTERS).values(gpt_id=work.gpt_id, last=len(events))
    counted = counter.on_conflict_do_update(
        index_elements=[EVENT_COUNTERS.c.gpt_id],
        set_={"last": EVENT_COUNTERS.c.last + len(events)},
    ).returning(EVENT_COUNTERS.c.last, func.clock_timestamp().label("now"))
    row = (await connection.execute(counted)).one()
    first = row.last - len(events) + 1
    envelope = work.envelope
    made = [
        CloudEvent(
            id=f"evt_{uuid7().hex}",
            type=event.type,
            subject=event.object_id or work.document_id,
            time=row.now,
            gptid=work.gpt_id,
            sequence=first + position,
            correlationid=envelope.correlation_id or work.request_id,
            requestid=work.request_id,
            data=event.data,
        )
        for position, event in enumerate(events)
    ]
    await connection.execute(insert(EVENTS), [_row(each, envelope.subject) for each in made])
    headers = envelope.of(TOPIC.schema_name).to_headers()
    return tuple(
        Record(TOPIC.name, work.gpt_id.encode(), each.model_dump_json().encode(), headers)
        for each in made
    )


def _row(event: CloudEvent, end_user: str | None) -> dict[str, Any]:
    return {
        "gpt_id": event.gptid,
        "sequence": event.sequence,
        "event_id": event.id,
        "type": event.type,
        "subject": end_user,
        "object_id": event.subject,
        "request_id": event.requestid,
        "correlation_id": event.correlationid,
        "data": event.data,
        "created_at": event.time,
    }
