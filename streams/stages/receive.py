"""Receive: store a document's bytes, hash them, tell their type, and register document and run.

Reads process-document. Writes documents, runs and the object store; emits document-received. A link
that does not answer is tried again; what cannot be a document is dead-lettered with its reason.
"""

import asyncio
import base64
import binascii
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from pydantic import JsonValue
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.base import Executable

from schemas import topics
from schemas.events import EventType
from schemas.ids import DOCUMENT, Ids
from schemas.messages import (
    DocumentReceived,
    Inline,
    Link,
    ProcessDocument,
    Source,
    StoredFile,
)
from schemas.states import BatchState, Status
from schemas.tables import BATCHES, DOCUMENTS, RUNS
from streams import documents
from streams.clients.postgres import Database
from streams.clients.s3 import prefix
from streams.errors import InvalidMessage, Refused
from streams.files import Files
from streams.parsing.detect import detect
from streams.parsing.errors import Unparsable
from streams.stage import Event, Guarded, Outcome, Output, Stage, Work

MAX_DEPTH = 3
"""How deep documents may be nested in one another (mails in mails)."""


class Fetcher(Protocol):
    """Fetches the bytes behind a link."""

    async def __call__(self, url: str, target: Path) -> None:
        """Raises: InvalidMessage: the link is refused. RecordTrouble: it does not answer."""


def stage(database: Database, files: Files, fetch: Fetcher, ids: Ids) -> Stage[ProcessDocument]:
    """Returns: the stage."""

    async def obtain(source: Source, work: Work, target: Path) -> str | None:
        """Write the document to `target`. Returns: its key, if it is stored already."""
        match source:
            case StoredFile(key=key):
                await files.download(_own(key, work), target)
                return key
            case Link(url=url):
                await fetch(url, target)
            case Inline(content_base64=content):
                await asyncio.to_thread(target.write_bytes, _decoded(content))
        return None

    async def receive(message: ProcessDocument, work: Work) -> Outcome:
        document_id = work.document_id or ""
        if not ids.verify(document_id, DOCUMENT, work.gpt_id):
            raise InvalidMessage(
                "bad_document_id", "Leave `document_id` out, or use one handed out."
            )
        if message.depth > MAX_DEPTH:
            raise InvalidMessage("nested_too_deep", f"It is nested more than {MAX_DEPTH} deep.")
        await documents.require_tenant(database, work.gpt_id)
        with files.scratch() as path:
            key = await obtain(message.source, work, path)
            content_type, digest = await asyncio.to_thread(_examine, path, message.filename)
            size = path.stat().st_size
            if key is None:
                key = _new_key(work)
                await files.store.upload(key, path, content_type=content_type)
        twin = await _twin(database, work, digest)
        stored = {
            "s3_key": key,
            "content_type": content_type,
            "size_bytes": size,
            "sha256": digest,
            "duplicate_of": twin,
        }
        received = DocumentReceived(
            document_id=document_id,
            run_id=work.key.run_id,
            s3_key=key,
            content_type=content_type,
            filename=message.filename,
            depth=message.depth,
        )
        return Outcome(
            (
                documents.living(work.gpt_id),
                *_under(message, work),
                _document(message, work, stored),
                _run(message, work),
            ),
            (Output(topics.DOCUMENT_RECEIVED, document_id, received),),
            events=(Event(EventType.DOCUMENT_RECEIVED, _told(message, content_type, size)),),
            moved=work.batched,
        )

    async def undo(message: ProcessDocument, work: Work) -> None:
        await _forget(database, files, message.source, work)

    return Stage("receive", topics.PROCESS_DOCUMENT, receive, cancelled=undo)


def _told(message: ProcessDocument, content_type: str, size: int) -> dict[str, JsonValue]:
    return {
        "content_type": content_type,
        "size_bytes": size,
        "filename": message.filename,
        "parent_id": message.parent_id,
    }


async def _forget(database: Database, files: Files, source: Source, work: Work) -> None:
    """Delete the document's bytes, as its deletion did before they came.

    Of one that was only cancelled, what was sent stays.
    """
    document_id = work.document_id or ""
    if not await documents.is_deleted(database, document_id):
        await files.store.delete(_new_key(work))
        return
    await files.store.delete_all(prefix(work.gpt_id, document_id))
    if isinstance(source, StoredFile):
        key = _own(source.key, work)
        if not await documents.stored_by_others(database, key, document_id):
            await files.store.delete(key)


def _new_key(work: Work) -> str:
    return f"{prefix(work.gpt_id, work.document_id or '')}{work.key.run_id}/original"


def _under(message: ProcessDocument, work: Work) -> tuple[Guarded, ...]:
    """Returns: the locks on parent and batch, whose end waits and then finds this child."""
    if message.parent_id is None:
        return ()
    parent = (
        update(DOCUMENTS)
        .where(
            DOCUMENTS.c.document_id == message.parent_id,
            DOCUMENTS.c.gpt_id == work.gpt_id,
            DOCUMENTS.c.deleted_at.is_(None),
        )
        .values(parent_id=DOCUMENTS.c.parent_id)
    )
    detail = "The document that it was attached to does not exist, or was deleted."
    above = Guarded(parent, Refused("not_found", detail, 404))
    if work.envelope.batch_id is None:
        return (above,)
    batch = select(BATCHES.c.batch_id).where(
        BATCHES.c.batch_id == work.envelope.batch_id, BATCHES.c.state != BatchState.CANCELLED
    )
    cancelled = Refused("batch_cancelled", "The batch was cancelled.", 409)
    return (above, Guarded(batch.with_for_update(read=True), cancelled))


def _own(key: str, work: Work) -> str:
    """Returns: the key. Raises: InvalidMessage: it is not under the tenant's prefix."""
    if not key.startswith(f"{work.gpt_id}/") or ".." in key.split("/"):
        raise InvalidMessage("foreign_key", f"S3 keys must begin with `{work.gpt_id}/`.")
    return key


def _identity(message: ProcessDocument, work: Work) -> dict[str, object]:
    return {
        "document_id": work.document_id,
        "gpt_id": work.gpt_id,
        "subject": work.envelope.subject,
        "request_id": work.request_id,
        "correlation_id": work.envelope.correlation_id or work.request_id,
        "parent_id": message.parent_id,
        "batch_id": work.envelope.batch_id,
        "run_id": work.key.run_id,
        "status": Status.PROCESSING,
        "filename": message.filename,
        "title": message.title,
        "metadata": message.metadata,
    }


def _document(message: ProcessDocument, work: Work, stored: Mapping[str, object]) -> Executable:
    """Returns: the statement that enters the document, or completes what its failure has left."""
    entry = insert(DOCUMENTS).values(**_identity(message, work), **stored)
    said = {name: entry.excluded[name] for name in ("filename", "title", "metadata", *stored)}
    return entry.on_conflict_do_update(
        index_elements=[DOCUMENTS.c.document_id],
        set_=said,
        where=DOCUMENTS.c.s3_key.is_(None) & DOCUMENTS.c.deleted_at.is_(None),
    )


def _run(message: ProcessDocument, work: Work) -> Executable:
    entry = insert(RUNS).values(
        run_id=work.key.run_id,
        document_id=work.document_id,
        gpt_id=work.gpt_id,
        request_id=work.request_id,
        number=1,
        status=Status.PROCESSING,
        requested_type=message.type,
    )
    return entry.on_conflict_do_nothing()


def _decoded(content: str) -> bytes:
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidMessage("bad_base64", "`content_base64` is not base64 (RFC 4648).") from error


def _examine(path: Path, name: str | None) -> tuple[str, str]:
    """Returns: the content type by the content, and the SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    try:
        return detect(path, name), digest
    except Unparsable as error:
        raise InvalidMessage(error.code, error.detail) from error


async def _twin(database: Database, work: Work, digest: str) -> str | None:
    """Returns: the first other document of the same bytes, if the same end user has one."""
    query = (
        select(DOCUMENTS.c.document_id)
        .where(
            DOCUMENTS.c.gpt_id == work.gpt_id,
            DOCUMENTS.c.subject.is_not_distinct_from(work.envelope.subject),
            DOCUMENTS.c.sha256 == digest,
            DOCUMENTS.c.document_id != work.document_id,
            DOCUMENTS.c.deleted_at.is_(None),
        )
        .order_by(DOCUMENTS.c.created_at)
        .limit(1)
    )
    async with database.transaction() as connection:
        found: str | None = (await connection.execute(query)).scalar_one_or_none()
    return found
