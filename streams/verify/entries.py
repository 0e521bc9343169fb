"""Entries of the search index beside documents and chunks: missing, stale, newer, or nobody's.

A document that a search finds has one entry a chunk of its latest run that was read to its end,
each of the document's version. Of other documents only that they exist is asked: a search drops
what is not current.
"""

from collections.abc import AsyncIterator
from typing import Any, Final

from sqlalchemy import Row, Select, and_, case, exists, func, or_, select, true

from schemas import indexes
from schemas.states import SETTLED, Status
from schemas.tables import CHUNKS, DOCUMENTS, PAGES, RUNS, STEPS
from streams import documents
from streams.chunking import chunk
from streams.verify.difference import Comparison, Difference, Kind, Look
from streams.verify.held import Expected, Held, counted, held, indexed
from streams.verify.held import judged as differing
from streams.verify.stores import Stores

# Entries that an older release has written do not say that they are of documents.
_OF_DOCUMENTS: Final = {"bool": {"must_not": [{"term": {"kind": indexes.Kind.OBJECT}}]}}
# A later run may have failed: what was indexed before it is still what a search finds.
_FOUND: Final = and_(
    DOCUMENTS.c.deleted_at.is_(None),
    or_(
        DOCUMENTS.c.status == Status.COMPLETED,
        and_(
            DOCUMENTS.c.status == Status.FAILED,
            DOCUMENTS.c.indexed_version == DOCUMENTS.c.version,
        ),
    ),
)


# A step that waits for another attempt may have its record on a retry topic.
_UNSETTLED: Final = (
    exists()
    .where(
        STEPS.c.document_id == DOCUMENTS.c.document_id,
        STEPS.c.state.not_in(tuple(str(state) for state in SETTLED)),
    )
    .label("unsettled")
)


def _query() -> Select[Any]:
    latest = (
        select(RUNS.c.run_id)
        .where(RUNS.c.document_id == DOCUMENTS.c.document_id, RUNS.c.fields.is_not(None))
        .order_by(RUNS.c.number.desc())
        .limit(1)
        .lateral("latest")
    )
    chunks = (
        select(
            func.count().label("rows"),
            (func.coalesce(func.max(CHUNKS.c.ordinal), -1) + 1).label("end"),
        )
        .where(CHUNKS.c.run_id == latest.c.run_id)
        .lateral("counted")
    )
    has_pages = exists().where(PAGES.c.run_id == latest.c.run_id)
    return (
        select(
            DOCUMENTS.c.document_id,
            DOCUMENTS.c.gpt_id,
            DOCUMENTS.c.version,
            DOCUMENTS.c.indexed_version,
            latest.c.run_id,
            chunks.c.rows,
            chunks.c.end,
            case((chunks.c.rows == 0, has_pages), else_=False).label("without_chunks"),
            _UNSETTLED,
        )
        .select_from(DOCUMENTS.outerjoin(latest, true()).outerjoin(chunks, true()))
        .where(_FOUND)
    )


async def of_documents(stores: Stores, look: Look) -> AsyncIterator[Difference]:
    """Yield documents whose entries or chunks are not what a search should find."""
    query = _query()
    async for rows in stores.pages(query, DOCUMENTS.c.document_id, only=look.only):
        found = await held(stores, [_expected(row) for row in rows])
        for row in rows:
            whole = row.rows == row.end and not (
                row.without_chunks and await _has_text(stores, row)
            )
            for kind, detail in judged(row, found[row.document_id], whole=whole):
                yield Difference(
                    kind,
                    row.document_id,
                    detail,
                    row.gpt_id,
                    row.document_id,
                    held=row.unsettled,
                )
        look.seen(len(rows))


async def _has_text(stores: Stores, row: Row[Any]) -> bool:
    return bool(chunk(await documents.pages(stores.database, row.run_id)))


def _expected(row: Row[Any]) -> Expected:
    return Expected(row.document_id, row.gpt_id, row.version, row.run_id, row.rows, row.end)


def judged(row: Row[Any], found: Held, *, whole: bool) -> list[tuple[Kind, str]]:
    """Returns: what is wrong with a document's entries, with a sentence each.

    `whole`: the chunk rows are all there.
    """
    kinds: list[tuple[Kind, str]] = []
    if row.run_id is None:
        return [(Kind.EFFECT_MISSING, "it is completed, but no run of it was read to its end")]
    if not whole:
        kinds.append((Kind.CHUNKS_MISSING, f"only {row.rows} chunk rows of its text are stored"))
    kinds += differing(_expected(row), found)
    if row.indexed_version != row.version:
        detail = f"version {row.version}, of which {row.indexed_version} is indexed"
        kinds.append((Kind.INDEX_BEHIND, detail))
    return kinds


async def of_nobody(stores: Stores, look: Look) -> AsyncIterator[Difference]:
    """Yield ids in the index that are no document's, or a deleted one's."""
    async for ids in indexed(stores, look, _OF_DOCUMENTS):
        query = select(
            DOCUMENTS.c.document_id, DOCUMENTS.c.gpt_id, DOCUMENTS.c.deleted_at, _UNSETTLED
        )
        rows = await stores.rows(query.where(DOCUMENTS.c.document_id.in_(ids)))
        known = {row.document_id: row for row in rows}
        for document_id in ids:
            row = known.get(document_id)
            if row is None:
                detail = "the index has entries of a document that has no row"
                yield Difference(
                    Kind.ENTRIES_WITHOUT_DOCUMENT, document_id, detail, None, document_id
                )
            elif row.deleted_at is not None:
                detail = f"the index has entries of a document deleted at {row.deleted_at:%FT%TZ}"
                yield Difference(
                    Kind.ENTRIES_OF_DELETED,
                    document_id,
                    detail,
                    row.gpt_id,
                    document_id,
                    held=row.unsettled,
                )
        look.seen(len(ids))


async def _completed(stores: Stores) -> int:
    return await stores.count(select(DOCUMENTS.c.document_id).where(_FOUND))


async def _in_index(stores: Stores) -> int:
    return await counted(stores, _OF_DOCUMENTS)


COMPARISONS: Final = (
    Comparison("documents and their entries", of_documents, _completed, ("update", "refresh")),
    Comparison("entries and their documents", of_nobody, _in_index, ("delete", "purge", "refresh")),
)
