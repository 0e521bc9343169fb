"""Faust as the workers use it: consumer group, assignment, and the worker's life. Nothing else.

Topics are raw and each partition has one stream of its own, so acknowledgements come in order.
An event is acknowledged only by `event.ack()`; when the worker is leaving, it is discarded instead,
and the next owner gets it. No exception leaves an agent, because Faust would acknowledge its event:
as a last resort the process ends, and what is not acknowledged comes back.
"""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from itertools import compress
from operator import not_
from pathlib import Path
from typing import Any, Final

import faust
import structlog
from aiokafka.errors import KafkaConnectionError, KafkaError, MessageSizeTooLargeError
from faust.exceptions import ProducerSendError
from faust.types import EventT, StreamT

from schemas.topics import MAX_MESSAGE_BYTES, sources
from streams import connections
from streams.batches import Batches
from streams.errors import DependencyDown, GiveWay
from streams.runner import Runner
from streams.settings import Settings
from streams.stage import BatchStage, Reading, Record
from streams.wire import Incoming

log = structlog.get_logger()

_RAW: Final[dict[str, Any]] = {
    "key_serializer": "raw",
    "value_serializer": "raw",
    "internal": False,
}
_NEVER_SECONDS = 604_800.0
_EXIT_BUG = 70
_LEAVE_SECONDS = 10.0
"""How long leaving the group may take once the work in flight has had its grace."""
_DEAD_LETTER_BYTES = 4 * MAX_MESSAGE_BYTES
"""A dead letter holds the raw value, which may be larger than a record may be."""


def create(settings: Settings, *, group: str, folder: Path) -> faust.App:
    """Returns: an app without agents; the framework keeps an empty data folder in `folder`.

    The numbers are measured ones: a buffer of 64 with at most 12 records a poll keeps one waiting
    partition from stopping the others; the poll interval is endless, because a consumer that waits
    with full buffers would otherwise leave its group for good.
    """
    connections.mend()
    return faust.App(
        group,
        broker=[f"kafka://{host.strip()}" for host in settings.kafka_bootstrap.split(",")],
        broker_credentials=_credentials(settings),
        web_enabled=False,
        store="memory://",
        datadir=folder,
        topic_disable_leader=True,
        topic_allow_declare=False,
        broker_session_timeout=settings.session_timeout.total_seconds(),
        broker_heartbeat_interval=settings.session_timeout.total_seconds() / 5,
        broker_request_timeout=settings.session_timeout.total_seconds() + 5,
        broker_rebalance_timeout=settings.rebalance_timeout.total_seconds(),
        broker_max_poll_interval=_NEVER_SECONDS,
        broker_max_poll_records=12,
        broker_commit_interval=0.5,
        broker_commit_every=100,
        stream_buffer_maxsize=64,
        stream_wait_empty=True,
        stream_processing_timeout=_NEVER_SECONDS,
        consumer_auto_offset_reset="earliest",
        producer_request_timeout=30,
        producer_max_request_size=_DEAD_LETTER_BYTES,
        producer_acks=-1,
        producer_linger=0,
    )


def _credentials(settings: Settings) -> Any:  # noqa: ANN401 - faust's own union of credentials
    protocol = settings.kafka_security_protocol
    if protocol == "PLAINTEXT":
        return None
    context = (
        ssl.create_default_context(cafile=settings.kafka_ca_file) if "SSL" in protocol else None
    )
    if "SASL" not in protocol:
        return faust.SSLCredentials(context)
    password = settings.kafka_password
    return faust.SASLCredentials(
        username=settings.kafka_username,
        password=None if password is None else password.get_secret_value(),
        ssl_context=context,
        mechanism=settings.kafka_sasl_mechanism,
    )


def attach(
    app: faust.App, stage: Reading[Any], runner: Runner, batches: Batches, *, prefix: str
) -> None:
    """Have the app feed a stage from all topics that it reads."""
    for source in sources(stage.name):
        feed = _Feed(app, stage, runner, batches, source)
        agent = feed.batches if isinstance(stage, BatchStage) else feed.singly
        topic = app.topic(prefix + source, **_RAW)
        app.agent(topic, name=source, concurrency=1, isolated_partitions=True)(agent)


class _Feed:
    """Hands the events of one topic to its stage; each partition has a stream of its own."""

    def __init__(
        self, app: faust.App, stage: Reading[Any], runner: Runner, batches: Batches, source: str
    ) -> None:
        self._app = app
        self._stage: Any = stage
        self._runner = runner
        self._batches = batches
        self._source = source
        self._gave_way: dict[int, int] = {}

    async def singly(self, stream: StreamT[bytes]) -> None:
        """Work off one event after the other."""
        async for event in stream.noack().events():
            await self._work([event], lambda records: self._runner.run(self._stage, records[0]))

    async def batches(self, stream: StreamT[bytes]) -> None:
        """Work off at once what is there, while the next events come in."""
        there: asyncio.Queue[EventT[bytes]] = asyncio.Queue(self._stage.most)
        task = asyncio.create_task(self._drain(there))
        try:
            async for event in stream.noack().events():
                await there.put(event)
        finally:
            task.cancel()

    async def _drain(self, there: "asyncio.Queue[EventT[bytes]]") -> None:
        while True:
            events = [await there.get()]
            while len(events) < self._stage.most and not there.empty():
                events.append(there.get_nowait())
            await self._work(events, partial(self._batches.run, self._stage))

    async def _work(
        self,
        events: list[EventT[bytes]],
        run: Callable[[list[Incoming]], Awaitable[None]],
    ) -> None:
        """Work off events of one partition, and acknowledge them.

        What comes behind a record that gave way gives way too, however far it got on its way here:
        acknowledged, it would take the one before it along, which the next owner is to get.
        """
        records = [_incoming(self._app, event.message, self._source) for event in events]
        stays = [not self._gives_way(record) for record in records]
        self._discard(compress(events, map(not_, stays)))
        events, records = list(compress(events, stays)), list(compress(records, stays))
        if not records:
            return
        try:
            await run(records)
        except GiveWay:
            self._gave_way[records[0].partition] = records[0].generation
            self._discard(events)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            log.critical("the runner failed", stage=self._stage.name, exc_info=error)
            os._exit(_EXIT_BUG)
        else:
            for event in events:
                event.ack()

    def _gives_way(self, record: Incoming) -> bool:
        return record.leaving() or self._gave_way.get(record.partition) == record.generation

    def _discard(self, events: Iterable[EventT[bytes]]) -> None:
        for event in events:
            self._app.consumer.unacked.discard(event.message)


def _incoming(app: faust.App, message: Any, source: str) -> Incoming:  # noqa: ANN401
    def leaving() -> bool:
        generation = message.generation_id
        return not app.flow_control.is_active() or generation != app.consumer_generation_id

    return Incoming(
        topic=source,
        partition=message.partition,
        offset=message.offset,
        key=message.key,
        value=message.value,
        headers=tuple(_sound(name, value) for name, value in message.headers or ()),
        leaving=leaving,
        generation=message.generation_id,
    )


def _sound(name: str, value: bytes | None) -> tuple[str, bytes]:
    """Returns: a header that can be kept: Kafka knows null values, and Postgres no U+0000."""
    return name.replace("\0", "\N{REPLACEMENT CHARACTER}"), value or b""


class KafkaPublisher:
    """Publishes through the app's own producer and awaits each delivery."""

    def __init__(self, app: faust.App, *, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def publish(self, records: tuple[Record, ...]) -> None:
        """Raises: DependencyDown: at least one was not acknowledged; all may be published again."""
        try:
            await self._sent(records)
        except ProducerSendError as error:
            # Faust's name for what the producer refuses before it is on its way.
            if isinstance(error.__cause__, MessageSizeTooLargeError):
                raise
            self._end_if_dead()
            raise DependencyDown("kafka", str(error)) from error
        except (KafkaError, OSError, TimeoutError) as error:
            self._end_if_dead()
            raise DependencyDown("kafka", type(error).__name__) from error

    def _end_if_dead(self) -> None:
        """End the process if its producer has ended for good, since it would refuse for ever."""
        if connections.sender_ended(self._app.producer):
            log.critical("the producer has ended", remedy="the worker must be started again")
            os._exit(_EXIT_BUG)

    async def _sent(self, records: tuple[Record, ...]) -> None:
        # Each goes into the producer's buffer in turn; a task for each would cost more than it.
        futures: list[asyncio.Future[Any]] = []
        try:
            for record in records:
                futures.append(await self._send(record))  # noqa: PERF401 - kept if one raises
        finally:
            ended = await asyncio.gather(*futures, return_exceptions=True)
        for each in ended:
            if isinstance(each, BaseException):
                raise each

    async def _send(self, record: Record) -> "asyncio.Future[Any]":
        sent: asyncio.Future[Any] = await self._app.producer.send(
            self._prefix + record.topic,
            record.key,
            record.value,
            None,
            None,
            list(record.headers),
        )
        return sent


@asynccontextmanager
async def running(apps: Sequence[faust.App], *, grace: timedelta) -> AsyncIterator[None]:
    """Consume while the block runs; then finish or hand over what is in flight and leave.

    The last one ends after the others, which may publish through it. Work in flight gets the grace.
    Where an app does not end after it, as when the brokers went away meanwhile, the process does:
    what is not acknowledged comes back.

    Raises: SystemExit: the brokers went away since they were waited for.
    """
    try:
        await asyncio.gather(*(app.start() for app in apps))
    except KafkaConnectionError as error:
        # The framework cannot be started twice. The process can, and then waits for the brokers.
        log.error("kafka went away during the start", reason=str(error))  # noqa: TRY400 - said
        raise SystemExit("Kafka went away during the start; start the worker again.") from error
    try:
        yield
    finally:
        ending = asyncio.ensure_future(_stop(apps))
        await asyncio.wait({ending}, timeout=grace.total_seconds() + _LEAVE_SECONDS)
        if not ending.done():
            log.error("could not leave the groups in time")
            os._exit(_EXIT_BUG)
        await ending


async def _stop(apps: Sequence[faust.App]) -> None:
    *others, last = apps
    await asyncio.gather(*(app.stop() for app in others))
    await last.stop()
