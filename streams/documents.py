"""What the stages read of a document from Postgres: its row, its run, its pages."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, Select, func, literal, select, text, update
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.document_types import DocumentType, builtin, parse
from schemas.states import Status
from schemas.tables import DOCUMENT_TYPES, DOCUMENTS, GPTS, PAGES, REQUESTS, RUNS
from schemas.topics import DELETE_DOCUMENT, PROCESS_DOCUMENT
from streams.clients.postgres import Database
from streams.errors import Fenced, InvalidMessage, Refused
from streams.parsing.page import Page, TextSource, Word
from streams.stage import Guarded, Work


async def require(database: Database, gpt_id: str, document_id: str) -> Row[Any]:
    """Returns: a stored document's row. Raises: Refused (404): there is none, or it was deleted."""
    query = select(DOCUMENTS).where(
        DOCUMENTS.c.document_id == document_id,
        DOCUMENTS.c.gpt_id == gpt_id,
        DOCUMENTS.c.deleted_at.is_(None),
    )
    async with database.transaction() as connection:
        row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise absent()
    return row


def absent() -> Refused:
    """Returns: the answer to who asks for a document that is not there, or not theirs."""
    return Refused("not_found", "There is no such document.", 404)


async def asked_for(database: Database, work: Work, document_id: str) -> Row[Any]:
    """Returns: the row of the document that a request is about.

    Raises: Refused (404): there is none, it was deleted, or it is another end user's.
    """
    row = await require(database, work.gpt_id, document_id)
    if work.envelope.subject not in {None, row.subject}:
        raise absent()
    return row


def changed(
    row: Row[Any], if_version: int | None, values: Mapping[str, Any]
) -> tuple[Guarded, int]:
    """Returns: the statement that changes a document as it was read, and its version then.

    Refused (412) where it is not at `if_version`. Who names none does not care which one it is:
    where the document has changed since it was read, the work is done anew.
    """
    expected = row.version if if_version is None else if_version
    statement = (
        update(DOCUMENTS)
        .where(
            DOCUMENTS.c.document_id == row.document_id,
            DOCUMENTS.c.version == expected,
            DOCUMENTS.c.run_id.is_not_distinct_from(row.run_id),
        )
        .values(version=DOCUMENTS.c.version + 1, updated_at=func.now(), **values)
    )
    detail = "The document has changed since that version; read it again and repeat."
    conflict = Refused("version_conflict", detail, 412)
    return Guarded(statement, Fenced() if if_version is None else conflict), expected + 1


def locking(document_id: str) -> Select[Any]:
    """Returns: what keeps every commit to this document, a deletion too, waiting for this one."""
    key = func.hashtextextended(literal(document_id), text("0"))
    return select(func.pg_advisory_xact_lock(key))


async def is_deleted(database: Database, document_id: str | None) -> bool:
    """Returns: whether the document bears a tombstone."""
    query = select(DOCUMENTS.c.document_id).where(
        DOCUMENTS.c.document_id == document_id, DOCUMENTS.c.deleted_at.is_not(None)
    )
    async with database.transaction() as connection:
        return (await connection.execute(query)).one_or_none() is not None


async def deleted_early(connection: AsyncConnection, work: Work) -> bool:
    """Have a document that is not stored yet bear a tombstone, if its owner deleted it before.

    Only the document's own processing says who that is. What another end user of the tenant has
    asked for an id that was not theirs to delete counts for nothing.

    Returns: whether it was deleted.
    """
    subject = work.envelope.subject
    if subject is None or work.kind != PROCESS_DOCUMENT.name:
        return False
    asked = early_deletions(work.gpt_id, subject, [work.document_id or ""])
    if (await connection.execute(asked.limit(1))).one_or_none() is None:
        return False
    await connection.execute(tombstone(work.document_id or "", work.gpt_id, subject))
    return True


def tombstone(document_id: str, gpt_id: str, subject: str | None) -> Insert:
    """Returns: the statement that enters a document as deleted which has no row yet."""
    return insert(DOCUMENTS).values(
        document_id=document_id,
        gpt_id=gpt_id,
        subject=subject,
        status=Status.CANCELLED,
        deleted_at=func.now(),
    )


def early_deletions(gpt_id: str, subject: str, document_ids: Sequence[str]) -> Select[Any]:
    """Returns: the query of those among documents not stored yet that this end user has deleted."""
    query = select(REQUESTS.c.document_id).where(
        REQUESTS.c.document_id.in_(document_ids),
        REQUESTS.c.gpt_id == gpt_id,
        REQUESTS.c.subject == subject,
        REQUESTS.c.kind == DELETE_DOCUMENT.name,
        REQUESTS.c.status == Status.COMPLETED,
    )
    return query.distinct()


async def stored_by_others(database: Database, key: str, document_id: str) -> bool:
    """Returns: whether another document, not deleted, has its bytes under this key too."""
    query = select(DOCUMENTS.c.document_id).where(
        DOCUMENTS.c.gpt_id == key.partition("/")[0],
        DOCUMENTS.c.s3_key == key,
        DOCUMENTS.c.document_id != document_id,
        DOCUMENTS.c.deleted_at.is_(None),
    )
    async with database.transaction() as connection:
        return (await connection.execute(query.limit(1))).one_or_none() is not None


async def readable_run(database: Database, document_id: str) -> str | None:
    """Returns: the latest run whose text and fields are complete; None before the first is."""
    query = (
        select(RUNS.c.run_id)
        .where(RUNS.c.document_id == document_id, RUNS.c.fields.is_not(None))
        .order_by(RUNS.c.number.desc())
        .limit(1)
    )
    async with database.transaction() as connection:
        found: str | None = (await connection.execute(query)).scalar_one_or_none()
    return found


async def run(database: Database, run_id: str) -> Row[Any]:
    """Returns: a run's row. Raises: InvalidMessage: there is none (any more)."""
    query = select(RUNS).where(RUNS.c.run_id == run_id)
    async with database.transaction() as connection:
        row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise InvalidMessage("no_such_run", "The run that the record names does not exist.")
    return row


async def pages(database: Database, run_id: str, *, limit: int | None = None) -> list[Page]:
    """Returns: the pages of a run in their order, the first `limit` of them."""
    query = select(PAGES).where(PAGES.c.run_id == run_id).order_by(PAGES.c.number).limit(limit)
    async with database.transaction() as connection:
        rows = (await connection.execute(query)).all()
    return [_page(row) for row in rows]


def _page(row: Row[Any]) -> Page:
    words = tuple(
        Word(row.text[start:end], start, end, tuple(box), confidence)
        for start, end, box, confidence in row.words or ()
    )
    return Page(row.number, row.text, TextSource(row.source), words, row.confidence)


def words_json(page: Page) -> list[Any] | None:
    """Returns: a page's words as `pages.words` keeps them; None where OCR read nothing."""
    if not page.words:
        return None
    return [
        [word.start, word.end, [round(x, 4) for x in word.box], round(word.confidence, 3)]
        for word in page.words
    ]


async def document_types(database: Database, gpt_id: str) -> dict[str, DocumentType]:
    """Returns: the built-in types by name, with the tenant's own over them."""
    query = select(DOCUMENT_TYPES.c.name, DOCUMENT_TYPES.c.definition).where(
        DOCUMENT_TYPES.c.gpt_id == gpt_id
    )
    async with database.transaction() as connection:
        rows = (await connection.execute(query)).all()
    return {**builtin(), **{row.name: parse(row.definition) for row in rows}}


async def require_tenant(database: Database, gpt_id: str) -> None:
    """Raises: InvalidMessage: there is no such tenant, or it is disabled. Refused: was deleted."""
    query = select(GPTS.c.disabled_at, GPTS.c.deleted_at).where(GPTS.c.gpt_id == gpt_id)
    async with database.transaction() as connection:
        row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise InvalidMessage("unknown_tenant", "The header `gpt-id` names no tenant.")
    if row.deleted_at is not None:
        raise _deleted()
    if row.disabled_at is not None:
        raise InvalidMessage("disabled_tenant", "The tenant is disabled.")


def living(gpt_id: str) -> Guarded:
    """Returns: what keeps a deletion of the tenant waiting for this commit, or refuses the commit.

    Without it, what is committed behind the tombstone would never be removed.
    """
    query = select(GPTS.c.gpt_id).where(GPTS.c.gpt_id == gpt_id, GPTS.c.deleted_at.is_(None))
    return Guarded(query.with_for_update(read=True, key_share=True), _deleted())


def _deleted() -> Refused:
    # No dead letter: it would keep what the record holds.
    return Refused("gpt_deleted", "The GPT was deleted.", 404)
