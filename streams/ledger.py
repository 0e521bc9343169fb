"""The ledger of steps: who works on what, what is done, and what it published.

Each step is one row of `steps`. Its fence rises with every claim, so that a worker that lost its
lease can commit nothing; its outputs stay in the row, so that a redelivered input is answered by
publishing them again. All times are the database's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, literal, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.base import Executable

from schemas.problems import Problem
from schemas.states import SETTLED, StepState
from schemas.tables import DOCUMENTS, STEPS
from streams.clients.postgres import Database
from streams.errors import Fenced
from streams.stage import Guarded, StepKey, Work
from streams.wire import Record


@dataclass(frozen=True, slots=True)
class Claimed:
    """The step is ours until the lease ends."""

    fence: int
    failures: int
    crashes: int


@dataclass(frozen=True, slots=True)
class Settled:
    """The step came to its end before; these are its outputs."""

    outputs: tuple[Record, ...]
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """Another worker has the step; its lease ends in so many seconds unless it is renewed."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Ending:
    """How a step ends: its state, what is written with it, and what is published after it.

    `if_deleted` is how it ends if its document turns out to bear a tombstone.
    """

    state: StepState
    statements: Sequence[Executable | Guarded]
    outputs: tuple[Record, ...]
    problem: Problem | None = None
    if_deleted: "Ending | None" = None

    def cancelled(self) -> "Ending":
        """Returns: what a tombstone makes of this ending; a refusal is an answer and stands."""
        if self.state is StepState.DONE and self.problem is not None:
            return self
        return self.if_deleted or Ending(StepState.CANCELLED, (), ())


_SETTLED = tuple(str(state) for state in SETTLED)


def _is(key: StepKey) -> ColumnElement[bool]:
    return and_(
        STEPS.c.gpt_id == key.gpt_id,
        STEPS.c.run_id == key.run_id,
        STEPS.c.stage == key.stage,
        STEPS.c.part == key.part,
    )


class Ledger:
    """Claims, renews, releases and commits steps for one worker, named `owner`."""

    def __init__(self, database: Database, *, owner: str, lease: timedelta) -> None:
        self._database = database
        self._owner = owner
        self._lease = lease

    @property
    def lease_seconds(self) -> float:
        """Returns: how long a claim holds without being renewed."""
        return self._lease.total_seconds()

    async def claim(self, work: Work, first: Sequence[Executable] = ()) -> Claimed | Settled | Held:
        """Take the step, running the statements of `first` with it.

        Raises: DependencyDown: Postgres is away.
        """
        entry = insert(STEPS).values(**self._row(work), state=StepState.WORKING)
        statement = entry.on_conflict_do_update(
            constraint=STEPS.primary_key,
            set_={
                "state": StepState.WORKING,
                "fence": STEPS.c.fence + 1,
                "owner": self._owner,
                "lease_until": func.now() + self._lease,
                "crashes": STEPS.c.crashes + case((STEPS.c.state == StepState.WORKING, 1), else_=0),
                "waiting_for": None,
            },
            where=or_(
                STEPS.c.state == StepState.WAITING,
                and_(STEPS.c.state == StepState.WORKING, STEPS.c.lease_until < func.now()),
            ),
        ).returning(STEPS.c.fence, STEPS.c.failures, STEPS.c.crashes)
        async with self._database.transaction() as connection:
            row = (await connection.execute(statement)).one_or_none()
            if row is not None:
                for each in first:
                    await connection.execute(each)
                return Claimed(row.fence, row.failures, row.crashes)
            return await self._standing(connection, work.key)

    async def _standing(self, connection: AsyncConnection, key: StepKey) -> Settled | Held:
        left = func.extract("epoch", STEPS.c.lease_until - func.now()).label("left")
        query = select(STEPS.c.state, STEPS.c.outputs, left).where(_is(key))
        row = (await connection.execute(query)).one()
        if row.state in _SETTLED:
            outputs = tuple(Record.from_json(item) for item in row.outputs or ())
            return Settled(outputs, row.state == StepState.CANCELLED)
        return Held(max(float(row.left or 0), 0.0))

    async def renew(self, key: StepKey, claim: Claimed) -> bool:
        """Returns: whether the step is still ours; if so, its lease begins anew."""
        statement = (
            update(STEPS)
            .where(_is(key), STEPS.c.fence == claim.fence, STEPS.c.state == StepState.WORKING)
            .values(lease_until=func.now() + self._lease)
        )
        async with self._database.transaction() as connection:
            return bool((await connection.execute(statement)).rowcount)

    async def release(
        self, key: StepKey, claim: Claimed, *, waiting_for: str, failed: bool = False
    ) -> None:
        """Give the step back without an outcome, so that anyone may claim it at once.

        `waiting_for` is what the timeline shows meanwhile; `failed` counts an attempt.
        """
        statement = (
            update(STEPS)
            .where(_is(key), STEPS.c.fence == claim.fence, STEPS.c.state == StepState.WORKING)
            .values(
                state=StepState.WAITING,
                waiting_for=waiting_for,
                lease_until=None,
                failures=STEPS.c.failures + int(failed),
            )
        )
        async with self._database.transaction() as connection:
            await connection.execute(statement)

    async def commit(self, work: Work, claim: Claimed | None, ending: Ending) -> Ending:
        """End the step: its row, the statements and the outputs to publish, in one transaction.

        Without a claim the step is entered here. A document that bears a tombstone ends the step
        as `cancelled`, with nothing written or published but what `if_deleted` says.

        Returns: the ending that stands: this one, a cancelled one, or an earlier one's outputs.
        Raises: Fenced: the lease was lost. Refused: a guarded statement changed nothing; the step
            is as it was. DependencyDown: Postgres is away; whether the
            transaction took effect is then unknown, and claiming again finds out.
        """
        async with self._database.transaction() as connection:
            if await _deleted(connection, work):
                ending = ending.cancelled()
            values: dict[str, Any] = {
                "state": ending.state,
                "outputs": [record.to_json() for record in ending.outputs],
                "problem": None
                if ending.problem is None
                else ending.problem.model_dump(mode="json"),
                "finished_at": func.clock_timestamp(),
                "lease_until": None,
                "waiting_for": None,
            }
            if claim is None:
                row = {**self._row(work), **values}
                entry = insert(STEPS).values(**row).on_conflict_do_nothing()
                entered = await connection.execute(entry.returning(STEPS.c.fence))
                if entered.one_or_none() is None:
                    standing = await self._standing(connection, work.key)
                    if isinstance(standing, Held):
                        raise Fenced
                    return replace(ending, statements=(), outputs=standing.outputs)
            else:
                ours = and_(
                    _is(work.key),
                    STEPS.c.fence == claim.fence,
                    STEPS.c.state == StepState.WORKING,
                )
                settled = update(STEPS).where(ours).values(**values)
                if not (await connection.execute(settled)).rowcount:
                    raise Fenced
            for statement in ending.statements:
                await _execute(connection, statement)
        return ending

    def _row(self, work: Work) -> dict[str, Any]:
        return {
            "gpt_id": work.key.gpt_id,
            "run_id": work.key.run_id,
            "stage": work.key.stage,
            "part": work.key.part,
            "document_id": work.document_id,
            "request_id": work.request_id,
            "owner": self._owner,
            "lease_until": func.now() + self._lease,
        }


async def _execute(connection: AsyncConnection, statement: Executable | Guarded) -> None:
    if isinstance(statement, Guarded):
        if not (await connection.execute(statement.statement)).rowcount:
            raise statement.otherwise
        return
    await connection.execute(statement)


async def _deleted(connection: AsyncConnection, work: Work) -> bool:
    """Returns: whether the document bears a tombstone; no other commit changes that meanwhile.

    The lock is on the id, not on the row, which may not exist yet: a deletion can come first.
    """
    if work.document_id is None:
        return False
    lock = func.pg_advisory_xact_lock(func.hashtextextended(literal(work.document_id), text("0")))
    await connection.execute(select(lock))
    if work.touches_deleted:
        return False
    query = select(DOCUMENTS.c.deleted_at).where(DOCUMENTS.c.document_id == work.document_id)
    row = (await connection.execute(query)).one_or_none()
    return row is not None and row.deleted_at is not None
