"""Reads of batches: a page of them, one with its pace, its documents.

What is counted comes from one statement each, so that the numbers of an answer fit each other.
"""

from datetime import datetime
from typing import Any, Final

from gateway.direct import Direct
from gateway.pace import MOST, Pace, pace
from gateway.principal import Principal
from gateway.public import link, problem
from schemas.api.batches import (
    BatchDetail,
    BatchFailure,
    BatchPage,
    BatchSummary,
    Counts,
    EntryPage,
    EntrySummary,
    FailureExample,
    TimeLeft,
)
from schemas.states import BatchState, EntryState

_FAILURES: Final = 50
"""Causes of failures that are shown, those that are the most frequent."""

_SEEN: Final = "b.gpt_id = %(gpt_id)s AND (%(subject)s::text IS NULL OR b.subject = %(subject)s)"
_OF: Final = (
    "batch_id",
    "state",
    "subject",
    "name",
    "metadata",
    "created_at",
    "closed_at",
    "completed_at",
)
_HEAD: Final = ", ".join(f"b.{name}" for name in _OF)
_LIST: Final = f"""
SELECT {_HEAD}, COALESCE((
    SELECT jsonb_object_agg(s.state, s.count) FROM (
        SELECT t.state, sum(t.count) AS count FROM batch_tallies t
        WHERE t.batch_id = b.batch_id GROUP BY t.state
    ) s
), '{{}}')
FROM batches b WHERE {_SEEN}
AND (%(states)s::text[] IS NULL OR b.state = ANY(%(states)s))
AND (%(at)s::timestamptz IS NULL OR (b.created_at, b.batch_id) < (%(at)s, %(id)s))
ORDER BY b.created_at DESC, b.batch_id DESC LIMIT %(limit)s
"""  # noqa: S608 - put together from constants
_ONE: Final = f"""
SELECT {_HEAD}, b.sources, b.correlation_id, now(), COALESCE((
    SELECT jsonb_agg(jsonb_build_array(t.state, t.label, t.count)) FROM batch_tallies t
    WHERE t.batch_id = b.batch_id AND t.count > 0
), '[]'), ARRAY(
    SELECT e.settled_at FROM batch_entries e
    WHERE e.batch_id = b.batch_id AND e.settled_at IS NOT NULL AND e.state <> 'cancelled'
    ORDER BY e.settled_at DESC LIMIT {MOST}
)
FROM batches b WHERE b.batch_id = %(batch_id)s AND {_SEEN}
"""  # noqa: S608 - put together from constants
_EXAMPLES: Final = """
SELECT f.label, e.path, e.document_id, COALESCE(e.problem, d.problem) ->> 'detail'
FROM unnest(%(labels)s::text[]) AS f(label) CROSS JOIN LATERAL (
    SELECT * FROM batch_entries WHERE batch_id = %(batch_id)s AND gpt_id = %(gpt_id)s
    AND state = 'failed' AND label = f.label ORDER BY ordinal LIMIT 1
) e LEFT JOIN documents d ON d.document_id = e.document_id
"""
_ENTRIES: Final = """
SELECT e.ordinal, e.path, e.document_id, e.request_id, e.state, e.label,
       CASE WHEN e.state = 'failed' THEN COALESCE(e.problem, d.problem) END, e.settled_at
FROM batch_entries e LEFT JOIN documents d ON d.document_id = e.document_id
WHERE e.batch_id = %(batch_id)s AND e.gpt_id = %(gpt_id)s AND e.ordinal > %(after)s
AND (%(subject)s::text IS NULL OR EXISTS (
    SELECT FROM batches b WHERE b.batch_id = %(batch_id)s AND b.subject = %(subject)s
))
"""
_OF_STATE: Final = " AND e.state = %(state)s"
_OF_IDS: Final = " AND e.document_id = ANY(%(ids)s)"
_IN_ORDER: Final = " ORDER BY e.ordinal LIMIT %(limit)s"
_BATCH_OF: Final = """
SELECT e.batch_id FROM batch_entries e JOIN batches b ON b.batch_id = e.batch_id
WHERE e.document_id = %(document_id)s AND e.gpt_id = %(gpt_id)s
AND (%(subject)s::text IS NULL OR b.subject = %(subject)s)
"""


def _of(principal: Principal, **values: object) -> dict[str, Any]:
    return {"gpt_id": principal.gpt_id, "subject": principal.subject, **values}


async def page(
    direct: Direct,
    principal: Principal,
    states: list[BatchState] | None,
    limit: int,
    after: tuple[datetime, str] | None,
) -> BatchPage:
    """Returns: up to `limit` batches, newest first, behind the position `after`; no cursor yet."""
    at, batch_id = after or (None, None)
    values = _of(principal, states=states or None, at=at, id=batch_id, limit=limit + 1)
    rows = await direct.walk(principal.gpt_id, _LIST, values)
    items = [BatchSummary(**_head(row), **_counted(row[-1])) for row in rows[:limit]]
    return BatchPage(items=items, next_cursor=None, has_more=len(rows) > limit)


async def batch_of(direct: Direct, principal: Principal, document_id: str) -> str | None:
    """Returns: the batch in which a document waits for its turn, if it is in one."""
    found = await direct.row(principal.gpt_id, _BATCH_OF, _of(principal, document_id=document_id))
    return None if found is None else str(found[0])


async def detail(direct: Direct, principal: Principal, batch_id: str) -> BatchDetail | None:
    """Returns: a batch as it stands; none where nothing of it is stored for this caller."""
    row = await direct.row(principal.gpt_id, _ONE, _of(principal, batch_id=batch_id))
    if row is None:
        return None
    *_, sources, correlation_id, now, tallies, ends = row
    counts: dict[str, int] = {}
    for state, _, count in tallies:
        counts[state] = counts.get(state, 0) + count
    shown = _counted(counts)
    found = pace(ends, now)
    left, unknown = _time_left(row[1], sources, shown["counts"], found)
    return BatchDetail(
        **_head(row),
        **shown,
        listing=sources,
        by_type=_labelled(tallies, EntryState.COMPLETED),
        failures=await _failures(direct, principal, batch_id, tallies),
        rate_per_minute=None if found.per_minute is None else round(found.per_minute, 2),
        time_left_s=left,
        time_left_unknown=unknown,
        correlation_id=correlation_id,
        links=_links(batch_id),
    )


async def entries(
    direct: Direct,
    principal: Principal,
    batch_id: str,
    *,
    state: EntryState | None,
    ids: list[str] | None,
    limit: int,
    after: int,
) -> EntryPage:
    """Returns: up to `limit` documents behind the ordinal `after`; no cursor yet.

    Args:
        direct: where they are read.
        principal: who asks.
        batch_id: the batch; one of another end user shows nothing.
        state: those of one state.
        ids: those of these documents.
        limit: most of a page.
        after: the last ordinal of the page before, or 0.
    """
    values = _of(principal, batch_id=batch_id, state=state, ids=ids, after=after, limit=limit + 1)
    # A statement of its own for each, so that Postgres plans it for the index that serves it.
    chosen = (_OF_STATE if state else "") + (_OF_IDS if ids else "")
    rows = await direct.walk(principal.gpt_id, _ENTRIES + chosen + _IN_ORDER, values)
    items = [_entry(row) for row in rows[:limit]]
    return EntryPage(items=items, next_cursor=None, has_more=len(rows) > limit)


def _entry(row: tuple[Any, ...]) -> EntrySummary:
    ordinal, path, document_id, request_id, state, label, stored, settled_at = row
    return EntrySummary(
        ordinal=ordinal,
        path=path,
        document_id=document_id,
        request_id=request_id,
        state=state,
        type=label or None if state == EntryState.COMPLETED else None,
        problem=problem(stored),
        settled_at=settled_at,
    )


def _head(row: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(_OF, row, strict=False))


def _counted(counts: dict[str, int]) -> dict[str, Any]:
    shown = Counts(**{state: counts.get(state, 0) for state in EntryState})
    return {"counts": shown, "documents": sum(counts.values())}


def _labelled(tallies: list[list[Any]], state: EntryState) -> dict[str, int]:
    found = {label or "unknown": count for each, label, count in tallies if each == state}
    return dict(sorted(found.items(), key=lambda one: (-one[1], one[0])))


async def _failures(
    direct: Direct, principal: Principal, batch_id: str, tallies: list[list[Any]]
) -> list[BatchFailure]:
    codes = dict(list(_labelled(tallies, EntryState.FAILED).items())[:_FAILURES])
    if not codes:
        return []
    values = _of(principal, batch_id=batch_id, labels=list(codes))
    rows = await direct.rows(principal.gpt_id, _EXAMPLES, values)
    examples = {
        label: FailureExample(path=path, document_id=document_id, detail=text)
        for label, path, document_id, text in rows
    }
    return [
        BatchFailure(code=code, count=count, example=examples.get(code))
        for code, count in codes.items()
    ]


def _time_left(
    state: BatchState, sources: int, counts: Counts, found: Pace
) -> tuple[TimeLeft | None, str | None]:
    """Returns: the interval, or why there is none."""
    remaining = counts.queued + counts.processing
    if state in {BatchState.COMPLETED, BatchState.CANCELLED}:
        return None, "the batch has ended"
    if sources:
        return None, "documents are still being found, or sent again"
    if not remaining:
        return None, "all documents that it has so far have ended"
    if not found.known:
        return None, "too few documents have ended of late"
    low, high = found.time_left(remaining)
    return TimeLeft(low=round(low, 1), high=round(high, 1)), None


def _links(batch_id: str) -> dict[str, str]:
    path = link(f"/v1/batches/{batch_id}")
    return {"self": path, "documents": f"{path}/documents", "results": f"{path}/results"}


def unstored(batch_id: str) -> BatchDetail:
    """Returns: what is known of a batch whose id was handed out and that is not stored yet."""
    return BatchDetail(
        batch_id=batch_id,
        subject=None,
        state=BatchState.OPEN,
        name=None,
        metadata={},
        **_counted({}),
        created_at=None,
        closed_at=None,
        completed_at=None,
        listing=0,
        by_type={},
        failures=[],
        rate_per_minute=None,
        time_left_s=None,
        time_left_unknown="the batch is only just being made",
        correlation_id=None,
        links=_links(batch_id),
    )
