"""One record on its way through a stage: claim, work, commit, publish, each of which may fail.

Every failure of every stage comes through here and is one of those named in `streams/errors.py`.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy.sql.base import Executable

from schemas.states import StepState
from schemas.topics import RESULTS, Kind, bulk
from streams import failures, metrics, replies, retries
from streams.endings import Claimed, Ending, Held, Settled, Wait
from streams.errors import (
    DependencyDown,
    Fenced,
    GiveWay,
    InvalidMessage,
    RecordTrouble,
    Refused,
)
from streams.failures import Failure
from streams.leased import Leased
from streams.stage import Claim, Outcome, Record, Stage, Work
from streams.wire import Incoming

if TYPE_CHECKING:
    from streams.runner import Runner

log = structlog.get_logger()

_RELEASE_SECONDS = 2.0
_ELSEWHERE = Wait("a worker")


class Step:
    """One record on its way through claim, work, commit and publish."""

    def __init__(
        self,
        runner: "Runner",
        stage: Stage[Any],
        message: Any,  # noqa: ANN401 - the stage's own message type
        work: Work,
        record: Incoming,
    ) -> None:
        self._runner = runner
        self._stage = stage
        self._message = message
        self._work = work
        self._record = record
        self._bugs = 0
        self._troubles = 0
        self._pause = runner.patience.first_seconds
        self._decided: Ending | None = None
        self._unreleased: tuple[Claimed, Wait] | None = None

    async def finish(self) -> str:
        """Returns: how the record's turn ended, as a word for the log."""
        while True:
            await self._runner.unless_stopped(self._stage, self._record)
            claim = await self._claim()
            if isinstance(claim, Settled):
                # The worker that cancelled it may have died before it undid anything.
                if claim.cancelled:
                    await self._undo()
                await self._publish(claim.outputs)
                return "repeated"
            if isinstance(claim, Held):
                longest = self._runner.patience.longest_seconds
                await self._runner.pause(self._record, min(claim.seconds + 0.1, 1.0, longest))
                continue
            ending = await self._turn(claim)
            if ending is None:
                continue
            if ending.state is StepState.CANCELLED:
                await self._undo()
            await self._publish(ending.outputs)
            if ending.state is StepState.DONE:
                self._runner.alarm.went_well(self._stage.name, (self._work.gpt_id,))
            return str(ending.state)

    async def _publish(self, outputs: Sequence[Record]) -> None:
        """Publish; what hands long work on comes last, since its next part may settle this one."""
        own = {self._stage.source.name, bulk(self._stage.source.name)}
        await self._runner.publish(self._record, tuple(r for r in outputs if r.topic not in own))
        await self._runner.publish(self._record, tuple(r for r in outputs if r.topic in own))

    async def _turn(self, claim: Claimed | None) -> Ending | None:
        """Work and commit. Returns: the ending that stands; None if it is to be claimed again."""
        try:
            ending = self._decided or self._condemned(claim) or await self._ending(claim)
            return None if ending is None else await self._commit(claim, ending)
        except (asyncio.CancelledError, GiveWay):
            # The worker is leaving; the next owner may begin at once.
            await self._release(claim, _ELSEWHERE)
            raise

    def _condemned(self, claim: Claimed | None) -> Ending | None:
        """Returns: the end of a record that was cancelled, or that ends its worker in any case."""
        if claim is not None and claim.cancelled:
            return self._cancelled()
        if claim is None or claim.crashes_alone < self._runner.suspect_crashes:
            return None
        return self._failed(failures.poison(claim))

    async def _commit(self, claim: Claimed | None, ending: Ending) -> Ending | None:
        """Returns: the ending that stands, or None if the step is to be claimed again.

        A failed commit leaves the claim as it was, so that it serves for the next one; if the
        transaction took effect after all, the fence says so.
        """
        while True:
            try:
                return await self._runner.ledger.commit(
                    self._work, claim, replace(ending, if_deleted=self._cancelled)
                )
            except Fenced:
                return None
            except DependencyDown as error:
                log.warning("waiting", dependency=error.dependency, reason=error.detail)
                await self._runner.pause(self._record, self._pause)
            except Exception as error:
                if ending is self._decided:
                    raise
                self._decided = self._failure(error, claim)
                if self._decided is None:
                    await self._again(error, claim)
                    return None
                ending = self._decided

    async def _undo(self) -> None:
        undo = self._stage.cancelled
        if undo is not None:
            await self._runner.patiently(self._record, lambda: undo(self._message, self._work))

    async def _claim(self) -> Claimed | Settled | Held | None:
        # An attempt that was opened anew finds the step's row and takes it over, as all others do.
        if self._stage.claim is Claim.AT_COMMIT and not self._work.envelope.attempt:
            return None
        first = self._registration()
        resumed = partial(retries.resumed, self._stage, self._work)

        async def claim() -> Claimed | Settled | Held:
            # A lease that lapses unreleased would pass for a crash.
            if self._unreleased is not None:
                await self._runner.ledger.release(self._work.key, *self._unreleased)
                self._unreleased = None
            return await self._runner.ledger.claim(self._work, first, resumed())

        return await self._runner.patiently(self._record, claim)

    def _registration(self) -> tuple[Any, ...]:
        if self._stage.source.kind is not Kind.REQUEST:
            return ()
        work = self._work
        return (replies.registration(work.envelope, work.kind, work.document_id),)

    async def _ending(self, claim: Claimed | None) -> Ending | None:
        """Returns: how the turn is to end, or None if the step is to be claimed again."""
        try:
            outcome = await self._worked(claim)
        except Fenced:
            return None
        except Exception as error:  # noqa: BLE001 - the one place where failures are told apart
            ending = self._failure(error, claim)
            if ending is None:
                await self._again(error, claim)
            return ending
        return self._done(outcome)

    def _done(self, outcome: Outcome) -> Ending:
        statements = outcome.statements
        answered = any(getattr(output, "topic", None) == RESULTS for output in outcome.outputs)
        if self._stage.claim is Claim.AT_COMMIT and not answered:
            statements = (*self._registration(), *statements)
        records = self._runner.records(self._stage, self._work, outcome, self._record)
        return Ending(
            StepState.DONE, statements, records, events=outcome.events, moved=outcome.moved
        )

    def _failure(self, error: Exception, claim: Claimed | None) -> Ending | None:
        """Returns: how this failure ends the turn, None if it is to be tried again in place."""
        match error:
            case DependencyDown():
                metrics.WAITS.labels(error.dependency).inc()
                log.warning("waiting", dependency=error.dependency, reason=error.detail)
                return None
            case Refused():
                return self._refused(error)
            case InvalidMessage():
                return self._failed(Failure(error.code, error.detail))
            case RecordTrouble():
                log.warning("trouble", dependency=error.dependency, reason=error.detail)
                return self._trouble(error, claim)
            case _:
                log.error("bug", stage=self._stage.name, exc_info=error)
                return self._bug(error)

    def _trouble(self, error: RecordTrouble, claim: Claimed | None) -> Ending | None:
        self._troubles = max(self._troubles, claim.failures if claim else 0) + 1
        allowed = self._runner.attempts.of(self._stage)
        if self._troubles >= allowed:
            return self._failed(
                Failure(f"{error.dependency}_trouble", error.detail, self._troubles)
            )
        if claim is None or self._stage.ordered:
            return None
        return retries.ending(
            self._stage, self._work, self._record, error, failed=self._troubles, of=allowed
        )

    def _bug(self, error: Exception) -> Ending | None:
        self._bugs += 1
        alarm = self._runner.alarm
        if self._bugs < failures.BUG_ATTEMPTS or alarm.stops_at(
            self._stage.name, self._work.gpt_id, error
        ):
            return None
        return self._failed(failures.bug(error, self._bugs))

    async def _worked(self, claim: Claimed | None) -> Outcome:
        def handle() -> Awaitable[Outcome]:
            return self._stage.handle(self._message, self._work)

        if claim is None:
            async with self._runner.gate.beside_others():
                return await handle()
        leased = Leased(self._runner.ledger, self._runner.gate, self._work.key, claim)
        if claim.crashes < self._runner.suspect_crashes:
            return await leased.work(handle)
        log.warning("suspect", stage=self._stage.name, crashes=claim.crashes)
        return await leased.work_alone(handle)

    async def _again(self, error: Exception, claim: Claimed | None) -> None:
        """Release the step, saying what is waited for, and wait in place."""
        seconds = self._pause
        if isinstance(error, RecordTrouble):
            seconds = self._runner.patience.in_place(self._troubles)
        self._pause = self._runner.patience.after(self._pause)
        shown = retries.waiting(self._stage, self._work)
        await self._release(claim, self._wait(error, seconds), shown)
        await self._runner.pause(self._record, seconds)

    def _wait(self, error: Exception, seconds: float) -> Wait:
        match error:
            case DependencyDown():
                return Wait(error.dependency)
            case RecordTrouble():
                due = datetime.now(UTC) + timedelta(seconds=seconds)
                allowed = self._runner.attempts.of(self._stage)
                return Wait(error.dependency, failed=True, retry_at=due, allowed=allowed)
            case _:
                if self._stage.name in self._runner.alarm.stopped:
                    return Wait(f"stage {self._stage.name}, which stopped", failed=True)
                return Wait("another attempt", failed=True)

    async def _release(
        self, claim: Claimed | None, wait: Wait, shown: Sequence[Executable] = ()
    ) -> None:
        if claim is None:
            return
        # Without Postgres it is released when it is claimed again here, or the lease lapses.
        try:
            async with asyncio.timeout(_RELEASE_SECONDS):
                await self._runner.ledger.release(self._work.key, claim, wait, shown)
        except (DependencyDown, TimeoutError):
            self._unreleased = (claim, wait)

    def _cancelled(self) -> Ending:
        reply = self._runner.reply_topic(self._work.envelope)
        return failures.cancelled(self._stage, self._work, reply_topic=reply)

    def _refused(self, error: Refused) -> Ending:
        reply = self._runner.reply_topic(self._work.envelope)
        return failures.refused(self._work, error, reply_topic=reply)

    def _failed(self, failure: Failure) -> Ending:
        log.warning("failed", stage=self._stage.name, code=failure.code, attempts=failure.attempts)
        reply = self._runner.reply_topic(self._work.envelope)
        return failures.dead(self._stage, self._work, self._record, failure, reply_topic=reply)
