"""Extract: a document's fields by its type, each with its place, evidence and confidence.

Reads document-classified. Writes the run's answer and the document's effective fields; emits
document-extracted. A document longer than the model's context is read in windows.
"""

from datetime import timedelta
from typing import Any

from pydantic import JsonValue, TypeAdapter
from sqlalchemy import ColumnElement, func, literal, not_, select, update
from sqlalchemy.dialects.postgresql import JSONB

from schemas import topics
from schemas.events import EventType
from schemas.fields import Answer
from schemas.messages import DocumentClassified, DocumentExtracted
from schemas.tables import DOCUMENTS, RUNS
from streams import corrections, documents
from streams.answers import Answers
from streams.clients.postgres import Database
from streams.errors import InvalidMessage
from streams.fields import PROMPT_VERSION, extract_fields
from streams.stage import Event, Outcome, Output, Stage, Work

_FIELDS = TypeAdapter(dict[str, Answer])


def stage(database: Database, answers: Answers, *, budget: timedelta) -> Stage[DocumentClassified]:
    """Returns: the stage."""

    async def extract(message: DocumentClassified, work: Work) -> Outcome:
        types = await documents.document_types(database, work.gpt_id)
        if message.type not in types:
            detail = "The document's type was removed after it was classified; reprocess it."
            raise InvalidMessage("unknown_type", detail)
        pages = await documents.pages(database, message.run_id)
        found = await extract_fields(answers, work, types[message.type], pages, budget=budget)
        if found is None:
            return Outcome(hand_over=True)
        run = (
            update(RUNS)
            .where(RUNS.c.run_id == message.run_id)
            .values(
                fields=dump(found.fields),
                confidence=found.confidence,
                needs_review=found.needs_review,
                notices=appended(found.notices),
                models={
                    "chat": answers.chat_model,
                    "prompts": {"classify": "v1", "extract": f"v{PROMPT_VERSION}"},
                },
            )
        )
        document = (
            update(DOCUMENTS)
            .where(
                DOCUMENTS.c.document_id == message.document_id,
                DOCUMENTS.c.run_id == message.run_id,
            )
            .values(
                type=corrections.type_over(message.type, message.document_id, message.run_id),
                type_confidence=message.confidence,
                fields=corrections.fields_over(
                    {name: v for name, v in found.effective.items() if v is not None},
                    message.document_id,
                    message.run_id,
                    known=list(types[message.type].fields.properties),
                ),
                confidence=found.confidence,
                needs_review=found.needs_review,
                version=DOCUMENTS.c.version + 1,
                updated_at=func.now(),
            )
        )
        extracted = DocumentExtracted(
            document_id=message.document_id,
            run_id=message.run_id,
            type=message.type,
            confidence=found.confidence,
            needs_review=found.needs_review,
        )
        told: dict[str, JsonValue] = {
            "run_id": message.run_id,
            "type": message.type,
            "confidence": found.confidence,
            "needs_review": found.needs_review,
        }
        return Outcome(
            (run, document),
            (Output(topics.DOCUMENT_EXTRACTED, message.document_id, extracted),),
            events=(Event(EventType.DOCUMENT_EXTRACTED, told),),
        )

    return Stage("extract", topics.DOCUMENT_CLASSIFIED, extract)


def dump(fields: dict[str, Answer]) -> dict[str, Any]:
    """Returns: the answer as JSON, as `runs.fields` keeps it."""
    dumped: dict[str, Any] = _FIELDS.dump_python(fields, mode="json")
    return dumped


def appended(notices: tuple[str, ...]) -> ColumnElement[Any]:
    """Returns: the run's notices with these behind them, but for those that it has already.

    It has taken them over from an earlier run, where it began with a later stage.
    """
    each = func.jsonb_array_elements(literal(list(notices), JSONB)).column_valued("notice")
    added = select(func.coalesce(func.jsonb_agg(each), literal([], JSONB)))
    new = added.where(not_(RUNS.c.notices.contains(each))).scalar_subquery()
    return RUNS.c.notices.op("||")(new)
