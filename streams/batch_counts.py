"""Counts of batches: entries follow their documents, tallies follow entries, in the same commit.

Reads documents. Writes batches, batch_entries and batch_tallies. What an entry says is compared
with its document under the lock of the batch's row, so that nothing is ever counted twice: what
comes again finds entry and document agreeing. The statements cost the same in a batch of any size.
"""

from collections.abc import Sequence
from typing import Any, Final

from pydantic import JsonValue
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.events import EventType
from schemas.states import BatchState, EntryState
from streams.stage import Event

# Batches are locked after documents and before the counters of events, in the order of their ids.
_LOCK: Final = """
SELECT batch_id, subject, name, state, unsettled, sources, closings, completed_closings
FROM batches
WHERE gpt_id = %s AND batch_id = ANY (ARRAY(
    SELECT batch_id FROM batch_entries WHERE document_id = ANY (%b::text[])
    UNION SELECT unnest(%b::text[])
))
ORDER BY batch_id FOR UPDATE
"""
_MOVE: Final = """
WITH seen AS (
    SELECT e.batch_id, e.ordinal, e.state AS was, e.label AS was_label,
           CASE WHEN d.status IS NULL THEN e.state
                WHEN d.status IN ('completed', 'failed', 'cancelled') THEN d.status
                ELSE 'processing' END AS state,
           CASE d.status WHEN 'completed' THEN coalesce(d.type, '')
                         WHEN 'failed' THEN coalesce(d.problem->>'code', '')
                         ELSE '' END AS label
    FROM batch_entries e LEFT JOIN documents d ON d.document_id = e.document_id
    WHERE e.document_id = ANY (%b::text[])
), moved AS (
    UPDATE batch_entries e SET
        state = s.state,
        label = s.label,
        "order" = NULL,
        -- What is tried again was let in before, and takes no place of those that wait.
        released_at = CASE WHEN s.was IN ('queued', 'processing') THEN e.released_at END,
        settled_at = CASE WHEN s.state <> 'processing'
                          THEN coalesce(e.settled_at, clock_timestamp()) END
    FROM seen s
    WHERE e.batch_id = s.batch_id AND e.ordinal = s.ordinal
      AND (s.state, s.label) <> (s.was, s.was_label)
    RETURNING s.batch_id, s.was, s.was_label, s.state, s.label
), differences AS (
    SELECT batch_id, state, label, sum(n) AS n FROM (
        SELECT batch_id, was AS state, was_label AS label, -1 AS n FROM moved
        UNION ALL SELECT batch_id, state, label, 1 FROM moved
    ) AS each GROUP BY batch_id, state, label HAVING sum(n) <> 0
), tallied AS (
    INSERT INTO batch_tallies AS t (batch_id, state, label, gpt_id, count)
    SELECT batch_id, state, label, %s, n FROM differences
    ON CONFLICT (batch_id, state, label) DO UPDATE SET count = t.count + excluded.count
)
UPDATE batches b SET unsettled = b.unsettled + m.n, updated_at = now()
FROM (
    SELECT batch_id, sum((state IN ('queued', 'processing'))::int
                         - (was IN ('queued', 'processing'))::int) AS n
    FROM moved GROUP BY batch_id
) AS m
WHERE b.batch_id = m.batch_id
RETURNING b.batch_id, b.subject, b.name, b.state, b.unsettled, b.sources, b.closings,
          b.completed_closings
"""
_STANDING: Final = """
SELECT batch_id, subject, name, state, unsettled, sources, closings, completed_closings
FROM batches WHERE batch_id = %s
"""
_COMPLETE: Final = """
UPDATE batches SET state = 'completed', completed_closings = closings, completed_at = now(),
                   updated_at = now()
WHERE batch_id = %s
"""
_REOPEN: Final = """
UPDATE batches SET state = 'closed', completed_at = NULL, updated_at = now() WHERE batch_id = %s
"""
_COUNTS: Final = """
SELECT state, sum(count)::bigint AS entries FROM batch_tallies WHERE batch_id = %s GROUP BY state
"""


async def follow(connection: AsyncConnection, gpt_id: str, moved: Sequence[str]) -> list[Event]:
    """Have the counts follow documents whose status or type, batches whose sources have changed.

    A closed batch on which nothing is left to do becomes complete; a completed one with work to do
    is closed until that is done.

    Returns: the events of batches that became complete; once for each time they were closed.
    """
    if not moved:
        return []
    locked = await connection.exec_driver_sql(_LOCK, (gpt_id, list(moved), list(moved)))
    batches = {row.batch_id: row for row in locked}
    if not batches:
        return []
    changed = await connection.exec_driver_sql(_MOVE, (list(moved), gpt_id))
    batches |= {row.batch_id: row for row in changed}
    told = [await _settled(connection, row) for row in batches.values()]
    return [event for event in told if event is not None]


async def settled(connection: AsyncConnection, batch_id: str) -> Event | None:
    """Have a batch that this transaction has locked become complete, if nothing is left to do.

    Returns: the event that tells of it.
    """
    row = (await connection.exec_driver_sql(_STANDING, (batch_id,))).one()
    return await _settled(connection, row)


async def counts(connection: AsyncConnection, batch_id: str) -> dict[str, JsonValue]:
    """Returns: how many entries are in each state, those without any too."""
    found = await connection.exec_driver_sql(_COUNTS, (batch_id,))
    known = {row.state: row.entries for row in found}
    return {str(state): known.get(state, 0) for state in EntryState}


async def _settled(connection: AsyncConnection, row: Row[Any]) -> Event | None:
    left = row.unsettled or row.sources
    if row.state == BatchState.COMPLETED and left:
        await connection.exec_driver_sql(_REOPEN, (row.batch_id,))
    if row.state != BatchState.CLOSED or left:
        return None
    await connection.exec_driver_sql(_COMPLETE, (row.batch_id,))
    # A redrive of a single document leads here again, and is no new closing.
    if row.completed_closings == row.closings:
        return None
    data = {
        "name": row.name,
        "closing": row.closings,
        "counts": await counts(connection, row.batch_id),
    }
    return Event(EventType.BATCH_COMPLETED, data, row.batch_id, row.batch_id, row.subject)
