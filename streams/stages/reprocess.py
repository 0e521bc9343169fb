"""Reprocess: a new run over a stored document; earlier runs are kept.

Reads reprocess-document. Writes runs, pages and documents; emits the fact that the run's first
stage reads. What stands before that stage is taken over from the latest run that got so far.
"""

from pydantic import JsonValue
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from schemas import topics
from schemas.events import EventType
from schemas.ids import RUN, Ids
from schemas.messages import ReprocessDocument
from schemas.states import Status
from schemas.tables import DOCUMENTS, RUNS
from streams import corrections, documents, takeover
from streams.clients.postgres import Database
from streams.errors import Refused
from streams.stage import Claim, Event, Outcome, Scope, Stage, Work
from streams.takeover import NewRun


def stage(database: Database, ids: Ids) -> Stage[ReprocessDocument]:
    """Returns: the stage."""

    async def reprocess(message: ReprocessDocument, work: Work) -> Outcome:
        row = await documents.asked_for(database, work, message.document_id)
        if row.s3_key is None or row.content_type is None:
            raise Refused(
                "not_stored", "The document's bytes were never stored; send it anew.", 409
            )
        if message.type is not None:
            types = await documents.document_types(database, work.gpt_id)
            if message.type not in types:
                raise Refused("unknown_type", "There is no document type of that name.", 422)
        run_id = ids.derive(RUN, work.gpt_id, work.request_id)
        # What a person said of the type holds for later runs too.
        known = message.type or await corrections.type_of(database, message.document_id)
        start = await takeover.start(database, message, NewRun(run_id, row, known))
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
            requested_type=known,
            **start.columns,
        )
        # The entries will name another run, so that they are new ones; `extract` sees to it itself.
        raised = int(message.from_stage == "index")
        document = (
            update(DOCUMENTS)
            .where(DOCUMENTS.c.document_id == message.document_id)
            .values(
                run_id=run_id,
                status=Status.PROCESSING,
                version=DOCUMENTS.c.version + raised,
                problem=None,
                completed_at=None,
                updated_at=func.now(),
            )
        )
        told: dict[str, JsonValue] = {"run_id": run_id, "from_stage": message.from_stage}
        return Outcome(
            (run.on_conflict_do_nothing(), *start.statements, document),
            (start.first,),
            events=(Event(EventType.DOCUMENT_RESTARTED, told, batch_id=row.batch_id),),
            moved=(message.document_id,),
        )

    return Stage(
        "reprocess",
        topics.REPROCESS_DOCUMENT,
        reprocess,
        claim=Claim.AT_COMMIT,
        scope=Scope.REQUEST,
        ordered=True,
    )
