"""Trial: a document's fields by a type that is being made, answered and not stored.

Reads try-document-type. Writes nothing but the request's answer.
"""

from datetime import timedelta

from schemas import topics
from schemas.document_types import InvalidDocumentType, parse
from schemas.messages import TryDocumentType
from schemas.states import Status
from streams import documents, replies
from streams.answers import Answers
from streams.clients.postgres import Database
from streams.errors import Refused
from streams.fields import extract_fields
from streams.stage import Outcome, Scope, Stage, Work
from streams.stages.extract import dump


def stage(database: Database, answers: Answers, *, budget: timedelta) -> Stage[TryDocumentType]:
    """Returns: the stage."""

    async def attempt(message: TryDocumentType, work: Work) -> Outcome:
        row = await documents.asked_for(database, work, message.document_id)
        if message.definition is not None:
            try:
                document_type = parse(message.definition)
            except InvalidDocumentType as error:
                raise Refused("invalid_document_type", str(error), 422) from error
        else:
            types = await documents.document_types(database, work.gpt_id)
            if message.name not in types:
                raise Refused("unknown_type", "There is no document type of that name.", 404)
            document_type = types[message.name]
        run_id = await documents.readable_run(database, message.document_id)
        pages = await documents.pages(database, run_id or str(row.run_id))
        if not pages:
            raise Refused("not_parsed", "The document has no text yet; try again later.", 409)
        found = await extract_fields(answers, work, document_type, pages, budget=budget)
        if found is None:
            return Outcome(hand_over=True)
        result = {
            "document_id": message.document_id,
            "type": document_type.name,
            "fields": dump(found.fields),
            "confidence": found.confidence,
            "needs_review": found.needs_review,
            "notices": list(found.notices),
        }
        settled, output = replies.answer(work, status=Status.COMPLETED, result=result)
        return Outcome((settled,), (output,))

    return Stage("trial", topics.TRY_DOCUMENT_TYPE, attempt, scope=Scope.REQUEST)
