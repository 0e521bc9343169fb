"""Delete: the tombstone, which no work in flight can pass.

Reads delete-document. Writes documents; emits document-deleted, from which `purge` goes on.
"""

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert

from schemas import topics
from schemas.ids import DOCUMENT, Ids
from schemas.messages import DeleteDocument, DocumentDeleted
from schemas.states import Status
from schemas.tables import DOCUMENTS
from streams import documents
from streams.stage import Claim, Guarded, Outcome, Output, Scope, Stage, Work


def stage(ids: Ids) -> Stage[DeleteDocument]:
    """Returns: the stage."""

    async def remove(message: DeleteDocument, work: Work) -> Outcome:
        if not ids.verify(message.document_id, DOCUMENT, work.gpt_id):
            raise documents.absent()
        subject = work.envelope.subject
        # The deletion may come before the document's own row; then the tombstone is the first row.
        tombstone = insert(DOCUMENTS).values(
            document_id=message.document_id,
            gpt_id=work.gpt_id,
            subject=subject,
            status=Status.CANCELLED,
            deleted_at=func.now(),
        )
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
            (Guarded(statement, documents.absent()),),
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
