"""Delete: the tombstone, which no work in flight can pass.

Reads delete-document. Writes documents; emits document-deleted, from which `purge` goes on.
An end user may name a document whose owner is not known yet: then the request's row alone remembers
the deletion, and `streams/documents.py:deleted_early` finds it when the document comes.
"""

from sqlalchemy import exists, func, literal, not_, select

from schemas import topics
from schemas.ids import DOCUMENT, Ids
from schemas.messages import DeleteDocument, DocumentDeleted
from schemas.states import Status
from schemas.tables import BATCH_ENTRIES, BATCHES, DOCUMENTS
from streams import documents, replies
from streams.clients.postgres import Database
from streams.errors import Fenced
from streams.stage import Claim, Guarded, Outcome, Output, Scope, Stage, Work


def stage(database: Database, ids: Ids) -> Stage[DeleteDocument]:
    """Returns: the stage."""

    async def remove(message: DeleteDocument, work: Work) -> Outcome:
        if not ids.verify(message.document_id, DOCUMENT, work.gpt_id):
            raise documents.absent()
        subject = work.envelope.subject
        if subject is not None:
            owners = await _owners(database, message.document_id)
            if not owners:
                return _remembered(message, work)
            if owners != {subject}:
                raise documents.absent()
        # The deletion may come before the document's own row; then the tombstone is the first row.
        tombstone = documents.tombstone(message.document_id, work.gpt_id, subject)
        statement = tombstone.on_conflict_do_update(
            index_elements=[DOCUMENTS.c.document_id],
            set_={
                "deleted_at": func.coalesce(DOCUMENTS.c.deleted_at, func.now()),
                "version": DOCUMENTS.c.version + 1,
                "status": Status.CANCELLED,
                "updated_at": func.now(),
            },
            # One end user cannot delete what is another one's.
            where=None if subject is None else DOCUMENTS.c.subject == subject,
        )
        deleted = DocumentDeleted(document_id=message.document_id)
        return Outcome(
            (Guarded(statement.returning(DOCUMENTS.c.document_id), documents.absent()),),
            (Output(topics.DOCUMENT_DELETED, message.document_id, deleted),),
            moved=(message.document_id,),
        )

    return Stage(
        "delete",
        topics.DELETE_DOCUMENT,
        remove,
        claim=Claim.AT_COMMIT,
        scope=Scope.REQUEST,
        touches_deleted=True,
        ordered=True,
    )


async def _owners(database: Database, document_id: str) -> set[str | None]:
    """Returns: whose the document is, by its row or its batch; nothing before either is stored."""
    stored = select(DOCUMENTS.c.subject).where(DOCUMENTS.c.document_id == document_id)
    queued = (
        select(BATCHES.c.subject)
        .join(BATCH_ENTRIES, BATCH_ENTRIES.c.batch_id == BATCHES.c.batch_id)
        .where(BATCH_ENTRIES.c.document_id == document_id)
    )
    async with database.transaction() as connection:
        return set((await connection.execute(stored.union(queued))).scalars())


def _remembered(message: DeleteDocument, work: Work) -> Outcome:
    """Returns: the end of a deletion that counts once the document turns out to be the caller's.

    Whoever asks gets this same answer, which so tells nobody whose the document is.
    """
    document_id = message.document_id
    stored = exists().where(DOCUMENTS.c.document_id == document_id)
    queued = exists().where(BATCH_ENTRIES.c.document_id == document_id)
    unknown = select(literal(1)).where(not_(stored), not_(queued))
    settled, output = replies.answer(
        work, status=Status.COMPLETED, result={"document_id": document_id, "deleted": True}
    )
    return Outcome((Guarded(unknown, Fenced()), settled), (output,))
