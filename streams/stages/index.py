"""Index: a document's text in chunks, each with its vector, where a search finds them.

Reads document-extracted (and document-updated, to follow changes). Writes chunks and OpenSearch;
emits document-indexed. Entries carry the document's version, so that an older writer changes
nothing.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, delete, func, literal, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.sql.base import Executable

from schemas import topics
from schemas.attributes import attributes
from schemas.embedding_text import PREPARATION_VERSION
from schemas.messages import DocumentExtracted, DocumentIndexed, DocumentUpdated
from schemas.tables import CHUNKS, DOCUMENTS, RUNS
from schemas.versions import DELETED_VERSION
from streams import documents
from streams.chunking import Chunk, chunk
from streams.clients.ollama import Models
from streams.clients.opensearch import SearchIndex
from streams.clients.postgres import Database
from streams.errors import Refused
from streams.stage import Outcome, Output, Scope, Stage, Work

_ROWS_PER_INSERT = 500


def extracted(database: Database, models: Models, index: SearchIndex) -> Stage[DocumentExtracted]:
    """Returns: the stage that indexes a document for the first time in a run."""

    async def handle(message: DocumentExtracted, work: Work) -> Outcome:
        statements, version, count = await _write(database, models, index, work)
        indexed = DocumentIndexed(
            document_id=message.document_id,
            run_id=message.run_id,
            version=version,
            chunk_count=count,
        )
        output = Output(topics.DOCUMENT_INDEXED, message.document_id, indexed)
        return Outcome(statements, (output,))

    async def undo(_: DocumentExtracted, work: Work) -> None:
        await _forget(index, work)

    return Stage("index", topics.DOCUMENT_EXTRACTED, handle, cancelled=undo)


def updated(database: Database, models: Models, index: SearchIndex) -> Stage[DocumentUpdated]:
    """Returns: the stage that makes the index follow a document's change."""

    async def handle(_: DocumentUpdated, work: Work) -> Outcome:
        statements, *_rest = await _write(database, models, index, work)
        return Outcome(statements)

    async def undo(_: DocumentUpdated, work: Work) -> None:
        await _forget(index, work)

    return Stage("refresh", topics.DOCUMENT_UPDATED, handle, scope=Scope.NOTHING, cancelled=undo)


async def _forget(index: SearchIndex, work: Work) -> None:
    entries = await index.ids(work.document_id or "")
    await index.delete(entries, version=DELETED_VERSION)


async def _write(
    database: Database, models: Models, index: SearchIndex, work: Work
) -> tuple[list[Executable], int, int]:
    """Write all entries of the document as it is now. Returns: statements, version, chunks.

    What is written is the latest run that was read to its end, whatever run the record names, so
    that neither a late record nor a run in work takes a document out of the index.
    """
    document_id = work.document_id or ""
    try:
        row = await documents.require(database, work.gpt_id, document_id)
        while True:
            run_id = await documents.readable_run(database, document_id)
            if run_id is None:
                return [], row.version, 0
            chunks = chunk(await documents.pages(database, run_id))
            await _put(models, index, row, run_id, chunks)
            written = row
            row = await documents.require(database, work.gpt_id, document_id)
            # A writer of a newer version may have been here before these entries were.
            if row.version == written.version:
                break
    except Refused:
        return [], 0, 0  # Deleted meanwhile: the commit finds the tombstone and undoes.
    made_by = {"embedding": models.embedding_model, "preparation": PREPARATION_VERSION}
    provenance = update(RUNS).where(RUNS.c.run_id == run_id)
    noted = provenance.values(models=RUNS.c.models.op("||")(literal(made_by, JSONB)))
    return [*_statements(row, run_id, chunks), noted], row.version, len(chunks)


async def _put(
    models: Models, index: SearchIndex, row: Row[Any], run_id: str, chunks: Sequence[Chunk]
) -> None:
    """Write the entries, and delete all others that the document has."""
    vectors = await models.embed([_embedded(row, each) for each in chunks])
    shared = _shared(row, run_id, models.embedding_model)
    entries = {
        f"{row.document_id}:{each.ordinal}": {
            **shared,
            **_own(each),
            "embedding": _short(vector),
        }
        for each, vector in zip(chunks, vectors, strict=True)
    }
    await index.write(entries.items(), version=row.version)
    surplus = {f"{row.document_id}:{i}" for i in range(len(chunks), row.chunk_count)}
    surplus.update(await index.ids(row.document_id))
    await index.delete(sorted(surplus - entries.keys()), version=row.version)


def _embedded(row: Row[Any], each: Chunk) -> str:
    return f"{row.title}\n{each.text}" if row.title else each.text


def _short(vector: Sequence[float]) -> list[float]:
    return [round(x, 6) for x in vector]


def _shared(row: Row[Any], run_id: str, model: str) -> dict[str, Any]:
    return {
        "gpt_id": row.gpt_id,
        "subject": row.subject,
        "document_id": row.document_id,
        "run_id": run_id,
        "version": row.version,
        "title": row.title,
        "filename": row.filename,
        "type": row.type,
        "needs_review": row.needs_review,
        "content_type": row.content_type,
        "created_at": row.created_at.isoformat(),
        "attributes": attributes(row.metadata, row.fields, row.confidence),
        "embedding_model": model,
    }


def _own(each: Chunk) -> dict[str, Any]:
    return {
        "ordinal": each.ordinal,
        "page": each.page,
        "start": each.start,
        "end": each.end,
        "content": each.text,
    }


def _statements(row: Row[Any], run_id: str, chunks: Sequence[Chunk]) -> list[Executable]:
    rows = [
        {
            "run_id": run_id,
            "ordinal": each.ordinal,
            "gpt_id": row.gpt_id,
            "document_id": row.document_id,
            "page": each.page,
            "start_offset": each.start,
            "end_offset": each.end,
            "text": each.text,
        }
        for each in chunks
    ]
    statements: list[Executable] = [delete(CHUNKS).where(CHUNKS.c.run_id == run_id)]
    statements += [
        insert(CHUNKS).values(rows[start : start + _ROWS_PER_INSERT])
        for start in range(0, len(rows), _ROWS_PER_INSERT)
    ]
    statements.append(
        update(DOCUMENTS)
        .where(DOCUMENTS.c.document_id == row.document_id)
        .values(
            indexed_version=func.greatest(
                func.coalesce(DOCUMENTS.c.indexed_version, 0), row.version
            ),
            chunk_count=func.greatest(DOCUMENTS.c.chunk_count, len(chunks)),
        )
    )
    return statements
