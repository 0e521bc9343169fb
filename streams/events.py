"""Numbering what happened: rows first, one sequence a tenant without gaps, then the records.

The tenant's counter is locked last before the commit, so numbers become visible in their order.
Source: CloudEvents 1.0, https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
"""

import functools
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Envelope, Headers
from schemas.ids import uuid7
from schemas.messages import CloudEvent
from schemas.topics import EVENT_WATCHED, EVENTS, Topic
from streams.clients import postgres
from streams.stage import Event, Record, Work

_TOLD: Final = (EVENTS,)
_WATCHED: Final = (EVENTS, EVENT_WATCHED)

# Locked in the order in which they come, which is sorted: two commits cannot wait for each other.
_COUNT: Final = """
INSERT INTO event_counters AS c (gpt_id, last)
SELECT * FROM unnest(%b::text[], %b::bigint[])
ON CONFLICT (gpt_id) DO UPDATE SET last = c.last + excluded.last
RETURNING gpt_id, last, clock_timestamp(), watched
"""
ENTER: Final = """
INSERT INTO events (gpt_id, sequence, event_id, type, subject, object_id, request_id,
                    correlation_id, batch_id, data, created_at)
SELECT * FROM unnest(%b::text[], %b::bigint[], %b::text[], %b::text[], %b::text[], %b::text[],
                     %b::text[], %b::text[], %b::text[], %b::text[]::jsonb[], %s::timestamptz[])
"""
"""Stores events, given in columns, each with its number."""
_WIDTH: Final = 11
_WATCH: Final = """
INSERT INTO event_counters AS c (gpt_id, last, watched)
SELECT t.gpt_id, 0, EXISTS (SELECT 1 FROM webhooks w WHERE w.gpt_id = t.gpt_id)
FROM unnest(%b::text[]) AS t (gpt_id)
ON CONFLICT (gpt_id) DO UPDATE SET watched = excluded.watched
"""


async def watch(connection: AsyncConnection, gpt_ids: Iterable[str]) -> None:
    """Write whether these tenants have webhooks; their rows in `gpts` are locked.

    Whatever is numbered after the commit is told to `notify` accordingly.
    """
    if tenants := sorted(set(gpt_ids)):
        await postgres.execute(connection, _WATCH, (tenants,))


async def enter(
    connection: AsyncConnection, work: Work, events: Sequence[Event]
) -> tuple[Record, ...]:
    """Number and store events. Returns: their records, which the commit's end must publish."""
    (records,) = await enter_all(connection, [(work, events)])
    return records


async def enter_all(
    connection: AsyncConnection, told: Sequence[tuple[Work, Sequence[Event]]]
) -> list[tuple[Record, ...]]:
    """Number and store the events of several records. Returns: the records of each, in order."""
    records, columns = await number(connection, told)
    await postgres.execute(connection, ENTER, columns)
    return records


async def number(
    connection: AsyncConnection, told: Sequence[tuple[Work, Sequence[Event]]]
) -> tuple[list[tuple[Record, ...]], tuple[list[Any], ...]]:
    """Number the events of several records; they are to be stored by `ENTER` before the commit.

    Returns: the records to publish of each, in order, and what `ENTER` takes.
    """
    counts = Counter[str]()
    for work, events in told:
        counts[work.gpt_id] += len(events)
    tenants = sorted(gpt_id for gpt_id, count in counts.items() if count)
    if not tenants:
        return [() for _ in told], tuple([] for _ in range(_WIDTH))
    counted = await postgres.execute(
        connection, _COUNT, (tenants, [counts[gpt_id] for gpt_id in tenants])
    )
    now = counted[0][2]
    last = {gpt_id: highest - counts[gpt_id] for gpt_id, highest, _, _ in counted}
    watched = {gpt_id for gpt_id, _, _, is_watched in counted if is_watched}
    made: list[list[tuple[CloudEvent, Envelope]]] = []
    for work, events in told:
        first = last[work.gpt_id] + 1 if events else 0
        if events:
            last[work.gpt_id] += len(events)
        made.append(
            [
                (_made(work, event, first + place, now), _whose(work, event))
                for place, event in enumerate(events)
            ]
        )
    # Most events of a record have its own envelope; their headers are made once.
    headers_of = functools.cache(_headers)
    records = [
        tuple(
            _record(event, topic, headers_of(topic, whose))
            for event, whose in group
            for topic in (_WATCHED if event.gptid in watched else _TOLD)
        )
        for group in made
    ]
    return records, _columns([each for group in made for each in group])


def _whose(work: Work, event: Event) -> Envelope:
    """Returns: the headers of an event: those of the record, with what the event itself names."""
    named = {"subject": event.subject, "batch_id": event.batch_id}
    own = {name: value for name, value in named.items() if value is not None}
    return work.envelope.model_copy(update=own) if own else work.envelope


def _made(work: Work, event: Event, sequence: int, now: datetime) -> CloudEvent:
    return CloudEvent(
        id=f"evt_{uuid7().hex}",
        type=event.type,
        subject=event.object_id or work.document_id,
        time=now,
        gptid=work.gpt_id,
        sequence=sequence,
        correlationid=work.envelope.correlation_id or work.request_id,
        requestid=work.request_id,
        batchid=event.batch_id or work.envelope.batch_id,
        data=event.data,
    )


def _headers(topic: Topic[Any], envelope: Envelope) -> Headers:
    return envelope.of(topic.schema_name).to_headers()


def _record(event: CloudEvent, topic: Topic[Any], headers: Headers) -> Record:
    return Record(topic.name, event.gptid.encode(), event.model_dump_json().encode(), headers)


def _columns(made: Sequence[tuple[CloudEvent, Envelope]]) -> tuple[list[Any], ...]:
    rows = [
        (
            event.gptid,
            event.sequence,
            event.id,
            event.type,
            envelope.subject,
            event.subject,
            event.requestid,
            event.correlationid,
            event.batchid,
            json.dumps(event.data),
            event.time,
        )
        for event, envelope in made
    ]
    return tuple(map(list, zip(*rows, strict=True)))
