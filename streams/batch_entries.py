"""Entries of batches: what becomes a document, with the order to process it, or why it does not.

Writes batch_entries with their tallies, and what batches say of both, under the batch's lock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Executable, Update, null, select, text, update

from schemas.batches import Described
from schemas.ids import DOCUMENT, REQUEST, Ids
from schemas.messages import INLINE_LIMIT_BYTES, Link, ProcessDocument, StoredFile
from schemas.problems import Problem
from schemas.states import BatchState
from schemas.tables import BATCH_ENTRIES, BATCHES
from streams import failures
from streams.errors import Fenced
from streams.stage import Guarded

PATH_CHARACTERS: Final = 1024
_FILENAME_CHARACTERS: Final = 512

# The batch's row is locked before, so that this statement sees what others have added.
_ADD: Final = text("""
WITH given AS (
    SELECT * FROM unnest(
        CAST(:document_ids AS text[]), CAST(:request_ids AS text[]), CAST(:paths AS text[]),
        CAST(:orders AS text[]), CAST(:problems AS text[]), CAST(:labels AS text[])
    ) WITH ORDINALITY AS g (document_id, request_id, path, "order", problem, label, place)
), fresh AS (
    SELECT g.*, row_number() OVER (ORDER BY g.place) AS number FROM given g
    WHERE NOT EXISTS (SELECT 1 FROM batch_entries e WHERE e.document_id = g.document_id)
), added AS (
    INSERT INTO batch_entries (batch_id, ordinal, gpt_id, document_id, request_id, path, "order",
                               state, label, problem, settled_at)
    SELECT b.batch_id, b.last_ordinal + f.number, b.gpt_id, f.document_id, f.request_id, f.path,
           CAST(f."order" AS json), CASE WHEN f.problem IS NULL THEN 'queued' ELSE 'failed' END,
           f.label, CAST(f.problem AS jsonb), CASE WHEN f.problem IS NOT NULL THEN now() END
    FROM batches b CROSS JOIN fresh f WHERE b.batch_id = :batch_id
    RETURNING state, label
), tallied AS (
    INSERT INTO batch_tallies AS t (batch_id, state, label, gpt_id, count)
    SELECT :batch_id, state, label, :gpt_id, count(*) FROM added GROUP BY state, label
    ON CONFLICT (batch_id, state, label) DO UPDATE SET count = t.count + excluded.count
)
UPDATE batches SET last_ordinal = last_ordinal + a.count, unsettled = unsettled + a.queued,
                   updated_at = now()
FROM (SELECT count(*), count(*) FILTER (WHERE state = 'queued') AS queued FROM added) AS a
WHERE batch_id = :batch_id AND gpt_id = :gpt_id
RETURNING last_ordinal, a.count AS added
""")


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry to add: the order of a document, or the problem that keeps it from being one."""

    path: str | None
    request_id: str | None = None
    order: ProcessDocument | None = None
    problem: Problem | None = None

    @property
    def document_id(self) -> str | None:
        """Returns: the document's id; the same entry added again has the same one."""
        return None if self.order is None else self.order.document_id


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes the entries of one batch."""

    ids: Ids
    gpt_id: str
    batch_id: str

    def of(
        self,
        said: Described,
        source: StoredFile | Link,
        *name: str | int,
        path: str | None,
        filename: str | None = None,
    ) -> Entry:
        """Returns: the entry of a document; what `name` says of its origin makes it the same."""
        request_id = self.request_id(*name)
        order = ProcessDocument(
            source=source,
            document_id=self.document_id(*name),
            filename=filename or _filename(path),
            title=said.title,
            metadata=said.metadata,
            type=said.type,
        )
        if len(order.model_dump_json()) > INLINE_LIMIT_BYTES:
            detail = f"What is said of it is above {INLINE_LIMIT_BYTES // 1024} KiB. Say less."
            return refused(path, "too_large", detail)
        return Entry(path, request_id, order)

    def request_id(self, *name: str | int) -> str:
        """Returns: the id of the request that the entry's document is processed by."""
        return self.ids.derive(REQUEST, self.gpt_id, self.batch_id, *name)

    def document_id(self, *name: str | int) -> str:
        """Returns: the id of the entry's document."""
        return self.ids.derive(DOCUMENT, self.gpt_id, "document", self.request_id(*name))


def refused(path: str | None, code: str, detail: str) -> Entry:
    """Returns: the entry of what cannot become a document."""
    shown = None if path is None else path[:PATH_CHARACTERS]
    return Entry(shown, problem=failures.problem(code, detail, None))


def adding(gpt_id: str, batch_id: str, entries: Sequence[Entry]) -> Executable:
    """Returns: the statement that adds entries to a batch whose row is locked.

    Those whose documents it has already are left as they are. It returns `last_ordinal`, and how
    many were `added`.
    """
    # One of the same document may come twice at once; those that become none are all different.
    given = {each.document_id or place: each for place, each in enumerate(entries)}.values()
    return _ADD.bindparams(
        batch_id=batch_id,
        gpt_id=gpt_id,
        document_ids=[each.document_id for each in given],
        request_ids=[each.request_id for each in given],
        paths=[each.path for each in given],
        orders=[None if each.order is None else each.order.model_dump_json() for each in given],
        problems=[
            None if each.problem is None else each.problem.model_dump_json() for each in given
        ],
        labels=["" if each.problem is None else each.problem.code for each in given],
    )


def locking(gpt_id: str, batch_id: str) -> Guarded:
    """Returns: what locks a batch that still takes entries; else the work is done anew."""
    query = select(BATCHES.c.batch_id).where(
        BATCHES.c.batch_id == batch_id,
        BATCHES.c.gpt_id == gpt_id,
        BATCHES.c.state != BatchState.CANCELLED,
    )
    return Guarded(query.with_for_update(), Fenced())


def listed(gpt_id: str, batch_id: str) -> Executable:
    """Returns: the statement that says that one source of a batch adds nothing more."""
    return (
        update(BATCHES)
        .where(BATCHES.c.batch_id == batch_id, BATCHES.c.gpt_id == gpt_id, BATCHES.c.sources > 0)
        .values(sources=BATCHES.c.sources - 1)
    )


def emptied(document_id: str) -> Update:
    """Returns: the statement that takes from a deleted document's entry what was said of it."""
    entry = update(BATCH_ENTRIES).where(BATCH_ENTRIES.c.document_id == document_id)
    return entry.values(path=None, order=null())


def _filename(path: str | None) -> str | None:
    """Returns: the last part of a path, with its ending where it is long."""
    return None if path is None else path.rpartition("/")[2][-_FILENAME_CHARACTERS:] or None
