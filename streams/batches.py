"""Working off batches: all records that are there, in one transaction, each with its own outcome.

Where a batch fails as a whole, each of its records is tried alone, in their order, so that a bad
one stops nothing but itself. One that may have been too much for a transaction is halved.

The first records of a partition that changed hands are worked off one by one under leases: its last
owner may have died over one of them, and only a lease tells that the next one does too.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog

from streams import metrics
from streams.batch_ledger import BatchLedger, Turn
from streams.errors import DependencyDown, Fenced, GiveWay, InvalidMessage
from streams.runner import Runner
from streams.single import Single
from streams.stage import BatchStage, Record
from streams.wire import Incoming

log = structlog.get_logger()

Place = tuple[str, str, int]


class Batches:
    """Works off the records of batch stages for one worker, by the runner's rules."""

    def __init__(self, runner: Runner, ledger: BatchLedger) -> None:
        self._runner = runner
        self._ledger = ledger
        self._probation: dict[Place, tuple[int, int]] = {}

    async def run(self, stage: BatchStage[Any], records: Sequence[Incoming]) -> None:
        """Work off records of one partition; afterwards all of them may be acknowledged.

        Raises: GiveWay: they are for the partition's next owner.
        """
        await self._runner.within_grace(records[0], self._run(stage, records))

    async def _run(self, stage: BatchStage[Any], records: Sequence[Incoming]) -> None:
        started = time.monotonic()
        turns = [turn for record in records if (turn := await self._turn(stage, record))]
        outputs = await self._begun(stage, turns)
        await self._runner.publish(records[0], tuple(outputs))
        seconds = time.monotonic() - started
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

    async def _begun(self, stage: BatchStage[Any], turns: Sequence[Turn]) -> list[Record]:
        """Returns: what is to be published; those on probation are worked off one by one.

        A batch began with the first record that was not settled, and held `most` at most. So
        whichever its worker died over is among as many of those that are not settled now.
        """
        if not turns:
            return []
        first = turns[0].record
        place = (stage.name, first.topic, first.partition)
        generation, passed = self._probation.get(place, (None, 0))
        if generation != first.generation:
            passed = 0
        if passed >= stage.most:
            return await self._together(stage, turns)
        known = await self._runner.patiently(first, lambda: self._ledger.known(stage, turns))
        outputs: list[Record] = []
        for at, turn in enumerate(turns):
            if passed >= stage.most:
                return [*outputs, *await self._together(stage, turns[at:])]
            if turn.identity in known:
                outputs += known[turn.identity]
                metrics.RECORDS.labels(stage.name, "repeated").inc()
                continue
            outputs += await self._singly(stage, turn, Single.leased)
            passed += 1
            self._probation[place] = (first.generation, passed)
        return outputs

    async def _together(self, stage: BatchStage[Any], turns: Sequence[Turn]) -> list[Record]:
        """Returns: what is to be published for these records, in their order."""
        if len(turns) == 1:
            return await self._singly(stage, turns[0], Single.unleased)
        try:
            return await self._committed(stage, turns)
        except GiveWay:
            raise
        except DependencyDown as error:
            # The same batch could take too long each time; half of it takes half as long.
            await self._halting(turns, error)
            middle = len(turns) // 2
            parts = [turns[:middle], turns[middle:]]
        except Exception:
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
        """Raises: DependencyDown: Postgres is away, or they are too much for one transaction."""
        while True:
            try:
                async with self._runner.gate.beside_others():
                    done = await self._ledger.commit(stage, turns)
            except Fenced:
                patience = self._runner.patience
                await self._runner.pause(turns[0].record, patience.first_seconds)
                continue
            metrics.RECORDS.labels(stage.name, "done").inc(done.worked)
            metrics.RECORDS.labels(stage.name, "repeated").inc(len(turns) - done.worked)
            if done.worked:
                self._runner.alarm.went_well(stage.name, {turn.work.gpt_id for turn in turns})
            return [record for records in done.outputs for record in records]

    async def _singly(
        self,
        stage: BatchStage[Any],
        turn: Turn,
        way: Callable[[Single], Awaitable[Sequence[Record]]],
    ) -> list[Record]:
        try:
            return list(await way(Single(self._runner, self._ledger, stage, turn)))
        except GiveWay:
            raise
        except Exception as error:  # noqa: BLE001 - it is told of there
            await self._runner.given_up(stage, turn.work.gpt_id, turn.record, error)
            metrics.RECORDS.labels(stage.name, "dead").inc()
            return []
