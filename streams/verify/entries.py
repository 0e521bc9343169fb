"""Entries of the search index beside documents and chunks: missing, stale, newer, or nobody's.

A document that a search finds has one entry a chunk of its latest run that was read to its end,
each of the document's version. Of other documents only that they exist is asked: a search drops
what is not current.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, Select, and_, case, exists, func, or_, select, true

from schemas.states import SETTLED, Status
from schemas.tables import CHUNKS, DOCUMENTS, PAGES, RUNS, STEPS
from streams import documents
from streams.chunking import chunk
from streams.verify.difference import Comparison, Difference, Kind, Look
from streams.verify.stores import Stores

_ENTRIES: Final = 5000
_DOCUMENTS: Final = 1000
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


@dataclass(slots=True)
class Held:
    """What the index holds of one document, counted."""

    good: int = 0
    stale: int = 0
    surplus: int = 0
    newer: int = 0


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
        held = await _held(stores, rows)
        for row in rows:
            whole = row.rows == row.end and not (
                row.without_chunks and await _has_text(stores, row)
            )
            for kind, detail in judged(row, held[row.document_id], whole=whole):
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


async def _held(stores: Stores, rows: Sequence[Row[Any]]) -> dict[str, Held]:
    """Returns: what the index holds of these documents; one pass, constant memory a document."""
    by_id = {row.document_id: row for row in rows}
    held = {document_id: Held() for document_id in by_id}
    body: dict[str, Any] = {
        "size": _ENTRIES,
        "version": True,
        "_source": ["document_id", "gpt_id", "run_id", "ordinal"],
        "query": {"terms": {"document_id": sorted(by_id)}},
        "sort": [{"document_id": "asc"}, {"ordinal": "asc"}],
    }
    while True:
        hits = (await stores.search.query(body))["hits"]["hits"]
        for hit in hits:
            document_id = hit["_source"]["document_id"]
            _count(held[document_id], by_id[document_id], hit)
        if len(hits) < _ENTRIES:
            return held
        body["search_after"] = hits[-1]["sort"]


def _count(held: Held, row: Row[Any], hit: dict[str, Any]) -> None:
    entry = hit["_source"]
    ordinal = entry.get("ordinal", -1)
    if not 0 <= ordinal < row.end or hit["_id"] != f"{row.document_id}:{ordinal}":
        held.surplus += 1
    elif hit["_version"] > row.version:
        held.newer += 1
    elif (hit["_version"], entry.get("run_id"), entry.get("gpt_id")) != (
        row.version,
        row.run_id,
        row.gpt_id,
    ):
        held.stale += 1
    else:
        held.good += 1


def judged(row: Row[Any], held: Held, *, whole: bool) -> list[tuple[Kind, str]]:
    """Returns: what is wrong with a document's entries, with a sentence each.

    `whole`: the chunk rows are all there.
    """
    found: list[tuple[Kind, str]] = []
    if row.run_id is None:
        return [(Kind.EFFECT_MISSING, "it is completed, but no run of it was read to its end")]
    if not whole:
        found.append((Kind.CHUNKS_MISSING, f"only {row.rows} chunk rows of its text are stored"))
    there = held.good + held.stale + held.newer
    if there < row.rows:
        found.append((Kind.ENTRIES_MISSING, f"{row.rows - there} of {row.rows} are missing"))
    if held.stale or held.surplus:
        detail = f"{held.stale} entries of another version or run, {held.surplus} surplus ones"
        found.append((Kind.ENTRIES_STALE, detail))
    if held.newer:
        detail = f"{held.newer} entries are newer than the document's version {row.version}"
        found.append((Kind.ENTRIES_NEWER, detail))
    if row.indexed_version != row.version:
        detail = f"version {row.version}, of which {row.indexed_version} is indexed"
        found.append((Kind.INDEX_BEHIND, detail))
    return found


async def of_nobody(stores: Stores, look: Look) -> AsyncIterator[Difference]:
    """Yield ids in the index that are no document's, or a deleted one's."""
    async for ids in _indexed(stores, look):
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


async def _indexed(stores: Stores, look: Look) -> AsyncIterator[list[str]]:
    """Yield the ids of all documents that have entries, in pages."""
    composite: dict[str, Any] = {
        "size": _DOCUMENTS,
        "sources": [{"document_id": {"terms": {"field": "document_id"}}}],
    }
    body: dict[str, Any] = {"size": 0, "aggs": {"documents": {"composite": composite}}}
    if look.only is not None:
        body["query"] = {"terms": {"document_id": sorted(look.only)}}
    while True:
        found = (await stores.search.query(body))["aggregations"]["documents"]
        if ids := [bucket["key"]["document_id"] for bucket in found["buckets"]]:
            yield ids
        if len(ids) < _DOCUMENTS:
            return
        composite["after"] = found["after_key"]


async def _completed(stores: Stores) -> int:
    return await stores.count(select(DOCUMENTS.c.document_id).where(_FOUND))


async def _in_index(stores: Stores) -> int:
    count = {"cardinality": {"field": "document_id"}}
    answer = await stores.search.query({"size": 0, "aggs": {"documents": count}})
    return int(answer["aggregations"]["documents"]["value"])


COMPARISONS: Final = (
    Comparison("documents and their entries", of_documents, _completed, ("update", "refresh")),
    Comparison("entries and their documents", of_nobody, _in_index, ("delete", "purge", "refresh")),
)
