"""Index: a document's text in chunks, each with its vector, where a search finds them.

Reads document-extracted (and document-updated, to follow changes). Writes chunks and OpenSearch;
emits document-indexed. Entries carry the document's version, so that an older writer changes
nothing.
"""

from typing import Any

from sqlalchemy import func, literal, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.base import Executable

from schemas import topics
from schemas.indexes import Vectors
from schemas.messages import DocumentExtracted, DocumentIndexed, DocumentUpdated
from schemas.tables import DOCUMENTS, RUNS
from streams import documents
from streams.clients.ollama import Models
from streams.clients.opensearch import SearchIndex
from streams.clients.postgres import Database
from streams.entries import Content
from streams.errors import Refused
from streams.sources.documents import Documents, storing_chunks
from streams.stage import Outcome, Output, Scope, Stage, Work
from streams.targets import Targets


def extracted(database: Database, models: Models, index: SearchIndex) -> Stage[DocumentExtracted]:
    """Returns: the stage that indexes a document for the first time in a run."""
    targets = Targets(database, index)

    async def handle(message: DocumentExtracted, work: Work) -> Outcome:
        statements, version, count = await _write(database, models, targets, work)
        indexed = DocumentIndexed(
            document_id=message.document_id,
            run_id=message.run_id,
            version=version,
            chunk_count=count,
        )
        output = Output(topics.DOCUMENT_INDEXED, message.document_id, indexed)
        return Outcome(statements, (output,))

    async def undo(_: DocumentExtracted, work: Work) -> None:
        await targets.forget(work.document_id or "")

    return Stage("index", topics.DOCUMENT_EXTRACTED, handle, cancelled=undo)


def updated(database: Database, models: Models, index: SearchIndex) -> Stage[DocumentUpdated]:
    """Returns: the stage that makes the index follow a document's change."""
    targets = Targets(database, index)

    async def handle(_: DocumentUpdated, work: Work) -> Outcome:
        statements, *_rest = await _write(database, models, targets, work)
        return Outcome(statements)

    async def undo(_: DocumentUpdated, work: Work) -> None:
        await targets.forget(work.document_id or "")

    return Stage("refresh", topics.DOCUMENT_UPDATED, handle, scope=Scope.NOTHING, cancelled=undo)


async def _write(
    database: Database, models: Models, targets: Targets, work: Work
) -> tuple[list[Executable], int, int]:
    """Write all entries of the document as it is now. Returns: statements, version, chunks.

    What is written is the latest run that was read to its end, whatever run the record names, so
    that neither a late record nor a run in work takes a document out of the index.
    """
    document_id = work.document_id or ""
    try:
        while True:
            content = await Documents(database).require(work.gpt_id, document_id)
            if content.origin is None:
                return [], content.version, 0
            vectors = await targets.put(models, content)
            row = await documents.require(database, work.gpt_id, document_id)
            # A writer of a newer version may have been here before these entries were.
            if row.version == content.version:
                break
    except Refused:
        return [], 0, 0  # Deleted meanwhile: the commit finds the tombstone and undoes.
    before = func.coalesce(DOCUMENTS.c.indexed_version, 0)
    chunks = storing_chunks(content, indexed_version=func.greatest(before, row.version))
    return [*chunks, *_noted(content, vectors)], row.version, len(content.chunks)


def _noted(content: Content, vectors: Vectors | None) -> list[Executable]:
    """Returns: the statement that notes in the run which model made its vectors."""
    if vectors is None:
        return []
    made_by: dict[str, Any] = {"embedding": vectors.model, "preparation": vectors.preparation}
    provenance = update(RUNS).where(RUNS.c.run_id == content.origin)
    return [provenance.values(models=RUNS.c.models.op("||")(literal(made_by, JSONB)))]
