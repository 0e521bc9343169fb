"""Review: what a person decides on a document whose fields the machine is not sure of.

Reads decide-review. Writes documents, corrections and reviews; emits document-updated. What was
right and what was not is kept with the machine's confidence, which is how honest that is measured.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue, TypeAdapter
from sqlalchemy import Row
from sqlalchemy.dialects.postgresql import insert

from schemas import topics
from schemas.events import EventType
from schemas.fields import Answer, FieldAnswer
from schemas.messages import DecideReview, DocumentUpdated
from schemas.states import Status
from schemas.tables import REVIEWS
from streams import corrections, documents, replies
from streams.clients.postgres import Database
from streams.errors import Refused
from streams.stage import Claim, Event, Outcome, Output, Scope, Stage, Work

_ANSWERS: TypeAdapter[dict[str, Answer]] = TypeAdapter(dict[str, Answer])


def stage(database: Database) -> Stage[DecideReview]:
    """Returns: the stage."""

    async def decide(message: DecideReview, work: Work) -> Outcome:
        row = await documents.asked_for(database, work, message.document_id)
        types = await documents.document_types(database, work.gpt_id)
        _check(message, row)
        corrections.check(message.fields, message.type, types, row.type)
        run = await documents.run(database, message.reviewed_run)
        machine = {**(run.fields or {}), corrections.TYPE: run.type}
        values: dict[str, Any] = {"needs_review": False}
        if message.type is not None:
            values["type"] = message.type
        if message.decision == "reject":
            values["fields"] = {}
        elif message.fields:
            values["fields"] = corrections.laid_over(row.fields, message.fields)
        guard, version = documents.changed(row, message.if_version, values)
        given = corrections.given(message.fields, message.type)
        corrected = corrections.entries(work, message.document_id, message.by, given, machine)
        kept = insert(REVIEWS).values(
            request_id=work.request_id,
            gpt_id=work.gpt_id,
            subject=row.subject,
            document_id=message.document_id,
            run_id=message.reviewed_run,
            decision=message.decision,
            fields=judged(run.fields or {}, message),
            note=message.note,
            decided_by=message.by,
        )
        result: dict[str, JsonValue] = {
            "document_id": message.document_id,
            "version": version,
            "decision": message.decision,
        }
        settled, output = replies.answer(work, status=Status.COMPLETED, result=result)
        updated = DocumentUpdated(document_id=message.document_id, version=version)
        told: dict[str, JsonValue] = {
            "run_id": message.reviewed_run,
            "version": version,
            "decision": message.decision,
            "fields": list[JsonValue](sorted(given)),
        }
        return Outcome(
            (guard, *corrected, kept.on_conflict_do_nothing(), settled),
            (Output(topics.DOCUMENT_UPDATED, message.document_id, updated), output),
            events=(Event(EventType.DOCUMENT_REVIEWED, told, batch_id=row.batch_id),),
            moved=() if message.type is None else (message.document_id,),
        )

    return Stage(
        "review",
        topics.DECIDE_REVIEW,
        decide,
        claim=Claim.AT_COMMIT,
        scope=Scope.REQUEST,
        ordered=True,
    )


def _check(message: DecideReview, row: Row[Any]) -> None:
    """Raises: Refused (409): there is nothing to decide. Refused (422): nothing was decided."""
    if row.run_id != message.reviewed_run:
        detail = "The document was processed again since; read the review again and decide anew."
        raise Refused("superseded", detail, 409)
    if not row.needs_review:
        detail = "The document needs no review; change it by PATCH /v1/documents/{document_id}."
        raise Refused("not_in_review", detail, 409)
    changes = bool(message.fields) or message.type is not None
    if changes != (message.decision == "correct"):
        detail = "Give `fields` or `type` with the decision `correct`, and with no other."
        raise Refused("contradictory_decision", detail, 422)


def judged(machine: Mapping[str, Any], message: DecideReview) -> dict[str, JsonValue]:
    """Returns: by field, the machine's confidence and whether it was right.

    Who accepts says that all fields are right; who corrects, that all others are. What was rejected
    or got another type says nothing of single fields.
    """
    if message.decision == "reject" or message.type is not None:
        return {}
    return {
        name: {"confidence": _least(answer), "right": _right(name, answer, message.fields)}
        for name, answer in _ANSWERS.validate_python(machine).items()
    }


def _right(name: str, answer: Answer, corrected: Mapping[str, JsonValue]) -> bool:
    if name not in corrected:
        return True
    said = (answer.normalised, answer.value) if isinstance(answer, FieldAnswer) else ()
    return corrected[name] in said


def _least(answer: Answer) -> float | None:
    """Returns: the confidence of a field's weakest part; None where it has none."""
    if isinstance(answer, FieldAnswer):
        return answer.confidence
    parts = [
        cell.confidence
        for each in answer
        for cell in ((each,) if isinstance(each, FieldAnswer) else each.values())
    ]
    return min(parts, default=None)
