"""Redrive: send dead letters to their stages again, each as a new attempt of its step.

Reads redrive-dead-letters. Writes dead_letters, and opens the steps, requests, runs and documents
again that ended with them; emits the records as they came, on the again topics of their stages.
"""

import asyncio
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Row, and_, func, null, select, tuple_, update
from sqlalchemy.sql.base import Executable

from schemas import topics
from schemas.events import EventType
from schemas.messages import RedriveDeadLetters
from schemas.states import BatchState, LetterState, Status, StepState
from schemas.tables import BATCHES, DEAD_LETTERS, DOCUMENTS, REQUESTS, RUNS, STEPS
from streams import batch_entries, letters, parts
from streams.clients.postgres import Database
from streams.letters import Skipped
from streams.stage import Claim, Event, Outcome, Record, Scope, Stage, Work

_MOST: Final = 100
"""Letters of one part at most, whatever the rate is."""
_OF_DELETED: Final = frozenset({"delete", "purge"})
"""Stages whose work begins with a document's tombstone."""


def stage(database: Database, *, per_second: int) -> Stage[RedriveDeadLetters]:
    """Returns: the stage; it redrives at most so many letters a second."""

    async def redrive(message: RedriveDeadLetters, work: Work) -> Outcome:
        known = await letters.progress(database, work)
        await asyncio.sleep(known.latest / per_second)
        most = min(per_second, _MOST)
        part = await letters.part(database, work, message, known, most=most)
        if part.ended or await _is_cancelled(database, work):
            ended = letters.answer(work, part.progress, LetterState.REDRIVEN)
            return ended if work.envelope.batch_id is None else _retried(ended, work)
        rows = await _read(database, part.ids)
        unfit = {row.dead_letter_id: _unfit(row) for row in rows}
        skipped = [Skipped(id=name, reason=why) for name, why in unfit.items() if why]
        fit = [row for row in rows if unfit[row.dead_letter_id] is None]
        progress = part.progress.with_skipped(skipped).with_decided(len(fit))
        statements = parts.noted(work, progress)
        if fit:
            ids = [row.dead_letter_id for row in fit]
            statements += letters.decide(ids, LetterState.REDRIVEN, message.by)
            statements += _opened(work.gpt_id, fit)
        return Outcome(
            statements,
            [_record(row) for row in fit],
            hand_over=True,
            events=[_event(row) for row in fit if row.document_id is not None],
            moved=[row.document_id for row in fit if row.document_id is not None],
        )

    return Stage(
        "redrive",
        topics.REDRIVE_DEAD_LETTERS,
        redrive,
        claim=Claim.AT_COMMIT,
        scope=Scope.REQUEST,
    )


async def _is_cancelled(database: Database, work: Work) -> bool:
    """Returns: whether the batch that is retried was cancelled meanwhile: then no more is."""
    if work.envelope.batch_id is None:
        return False
    query = select(BATCHES.c.state).where(
        BATCHES.c.batch_id == work.envelope.batch_id, BATCHES.c.gpt_id == work.gpt_id
    )
    async with database.transaction() as connection:
        return (await connection.execute(query)).scalar_one_or_none() == BatchState.CANCELLED


def _retried(ended: Outcome, work: Work) -> Outcome:
    """Returns: the end of a redrive that a batch's retry has asked for; its batch waits for it."""
    batch_id = work.envelope.batch_id or ""
    return replace(
        ended,
        statements=(*ended.statements, batch_entries.listed(work.gpt_id, batch_id)),
        moved=(batch_id,),
    )


async def _read(database: Database, ids: Sequence[str]) -> Sequence[Row[Any]]:
    columns = DEAD_LETTERS.c
    step = and_(
        STEPS.c.gpt_id == columns.gpt_id,
        STEPS.c.run_id == columns.run_id,
        STEPS.c.stage == columns.stage,
        STEPS.c.part == columns.part,
    )
    query = (
        select(
            DEAD_LETTERS,
            STEPS.c.attempt,
            DOCUMENTS.c.deleted_at,
            DOCUMENTS.c.run_id.label("current_run"),
        )
        .outerjoin_from(DEAD_LETTERS, STEPS, step)
        .outerjoin(DOCUMENTS, DOCUMENTS.c.document_id == columns.document_id)
        .where(columns.dead_letter_id.in_(ids))
        .order_by(columns.created_at, columns.dead_letter_id)
    )
    async with database.transaction() as connection:
        return (await connection.execute(query)).all()


def _unfit(row: Row[Any]) -> str | None:
    """Returns: why a letter cannot be sent again; None if it can."""
    if row.stage not in topics.READERS:
        return "unknown_stage"
    if row.deleted_at is not None and row.stage not in _OF_DELETED:
        return "deleted"
    if row.record_value is None:
        return "no_value"
    # A step outside of a run bears its request's id, and no newer run takes its place.
    of_a_run = row.run_id not in {None, row.request_id}
    if of_a_run and row.current_run not in {None, row.run_id}:
        return "superseded"
    return None


def _record(row: Row[Any]) -> Record:
    headers = tuple((name, b64decode(value)) for name, value in row.headers)
    if row.run_id is not None:
        attempt = (row.attempt or 0) + 1
        kept = (pair for pair in headers if pair[0] != "attempt")
        headers = (*kept, ("attempt", str(attempt).encode()))
    return Record(topics.again(row.stage), row.record_key, row.record_value, headers)


def _event(row: Row[Any]) -> Event:
    data = {"dead_letter_id": row.dead_letter_id, "stage": row.stage}
    return Event(EventType.DOCUMENT_REDRIVEN, data, row.document_id, row.batch_id)


def _opened(gpt_id: str, rows: Sequence[Row[Any]]) -> list[Executable]:
    """Returns: the statements that take back what ended with these letters.

    By keys and not by a join with the letters: where the server knew little of the tables, as after
    a restore, it joined 50,000 rows for each part and took 20 s.
    """
    steps = [(row.run_id, row.stage, row.part) for row in rows if row.run_id is not None]
    if not steps:
        return []
    run_ids = [run_id for run_id, _, _ in steps]
    step = (
        update(STEPS)
        .where(
            STEPS.c.gpt_id == gpt_id,
            # The index is searched for these; for a list of triples it is not used.
            STEPS.c.run_id.in_(run_ids),
            tuple_(STEPS.c.run_id, STEPS.c.stage, STEPS.c.part).in_(steps),
            STEPS.c.state == StepState.DEAD,
        )
        .values(
            state=StepState.WAITING,
            attempt=STEPS.c.attempt + 1,
            failures=0,
            crashes=0,
            crashes_alone=0,
            outputs=null(),
            problem=null(),
            finished_at=None,
            waiting_for="a redrive",
            waiting_since=func.now(),
        )
    )
    again = {"status": Status.PROCESSING, "problem": null(), "completed_at": None}
    request = update(REQUESTS).where(
        REQUESTS.c.request_id.in_([row.request_id for row in rows if row.run_id is not None]),
        REQUESTS.c.gpt_id == gpt_id,
        REQUESTS.c.status == Status.FAILED,
    )
    run = update(RUNS).where(RUNS.c.run_id.in_(run_ids), RUNS.c.status == Status.FAILED)
    document = update(DOCUMENTS).where(
        DOCUMENTS.c.document_id.in_([row.document_id for row in rows if row.document_id]),
        DOCUMENTS.c.run_id.in_(run_ids),
        DOCUMENTS.c.status == Status.FAILED,
        DOCUMENTS.c.deleted_at.is_(None),
    )
    return [
        step,
        request.values(**again, result=null(), updated_at=func.now()),
        run.values(**again),
        document.values(**again, updated_at=func.now()),
    ]
