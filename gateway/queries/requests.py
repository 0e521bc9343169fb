"""Reads of requests."""

from typing import Final

from sqlalchemy import select

from gateway.database import Reader, Row
from gateway.gathering import Gathering
from gateway.principal import Principal
from gateway.public import link, problem
from gateway.queries.scope import owned
from schemas.api.requests import RequestState, Waiting
from schemas.states import FINAL, Status, StepState
from schemas.tables import STEPS

ASK_AGAIN_S: Final = 2
"""Seconds after which asking again may tell something new."""


_COLUMNS: Final = (
    "request_id",
    "kind",
    "status",
    "document_id",
    "correlation_id",
    "fingerprint",
    "result",
    "problem",
    "created_at",
    "completed_at",
)
# Each by the primary key: a join could be planned as a walk through a table that was small then.
FIND: Final = """
SELECT a.request_id, a.subject, r.*
FROM unnest(%s::text[], %s::text[]) AS a (request_id, subject) CROSS JOIN LATERAL (
    SELECT request_id, kind, status, document_id, correlation_id, fingerprint, result, problem,
           created_at, completed_at
    FROM requests r
    WHERE r.request_id = a.request_id AND r.gpt_id = %s
          AND (a.subject IS NULL OR r.subject = a.subject)
    LIMIT 1
) AS r
"""
"""Many requests of one tenant, each as its caller sees it."""


async def find(gathering: Gathering, principal: Principal, request_id: str) -> Row | None:
    """Returns: the row of a request of this caller, if it is stored."""
    found = await gathering.row(principal.gpt_id, (request_id, principal.subject))
    return None if found is None else dict(zip(_COLUMNS, found, strict=True))


async def waiting(reader: Reader, principal: Principal, request_id: str) -> Waiting | None:
    """Returns: what the request waits for, if any of its steps waits; the latest of them."""
    columns = STEPS.c
    statement = (
        select(
            columns.stage,
            columns.state,
            columns.waiting_for,
            columns.waiting_since,
            columns.failures,
            columns.attempts_allowed,
            columns.retry_at,
        )
        .where(
            columns.request_id == request_id,
            columns.state == StepState.WAITING,
            *owned(STEPS, principal),
        )
        .order_by(columns.waiting_since.desc().nulls_last())
        .limit(1)
    )
    row = await reader.row(statement, principal.gpt_id)
    if row is None:
        return None
    return Waiting(
        stage=row["stage"],
        waiting_for=row["waiting_for"],
        since=row["waiting_since"],
        attempt=attempt(row),
        attempts_allowed=row["attempts_allowed"],
        retry_at=row["retry_at"],
    )


def attempt(step: Row) -> int:
    """Returns: which attempt a step is at, or comes to next while it waits; the last one's if dead.

    Claims that ended without an answer, by an outage or a crash, are no attempts.
    """
    failed: int = step["failures"]
    return max(1, failed if step["state"] == StepState.DEAD else failed + 1)


def shown(row: Row, *, waits: Waiting | None = None) -> RequestState:
    """Returns: a request's row as clients see it."""
    status = Status(row["status"])
    return RequestState(
        request_id=row["request_id"],
        document_id=row["document_id"],
        kind=row["kind"],
        status=status,
        status_url=_status_url(row["request_id"]),
        retry_after_s=None if status in FINAL else ASK_AGAIN_S,
        expected_wait_s=None,
        waiting=waits,
        correlation_id=row["correlation_id"],
        result=row["result"],
        problem=problem(row["problem"]),
        created_at=row["created_at"],
        completed_at=row["completed_at"],
    )


def accepted(
    request_id: str,
    *,
    kind: str | None = None,
    document_id: str | None = None,
    correlation_id: str | None = None,
) -> RequestState:
    """Returns: the state of a request that was handed out and is not stored yet."""
    return RequestState(
        request_id=request_id,
        document_id=document_id,
        kind=kind,
        status=Status.ACCEPTED,
        status_url=_status_url(request_id),
        retry_after_s=ASK_AGAIN_S,
        expected_wait_s=None,
        waiting=None,
        correlation_id=correlation_id,
        result=None,
        problem=None,
        created_at=None,
        completed_at=None,
    )


def _status_url(request_id: str) -> str:
    return link(f"/v1/requests/{request_id}")
