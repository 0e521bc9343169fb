"""Ending a step for good: step, request, run, document, event, dead letter, answer: one commit."""

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.base import Executable

from schemas.envelope import Envelope, Headers
from schemas.events import EventType
from schemas.json_values import holds_unstorable
from schemas.problems import FieldError, Problem
from schemas.states import Status, StepState
from schemas.tables import DEAD_LETTERS, DOCUMENTS, RUNS
from streams import replies, wire
from streams.endings import Claimed, Ending
from streams.errors import InvalidMessage, Refused
from streams.stage import Event, Reading, Record, Scope, StepKey, Work
from streams.wire import Incoming

BUG_ATTEMPTS = 2
"""How often a record is tried that meets a bug."""
_STATUS = 422
NOBODY = "-"
"""The tenant of records that name none."""
_SHOWN_ERRORS = 5
_REASON_CHARACTERS = 2000


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a step failed for good: a stable code, a sentence, and how many attempts it had."""

    code: str
    detail: str
    attempts: int = 1


def bug(error: Exception, attempts: int = BUG_ATTEMPTS) -> Failure:
    """Returns: the failure of a record that met a bug at each of its attempts."""
    detail = f"An unexpected error: {type(error).__name__}. The worker's log has its traceback."
    return Failure("internal_error", detail, attempts)


def poison(claim: Claimed) -> Failure:
    """Returns: the failure of a record that ends its worker even where nothing else runs."""
    detail = (
        f"Work on it ended the worker's process {claim.crashes} times, {claim.crashes_alone} "
        "of them while nothing else ran there. The workers' and the system's logs say how."
    )
    return Failure("poison", detail, claim.crashes)


def too_slow(reason: str, attempts: int) -> Failure:
    """Returns: the failure of a record that meets Postgres' time limit, which serves others."""
    detail = (
        f"Postgres ended the work on it {attempts} times at its time limit, and answered "
        f"otherwise: {reason}. Ask for less at once."
    )
    return Failure("too_slow", detail, attempts)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that could not even be decoded, as a step of its own."""

    work: Work
    ending: Ending


def problem(
    code: str,
    detail: str,
    request_id: str | None,
    status: int = _STATUS,
    errors: Sequence[FieldError] = (),
) -> Problem:
    """Returns: the problem document of work that failed."""
    return Problem(
        type=f"/problems/{code.replace('_', '-')}",
        title=code.replace("_", " ").capitalize(),
        status=status,
        detail=detail,
        code=code,
        request_id=request_id,
        errors=tuple(errors),
    )


def explain(error: ValidationError) -> str:
    """Returns: which fields of a record are wrong, and how; never their values."""
    errors = error.errors(include_url=False, include_input=False, include_context=False)
    shown = [
        f"{'.'.join(map(str, item['loc'])) or 'value'}: {_said(item['type'], item['msg'])}"
        for item in errors[:_SHOWN_ERRORS]
    ]
    more = len(errors) - len(shown)
    text = "; ".join(shown) + (f"; and {more} more" if more > 0 else "")
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _said(kind: str, message: str) -> str:
    # This one's sentence quotes the value.
    return "Input should be of a known kind" if kind == "union_tag_invalid" else message


def dead(
    stage: Reading[Any], work: Work, record: Incoming, failure: Failure, *, reply_topic: str
) -> Ending:
    """Returns: the ending of a step that failed for good."""
    cause = problem(failure.code, failure.detail, work.request_id)
    statements: list[Executable] = []
    outputs: list[Record] = []
    events: list[Event] = []
    if stage.scope is not Scope.NOTHING:
        statement, output = replies.answer(work, status=Status.FAILED, problem=cause)
        statements.append(statement)
        outputs.append(wire.made(output, work.envelope, reply_topic=reply_topic))
    moved: list[str] = []
    if stage.scope is Scope.RUN and work.document_id is not None:
        statements.extend(_failed_run(work, cause))
        moved.append(work.document_id)
        told = {"run_id": work.key.run_id, "stage": stage.name, "code": failure.code}
        events.append(Event(EventType.DOCUMENT_FAILED, {**told, "detail": failure.detail}))
    statements.append(_letter(stage, record, failure, work))
    outputs.append(_dead_record(stage, record, failure))
    return Ending(StepState.DEAD, statements, tuple(outputs), cause, events=events, moved=moved)


def refused(work: Work, error: Refused, *, reply_topic: str) -> Ending:
    """Returns: the ending of a step whose request is answered with a problem."""
    cause = problem(error.code, error.detail, work.request_id, error.status)
    statement, output = replies.answer(work, status=Status.FAILED, problem=cause)
    record = wire.made(output, work.envelope, reply_topic=reply_topic)
    return Ending(StepState.DONE, (statement,), (record,), cause)


def cancelled(stage: Reading[Any], work: Work, *, reply_topic: str) -> Ending:
    """Returns: the ending of a step whose document was deleted or cancelled meanwhile."""
    if stage.scope is Scope.NOTHING:
        return Ending(StepState.CANCELLED, (), ())
    statement, output = replies.answer(work, status=Status.CANCELLED)
    record = wire.made(output, work.envelope, reply_topic=reply_topic)
    # A batch may have taken the document in behind its tombstone, and counts it still as queued.
    return Ending(StepState.CANCELLED, (statement,), (record,), moved=work.batched)


def undecodable(stage: Reading[Any], record: Incoming, error: InvalidMessage) -> DeadLetter:
    """Returns: the dead letter of a record without a readable tenant, request or value.

    Its step is named by topic, partition and offset, so that it exists once.
    """
    place = f"{record.topic}/{record.partition}/{record.offset}"
    envelope = _envelope_of(record) or Envelope.model_construct(
        request_id=place, gpt_id=NOBODY, schema_name=stage.source.schema_name
    )
    key = StepKey(envelope.gpt_id, f"undecodable:{place}", stage.name, 0)
    work = Work(key, envelope, stage.source.name, None)
    failure = Failure(error.code, error.detail)
    statements = [_letter(stage, record, failure, work, decoded=False)]
    outputs = (_dead_record(stage, record, failure),)
    cause = problem(error.code, error.detail, None)
    return DeadLetter(work, Ending(StepState.DEAD, statements, outputs, cause))


def _envelope_of(record: Incoming) -> Envelope | None:
    try:
        envelope = Envelope.from_headers(record.headers)
    except ValidationError:
        return None
    return None if holds_unstorable(envelope.model_dump()) else envelope


def _failed_run(work: Work, cause: Problem) -> list[Executable]:
    dumped = cause.model_dump(mode="json")
    document = (
        insert(DOCUMENTS)
        .values(
            document_id=work.document_id,
            gpt_id=work.gpt_id,
            subject=work.envelope.subject,
            request_id=work.request_id,
            correlation_id=work.envelope.correlation_id or work.request_id,
            parent_id=work.parent_id,
            batch_id=work.envelope.batch_id,
            run_id=work.key.run_id,
            status=Status.FAILED,
            problem=dumped,
            completed_at=func.now(),
        )
        .on_conflict_do_update(
            index_elements=[DOCUMENTS.c.document_id],
            set_={
                "status": Status.FAILED,
                "problem": dumped,
                "updated_at": func.now(),
                "completed_at": func.now(),
            },
            # A run that was overtaken by a newer one no longer speaks for the document.
            where=DOCUMENTS.c.run_id.is_(None) | (DOCUMENTS.c.run_id == work.key.run_id),
        )
    )
    run = (
        update(RUNS)
        .where(RUNS.c.run_id == work.key.run_id)
        .values(status=Status.FAILED, problem=dumped, completed_at=func.now())
    )
    return [document, run]


def letter_id(topic: str, partition: int, offset: int) -> str:
    """Returns: the id of the dead letter of the record at this place, of which there is one."""
    place = f"{topic}/{partition}/{offset}"
    return f"dl_{hashlib.md5(place.encode(), usedforsecurity=False).hexdigest()}"


def _letter(
    stage: Reading[Any], record: Incoming, failure: Failure, work: Work, *, decoded: bool = True
) -> Executable:
    return (
        insert(DEAD_LETTERS)
        .values(
            topic=record.topic,
            partition=record.partition,
            record_offset=record.offset,
            dead_letter_id=letter_id(record.topic, record.partition, record.offset),
            stage=stage.name,
            gpt_id=work.gpt_id,
            request_id=work.request_id,
            document_id=work.document_id,
            run_id=work.key.run_id if decoded else None,
            part=work.key.part if decoded else None,
            batch_id=work.envelope.batch_id or _batch_of(work.document_id),
            record_key=record.key,
            record_value=record.value,
            headers=[[name, b64encode(value or b"").decode()] for name, value in record.headers],
            attempts=failure.attempts,
            error=failure.code,
            reason=failure.detail,
        )
        .on_conflict_do_nothing()
    )


def _batch_of(document_id: str | None) -> Any:  # noqa: ANN401 - a value of any statement
    """Returns: the batch of a document that was processed again on its own, for its retries."""
    if document_id is None:
        return None
    query = select(DOCUMENTS.c.batch_id).where(DOCUMENTS.c.document_id == document_id)
    return query.scalar_subquery()


def _dead_record(stage: Reading[Any], record: Incoming, failure: Failure) -> Record:
    said: Headers = (
        ("stage", stage.name.encode()),
        ("attempts", str(failure.attempts).encode()),
        ("error", failure.code.encode()),
        # It may quote names out of the record, and must leave the record room to be published.
        ("reason", failure.detail[:_REASON_CHARACTERS].encode()),
    )
    headers = (*record.headers, *wire.origin(record), *said)
    return Record(stage.source.dead_letter, record.key, record.value or b"", headers)
