"""Faust as the workers configure it, and the publisher; no broker is needed."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    UnknownTopicOrPartitionError,
)
from faust.exceptions import ProducerSendError

from streams import consumer
from streams.errors import DependencyDown, GiveWay
from streams.settings import Settings
from streams.stage import Record
from streams.wire import Incoming

GIVEN = {"id_secret": "a secret of 16 characters", "database_url": "postgresql+psycopg://u@h/d"}


def settings(**changes: Any) -> Settings:
    return Settings(_env_file=None, **{**GIVEN, **changes})


class Producer:
    """Keeps what it is sent; or refuses it, or fails to deliver it, as faust's does."""

    def __init__(self, error: Exception | None = None) -> None:
        self.sent: list[tuple[Any, ...]] = []
        self.error = error

    async def send(self, *given: Any) -> "asyncio.Future[None]":
        if isinstance(self.error, ProducerSendError):
            raise self.error
        delivered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.error is None:
            self.sent.append(given)
            delivered.set_result(None)
        else:
            delivered.set_exception(self.error)
        return delivered


class App:
    """Has a producer."""

    def __init__(self, producer: Producer) -> None:
        self.producer = producer


def publisher(producer: Producer) -> consumer.KafkaPublisher:
    app: Any = App(producer)
    return consumer.KafkaPublisher(app, prefix="mine-")


async def test_records_go_out_as_they_are() -> None:
    """On the topic of this installation, with key, value and headers untouched."""
    producer = Producer()

    await publisher(producer).publish((Record("results", b"k", b"v\0", (("schema", b"x"),)),))

    assert producer.sent == [("mine-results", b"k", b"v\0", None, None, [("schema", b"x")])]


@pytest.mark.parametrize("error", [KafkaTimeoutError(), OSError("gone"), TimeoutError()])
async def test_a_broker_that_does_not_acknowledge_is_down(error: Exception) -> None:
    """Then all may be published again."""
    with pytest.raises(DependencyDown, match="kafka"):
        await publisher(Producer(error)).publish((Record("results", b"k", b"v", ()),))


def refused(cause: KafkaError) -> ProducerSendError:
    """As faust wraps what its producer refuses before it is on its way."""
    error = ProducerSendError("refused")
    error.__cause__ = cause
    return error


async def test_a_topic_that_is_not_known_yet_is_waited_for() -> None:
    """A broker that has just come back may not know its topics: nothing is a dead letter for it."""
    error = refused(UnknownTopicOrPartitionError())

    with pytest.raises(DependencyDown, match="kafka"):
        await publisher(Producer(error)).publish((Record("results", b"k", b"v", ()),))


async def test_a_record_that_no_broker_will_take_is_no_outage() -> None:
    """Waiting would not make it smaller."""
    error = refused(MessageSizeTooLargeError())

    with pytest.raises(ProducerSendError):
        await publisher(Producer(error)).publish((Record("results", b"k", b"v", ()),))


def test_a_waiting_handler_does_not_leave_its_group(tmp_path: Path) -> None:
    """Polls may be as far apart as they like, and offsets are committed by acknowledgement."""
    app = consumer.create(settings(kafka_bootstrap="a:1, b:2"), group="g", folder=tmp_path)

    assert app.conf.broker_max_poll_interval > 24 * 3600
    assert app.conf.broker_max_poll_records < app.conf.stream_buffer_maxsize
    assert [str(url) for url in app.conf.broker] == ["kafka://a:1", "kafka://b:2"]
    assert app.conf.broker_credentials is None


def test_credentials_follow_the_settings(tmp_path: Path) -> None:
    """SASL over plain text for a test cluster; the password is passed on unmasked."""
    given = settings(
        kafka_security_protocol="SASL_PLAINTEXT", kafka_username="u", kafka_password="p"
    )

    credentials = consumer.create(given, group="g", folder=tmp_path).conf.broker_credentials

    assert (credentials.username, credentials.password) == ("u", "p")
    assert credentials.mechanism.value == "SCRAM-SHA-512"


class Starting:
    """An app whose brokers went away since they were waited for."""

    async def start(self) -> None:
        raise KafkaConnectionError


async def test_brokers_that_go_away_during_the_start_end_the_process() -> None:
    """With a sentence and no traceback; started again, the worker waits for them."""
    app: Any = Starting()

    with pytest.raises(SystemExit, match="start the worker again"):
        async with consumer.running([app], grace=timedelta(seconds=1)):
            pytest.fail("it runs without brokers")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (("a", b"1"), ("a", b"1")),
        (("a", None), ("a", b"")),
        (("a\0b", b"\0"), ("a\N{REPLACEMENT CHARACTER}b", b"\0")),
    ],
)
def test_headers_that_no_row_could_keep(
    given: tuple[str, bytes | None], kept: tuple[str, bytes]
) -> None:
    """A null value or U+0000 in a name is the sender's doing, and must not end the worker."""
    assert consumer._sound(*given) == kept


class Feeding:
    """An app whose partitions change hands when told to, and a stream of its events."""

    def __init__(self) -> None:
        self.consumer_generation_id = 1
        self.flows: bool = True
        self.flow_control = SimpleNamespace(is_active=lambda: self.flows)
        self.unacked: set[Any] = set()
        self.consumer = SimpleNamespace(unacked=self.unacked)
        self.acked: list[int] = []
        self.arrived: asyncio.Queue[Any] = asyncio.Queue()

    def arrive(self, offset: int) -> None:
        message = SimpleNamespace(
            partition=0, offset=offset, key=b"k", value=b"{}", headers=(),
            generation_id=self.consumer_generation_id,
        )  # fmt: skip
        # A message is known by itself, as faust's is.
        known = type("Message", (), vars(message))()
        self.unacked.add(known)
        self.arrived.put_nowait(
            SimpleNamespace(message=known, ack=lambda: self.acked.append(offset))
        )

    def noack(self) -> "Feeding":
        return self

    async def events(self) -> AsyncIterator[Any]:
        while True:
            yield await self.arrived.get()


async def quiet() -> None:
    """Let every task go on as far as it can."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_what_comes_behind_a_record_that_gave_way_is_not_acknowledged() -> None:
    """It was here already, and would take that record along, which nobody has worked off."""
    app: Any = Feeding()
    runs: list[list[int]] = []
    goes_on, began = asyncio.Event(), asyncio.Event()

    async def run(_: Any, records: Sequence[Incoming]) -> None:
        runs.append([record.offset for record in records])
        if runs == [[10]]:
            began.set()
            await goes_on.wait()
            raise GiveWay

    batches: Any = SimpleNamespace(run=run)
    runner: Any = None
    stage: Any = SimpleNamespace(name="collections", most=2)
    feed = consumer._Feed(app, stage, runner, batches, "write-collection")
    task = asyncio.create_task(feed.batches(app))
    app.arrive(10)
    await began.wait()
    app.flows = False
    for offset in (11, 12, 13):
        app.arrive(offset)
    await asyncio.sleep(0)
    # The partition comes back before what was there of it is looked at.
    app.consumer_generation_id, app.flows = 2, True
    for offset in (10, 11):
        app.arrive(offset)
    goes_on.set()
    await quiet()
    task.cancel()

    assert [offset for each in runs[1:] for offset in each] == [10, 11]
    assert app.acked == [10, 11]


async def test_nothing_is_worked_off_behind_it_in_the_same_generation() -> None:
    """Even where the flow goes on without the partitions having changed hands."""
    app: Any = Feeding()
    runs: list[int] = []

    async def run(_: Any, record: Incoming) -> None:
        runs.append(record.offset)
        raise GiveWay

    runner: Any = SimpleNamespace(run=run)
    stage: Any = SimpleNamespace(name="parse")
    batches: Any = None
    feed = consumer._Feed(app, stage, runner, batches, "document-received")
    task = asyncio.create_task(feed.singly(app))
    for offset in (10, 11):
        app.arrive(offset)
    await quiet()
    task.cancel()

    assert runs == [10]
    assert app.acked == []
    assert app.unacked == set()
