"""One record on its way through a stage: claim, work, commit, publish, each of which may fail.

Every failure of every stage comes through here and is one of those named in `streams/errors.py`.
"""

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import structlog

from schemas.states import StepState
from schemas.topics import Kind
from streams import failures, metrics, replies
from streams.errors import (
    DependencyDown,
    Fenced,
    GiveWay,
    InvalidMessage,
    RecordTrouble,
    Refused,
)
from streams.failures import Failure
from streams.ledger import Claimed, Ending, Held, Settled
from streams.stage import Claim, Outcome, Stage, Work
from streams.wire import Incoming

if TYPE_CHECKING:
    from streams.runner import Runner

log = structlog.get_logger()

_BUG_ATTEMPTS = 2


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

    async def finish(self) -> str:
        """Returns: how the step ended, as a word for the log."""
        while True:
            claim = await self._claim()
            if isinstance(claim, Settled):
                # The worker that cancelled it may have died before it undid anything.
                if claim.cancelled:
                    await self._undo()
                await self._runner.publish(self._record, claim.outputs)
                return "repeated"
            if isinstance(claim, Held):
                longest = self._runner.patience.longest_seconds
                await self._runner.pause(self._record, min(claim.seconds + 0.1, 1.0, longest))
                continue
            ending = self._decided or await self._ending(claim)
            if ending is not None:
                ending = await self._commit(claim, ending)
            if ending is None:
                continue
            if ending.state is StepState.CANCELLED:
                await self._undo()
            await self._runner.publish(self._record, ending.outputs)
            return str(ending.state)

    async def _commit(self, claim: Claimed | None, ending: Ending) -> Ending | None:
        """Returns: the ending that stands, or None if the step is to be claimed again.

        A failed commit leaves the claim as it was, so that it serves for the next one; if the
        transaction took effect after all, the fence says so.
        """
        reply = self._runner.reply_topic(self._work.envelope)
        deleted = failures.cancelled(self._stage, self._work, reply_topic=reply)
        while True:
            try:
                return await self._runner.ledger.commit(
                    self._work, claim, replace(ending, if_deleted=deleted)
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
        if self._stage.claim is Claim.AT_COMMIT:
            return None
        first = self._registration()
        return await self._runner.patiently(
            self._record, lambda: self._runner.ledger.claim(self._work, first)
        )

    def _registration(self) -> tuple[Any, ...]:
        if self._stage.source.kind is not Kind.REQUEST:
            return ()
        work = self._work
        return (replies.registration(work.envelope, work.kind, work.document_id),)

    async def _ending(self, claim: Claimed | None) -> Ending | None:
        """Returns: how the step is to end, or None if it is to be claimed again."""
        try:
            outcome = await self._runner.with_way_out(self._record, self._worked(claim))
        except GiveWay:
            await self._release(claim, "a worker", failed=False)
            raise
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
        answered = any(output.topic.kind is Kind.RESULT for output in outcome.outputs)
        if self._stage.claim is Claim.AT_COMMIT and not answered:
            statements = (*self._registration(), *statements)
        records = self._runner.records(self._stage, self._work, outcome, self._record)
        return Ending(StepState.DONE, statements, records)

    def _failure(self, error: Exception, claim: Claimed | None) -> Ending | None:
        """Returns: the step's end if this failure is its last, None if it is to be tried again."""
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
        self._troubles += 1
        attempts = max(self._troubles, (claim.failures if claim else 0) + 1)
        if attempts < self._runner.attempts:
            return None
        return self._failed(Failure(f"{error.dependency}_trouble", error.detail, attempts))

    def _bug(self, error: Exception) -> Ending | None:
        self._bugs += 1
        if self._bugs < _BUG_ATTEMPTS:
            return None
        name = type(error).__name__
        detail = f"An unexpected error: {name}. The worker's log has its traceback."
        return self._failed(Failure("internal_error", detail, self._bugs))

    async def _worked(self, claim: Claimed | None) -> Outcome:
        handling = self._stage.handle(self._message, self._work)
        if claim is None:
            return await handling
        task = asyncio.ensure_future(handling)
        keeper = asyncio.create_task(self._keep(claim, task))
        try:
            return await task
        except asyncio.CancelledError:
            if keeper.done() and not keeper.cancelled():
                raise Fenced from None
            raise
        finally:
            keeper.cancel()
            if not task.done():
                task.cancel()
                with suppress(BaseException):
                    await task

    async def _keep(self, claim: Claimed, task: "asyncio.Future[Outcome]") -> None:
        """Renew the lease; end when it is lost, having cancelled the work."""
        interval = self._runner.ledger.lease_seconds / 3
        while True:
            await asyncio.sleep(interval)
            try:
                ours = await self._runner.ledger.renew(self._work.key, claim)
            except DependencyDown:
                continue
            if not ours:
                task.cancel()
                return

    async def _again(self, error: Exception, claim: Claimed | None) -> None:
        """Release the step, saying what is waited for, and wait in place."""
        down = isinstance(error, DependencyDown)
        waiting_for = getattr(error, "dependency", "another attempt")
        await self._release(claim, waiting_for, failed=not down)
        await self._runner.pause(self._record, self._pause)
        self._pause = self._runner.patience.after(self._pause)

    async def _release(self, claim: Claimed | None, waiting_for: str, *, failed: bool) -> None:
        if claim is None:
            return
        # Without Postgres the lease simply lapses.
        with suppress(DependencyDown):
            await self._runner.ledger.release(
                self._work.key, claim, waiting_for=waiting_for, failed=failed
            )

    def _refused(self, error: Refused) -> Ending:
        reply = self._runner.reply_topic(self._work.envelope)
        return failures.refused(self._work, error, reply_topic=reply)

    def _failed(self, failure: Failure) -> Ending:
        log.warning("failed", stage=self._stage.name, code=failure.code, attempts=failure.attempts)
        reply = self._runner.reply_topic(self._work.envelope)
        return failures.dead(self._stage, self._work, self._record, failure, reply_topic=reply)
