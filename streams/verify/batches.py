"""Batches: what they say of their entries beside the entries, and those beside their documents.

All that is said of a batch comes from one statement, so that no commit can fall in between.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

from sqlalchemy import Row, Select, Text, and_, case, cast, func, or_, select

from schemas.states import FINAL, BatchState, EntryState, Status
from schemas.tables import BATCH_ENTRIES, BATCH_TALLIES, BATCHES, DOCUMENTS
from streams.verify.difference import Comparison, Difference, Kind, Look
from streams.verify.stores import Stores

_FINAL: Final = tuple(str(status) for status in FINAL)
_OPEN: Final = tuple(str(state) for state in (EntryState.QUEUED, EntryState.PROCESSING))


def _query() -> Select[Any]:
    entries, tallies, documents = BATCH_ENTRIES.c, BATCH_TALLIES.c, DOCUMENTS.c
    named = func.jsonb_object_agg(tallies.state + "/" + tallies.label, tallies.count)
    tallied = select(named).where(tallies.batch_id == BATCHES.c.batch_id, tallies.count != 0)
    grouped = (
        select((entries.state + "/" + entries.label).label("name"), func.count().label("count"))
        .where(entries.batch_id == BATCHES.c.batch_id)
        .correlate(BATCHES)
        .group_by("name")
        .subquery()
    )
    state = case((documents.status.in_(_FINAL), documents.status), else_=str(EntryState.PROCESSING))
    label = case(
        (documents.status == Status.COMPLETED, func.coalesce(documents.type, "")),
        (
            documents.status == Status.FAILED,
            func.coalesce(documents.problem["code"].astext, cast("", Text)),
        ),
        else_="",
    )
    stale = (
        select(func.count())
        .select_from(BATCH_ENTRIES)
        .join(DOCUMENTS, documents.document_id == entries.document_id)
        .where(
            entries.batch_id == BATCHES.c.batch_id,
            or_(entries.state != state, entries.label != label),
        )
    )
    left = select(func.count()).where(
        and_(entries.batch_id == BATCHES.c.batch_id, entries.state.in_(_OPEN))
    )
    return select(
        BATCHES,
        tallied.scalar_subquery().label("tallied"),
        select(func.jsonb_object_agg(grouped.c.name, grouped.c.count))
        .scalar_subquery()
        .label("entered"),
        stale.scalar_subquery().label("stale"),
        left.scalar_subquery().label("left"),
    )


async def of_counts(stores: Stores, look: Look) -> AsyncIterator[Difference]:
    """Yield batches whose counts are not those of their entries, or of their documents."""
    async for rows in stores.pages(_query(), BATCHES.c.batch_id, only=look.only, size=20):
        for row in rows:
            wrong = list(judged(row))
            if wrong:
                yield Difference(Kind.BATCH_COUNTS, row.batch_id, "; ".join(wrong), row.gpt_id)
        look.seen(len(rows))


def judged(row: Row[Any]) -> Iterator[str]:
    """Yield what is wrong with a batch."""
    if (row.tallied or {}) != (row.entered or {}):
        yield f"it counts {row.tallied or {}}, and has {row.entered or {}}"
    if row.stale:
        yield f"{row.stale} entries do not say what their documents do"
    if row.unsettled != row.left:
        yield f"it has {row.left} entries to settle, and says {row.unsettled}"
    left = row.unsettled or row.sources
    if row.state == BatchState.CLOSED and not left:
        yield "nothing is left to do, and it is not completed"
    if row.state == BatchState.COMPLETED and left:
        yield "it is completed, and something is left to do"


async def _all(stores: Stores) -> int:
    return await stores.count(select(BATCHES.c.batch_id))


COMPARISONS: Final = (Comparison("batches and their counts", of_counts, _all),)
