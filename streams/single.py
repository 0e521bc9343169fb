"""One record of a batch stage on its own: as one of a batch that failed, or under a lease.

Under a lease a death of the worker is counted, as it is for stages that take record by record.
"""

import asyncio
from contextlib import suppress
from functools import partial
from typing import Any, Final

import structlog

from streams import failures, metrics
from streams.batch_ledger import BatchLedger, Committed, Turn
from streams.endings import Claimed, Held, Settled, Wait
from streams.errors import DependencyDown, Fenced, GiveWay, RecordTrouble, TooLong
from streams.failures import Failure
from streams.leased import Leased
from streams.runner import Runner
from streams.stage import BatchStage, Record

log = structlog.get_logger()

_RELEASE_SECONDS: Final = 2.0


class Single:
    """One record on its way through work, commit and, where it fails for good, its dead letter."""

    def __init__(
        self, runner: Runner, ledger: BatchLedger, stage: BatchStage[Any], turn: Turn
    ) -> None:
        self._runner = runner
        self._batches = ledger
        self._stage = stage
        self._turn = turn
        self._bugs = 0
        self._limits_met = 0
        self._pause_seconds = runner.patience.first_seconds
        self._decided: Failure | None = None

    async def unleased(self) -> tuple[Record, ...]:
        """Work it off. Returns: what is to be published. Raises: GiveWay."""
        while True:
            try:
                return await self._ended(None)
            except Fenced:
                await self._pause()

    async def leased(self) -> tuple[Record, ...]:
        """Work it off under a lease. Returns: what is to be published. Raises: GiveWay."""
        ledger, work, record = self._runner.ledger, self._turn.work, self._turn.record
        while True:
            claim = await self._runner.patiently(record, partial(ledger.claim, work))
            if isinstance(claim, Settled):
                metrics.RECORDS.labels(self._stage.name, "repeated").inc()
                return claim.outputs
            if isinstance(claim, Held):
                longest = self._runner.patience.longest_seconds
                await self._runner.pause(record, min(claim.seconds + 0.1, 1.0, longest))
                continue
            try:
                return await self._claimed(claim)
            except Fenced:
                await self._pause()
            except (asyncio.CancelledError, GiveWay):
                await self._release(claim)
                raise

    async def _claimed(self, claim: Claimed) -> tuple[Record, ...]:
        if self._decided is None and claim.crashes_alone >= self._runner.suspect_crashes:
            self._decided = failures.poison(claim)
        if self._decided is None:
            return await self._ended(claim)
        return await self._dead(self._decided, claim)

    async def _ended(self, claim: Claimed | None) -> tuple[Record, ...]:
        """Raises: Fenced: another worker has it, or had it."""
        while True:
            await self._runner.unless_stopped(self._stage, self._turn.record)
            try:
                commit = partial(self._committed, claim)
                done = await self._runner.patiently(self._turn.record, commit)
            except (GiveWay, Fenced):
                raise
            except Exception as error:  # noqa: BLE001 - the one place where failures are told apart
                self._decided = self._failure(error)
                if self._decided is None:
                    await self._pause()
                elif claim is None:
                    # Its step may have a row, if it was opened anew or a worker died over it.
                    return await self.leased()
                else:
                    return await self._dead(self._decided, claim)
            else:
                outcome = "done" if done.worked else "repeated"
                metrics.RECORDS.labels(self._stage.name, outcome).inc()
                if done.worked:
                    self._runner.alarm.went_well(self._stage.name, (self._turn.work.gpt_id,))
                return done.outputs[0]

    async def _committed(self, claim: Claimed | None) -> Committed:
        """Raises: RecordTrouble: it met a time limit of Postgres, which answers otherwise."""
        commit = partial(self._batches.commit, self._stage, [self._turn], claim)
        try:
            if claim is None:
                async with self._runner.gate.beside_others():
                    return await commit()
            leased = Leased(self._runner.ledger, self._runner.gate, self._turn.work.key, claim)
            if claim.crashes < self._runner.suspect_crashes:
                return await leased.work(commit)
            log.warning("suspect", stage=self._stage.name, crashes=claim.crashes)
            return await leased.work_alone(commit)
        except TooLong as error:
            await self._batches.ping()
            raise RecordTrouble(error.dependency, error.detail) from error

    def _failure(self, error: Exception) -> Failure | None:
        """Returns: why it failed for good; None if it is to be tried again."""
        if isinstance(error, RecordTrouble):
            self._limits_met += 1
            log.warning("trouble", dependency=error.dependency, reason=error.detail)
            # Where all are too slow, it is Postgres that is, and not one of them.
            if self._limits_met < self._runner.attempts.of(self._stage) or self._stops_at(error):
                return None
            return failures.too_slow(error.detail, self._limits_met)
        self._bugs += 1
        request_id = self._turn.work.request_id
        log.error("bug", stage=self._stage.name, request_id=request_id, exc_info=error)
        if self._bugs < failures.BUG_ATTEMPTS or self._stops_at(error):
            return None
        return failures.bug(error)

    def _stops_at(self, error: Exception) -> bool:
        work = self._turn.work
        return self._runner.alarm.stops_at(self._stage.name, work.gpt_id, error)

    async def _dead(self, failure: Failure, claim: Claimed) -> tuple[Record, ...]:
        turn, ledger = self._turn, self._runner.ledger
        ending = failures.dead(
            self._stage, turn.work, turn.record, failure, reply_topic=turn.reply_topic
        )
        commit = partial(ledger.commit, turn.work, claim, ending)
        outputs = (await self._runner.patiently(turn.record, commit)).outputs
        metrics.RECORDS.labels(self._stage.name, "dead").inc()
        log.warning("failed", stage=self._stage.name, code=failure.code, attempts=failure.attempts)
        return outputs

    async def _pause(self) -> None:
        await self._runner.pause(self._turn.record, self._pause_seconds)
        self._pause_seconds = self._runner.patience.after(self._pause_seconds)

    async def _release(self, claim: Claimed) -> None:
        """Let the next owner begin at once; without Postgres it does when the lease lapses."""
        with suppress(DependencyDown, TimeoutError):
            async with asyncio.timeout(_RELEASE_SECONDS):
                await self._runner.ledger.release(self._turn.work.key, claim, Wait("a worker"))
