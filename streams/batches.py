"""Working off batches: all records that are there, in one transaction, each with its own outcome.

Where a batch fails as a whole, each of its records is tried alone, in their order, so that a bad
one stops nothing but itself. One that may have been too much for a transaction is halved.
"""

import time
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import structlog

from streams import failures, metrics
from streams.batch_ledger import BatchLedger, Turn
from streams.endings import Claimed, Ending, Settled
from streams.errors import DependencyDown, Fenced, GiveWay, InvalidMessage
from streams.failures import Failure
from streams.runner import Runner
from streams.stage import BatchStage, Record
from streams.wire import Incoming

log = structlog.get_logger()

_BUG_ATTEMPTS: Final = 2


class Batches:
    """Works off the records of batch stages for one worker, by the runner's rules."""

    def __init__(self, runner: Runner, ledger: BatchLedger) -> None:
        self._runner = runner
        self._ledger = ledger

    async def run(self, stage: BatchStage[Any], records: Sequence[Incoming]) -> None:
        """Work off records of one partition; afterwards all of them may be acknowledged.

        Raises: GiveWay: they are for the partition's next owner.
        """
        await self._runner.within_grace(records[0], self._run(stage, records))

    async def _run(self, stage: BatchStage[Any], records: Sequence[Incoming]) -> None:
        started = time.monotonic()
        turns = [turn for record in records if (turn := await self._turn(stage, record))]
        outputs = await self._together(stage, turns)
        await self._runner.publish(records[0], tuple(outputs))
        seconds = time.monotonic() - started
        metrics.RECORDS.labels(stage.name, "done").inc(len(turns))
        metrics.SECONDS.labels(stage.name).observe(seconds)
        log.info(
            "batch",
            stage=stage.name,
            records=len(records),
            ms=round(seconds * 1000, 1),
            topic=records[0].topic,
            partition=records[0].partition,
            offset=records[0].offset,
            request_ids=[turn.work.request_id for turn in turns],
        )

    async def _turn(self, stage: BatchStage[Any], record: Incoming) -> Turn | None:
        """Returns: the record as it was read; None if it cannot be, and so is a dead letter."""
        try:
            message, work = self._runner.decoder.work(stage, record)
        except InvalidMessage as error:
            await self._runner.undecodable(stage, record, error)
            metrics.RECORDS.labels(stage.name, "undecodable").inc()
            return None
        return Turn(record, message, work, self._runner.reply_topic(work.envelope))

    async def _together(self, stage: BatchStage[Any], turns: Sequence[Turn]) -> list[Record]:
        """Returns: what is to be published for these records, in their order."""
        if not turns:
            return []
        try:
            return await self._committed(stage, turns)
        except GiveWay:
            raise
        except DependencyDown as error:
            # The same batch could take too long each time; half of it takes half as long.
            await self._halting(turns, error)
            middle = len(turns) // 2
            parts = [turns[:middle], turns[middle:]]
        except Exception as error:
            if len(turns) == 1:
                return await self._alone(stage, turns[0], error)
            log.exception("batch divided", stage=stage.name, records=len(turns))
            parts = [[turn] for turn in turns]
        return [record for part in parts for record in await self._together(stage, part)]

    async def _halting(self, turns: Sequence[Turn], error: DependencyDown) -> None:
        """Say that a batch is to be halved, and pause before. Raises: GiveWay."""
        metrics.WAITS.labels(error.dependency).inc()
        log.warning(
            "batch halved", dependency=error.dependency, reason=error.detail, records=len(turns)
        )
        await self._runner.pause(turns[0].record, self._runner.patience.first_seconds)

    async def _committed(self, stage: BatchStage[Any], turns: Sequence[Turn]) -> list[Record]:
        """Commit; one record alone waits for Postgres. Raises: DependencyDown: several do not."""

        async def commit() -> tuple[tuple[Record, ...], ...]:
            async with self._runner.gate.beside_others():
                return await self._ledger.commit(stage, turns)

        first = turns[0].record
        single = len(turns) == 1
        while True:
            try:
                made = await (self._runner.patiently(first, commit) if single else commit())
            except Fenced:
                await self._runner.pause(first, self._runner.patience.first_seconds)
            else:
                self._runner.went_well(stage)
                return [record for records in made for record in records]

    async def _alone(self, stage: BatchStage[Any], turn: Turn, error: Exception) -> list[Record]:
        """Try a record again that met a bug; then make it a dead letter."""
        for attempt in range(1, _BUG_ATTEMPTS + 1):
            log.error("bug", stage=stage.name, request_id=turn.work.request_id, exc_info=error)
            if self._runner.stops_at(stage, error):
                await self._runner.unless_stopped(stage, turn.record)
            if attempt == _BUG_ATTEMPTS:
                break
            try:
                return await self._committed(stage, [turn])
            except GiveWay:
                raise
            except Exception as another:  # noqa: BLE001 - it is told of at the loop's beginning
                error = another
        return await self._dead(stage, turn, error)

    async def _dead(self, stage: BatchStage[Any], turn: Turn, error: Exception) -> list[Record]:
        failure = Failure(
            "internal_error",
            f"An unexpected error: {type(error).__name__}. The worker's log has its traceback.",
            _BUG_ATTEMPTS,
        )
        ending = failures.dead(stage, turn.work, turn.record, failure, reply_topic=turn.reply_topic)
        metrics.RECORDS.labels(stage.name, "dead").inc()
        return list(await self._ended(turn, ending))

    async def _ended(self, turn: Turn, ending: Ending) -> tuple[Record, ...]:
        """Returns: what is to be published once the step has this end, or another one's."""
        ledger, claim = self._runner.ledger, None
        while True:
            # Only a step that was opened anew has a row already, which must be claimed.
            if turn.work.envelope.attempt:
                found = await self._runner.patiently(turn.record, partial(ledger.claim, turn.work))
                if isinstance(found, Settled):
                    return found.outputs
                claim = found if isinstance(found, Claimed) else None
            commit = partial(ledger.commit, turn.work, claim, ending)
            try:
                return (await self._runner.patiently(turn.record, commit)).outputs
            except Fenced:
                await self._runner.pause(turn.record, self._runner.patience.first_seconds)
