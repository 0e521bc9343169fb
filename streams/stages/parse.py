"""Parse: a document's bytes into pages of text; scanned pages by OCR; attachments as documents.

Reads document-received. Writes pages; emits document-parsed, and process-document for each
attachment. A long document is worked through in parts, each handing the rest on.
"""

from pathlib import Path
from typing import Protocol

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.base import Executable

from schemas import topics
from schemas.events import EventType
from schemas.ids import DOCUMENT, REQUEST, Ids
from schemas.messages import DocumentParsed, DocumentReceived, ProcessDocument, StoredFile
from schemas.tables import DOCUMENTS, PAGES, RUNS
from streams import documents
from streams.clients.postgres import Database
from streams.clients.s3 import prefix
from streams.documents import words_json
from streams.errors import InvalidMessage, RecordTrouble
from streams.files import Files
from streams.parsing.errors import ParserCrashed, Unparsable
from streams.parsing.page import Attachment, Page, ParsedPart
from streams.stage import Event, Outcome, Output, Stage, Work
from streams.stages.extract import appended


class Parser(Protocol):
    """Parses a file from a page on, as far as its time budget carries."""

    async def parse(self, path: Path, content_type: str, *, first_page: int) -> ParsedPart:
        """Raises: Unparsable: never parsable. ParserCrashed: the child process died or hung."""


def stage(database: Database, files: Files, parser: Parser, ids: Ids) -> Stage[DocumentReceived]:
    """Returns: the stage."""

    async def attach(
        attachment: Attachment, position: int, message: DocumentReceived, work: Work
    ) -> Output:
        key = f"{prefix(work.gpt_id, message.document_id)}attachments/{position}"
        await files.store.put(key, attachment.content, content_type="application/octet-stream")
        # Of the document, not of the run: a new run meets the same children again.
        request_id = ids.derive(REQUEST, work.gpt_id, message.document_id, "attachment", position)
        document_id = ids.derive(DOCUMENT, work.gpt_id, request_id)
        child = ProcessDocument(
            source=StoredFile(key=key),
            document_id=document_id,
            filename=attachment.name[:512] or None,
            parent_id=message.document_id,
            depth=message.depth + 1,
        )
        envelope = work.envelope.model_copy(
            update={"request_id": request_id, "reply_to": None, "fingerprint": None}
        )
        return Output(topics.PROCESS_DOCUMENT, document_id, child, envelope)

    async def parse(message: DocumentReceived, work: Work) -> Outcome:
        first_page = await _next_page(database, message.run_id)
        with files.scratch() as path:
            await files.download(message.s3_key, path)
            try:
                part = await parser.parse(path, message.content_type, first_page=first_page)
            except Unparsable as error:
                raise InvalidMessage(error.code, error.detail) from error
            except ParserCrashed as error:
                raise RecordTrouble("parser", str(error)) from error
        outputs = [
            await attach(attachment, position, message, work)
            for position, attachment in enumerate(part.attachments)
        ]
        statements = _store(part, message, work)
        if part.next_page is not None:
            return Outcome(statements, outputs, hand_over=True)
        parsed = DocumentParsed(
            document_id=message.document_id, run_id=message.run_id, page_count=part.page_count
        )
        outputs.append(Output(topics.DOCUMENT_PARSED, message.document_id, parsed))
        told = Event(
            EventType.DOCUMENT_PARSED, {"run_id": message.run_id, "page_count": part.page_count}
        )
        return Outcome(statements, outputs, events=(told,))

    async def undo(message: DocumentReceived, work: Work) -> None:
        # One that was only cancelled keeps its bytes.
        if await documents.is_deleted(database, message.document_id):
            await files.store.delete_all(prefix(work.gpt_id, message.document_id))

    return Stage("parse", topics.DOCUMENT_RECEIVED, parse, cancelled=undo)


async def _next_page(database: Database, run_id: str) -> int:
    query = select(func.coalesce(func.max(PAGES.c.number), 0) + 1).where(PAGES.c.run_id == run_id)
    async with database.transaction() as connection:
        return int((await connection.execute(query)).scalar_one())


def _store(part: ParsedPart, message: DocumentReceived, work: Work) -> list[Executable]:
    statements: list[Executable] = []
    if part.pages:
        rows = [_row(page, message, work) for page in part.pages]
        statements.append(insert(PAGES).values(rows).on_conflict_do_nothing())
    statements.append(
        update(RUNS)
        .where(RUNS.c.run_id == message.run_id)
        .values(page_count=part.page_count, notices=appended(part.notes))
    )
    document = update(DOCUMENTS).where(
        DOCUMENTS.c.document_id == message.document_id, DOCUMENTS.c.run_id == message.run_id
    )
    title = func.coalesce(DOCUMENTS.c.title, part.title)
    statements.append(
        document.values(page_count=part.page_count, title=title, updated_at=func.now())
    )
    return statements


def _row(page: Page, message: DocumentReceived, work: Work) -> dict[str, object]:
    return {
        "run_id": message.run_id,
        "number": page.number,
        "gpt_id": work.gpt_id,
        "document_id": message.document_id,
        "text": page.text,
        "source": str(page.source),
        "confidence": page.confidence,
        "words": words_json(page),
    }
