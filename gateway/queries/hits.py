"""Hits as a client sees them: those that are current in Postgres, with what it knows of them.

An entry of the index may be older than its document or object, or of one that is gone.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import func, or_, select

from gateway.database import Reader, Row
from gateway.highlights import passages, spans
from gateway.principal import Principal
from gateway.public import link
from gateway.queries.rankings import Markers
from gateway.queries.scope import owned
from schemas.api.search import Highlight, ObjectHit, SearchHit
from schemas.indexes import Kind
from schemas.tables import COLLECTIONS, DOCUMENTS, OBJECTS

Hit = SearchHit | ObjectHit
Json = dict[str, Any]


async def current(
    reader: Reader, principal: Principal, hits: Sequence[Json], markers: Markers
) -> list[Hit]:
    """Returns: those of these hits that the caller may see now, in their order.

    Raises:
        Unavailable: Postgres is away.
    """
    objects = await _objects(reader, principal, _ids(hits, of_objects=True))
    documents = await _documents(reader, principal, _ids(hits, of_objects=False))
    shown: list[Hit] = []
    for hit in hits:
        source = hit["_source"]
        if _is_object(hit):
            row = objects.get(source["document_id"])
            # Of an object nothing is shown that it does not say any more.
            if row is not None and source["version"] == row["version"]:
                shown.append(_object(hit, row, markers))
        else:
            row = documents.get(source["document_id"])
            # An entry may be ahead of the row for the moment between the index and the commit.
            if row is not None and source["version"] >= (row["indexed_version"] or 0):
                shown.append(_document(hit, row, markers))
    return shown


def _is_object(hit: Mapping[str, Any]) -> bool:
    return bool(hit["_source"].get("kind") == Kind.OBJECT)


def _ids(hits: Iterable[Mapping[str, Any]], *, of_objects: bool) -> set[str]:
    return {hit["_source"]["document_id"] for hit in hits if _is_object(hit) is of_objects}


async def _documents(reader: Reader, principal: Principal, ids: set[str]) -> dict[str, Row]:
    if not ids:
        return {}
    columns = DOCUMENTS.c
    statement = select(
        columns.document_id,
        columns.indexed_version,
        columns.title,
        columns.filename,
        columns.type,
        columns.content_type,
        columns.status,
        columns.needs_review,
        columns.created_at,
    ).where(
        columns.document_id.in_(ids), columns.deleted_at.is_(None), *owned(DOCUMENTS, principal)
    )
    return {row["document_id"]: row for row in await reader.rows(statement, principal.gpt_id)}


async def _objects(reader: Reader, principal: Principal, ids: set[str]) -> dict[str, Row]:
    if not ids:
        return {}
    columns = OBJECTS.c
    statement = (
        select(
            columns.object_id,
            columns.key,
            columns.version,
            columns.created_at,
            columns.updated_at,
            COLLECTIONS.c.name,
        )
        .join(COLLECTIONS, COLLECTIONS.c.collection_id == columns.collection_id)
        .where(
            columns.object_id.in_(ids),
            columns.deleted_at.is_(None),
            or_(columns.expires_at.is_(None), columns.expires_at > func.now()),
            COLLECTIONS.c.deleted_at.is_(None),
            *owned(OBJECTS, principal),
        )
    )
    return {row["object_id"]: row for row in await reader.rows(statement, principal.gpt_id)}


def _document(hit: Mapping[str, Any], row: Row, markers: Markers) -> SearchHit:
    source = hit["_source"]
    return SearchHit(
        kind=Kind.DOCUMENT,
        document_id=source["document_id"],
        score=_score(hit),
        title=row["title"],
        filename=row["filename"],
        type=row["type"],
        content_type=row["content_type"],
        status=row["status"],
        needs_review=row["needs_review"],
        created_at=row["created_at"],
        ordinal=source["ordinal"],
        page=source["page"],
        start=source["start"],
        end=source["end"],
        highlights=_highlights(hit, markers),
    )


def _object(hit: Mapping[str, Any], row: Row, markers: Markers) -> ObjectHit:
    source = hit["_source"]
    return ObjectHit(
        kind=Kind.OBJECT,
        id=row["object_id"],
        collection=row["name"],
        key=row["key"],
        title=source.get("title"),
        score=_score(hit),
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        ordinal=source["ordinal"],
        highlights=_highlights(hit, markers),
        url=link(f"/v1/objects/{row['object_id']}"),
    )


def _score(hit: Mapping[str, Any]) -> float:
    return max(0.0, float(hit["_score"] or 0.0))


def _highlights(hit: Mapping[str, Any], markers: Markers) -> list[Highlight]:
    source = hit["_source"]
    [marked] = hit.get("highlight", {}).get("content", [""])
    return passages(
        source["content"],
        spans(marked, markers.opening, markers.closing),
        source["page"],
        source["start"],
    )
