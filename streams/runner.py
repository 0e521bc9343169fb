"""The one runner that drives every stage: decode, claim, work, commit, publish.

`Runner.run` returns when the record may be acknowledged. It raises `GiveWay` when the worker is
leaving the partition; the record must then not be acknowledged. It raises nothing else that a
record can cause. A crash anywhere redelivers the record, which finds its step as far as it got.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, TypeVar

import structlog

from schemas.envelope import Envelope
from schemas.ids import Ids
from schemas.topics import DELAYS, RESULTS
from streams import failures, metrics, wire
from streams.alarm import Alarm
from streams.decoding import Decoder
from streams.errors import DependencyDown, GiveWay, InvalidMessage
from streams.gate import Gate
from streams.ledger import Ledger
from streams.retries import Attempts
from streams.slots import as_bulk
from streams.stage import Outcome, Reading, Record, Stage, Work
from streams.step import Step
from streams.wire import Incoming

log = structlog.get_logger()

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """How waiting in place goes: the first pause, doubled up to the longest, looking up often."""

    first_seconds: float = 0.25
    longest_seconds: float = 15.0
    look_seconds: float = 0.25
    in_place_seconds: tuple[float, ...] = tuple(delay.seconds for delay in DELAYS)

    def in_place(self, failures: int) -> float:
        """Returns: how long a record waits that must not leave its place, after its failures."""
        return self.in_place_seconds[min(failures, len(self.in_place_seconds)) - 1]

    def after(self, pause: float) -> float:
        """Returns: the pause that follows this one."""
        return min(pause * 2, self.longest_seconds)


class Publisher(Protocol):
    """Publishes records and returns when the broker has acknowledged all of them."""

    async def publish(self, records: tuple[Record, ...]) -> None:
        """Raises: DependencyDown: at least one was not acknowledged; all may be published again."""


class Runner:
    """Works off records of all stages for one worker."""

    def __init__(  # noqa: D417 - the rest are settings of the same names
        self,
        ledger: Ledger,
        publisher: Publisher,
        ids: Ids,
        *,
        attempts: Attempts,
        grace: timedelta,
        bugs_in_a_row: int = 10,
        suspect_crashes: int = 2,
        reply_topics: tuple[str, ...] = (),
        patience: Patience | None = None,
    ) -> None:
        """Wire the runner.

        Args:
            ledger: Where steps are claimed and committed.
            publisher: Where outputs go.
            ids: Signs the ids that outside producers leave to us.
        """
        self.ledger = ledger
        self.attempts = attempts
        self.suspect_crashes = suspect_crashes
        self.decoder = Decoder(ids)
        self.gate = Gate()
        self.alarm = Alarm(bugs_in_a_row)
        self._publisher = publisher
        self._grace = grace.total_seconds()
        self.patience = patience or Patience()
        self._reply_topics = frozenset({RESULTS.name, *reply_topics})

    async def run(self, stage: Stage[Any], record: Incoming) -> None:
        """Work a record off.

        Once the worker is leaving the partition, work in flight gets the grace and is then ended.

        Raises: GiveWay: it is for the partition's next owner.
        """
        await self.within_grace(record, self._run(stage, record))

    async def within_grace(self, record: Incoming, turn: Coroutine[Any, Any, None]) -> None:
        """Wait for a turn; end it once the worker has been leaving for longer than the grace.

        Raises: GiveWay: it was ended, or gave way itself.
        """
        task = asyncio.create_task(turn)
        end: float | None = None
        try:
            while not (await asyncio.wait({task}, timeout=self.patience.look_seconds))[0]:
                if record.leaving():
                    end = end or time.monotonic() + self._grace
                    if time.monotonic() > end:
                        raise GiveWay
            task.result()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})

    async def _run(self, stage: Stage[Any], record: Incoming) -> None:
        started = time.monotonic()
        work: Work | None = None
        try:
            message, work = self.decoder.work(stage, record)
        except InvalidMessage as error:
            await self.undecodable(stage, record, error)
            outcome = "undecodable"
        else:
            with (
                structlog.contextvars.bound_contextvars(
                    request_id=work.request_id, gpt_id=work.gpt_id, document_id=work.document_id
                ),
                as_bulk(bulk=work.envelope.batch_id is not None),
            ):
                outcome = await self._finish(stage, message, work, record)
        seconds = time.monotonic() - started
        metrics.RECORDS.labels(stage.name, outcome).inc()
        metrics.SECONDS.labels(stage.name).observe(seconds)
        log.info(
            "record",
            stage=stage.name,
            outcome=outcome,
            ms=round(seconds * 1000, 1),
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            request_id=None if work is None else work.request_id,
            document_id=None if work is None else work.document_id,
        )

    async def _finish(
        self,
        stage: Stage[Any],
        message: Any,  # noqa: ANN401 - the stage's own message type
        work: Work,
        record: Incoming,
    ) -> str:
        try:
            return await Step(self, stage, message, work, record).finish()
        except GiveWay:
            raise
        except Exception as error:  # noqa: BLE001 - it is told of there
            await self.given_up(stage, work.gpt_id, record, error)
            return "dead"

    async def given_up(
        self, stage: Reading[Any], gpt_id: str, record: Incoming, error: Exception
    ) -> None:
        """Make a dead letter of a record whose step cannot even be ended. Raises: GiveWay."""
        log.error("bug", stage=stage.name, exc_info=error)
        if self.alarm.stops_at(stage.name, gpt_id, error):
            await self.unless_stopped(stage, record)
        bug = failures.bug(error)
        await self.undecodable(stage, record, InvalidMessage(bug.code, bug.detail))

    async def undecodable(
        self, stage: Reading[Any], record: Incoming, error: InvalidMessage
    ) -> None:
        """Make a dead letter of a record that cannot be read. Raises: GiveWay."""
        letter = failures.undecodable(stage, record, error)
        await self.patiently(record, lambda: self.ledger.commit(letter.work, None, letter.ending))
        await self.publish(record, letter.ending.outputs)

    async def publish(self, record: Incoming, outputs: tuple[Record, ...]) -> None:
        """Publish until all outputs are acknowledged. Raises: GiveWay."""
        if outputs:
            await self.patiently(record, lambda: self._publisher.publish(outputs))

    async def patiently(self, record: Incoming, call: Callable[[], Awaitable[T]]) -> T:
        """Returns: what `call` returns, as soon as its dependency is there. Raises: GiveWay."""
        pause = self.patience.first_seconds
        while True:
            try:
                return await call()
            except DependencyDown as error:
                metrics.WAITS.labels(error.dependency).inc()
                log.warning("waiting", dependency=error.dependency, reason=error.detail)
                await self.pause(record, pause)
                pause = self.patience.after(pause)

    async def pause(self, record: Incoming, seconds: float) -> None:
        """Wait in place. Raises: GiveWay: the worker is leaving the partition."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if record.leaving():
                raise GiveWay
            await asyncio.sleep(min(left, self.patience.look_seconds))

    async def unless_stopped(self, stage: Reading[Any], record: Incoming) -> None:
        """Return at once, unless the stage has stopped. Raises: GiveWay: leaving, at last."""
        while stage.name in self.alarm.stopped:
            await self.pause(record, self.patience.longest_seconds)

    def records(
        self, stage: Stage[Any], work: Work, outcome: Outcome, raw: Incoming
    ) -> tuple[Record, ...]:
        """Returns: the records of an outcome; long work's own input comes last."""
        reply = self.reply_topic(work.envelope)
        made = [wire.made(output, work.envelope, reply_topic=reply) for output in outcome.outputs]
        if outcome.hand_over:
            envelope = work.envelope.of(stage.source.schema_name, part=work.key.part + 1)
            value = raw.value or b""
            name = wire.lane(stage.source, envelope)
            made.append(Record(name, raw.key, value, envelope.to_headers()))
        return tuple(made)

    def reply_topic(self, envelope: Envelope) -> str:
        """Returns: the topic of the answer; one that is not allowed is as if it was not named."""
        named = envelope.reply_to
        return named if named in self._reply_topics else RESULTS.name
