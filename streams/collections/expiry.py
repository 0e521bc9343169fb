"""Ending objects whose time is over, and forgetting tombstones that are old.

Reads objects. Writes nothing of live ones itself: it asks by write-collection, as everybody else,
so that an end has its place among the changes. Removes tombstones with their earlier versions.
"""

from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any, Final

from schemas import topics
from schemas.envelope import Envelope
from schemas.ids import REQUEST, Ids
from schemas.writes import ExpireObject, WriteCollection
from streams import turns
from streams.clients.postgres import Database
from streams.collections import rows
from streams.runner import Publisher
from streams.stage import Record

EVERY: Final = timedelta(seconds=15)
_NAME: Final = "expiry of objects"
_PAGE: Final = 500
_PAGES: Final = 10
_ANEW_S: Final = 3600
"""Seconds after which an end that has not come is asked for by another request."""
_FROM_THE_FIRST_AFTER: Final = 20
"""Turns after which what is still there is asked for again: the first record may be lost."""

# In the order of the index, so that a page costs what it returns.
_OVER: Final = """
SELECT o.object_id, o.gpt_id, o.version, o.expires_at, c.name,
       floor(extract(epoch FROM clock_timestamp() - o.expires_at) / %s)::bigint
FROM objects o JOIN collections c ON c.collection_id = o.collection_id
WHERE o.expires_at <= clock_timestamp() AND o.deleted_at IS NULL AND c.deleted_at IS NULL
  AND (o.expires_at, o.object_id) > (%s::timestamptz, %s)
ORDER BY o.expires_at, o.object_id LIMIT %s
"""
_OLD: Final = """
SELECT object_id, collection_id FROM objects WHERE deleted_at < clock_timestamp() - %s::interval
ORDER BY deleted_at LIMIT %s
"""
# The lock that all who write to a collection take first.
_LOCK: Final = """
SELECT 1 FROM collections WHERE collection_id = ANY(%s) ORDER BY gpt_id, name FOR UPDATE
"""
_FORGET: Final = """
WITH gone AS (
    DELETE FROM objects
    WHERE object_id = ANY(%s) AND deleted_at < clock_timestamp() - %s::interval
    RETURNING object_id, collection_id, sequence
), removed AS (
    DELETE FROM object_versions WHERE object_id IN (SELECT object_id FROM gone)
)
UPDATE collections AS c SET forgotten_sequence = greatest(c.forgotten_sequence, n.last)
FROM (SELECT collection_id, max(sequence) AS last FROM gone GROUP BY collection_id) AS n
WHERE c.collection_id = n.collection_id
"""
_FIRST: Final = ("-infinity", "")


class Expiry:
    """The task of one worker; of all workers' tasks one has its turn at a time."""

    def __init__(
        self, database: Database, publisher: Publisher, ids: Ids, *, keep_tombstones: timedelta
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._ids = ids
        self._keep = keep_tombstones
        self._behind: tuple[Any, str] = _FIRST
        self._turns = 0

    def running(self, every: timedelta = EVERY) -> AbstractAsyncContextManager[None]:
        """Take a turn every few seconds while in this context."""
        return turns.taking(self.turn, name=_NAME, every=every)

    async def turn(self) -> None:
        """Ask for the end of what is over, and forget old tombstones, as much as a turn allows.

        Raises: DependencyDown: Postgres or Kafka is away.
        """
        async with self._database.alone(_NAME) as hold:
            if hold is None:
                return
            if self._turns % _FROM_THE_FIRST_AFTER == 0:
                self._behind = _FIRST
            self._turns += 1
            for _ in range(_PAGES):
                if await self._end_page() < _PAGE:
                    break
            for _ in range(_PAGES):
                if await self._forget_page() < _PAGE:
                    break

    async def _end_page(self) -> int:
        async with self._database.transaction() as connection:
            found = await rows.fetch(connection, _OVER, (_ANEW_S, *self._behind, _PAGE))
        if found:
            await self._publisher.publish(tuple(map(self._record, found)))
            last = found[-1]
            self._behind = (last[3], last[0])
        return len(found)

    async def _forget_page(self) -> int:
        async with self._database.transaction() as connection:
            found = await rows.fetch(connection, _OLD, (self._keep, _PAGE))
            object_ids, collection_ids = [row[0] for row in found], [row[1] for row in found]
            await rows.fetch(connection, _LOCK, (collection_ids,))
            await connection.exec_driver_sql(_FORGET, (object_ids, self._keep))
        return len(found)

    def _record(self, over: rows.Row) -> Record:
        object_id, gpt_id, version, expires_at, name, hours = over
        # The same end, asked for twice, is one request; one that was put off is another, and so is
        # one that did not come in an hour, whatever became of the first.
        again = (hours,) if hours else ()
        request_id = self._ids.derive(
            REQUEST, gpt_id, "expire", object_id, version, str(expires_at), *again
        )
        topic = topics.WRITE_COLLECTION
        envelope = Envelope(request_id=request_id, gpt_id=gpt_id, schema_name=topic.schema_name)
        message = WriteCollection(collection=name, operation=ExpireObject(object_id=object_id))
        key = f"{gpt_id}/{name}".encode()
        return Record(topic.name, key, message.model_dump_json().encode(), envelope.to_headers())
