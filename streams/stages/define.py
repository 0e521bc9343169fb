"""Define: create or replace one of a tenant's own document types.

Reads put-document-type. Writes document_types and the request's answer.
"""

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert

from schemas import topics
from schemas.document_types import InvalidDocumentType, parse
from schemas.messages import PutDocumentType
from schemas.states import Status
from schemas.tables import DOCUMENT_TYPES
from streams import documents, replies
from streams.errors import Refused
from streams.stage import Claim, Outcome, Scope, Stage, Work


def stage() -> Stage[PutDocumentType]:
    """Returns: the stage."""

    async def define(message: PutDocumentType, work: Work) -> Outcome:
        try:
            parsed = parse(message.definition)
        except InvalidDocumentType as error:
            raise Refused("invalid_document_type", str(error), 422) from error
        if parsed.name != message.name:
            detail = "`name` in the definition must be the name in the address."
            raise Refused("invalid_document_type", detail, 422)
        entry = insert(DOCUMENT_TYPES).values(
            gpt_id=work.gpt_id, name=message.name, version=1, definition=message.definition
        )
        statement = entry.on_conflict_do_update(
            constraint=DOCUMENT_TYPES.primary_key,
            set_={
                "definition": message.definition,
                "version": DOCUMENT_TYPES.c.version + 1,
                "updated_at": func.now(),
            },
        )
        settled, output = replies.answer(
            work, status=Status.COMPLETED, result={"name": message.name}
        )
        return Outcome((documents.living(work.gpt_id), statement, settled), (output,))

    return Stage(
        "define",
        topics.PUT_DOCUMENT_TYPE,
        define,
        claim=Claim.AT_COMMIT,
        scope=Scope.REQUEST,
        ordered=True,
    )
