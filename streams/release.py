"""Letting documents of batches into the pipeline: so many at once, tenants in turn.

Reads batches. Publishes the orders of queued entries on the bulk twin of process-document, and then
notes that it did: what is published twice meets its own step in the ledger.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Row

from schemas.envelope import Envelope
from schemas.topics import PROCESS_DOCUMENT, bulk
from streams import metrics, turns
from streams.clients.postgres import Database
from streams.runner import Publisher
from streams.stage import Record

EVERY: Final = timedelta(seconds=0.5)
_NAME: Final = "release of batches"

_IN_FLIGHT: Final = """
SELECT gpt_id, count(*) AS documents FROM batch_entries
WHERE released_at IS NOT NULL AND settled_at IS NULL GROUP BY gpt_id
"""
# Who has least in flight goes first; within a tenant the oldest batch.
_NEXT: Final = """
WITH load AS (SELECT * FROM unnest(%s::text[], %s::bigint[]) AS load (gpt_id, documents)),
queued AS (
    SELECT b.gpt_id, b.batch_id, b.subject, b.correlation_id, e.*,
           row_number() OVER (PARTITION BY b.gpt_id ORDER BY b.created_at, b.batch_id, e.ordinal)
           + coalesce(load.documents, 0) AS place
    FROM batches b LEFT JOIN load ON load.gpt_id = b.gpt_id CROSS JOIN LATERAL (
        SELECT ordinal, document_id, request_id, "order"::text FROM batch_entries
        WHERE gpt_id = b.gpt_id AND batch_id = b.batch_id
          AND state = 'queued' AND released_at IS NULL
        ORDER BY ordinal LIMIT %s
    ) AS e
    WHERE b.state IN ('open', 'closed') AND b.unsettled > 0
)
SELECT gpt_id, batch_id, subject, correlation_id, ordinal, document_id, request_id, "order"
FROM queued ORDER BY place, random() LIMIT %s
"""
_RELEASED: Final = """
UPDATE batch_entries AS e SET released_at = clock_timestamp()
FROM unnest(%s::text[], %s::bigint[]) AS r (batch_id, ordinal)
WHERE e.batch_id = r.batch_id AND e.ordinal = r.ordinal
"""


class Release:
    """The task of one worker; of all workers' tasks one has its turn at a time."""

    def __init__(self, database: Database, publisher: Publisher, *, in_flight: int) -> None:
        self._database = database
        self._publisher = publisher
        self._most = in_flight

    def running(self, every: timedelta = EVERY) -> AbstractAsyncContextManager[None]:
        """Take a turn every so often while in this context."""
        return turns.taking(self.turn, name=_NAME, every=every)

    async def turn(self) -> None:
        """Release as many documents as there is room for.

        Raises: DependencyDown: Postgres or Kafka is away.
        """
        async with self._database.alone(_NAME) as hold:
            if hold is None:
                return
            found = await self._next()
            if not found:
                return
            await self._publisher.publish(tuple(_record(entry) for entry in found))
            places = [entry.batch_id for entry in found], [entry.ordinal for entry in found]
            async with self._database.transaction() as connection:
                await connection.exec_driver_sql(_RELEASED, places)
            metrics.RELEASED.inc(len(found))

    async def _next(self) -> Sequence[Row[Any]]:
        async with self._database.transaction() as connection:
            tenants = (await connection.exec_driver_sql(_IN_FLIGHT)).all()
            busy = sum(tenant.documents for tenant in tenants)
            metrics.BULK_IN_FLIGHT.set(busy)
            room = self._most - busy
            if room <= 0:
                return ()
            names = [tenant.gpt_id for tenant in tenants]
            load = [tenant.documents for tenant in tenants]
            return (await connection.exec_driver_sql(_NEXT, (names, load, room, room))).all()


def _record(entry: Row[Any]) -> Record:
    envelope = Envelope(
        request_id=entry.request_id,
        gpt_id=entry.gpt_id,
        schema_name=PROCESS_DOCUMENT.schema_name,
        subject=entry.subject,
        correlation_id=entry.correlation_id,
        batch_id=entry.batch_id,
    )
    topic = bulk(PROCESS_DOCUMENT.name)
    return Record(topic, entry.document_id.encode(), entry.order.encode(), envelope.to_headers())
