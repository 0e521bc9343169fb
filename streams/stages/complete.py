"""Complete: the run is through, a search finds the document, and its request is answered.

Reads document-indexed. Writes documents, runs and requests; emits the result.
"""

from pydantic import JsonValue
from sqlalchemy import func, select, update

from schemas import topics
from schemas.events import EventType
from schemas.messages import DocumentIndexed
from schemas.states import Status
from schemas.tables import DOCUMENTS, DUPLICATE_OF, RUNS
from streams import documents, replies
from streams.clients.postgres import Database
from streams.errors import Refused
from streams.stage import Claim, Event, Outcome, Stage, Work


def stage(database: Database) -> Stage[DocumentIndexed]:
    """Returns: the stage."""

    async def complete(message: DocumentIndexed, work: Work) -> Outcome:
        try:
            row = await documents.require(database, work.gpt_id, message.document_id)
        except Refused:
            return Outcome()  # Deleted meanwhile: the commit finds the tombstone.
        run = await documents.run(database, message.run_id)
        result = {
            "document_id": message.document_id,
            "run_id": message.run_id,
            "title": row.title,
            "type": run.type,
            "type_confidence": run.type_confidence,
            "fields": row.fields,
            "confidence": run.confidence,
            "needs_review": run.needs_review,
            "page_count": run.page_count,
            "duplicate_of": row.duplicate_of and await _twin(database, message.document_id),
        }
        ended = update(RUNS).where(RUNS.c.run_id == message.run_id)
        document = update(DOCUMENTS).where(
            DOCUMENTS.c.document_id == message.document_id, DOCUMENTS.c.run_id == message.run_id
        )
        settled, output = replies.answer(work, status=Status.COMPLETED, result=result)
        statements = (
            ended.values(status=Status.COMPLETED, completed_at=func.now()),
            document.values(
                status=Status.COMPLETED,
                problem=None,
                updated_at=func.now(),
                completed_at=func.now(),
            ),
            settled,
        )
        told: dict[str, JsonValue] = {
            name: result[name] for name in ("run_id", "type", "confidence", "page_count")
        }
        events = [Event(EventType.DOCUMENT_INDEXED, told, batch_id=row.batch_id)]
        # By the row: a later run's records do not name the batch.
        moved = () if row.batch_id is None else (message.document_id,)
        if run.needs_review:
            events.append(Event(EventType.DOCUMENT_NEEDS_REVIEW, told, batch_id=row.batch_id))
        return Outcome(statements, (output,), events=events, moved=moved)

    return Stage("complete", topics.DOCUMENT_INDEXED, complete, claim=Claim.AT_COMMIT)


async def _twin(database: Database, document_id: str) -> str | None:
    """Returns: the document of the same bytes that this one's end user may know of."""
    query = select(DUPLICATE_OF).where(DOCUMENTS.c.document_id == document_id)
    async with database.transaction() as connection:
        found: str | None = (await connection.execute(query)).scalar_one_or_none()
    return found
