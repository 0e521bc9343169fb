"""Reads of documents: one, a page of them, its timeline and its attachments."""

import asyncio
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, and_, case, exists, false, literal, select, true, tuple_

from gateway.database import Reader, Row
from gateway.errors import Deleted
from gateway.principal import Principal
from gateway.public import link, problem
from gateway.queries.conditions import compiled
from gateway.queries.requests import ASK_AGAIN_S, attempt
from gateway.queries.scope import owned, unseen
from schemas.api.documents import (
    ChildDocument,
    DocumentDetail,
    DocumentPage,
    DocumentSummary,
    TimelineStep,
)
from schemas.states import FINAL, Status
from schemas.tables import DOCUMENTS, DUPLICATE_OF, REQUESTS, STEPS
from schemas.topics import DELETE_DOCUMENT
from schemas.where import Condition

_ATTACHMENTS: Final = 100
_PAGE_CHARS: Final = 80_000
"""Characters of a page; a GPT refuses answers of 100,000."""

_ROW_CHARS: Final = 700
_STEPS: Final = 1000
_SUMMARY: Final = (
    "document_id",
    "subject",
    "status",
    "version",
    "title",
    "filename",
    "metadata",
    "content_type",
    "size_bytes",
    "page_count",
    "type",
    "type_confidence",
    "fields",
    "confidence",
    "needs_review",
    "parent_id",
    "batch_id",
    "duplicate_of",
    "sha256",
    "correlation_id",
    "problem",
    "created_at",
    "updated_at",
    "completed_at",
)
_STEP: Final = (
    "run_id",
    "stage",
    "part",
    "state",
    "started_at",
    "finished_at",
    "fence",
    "failures",
    "crashes",
    "attempts_allowed",
    "retry_at",
    "waiting_for",
    "waiting_since",
    "waited_ms",
    "problem",
)
_DETAIL: Final = (
    *_SUMMARY,
    "request_id",
    "run_id",
    "chunk_count",
    "s3_key",
    "deleted_at",
    "indexed_version",
)
_READ: Final = {**DOCUMENTS.c, "duplicate_of": DUPLICATE_OF}


def _columns(names: tuple[str, ...]) -> Select[Any]:
    return select(*(_READ[name] for name in names))


async def find(reader: Reader, principal: Principal, document_id: str) -> Row | None:
    """Returns: the row of a document; none where it is not stored yet.

    Raises:
        Deleted: it bears a tombstone, or the caller deleted it before it was stored.
        NotFound: it is another end user's, or nobody's.
    """
    row = await reader.row(_found(principal, document_id), principal.gpt_id)
    if row is None:
        return None
    if row["deleted_early"] or (row["mine"] and row["deleted_at"] is not None):
        raise Deleted("the document has been deleted")
    if row["document_id"] is None:
        return None
    if not row["mine"]:
        raise unseen()
    return row


def _found(principal: Principal, document_id: str) -> Select[Any]:
    """Returns: what reads a document's row whosever it is, and what this end user did about it.

    One that is not stored yet is asked for again and again: all about it is one statement.
    """
    stored = (DOCUMENTS.c.document_id == document_id, DOCUMENTS.c.gpt_id == principal.gpt_id)
    if principal.subject is None:
        everything = _columns(_DETAIL).add_columns(
            true().label("mine"), false().label("deleted_early")
        )
        return everything.where(*stored)
    mine = DOCUMENTS.c.subject.is_not_distinct_from(principal.subject)
    # Whose a document is, is not known before it is stored; of another one's they see nothing.
    deleted_early = exists().where(
        REQUESTS.c.document_id == document_id,
        REQUESTS.c.kind == DELETE_DOCUMENT.name,
        REQUESTS.c.status == Status.COMPLETED,
        *owned(REQUESTS, principal),
    )
    return (
        _columns(_DETAIL)
        .add_columns(mine.label("mine"), case((~mine, deleted_early)).label("deleted_early"))
        .select_from(select(literal(1)).subquery().outerjoin(DOCUMENTS, and_(*stored)))
    )


async def page(
    reader: Reader,
    principal: Principal,
    conditions: tuple[Condition, ...],
    limit: int,
    after: tuple[datetime, str] | None,
) -> DocumentPage:
    """Returns: up to `limit` documents, newest first, behind the position `after`.

    The page bears no cursor yet; `has_more` says whether it is to have one.
    """
    order = (DOCUMENTS.c.created_at, DOCUMENTS.c.document_id)
    statement = (
        _columns(_SUMMARY)
        .where(
            *owned(DOCUMENTS, principal),
            DOCUMENTS.c.deleted_at.is_(None),
            *compiled(conditions),
        )
        .order_by(*(column.desc() for column in order))
        .limit(limit + 1)
    )
    if after is not None:
        statement = statement.where(tuple_(*order) < tuple_(*after))
    rows = await reader.rows(statement, principal.gpt_id)
    items = _fitting([summary(row) for row in rows[:limit]])
    return DocumentPage(items=items, next_cursor=None, has_more=len(rows) > len(items))


def _fitting(items: list[DocumentSummary]) -> list[DocumentSummary]:
    """Returns: the first items, at least one, that a GPT takes at once."""
    chars = 0
    for count, item in enumerate(items):
        chars += len(str(item.fields)) + len(str(item.metadata)) + _ROW_CHARS
        if count and chars > _PAGE_CHARS:
            return items[:count]
    return items


def summary(row: Row) -> DocumentSummary:
    """Returns: a document's row as lists show it."""
    return DocumentSummary(**_shown(row, _SUMMARY))


def _shown(row: Row, names: tuple[str, ...]) -> dict[str, Any]:
    values = {name: row[name] for name in names}
    values["problem"] = problem(values["problem"])
    return values


async def detail(reader: Reader, principal: Principal, row: Row) -> DocumentDetail:
    """Returns: a document with its timeline and its attachments."""
    document_id = row["document_id"]
    timeline, attachments = await asyncio.gather(
        _timeline(reader, principal, document_id), _attachments(reader, principal, document_id)
    )
    names = (*_SUMMARY, "request_id", "run_id", "chunk_count")
    return DocumentDetail(
        **_shown(row, names),
        retry_after_s=None if row["status"] in FINAL else ASK_AGAIN_S,
        timeline=timeline,
        attachments=attachments,
        links=links(document_id),
    )


def accepted(document_id: str, batch_id: str | None) -> DocumentDetail:
    """Returns: what is known of a document whose id was handed out and that is not stored yet.

    One that waits for its turn in a batch is of that batch.
    """
    empty: dict[str, Any] = dict.fromkeys(DocumentDetail.model_fields)
    return DocumentDetail.model_validate(
        {
            **empty,
            "document_id": document_id,
            "batch_id": batch_id,
            "status": Status.ACCEPTED,
            "metadata": {},
            "fields": {},
            "needs_review": False,
            "chunk_count": 0,
            "retry_after_s": ASK_AGAIN_S,
            "timeline": [],
            "attachments": [],
            "links": links(document_id),
        }
    )


def links(document_id: str) -> dict[str, str]:
    """Returns: the links to all that belongs to a document."""
    path = link(f"/v1/documents/{document_id}")
    parts = ("text", "fields", "chunks", "content", "runs")
    return {"self": path, **{part: f"{path}/{part}" for part in parts}}


async def _timeline(reader: Reader, principal: Principal, document_id: str) -> list[TimelineStep]:
    statement = (
        select(*(STEPS.c[name] for name in _STEP))
        .where(STEPS.c.document_id == document_id, *owned(STEPS, principal))
        .order_by(STEPS.c.started_at, STEPS.c.part, STEPS.c.stage)
        .limit(_STEPS)
    )
    return [_step(row) for row in await reader.rows(statement, principal.gpt_id)]


def _step(row: Row) -> TimelineStep:
    started, finished = row["started_at"], row["finished_at"]
    return TimelineStep(
        run_id=row["run_id"],
        stage=row["stage"],
        part=row["part"],
        state=row["state"],
        started_at=started,
        finished_at=finished,
        duration_ms=None if finished is None else int((finished - started).total_seconds() * 1000),
        attempts=row["fence"],
        attempt=attempt(row),
        attempts_allowed=row["attempts_allowed"],
        retry_at=row["retry_at"],
        failures=row["failures"],
        crashes=row["crashes"],
        waiting_for=row["waiting_for"],
        waiting_since=row["waiting_since"],
        waited_ms=row["waited_ms"],
        problem=problem(row["problem"]),
    )


async def _attachments(
    reader: Reader, principal: Principal, document_id: str
) -> list[ChildDocument]:
    statement = (
        _columns(("document_id", "filename", "status"))
        .where(
            DOCUMENTS.c.parent_id == document_id,
            DOCUMENTS.c.deleted_at.is_(None),
            *owned(DOCUMENTS, principal),
        )
        .order_by(DOCUMENTS.c.created_at, DOCUMENTS.c.document_id)
        .limit(_ATTACHMENTS)
    )
    return [ChildDocument(**row) for row in await reader.rows(statement, principal.gpt_id)]
