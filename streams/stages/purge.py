"""Purge: everything that was made from a deleted document.

Reads document-deleted. Removes bytes, rows, index entries, model answers and the values of dead
letters; empties the document's row, which stays as a tombstone; deletes what was attached to it.
"""

from sqlalchemy import delete, func, null, select, text, update
from sqlalchemy.sql.base import Executable

from schemas import topics
from schemas.events import EventType
from schemas.ids import REQUEST, Ids
from schemas.messages import DeleteDocument, DocumentDeleted
from schemas.states import SETTLED, Status
from schemas.tables import (
    CHUNKS,
    CORRECTIONS,
    DEAD_LETTERS,
    DOCUMENTS,
    MODEL_ANSWERS,
    PAGES,
    REQUESTS,
    RUNS,
    STEPS,
)
from streams import batch_entries, documents, replies
from streams.clients.opensearch import SearchIndex
from streams.clients.postgres import Database
from streams.clients.s3 import ObjectStore, prefix
from streams.stage import Event, Outcome, Output, Scope, Stage, Work
from streams.targets import Targets


def stage(
    database: Database, store: ObjectStore, index: SearchIndex, ids: Ids
) -> Stage[DocumentDeleted]:
    """Returns: the stage."""
    targets = Targets(database, index)

    async def purge(message: DocumentDeleted, work: Work) -> Outcome:
        document_id = message.document_id
        query = select(DOCUMENTS.c.chunk_count, DOCUMENTS.c.s3_key, DOCUMENTS.c.batch_id).where(
            DOCUMENTS.c.document_id == document_id
        )
        columns = DOCUMENTS.c
        children = select(columns.document_id, columns.subject).where(
            columns.parent_id == document_id
        )
        async with database.transaction() as connection:
            row = (await connection.execute(query)).one()
            attached = (await connection.execute(children)).all()
        await store.delete_all(prefix(work.gpt_id, document_id))
        if row.s3_key and not await documents.stored_by_others(database, row.s3_key, document_id):
            await store.delete(row.s3_key)
        await targets.forget(document_id, at_most=row.chunk_count)
        settled, output = replies.answer(
            work,
            status=Status.COMPLETED,
            result={"document_id": document_id, "deleted": True},
        )
        return Outcome(
            (*_removals(document_id), settled),
            (*(_delete(*child, work, ids) for child in attached), output),
            events=(Event(EventType.DOCUMENT_DELETED, batch_id=row.batch_id),),
        )

    return Stage(
        "purge",
        topics.DOCUMENT_DELETED,
        purge,
        scope=Scope.REQUEST,
        request=topics.DELETE_DOCUMENT,
        touches_deleted=True,
    )


def _delete(child: str, subject: str | None, work: Work, ids: Ids) -> Output:
    """Returns: the deletion of what was attached, in the name of whose that is."""
    request_id = ids.derive(REQUEST, work.gpt_id, work.request_id, "delete", child)
    envelope = work.envelope.model_copy(
        update={
            "request_id": request_id,
            "subject": subject,
            "reply_to": None,
            "fingerprint": None,
        }
    )
    return Output(topics.DELETE_DOCUMENT, child, DeleteDocument(document_id=child), envelope)


def _removals(document_id: str) -> list[Executable]:
    emptied = (
        update(DOCUMENTS)
        .where(DOCUMENTS.c.document_id == document_id)
        .values(
            filename=None,
            title=None,
            metadata=text("'{}'::jsonb"),
            fields=text("'{}'::jsonb"),
            s3_key=None,
            sha256=None,
            problem=null(),
            confidence=None,
            type=None,
            updated_at=func.now(),
        )
    )
    silenced = (
        update(STEPS)
        .where(
            STEPS.c.document_id == document_id,
            STEPS.c.state.in_([str(state) for state in SETTLED]),
            # The deletion's own outputs are still to be published, and hold nothing but ids.
            STEPS.c.stage.not_in(("delete", "purge")),
        )
        .values(outputs=text("'[]'::jsonb"), detail=null())
    )
    answers = (
        update(REQUESTS)
        .where(REQUESTS.c.document_id == document_id)
        .values(result=null(), problem=null())
    )
    letters = (
        update(DEAD_LETTERS)
        .where(DEAD_LETTERS.c.document_id == document_id)
        .values(record_value=None)
    )
    tables = (PAGES, CHUNKS, CORRECTIONS, MODEL_ANSWERS, RUNS)
    gone = [delete(table).where(table.c.document_id == document_id) for table in tables]
    return [*gone, emptied, silenced, answers, letters, batch_entries.emptied(document_id)]
