"""Reads of what became of a batch's documents, page after page in the order of the batch."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, LiteralString

from gateway.direct import Direct
from gateway.errors import Unavailable
from gateway.principal import Principal
from schemas.states import EntryState

_ROWS: Final = 200
_PAUSES_S: Final = (0.2, 1.0, 3.0, 10.0)
_NAMED: Final = 2000
"""Documents whose fields are looked through by one statement."""

_OF: Final = """
FROM batch_entries e LEFT JOIN documents d ON d.document_id = e.document_id
WHERE e.batch_id = %(batch_id)s AND e.gpt_id = %(gpt_id)s AND e.ordinal > %(after)s
AND (%(subject)s::text IS NULL OR EXISTS (
    SELECT FROM batches b WHERE b.batch_id = %(batch_id)s AND b.subject = %(subject)s
))
"""
_OF_STATE: Final = "AND e.state = %(state)s"
_IN_ORDER: Final = " ORDER BY e.ordinal LIMIT %(limit)s"
_PAGE: Final = """
SELECT e.ordinal, e.path, e.document_id, e.state, d.filename, d.title,
       COALESCE(d.metadata, '{}'), d.type, d.confidence, COALESCE(d.needs_review, false),
       CASE WHEN e.state = 'failed' THEN COALESCE(e.problem, d.problem) END,
       COALESCE(d.fields, '{}')
"""
_COLUMNS: Final = (
    """
SELECT max(p.ordinal), array_agg(DISTINCT n.name) FILTER (WHERE n.name IS NOT NULL)
FROM (SELECT e.ordinal, d.fields """,
    """) p LEFT JOIN LATERAL (
    SELECT f.key AS name FROM jsonb_each(p.fields) f WHERE jsonb_typeof(f.value) <> 'object'
    UNION ALL
    SELECT f.key || '.' || k FROM jsonb_each(p.fields) f, jsonb_object_keys(
        CASE WHEN jsonb_typeof(f.value) = 'object' THEN f.value ELSE '{}' END
    ) k
) n ON true
""",
)

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which documents: of a batch, if it is this caller's; all or those of one state."""

    principal: Principal
    batch_id: str
    state: EntryState | None

    @property
    def rows(self) -> LiteralString:
        """Returns: SQL from `FROM` on, planned for the index that serves it."""
        return _OF + (_OF_STATE if self.state else "") + _IN_ORDER

    def values(self, after: int, limit: int) -> dict[str, Any]:
        """Returns: what a statement is given."""
        return {
            "gpt_id": self.principal.gpt_id,
            "subject": self.principal.subject,
            "batch_id": self.batch_id,
            "state": self.state,
            "after": after,
            "limit": limit,
        }


async def begun(
    direct: Direct, wanted: Wanted, pauses_s: Sequence[float] = _PAUSES_S
) -> AsyncIterator[list[Row]]:
    """Returns: pages of documents in their order, the first of which has been read.

    A row is ordinal, path, document_id, state, filename, title, metadata, type, confidence,
    needs_review, problem, fields. One page is in memory at a time, and no connection is held
    between two of them.

    Raises:
        Unavailable: Postgres is away; while reading on, once it was away after these pauses.
    """

    async def read_on(after: int) -> list[Row]:
        # Whoever has got half of a long file would have to begin anew.
        for pause_s in pauses_s:
            try:
                return await _page(direct, wanted, after)
            except Unavailable:
                await asyncio.sleep(pause_s)
        return await _page(direct, wanted, after)

    async def pages(page: list[Row]) -> AsyncIterator[list[Row]]:
        while page:
            yield page
            page = await read_on(page[-1][0]) if len(page) == _ROWS else []

    return pages(await _page(direct, wanted, 0))


async def _page(direct: Direct, wanted: Wanted, after: int) -> list[Row]:
    sql = _PAGE + wanted.rows
    return list(await direct.walk(wanted.principal.gpt_id, sql, wanted.values(after, _ROWS)))


async def columns(direct: Direct, wanted: Wanted, most: int) -> list[str]:
    """Returns: the names of all fields, in their alphabetical order, at most so many.

    A field whose value is an object, such as an amount, has a name for each of its keys:
    `total.amount`.
    """
    sql = _COLUMNS[0] + wanted.rows + _COLUMNS[1]
    found: set[str] = set()
    after: int | None = 0
    while after is not None and len(found) < most:
        values = wanted.values(after, _NAMED)
        [(after, names)] = await direct.walk(wanted.principal.gpt_id, sql, values)
        found.update(names or ())
    return sorted(found)[:most]
