"""Runs beside the ledger, their documents and their requests: effects, states, standstills.

All that is said of a run comes from one statement, so that no commit can fall in between.
"""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Row, Select, and_, func, literal, or_, select

from schemas.ids import RUN
from schemas.states import FINAL, Status
from schemas.tables import DOCUMENTS, PAGES, REQUESTS, RUNS, STEPS
from schemas.topics import READERS
from schemas.topics import Kind as TopicKind
from streams.verify import steps
from streams.verify.difference import Comparison, Difference, Kind, Look
from streams.verify.steps import StepSeen
from streams.verify.stores import Stores

_FINAL: Final = tuple(str(status) for status in FINAL)
_RUN_STARTS: Final = ("receive", "reprocess")
_BEYOND: Final = {
    "parse": frozenset({"classify", "extract", "index", "complete"}),
    "classify": frozenset({"extract", "index", "complete"}),
    "extract": frozenset({"index", "complete"}),
}
"""By stage, those that begin only when it has ended."""


def _query(margin: timedelta) -> Select[Any]:
    pages = func.jsonb_build_array(func.count(), func.coalesce(func.max(PAGES.c.number), 0))
    # By the request: the step that began a later run bears no run of its own.
    own = and_(STEPS.c.gpt_id == RUNS.c.gpt_id, STEPS.c.request_id == RUNS.c.request_id)
    return (
        select(
            RUNS.c.run_id,
            RUNS.c.gpt_id,
            RUNS.c.document_id,
            RUNS.c.request_id,
            RUNS.c.status,
            RUNS.c.completed_at,
            RUNS.c.page_count,
            RUNS.c.type,
            RUNS.c.fields.is_not(None).label("has_fields"),
            (RUNS.c.created_at > func.now() - literal(margin)).label("is_new"),
            DOCUMENTS.c.status.label("document_status"),
            (DOCUMENTS.c.run_id == RUNS.c.run_id).label("is_current"),
            REQUESTS.c.status.label("request_status"),
            select(pages).where(PAGES.c.run_id == RUNS.c.run_id).scalar_subquery().label("pages"),
            steps.seen(own, margin=margin).label("steps"),
        )
        .join(DOCUMENTS, DOCUMENTS.c.document_id == RUNS.c.document_id)
        .outerjoin(REQUESTS, REQUESTS.c.request_id == RUNS.c.request_id)
        .where(DOCUMENTS.c.deleted_at.is_(None))
    )


async def of_documents(stores: Stores, look: Look) -> AsyncIterator[Difference]:
    """Yield runs without the effects of their steps, in a wrong state, or at a standstill."""
    query = _query(stores.margin)
    async for rows in stores.pages(query, RUNS.c.run_id, only=look.only):
        for row in rows:
            for found in judged(row, steps.of(row.steps)):
                yield found
        look.seen(len(rows))


def judged(row: Row[Any], seen: list[StepSeen]) -> Iterator[Difference]:
    """Yield what is wrong with a run."""
    for detail in missing_effects(row, seen):
        yield _of(row, Kind.EFFECT_MISSING, detail)
    for detail in disagreements(row):
        yield _of(row, Kind.STATUS_DISAGREES, detail)
    if row.status not in _FINAL and not row.is_new:
        still = steps.standstill(seen, first=_RUN_STARTS)
        if still is not None:
            yield _of(row, Kind.STUCK, still.detail, stages=still.stages, held=still.held)


def missing_effects(row: Row[Any], seen: list[StepSeen]) -> Iterator[str]:
    """Yield, by stage that has ended, what it should have left and has not."""
    reached = {step.stage for step in seen}
    count, last = row.pages
    if reached & _BEYOND["parse"] and (
        row.page_count is None or count != last or (row.page_count > 0 and count == 0)
    ):
        yield f"`parse` is done, but {count} of {row.page_count} pages are stored"
    if reached & _BEYOND["classify"] and row.type is None:
        yield "`classify` is done, but the run has no type"
    if reached & _BEYOND["extract"] and not row.has_fields:
        yield "`extract` is done, but the run has no fields"
    if row.completed_at is None and any(s.stage == "complete" and s.did for s in seen):
        yield "`complete` is done, but the run has not ended"


def disagreements(row: Row[Any]) -> Iterator[str]:
    """Yield where the run, its document and its request do not say the same."""
    others = {"request": row.request_status}
    if row.is_current:
        others["document"] = row.document_status
    for name, status in others.items():
        if status is None or status == row.status:
            continue
        if status in _FINAL or row.status in _FINAL:
            yield f"the run is {row.status}, its {name} {status}"


def _of(row: Row[Any], kind: Kind, detail: str, **more: Any) -> Difference:  # noqa: ANN401
    return Difference(kind, row.run_id, detail, row.gpt_id, row.document_id, **more)


def _waiting(margin: timedelta) -> Select[Any]:
    return (
        select(
            REQUESTS.c.request_id,
            REQUESTS.c.gpt_id,
            REQUESTS.c.document_id,
            REQUESTS.c.kind,
            steps.seen(STEPS.c.request_id == REQUESTS.c.request_id, margin=margin).label("steps"),
        )
        .where(REQUESTS.c.status.not_in(_FINAL))
        .where(REQUESTS.c.created_at < func.now() - literal(margin))
    )


async def requests(stores: Stores, look: Look) -> AsyncIterator[Difference]:
    """Yield requests at a standstill that have no run which would tell so."""
    query = _waiting(stores.margin)
    async for rows in stores.pages(query, REQUESTS.c.request_id, only=look.only):
        runs = {row.request_id: stores.ids.derive(RUN, row.gpt_id, row.request_id) for row in rows}
        found = select(RUNS.c.run_id).join(DOCUMENTS, DOCUMENTS.c.document_id == RUNS.c.document_id)
        found = found.where(RUNS.c.run_id.in_(runs.values()), DOCUMENTS.c.deleted_at.is_(None))
        told = {row.run_id for row in await stores.rows(found)}
        for row in rows:
            still = steps.standstill(steps.of(row.steps), first=_readers(row.kind))
            if runs[row.request_id] not in told and still is not None:
                yield Difference(
                    Kind.STUCK,
                    row.request_id,
                    still.detail,
                    row.gpt_id,
                    row.document_id,
                    stages=still.stages,
                    held=still.held,
                )
        look.seen(len(rows))


def _readers(kind: str) -> tuple[str, ...]:
    return tuple(
        stage
        for stage, topic in READERS.items()
        if topic.kind is TopicKind.REQUEST and topic.name == kind
    )


def _runless() -> Select[Any]:
    run = select(RUNS.c.run_id).where(RUNS.c.run_id == DOCUMENTS.c.run_id)
    # One that failed or was cancelled before it was received never had the run that it names.
    return select(DOCUMENTS.c.document_id, DOCUMENTS.c.gpt_id, DOCUMENTS.c.status).where(
        DOCUMENTS.c.deleted_at.is_(None),
        DOCUMENTS.c.status.not_in((Status.FAILED, Status.CANCELLED)),
        or_(DOCUMENTS.c.run_id.is_(None), ~run.exists()),
    )


async def runless(stores: Stores, look: Look) -> AsyncIterator[Difference]:
    """Yield documents whose current run has no row."""
    query = _runless()
    async for rows in stores.pages(query, DOCUMENTS.c.document_id, only=look.only):
        for row in rows:
            detail = f"it is {row.status}, and its current run has no row"
            yield Difference(
                Kind.EFFECT_MISSING, row.document_id, detail, row.gpt_id, row.document_id
            )
        look.seen(len(rows))


async def _runs(stores: Stores) -> int:
    return await stores.count(select(RUNS.c.run_id))


async def _requests(stores: Stores) -> int:
    return await stores.count(select(REQUESTS.c.request_id).where(REQUESTS.c.status.not_in(_FINAL)))


COMPARISONS: Final = (
    Comparison("runs and the ledger", of_documents, _runs),
    Comparison("requests and the ledger", requests, _requests),
    Comparison("documents and their runs", runless, None),
)
