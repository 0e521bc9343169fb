"""Reprocess: a new run over a stored document; earlier runs are kept.

Reads reprocess-document. Writes runs and documents; emits document-received.
"""

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from schemas import topics
from schemas.ids import RUN, Ids
from schemas.messages import DocumentReceived, ReprocessDocument
from schemas.states import Status
from schemas.tables import DOCUMENTS, RUNS
from streams import corrections, documents
from streams.clients.postgres import Database
from streams.errors import Refused
from streams.stage import Claim, Outcome, Output, Scope, Stage, Work


def stage(database: Database, ids: Ids) -> Stage[ReprocessDocument]:
    """Returns: the stage."""

    async def reprocess(message: ReprocessDocument, work: Work) -> Outcome:
        row = await documents.require(database, work.gpt_id, message.document_id)
        if row.s3_key is None:
            raise Refused(
                "not_stored", "The document's bytes were never stored; send it anew.", 409
            )
        if message.type is not None:
            types = await documents.document_types(database, work.gpt_id)
            if message.type not in types:
                raise Refused("unknown_type", "There is no document type of that name.", 422)
        run_id = ids.derive(RUN, work.gpt_id, work.request_id)
        number = select(func.coalesce(func.max(RUNS.c.number), 0) + 1).where(
            RUNS.c.document_id == message.document_id
        )
        run = insert(RUNS).values(
            run_id=run_id,
            document_id=message.document_id,
            gpt_id=work.gpt_id,
            request_id=work.request_id,
            number=number.scalar_subquery(),
            status=Status.PROCESSING,
            # What a person said of the type holds for later runs too.
            requested_type=message.type or await corrections.type_of(database, message.document_id),
        )
        document = (
            update(DOCUMENTS)
            .where(DOCUMENTS.c.document_id == message.document_id)
            .values(
                run_id=run_id,
                status=Status.PROCESSING,
                problem=None,
                completed_at=None,
                updated_at=func.now(),
            )
        )
        received = DocumentReceived(
            document_id=message.document_id,
            run_id=run_id,
            s3_key=row.s3_key,
            content_type=row.content_type,
            filename=row.filename,
        )
        return Outcome(
            (run.on_conflict_do_nothing(), document),
            (Output(topics.DOCUMENT_RECEIVED, message.document_id, received),),
        )

    return Stage(
        "reprocess",
        topics.REPROCESS_DOCUMENT,
        reprocess,
        claim=Claim.AT_COMMIT,
        scope=Scope.REQUEST,
        ordered=True,
    )
