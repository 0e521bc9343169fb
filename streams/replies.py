"""Answering a request: its row, which is the truth, and the record that wakes those who wait."""

from typing import Any

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.base import Executable

from schemas import topics
from schemas.envelope import Envelope
from schemas.messages import Result
from schemas.problems import Problem
from schemas.states import Status
from schemas.tables import REQUESTS
from streams.stage import Output, Work


def registration(
    envelope: Envelope, kind: str, document_id: str | None, status: Status = Status.PROCESSING
) -> Executable:
    """Returns: the statement that enters a request; an entry that is there already stays."""
    return (
        insert(REQUESTS)
        .values(
            request_id=envelope.request_id,
            gpt_id=envelope.gpt_id,
            subject=envelope.subject,
            kind=kind,
            status=status,
            document_id=document_id,
            correlation_id=envelope.correlation_id or envelope.request_id,
            reply_to=envelope.reply_to,
            fingerprint=envelope.fingerprint,
        )
        .on_conflict_do_nothing()
    )


def answer(
    work: Work,
    *,
    status: Status,
    result: dict[str, Any] | None = None,
    problem: Problem | None = None,
) -> tuple[Executable, Output]:
    """Returns: the statement that settles the request's row, and the record for its waiters."""
    statement = (
        update(REQUESTS)
        .where(REQUESTS.c.request_id == work.request_id, REQUESTS.c.gpt_id == work.gpt_id)
        .values(
            status=status,
            result=result,
            problem=None if problem is None else problem.model_dump(mode="json"),
            document_id=func.coalesce(REQUESTS.c.document_id, work.document_id),
            updated_at=func.now(),
            completed_at=func.now(),
        )
    )
    message = Result(
        request_id=work.request_id,
        status=status,
        document_id=work.document_id,
        result=result,
        problem=problem,
    )
    return statement, Output(topics.RESULTS, work.request_id, message)
