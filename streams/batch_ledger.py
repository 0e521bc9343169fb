"""Committing a batch: what was done before, the work, and all that follows from it, at once.

Set-based: the number of statements does not depend on the number of records.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.messages import Message, Result
from schemas.states import SETTLED, Status, StepState
from schemas.topics import RESULTS
from streams import events, wire
from streams.clients import postgres
from streams.clients.postgres import Database
from streams.endings import Claimed
from streams.errors import Fenced
from streams.stage import (
    BatchStage,
    Output,
    Record,
    Scope,
    StepKey,
    Taken,
    Verdict,
    Work,
)
from streams.wire import Incoming

# One look into the index a key, whatever the planner holds the table for.
_STANDING: Final = """
SELECT s.* FROM unnest(%b::text[], %b::text[], %b::int[]) AS k (gpt_id, run_id, part)
CROSS JOIN LATERAL (
    SELECT gpt_id, run_id, stage, part, state, attempt, outputs FROM steps
    WHERE gpt_id = k.gpt_id AND run_id = k.run_id AND stage = %s AND part = k.part LIMIT 1) AS s
"""
_REQUESTS: Final = """
INSERT INTO requests AS r (request_id, gpt_id, subject, kind, status, correlation_id, reply_to,
                           fingerprint, result, problem, completed_at)
SELECT *, now() FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[],
                            %b::text[], %b::text[], %b::text[]::jsonb[], %b::text[]::jsonb[])
ON CONFLICT (request_id) DO UPDATE SET status = excluded.status, result = excluded.result,
    problem = excluded.problem, updated_at = now(), completed_at = now()
WHERE r.gpt_id = excluded.gpt_id
"""
# A step that was opened anew waits with the number of its newest attempt; where its worker ended
# while it made a dead letter of it, or over a record of its own, only its lease says so.
_STEPS: Final = """
INSERT INTO steps AS s (gpt_id, run_id, stage, part, request_id, owner, attempt, outputs, problem,
                        state, finished_at)
SELECT *, %s, clock_timestamp() FROM unnest(%b::text[], %b::text[], %b::text[], %b::int[],
                                            %b::text[], %b::text[], %b::int[], %b::text[]::jsonb[],
                                            %b::text[]::jsonb[])
ON CONFLICT (gpt_id, run_id, stage, part) DO UPDATE SET state = excluded.state,
    owner = excluded.owner, attempt = excluded.attempt, outputs = excluded.outputs,
    problem = excluded.problem, finished_at = excluded.finished_at, fence = s.fence + 1,
    waiting_for = NULL, waiting_since = NULL, retry_at = NULL, lease_until = NULL
WHERE s.attempt <= excluded.attempt
      AND (s.state = 'waiting'
           OR s.state = 'working' AND (s.lease_until < clock_timestamp() OR s.fence = %s))
RETURNING 1
"""
# At once, because each statement costs the way to the server and back.
_END: Final = f"WITH requests AS ({_REQUESTS}), told AS ({events.ENTER}) {_STEPS}"

_NO_STEP: Final = (None, -1, None)

Identity = tuple[StepKey, int]
_NOBODYS: Final = -1
"""A fence that no step has."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One record of a batch on its way: as it came, as it was read, and where its answer goes."""

    record: Incoming
    message: Message
    work: Work
    reply_topic: str

    @property
    def identity(self) -> Identity:
        """Returns: the step and its attempt; a record that comes again has the same."""
        return self.work.key, self.work.envelope.attempt


@dataclass(frozen=True, slots=True)
class Committed:
    """What is to be published of each turn, and how many of them were worked off only now."""

    outputs: tuple[tuple[Record, ...], ...]
    worked: int


class BatchLedger:
    """Commits batches for one worker, named `owner`."""

    def __init__(self, database: Database, *, owner: str) -> None:
        self._database = database
        self._owner = owner

    async def ping(self) -> None:
        """Raises: DependencyDown: Postgres does not answer."""
        await self._database.ping()

    async def known(
        self, stage: BatchStage[Any], turns: Sequence[Turn]
    ) -> dict[Identity, tuple[Record, ...]]:
        """Returns: the records to publish of those turns that were worked off before.

        Raises: DependencyDown: Postgres is away.
        """
        async with self._database.transaction() as connection:
            return await _standing(connection, stage, turns)

    async def commit(
        self, stage: BatchStage[Any], turns: Sequence[Turn], claim: Claimed | None = None
    ) -> Committed:
        """Have the stage work off the records that were not worked off before, in one transaction.

        The claim is that of a single one.

        Returns: the records to publish, of each turn: those that it has made now or before.

        Raises:
            Fenced: another worker has committed or claimed one of them meanwhile; nothing is
                written.
            DependencyDown: Postgres is away; whether it is written is then unknown, and committing
                again finds out. TooLong, one of these: it met a time limit.
        """
        async with self._database.transaction() as connection:
            if stage.scope is Scope.NOTHING:
                await self._repeatable(connection, stage, turns, claim)
                return Committed(tuple(() for _ in turns), len(turns))
            outputs = await _standing(connection, stage, turns)
            # The same request may come twice in one batch: the first of them is worked off.
            fresh: dict[Identity, Turn] = {}
            for turn in turns:
                if turn.identity not in outputs:
                    fresh.setdefault(turn.identity, turn)
            if fresh:
                fence = _NOBODYS if claim is None else claim.fence
                outputs |= await self._worked(connection, stage, list(fresh.values()), fence)
        return Committed(tuple(outputs[turn.identity] for turn in turns), len(fresh))

    async def _repeatable(
        self,
        connection: AsyncConnection,
        stage: BatchStage[Any],
        turns: Sequence[Turn],
        claim: Claimed | None,
    ) -> None:
        await stage.handle(connection, [Taken(turn.message, turn.work) for turn in turns])
        # A claimed one has a step; so has a dead letter, which is open again while it is redriven.
        stepped = {turn.identity: turn for turn in turns if claim or turn.work.envelope.attempt}
        if stepped:
            steps = [self._step(turn, Verdict(), ()) for turn in stepped.values()]
            fence = _NOBODYS if claim is None else claim.fence
            given = (StepState.DONE, *_columns(steps), fence)
            await postgres.execute(connection, _STEPS, given)

    async def _worked(
        self, connection: AsyncConnection, stage: BatchStage[Any], turns: Sequence[Turn], fence: int
    ) -> dict[Identity, tuple[Record, ...]]:
        taken = [Taken(turn.message, turn.work) for turn in turns]
        verdicts = await stage.handle(connection, taken)
        pairs = list(zip(turns, verdicts, strict=True))
        told, new_events = await events.number(
            connection, [(turn.work, verdict.events) for turn, verdict in pairs]
        )
        made = [
            (*_records(turn, verdict), *events_of)
            for (turn, verdict), events_of in zip(pairs, told, strict=True)
        ]
        steps = [
            self._step(turn, verdict, records)
            for (turn, verdict), records in zip(pairs, made, strict=True)
        ]
        requests = _columns([_request(*pair) for pair in pairs])
        given = (*requests, *new_events, StepState.DONE, *_columns(steps), fence)
        entered = await postgres.execute(connection, _END, given)
        if len(entered) < len(steps):
            raise Fenced
        return {turn.identity: records for turn, records in zip(turns, made, strict=True)}

    def _step(
        self, turn: Turn, verdict: Verdict, records: Sequence[Record]
    ) -> tuple[str | int | None, ...]:
        key = turn.work.key
        return (
            key.gpt_id,
            key.run_id,
            key.stage,
            key.part,
            turn.work.request_id,
            self._owner,
            turn.work.envelope.attempt,
            orjson.dumps([wire.to_json(record) for record in records]).decode(),
            _problem(verdict),
        )


async def _standing(
    connection: AsyncConnection, stage: BatchStage[Any], turns: Sequence[Turn]
) -> dict[Identity, tuple[Record, ...]]:
    """Returns: the stored records of those turns on which nothing is left to be worked."""
    keys = [turn.work.key for turn in turns]
    found = await postgres.execute(
        connection,
        _STANDING,
        (
            [key.gpt_id for key in keys],
            [key.run_id for key in keys],
            [key.part for key in keys],
            stage.name,
        ),
    )
    rows = {StepKey(*row[:4]): row[4:] for row in found}
    standing = {}
    for turn in turns:
        state, attempt, outputs = rows.get(turn.work.key, _NO_STEP)
        if attempt > turn.work.envelope.attempt or state in SETTLED:
            standing[turn.identity] = tuple(map(wire.from_json, outputs or ()))
    return standing


def _request(turn: Turn, verdict: Verdict) -> tuple[str | None, ...]:
    work, envelope = turn.work, turn.work.envelope
    return (
        work.request_id,
        work.gpt_id,
        envelope.subject,
        work.kind,
        _status(verdict),
        envelope.correlation_id or work.request_id,
        envelope.reply_to,
        envelope.fingerprint,
        None if verdict.result is None else json.dumps(verdict.result, ensure_ascii=False),
        _problem(verdict),
    )


def _records(turn: Turn, verdict: Verdict) -> list[Record]:
    """Returns: the answer's record, then the outputs'."""
    message = Result(
        request_id=turn.work.request_id,
        status=_status(verdict),
        result=verdict.result if verdict.told is None else verdict.told,
        problem=verdict.problem,
    )
    answer = Output(RESULTS, turn.work.request_id, message)
    return [
        wire.made(output, turn.work.envelope, reply_topic=turn.reply_topic)
        for output in (answer, *verdict.outputs)
    ]


def _status(verdict: Verdict) -> Status:
    return Status.COMPLETED if verdict.problem is None else Status.FAILED


def _problem(verdict: Verdict) -> str | None:
    return None if verdict.problem is None else verdict.problem.model_dump_json()


def _columns(rows: Sequence[tuple[Any, ...]]) -> tuple[list[Any], ...]:
    return tuple(map(list, zip(*rows, strict=True)))
