"""The reader of results wakes whoever waits, and loses nobody when the brokers fail."""

import asyncio
import queue
import threading
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from gateway.results import Results, TooManyWaiters
from gateway.settings import GatewaySettings


class FakeConsumer:
    """Hands out what the test puts in; an exception is raised instead."""

    def __init__(self, inbox: "queue.Queue[Any]") -> None:
        self._inbox = inbox
        self.assigned: list[Any] = []
        self.free = threading.Event()

    def list_topics(self, topic: str, timeout: float) -> Any:
        found = SimpleNamespace(error=None, partitions={0: None, 1: None})
        return SimpleNamespace(topics={topic: found})

    def get_watermark_offsets(self, partition: Any, timeout: float) -> tuple[int, int]:
        return 0, 7

    def assign(self, partitions: list[Any]) -> None:
        self.assigned = partitions

    def poll(self, timeout: float) -> Any:
        try:
            item = self._inbox.get(timeout=0.01)
        except queue.Empty:
            return None
        if isinstance(item, Exception):
            raise item
        return item

    def consume(self, count: int, timeout: float) -> list[Any]:
        return []

    def unassign(self) -> None:
        self.assigned = []
        self.free.set()

    def close(self) -> None:
        self.assigned = []


def record(key: str, error: Any = None) -> Any:
    """Returns: a record of `results` with this key."""
    return SimpleNamespace(key=key.encode, error=lambda: error)


class Broker:
    """All consumers that the reader made, and the inbox that they share."""

    def __init__(self) -> None:
        self.inbox: queue.Queue[Any] = queue.Queue()
        self.consumers: list[FakeConsumer] = []

    def consumer(self, _: dict[str, Any]) -> Any:
        self.consumers.append(FakeConsumer(self.inbox))
        return self.consumers[-1]


@pytest.fixture
def broker() -> Broker:
    """A broker in memory."""
    return Broker()


@pytest.fixture
async def results(nowhere: GatewaySettings, broker: Broker) -> AsyncIterator[Results]:
    """A reader that has been assigned its partitions."""
    reader = Results(nowhere, broker.consumer)
    async with reader.waiter("start") as waiter:
        await waiter.wait(5)
    yield reader
    await asyncio.to_thread(reader.close)


async def test_it_reads_every_partition_from_its_end(results: Results, broker: Broker) -> None:
    """Partitions are assigned by hand, at the offsets of their ends."""
    assert results.ready
    [consumer] = broker.consumers
    assert [(one.topic, one.partition, one.offset) for one in consumer.assigned] == [
        ("t-results", 0, 7),
        ("t-results", 1, 7),
    ]


async def test_a_record_wakes_those_who_wait_for_it(results: Results, broker: Broker) -> None:
    """All waiters of its request wake, and no others."""
    async with results.waiter("a") as first, results.waiter("a") as second:
        broker.inbox.put(record("a"))
        assert await first.wait(5)
        assert await second.wait(5)
    async with results.waiter("b") as other:
        broker.inbox.put(record("a"))
        assert not await other.wait(0.05)


async def test_a_wake_before_the_wait_is_kept(results: Results, broker: Broker) -> None:
    """A record that comes between registering and waiting is not lost."""
    async with results.waiter("a") as waiter, results.waiter("b") as later:
        broker.inbox.put(record("a"))
        broker.inbox.put(record("b"))
        assert await later.wait(5)
        assert await waiter.wait(0)


async def test_waiters_are_forgotten(results: Results) -> None:
    """Who has left is not counted any more."""
    async with results.waiter("a"):
        assert results.waiting == 1
    assert results.waiting == 0


async def test_only_so_many_may_wait(results: Results) -> None:
    """Beyond the limit a call is told not to wait."""
    async with results.waiter("a"), results.waiter("a"):
        with pytest.raises(TooManyWaiters):
            async with results.waiter("b"):
                pass


@pytest.mark.parametrize(
    "failure",
    [
        KafkaException(KafkaError(KafkaError._ALL_BROKERS_DOWN)),
        RuntimeError("the client is closed"),
        record("", KafkaError(KafkaError._AUTO_OFFSET_RESET)),
    ],
)
async def test_a_failed_reader_wakes_all_and_reads_again(
    results: Results, broker: Broker, failure: Any
) -> None:
    """Everyone looks at the row, since records may have gone by; then reading goes on."""
    async with results.waiter("a") as waiter:
        broker.inbox.put(failure)
        assert await waiter.wait(5)
        assert await waiter.wait(5)
        broker.inbox.put(record("a"))
        assert await waiter.wait(5)
    assert len(broker.consumers) == 2


async def test_a_stopping_gateway_lets_nobody_wait(results: Results) -> None:
    """Who waits is answered at once, and who comes later does not begin to wait."""
    async with results.waiter("a") as waiter:
        results.stop_waiting()
        assert await waiter.wait(5)
        assert waiter.ended
        with pytest.raises(TooManyWaiters):
            async with results.waiter("b"):
                pass


async def test_a_reader_that_rests_reads_nothing(results: Results, broker: Broker) -> None:
    """It gives its partitions back; once it goes on, all who wait look, since records went by."""
    [consumer] = broker.consumers
    results._tail.rest()
    assert await asyncio.to_thread(consumer.free.wait, 60)
    assert not results.ready
    async with results.waiter("a") as waiter:
        broker.inbox.put(record("a"))
        assert not await waiter.wait(0.05)
        results._tail.go_on()
        assert await waiter.wait(5)
    assert results.ready
