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
from schemas.tables import DOCUMENTS, REQUESTS
from streams.stage import Output, Work


def registration(envelope: Envelope, kind: str, document_id: str | None) -> Executable:
    """Returns: the statement that enters a request; an entry that is there already stays."""
    entry = insert(REQUESTS).values(
        **_identity(envelope, kind, document_id), status=Status.PROCESSING
    )
    return entry.on_conflict_do_nothing()


def _identity(envelope: Envelope, kind: str, document_id: str | None) -> dict[str, Any]:
    return {
        "request_id": envelope.request_id,
        "gpt_id": envelope.gpt_id,
        "subject": envelope.subject,
        "kind": kind,
        "document_id": document_id,
        "correlation_id": envelope.correlation_id or envelope.request_id,
        "reply_to": envelope.reply_to,
        "fingerprint": envelope.fingerprint,
    }


def moved(work: Work, before: Status, after: Status, *, whole_run: bool) -> list[Executable]:
    """Returns: the statements that move the request from one state to another.

    With `whole_run` the document moves too, if this run is its current one.
    """
    values = {"status": after, "updated_at": func.now()}
    request = update(REQUESTS).where(
        REQUESTS.c.request_id == work.request_id, REQUESTS.c.status == before
    )
    document = update(DOCUMENTS).where(
        DOCUMENTS.c.document_id == work.document_id,
        DOCUMENTS.c.run_id == work.key.run_id,
        DOCUMENTS.c.status == before,
    )
    chosen = (request, document) if whole_run else (request,)
    return [statement.values(**values) for statement in chosen]


def answer(
    work: Work,
    *,
    status: Status,
    result: dict[str, Any] | None = None,
    problem: Problem | None = None,
) -> tuple[Executable, Output]:
    """Returns: the statement that settles the request's row, and the record for its waiters.

    The statement also enters the request, where nothing did before.
    """
    settled = {
        "status": status,
        "result": result,
        "problem": None if problem is None else problem.model_dump(mode="json"),
        "updated_at": func.now(),
        "completed_at": func.now(),
    }
    entry = insert(REQUESTS).values(
        **_identity(work.envelope, work.kind, work.document_id), **settled
    )
    statement = entry.on_conflict_do_update(
        index_elements=[REQUESTS.c.request_id],
        set_={
            **settled,
            "document_id": func.coalesce(REQUESTS.c.document_id, work.document_id),
        },
        where=REQUESTS.c.gpt_id == work.gpt_id,
    )
    message = Result(
        request_id=work.request_id,
        status=status,
        document_id=work.document_id,
        result=result,
        problem=problem,
    )
    return statement, Output(topics.RESULTS, work.request_id, message)
