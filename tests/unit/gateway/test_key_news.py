"""News of keys: handed on in order, and current only while a broker says that none are left."""

import asyncio
import queue
import time
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from gateway.keys.memory import Known, Memory
from gateway.keys.news import News
from gateway.principal import Principal
from gateway.settings import GatewaySettings
from schemas.tenants import KeyChanged

KEY_ID = "0123456789abcdef"


class Broker:
    """One partition, of which the test says what its end is and what comes."""

    def __init__(self) -> None:
        self.inbox: queue.Queue[Any] = queue.Queue()
        self.end = 7
        self.silent = False

    def consumer(self, _: dict[str, Any]) -> Any:
        return self

    def list_topics(self, topic: str, timeout: float) -> Any:
        found = SimpleNamespace(error=None, partitions={0: None})
        return SimpleNamespace(topics={topic: found})

    def get_watermark_offsets(self, partition: Any, timeout: float) -> tuple[int, int]:
        if self.silent:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        return 0, self.end

    def assign(self, partitions: list[Any]) -> None:
        assert [place.topic for place in partitions] == ["t-key-changed"]

    def poll(self, timeout: float) -> Any:
        try:
            item = self.inbox.get(timeout=0.01)
        except queue.Empty:
            return None
        if isinstance(item, Exception):
            raise item
        return item

    def consume(self, count: int, timeout: float) -> list[Any]:
        return []

    def unassign(self) -> None:
        """Nothing is held."""

    def close(self) -> None:
        """Nothing is held."""

    def write(self, value: bytes) -> None:
        offset, self.end = self.end, self.end + 1
        message = SimpleNamespace(
            error=lambda: None, partition=lambda: 0, offset=lambda: offset, value=lambda: value
        )
        self.inbox.put(message)


@pytest.fixture
def broker() -> Broker:
    """A broker in memory."""
    return Broker()


@pytest.fixture
def memory() -> Memory:
    """A memory that knows one key."""
    made = Memory(60)
    made.keep(b"sent", Known(Principal("demo", None, KEY_ID, frozenset(), None), time.monotonic()))
    return made


@pytest.fixture
async def news(
    nowhere: GatewaySettings, memory: Memory, broker: Broker
) -> AsyncIterator[Callable[[], bool]]:
    """Returns: whether news come in, asked now; the reader has been assigned its partition."""
    reader = News(nowhere, memory, broker.consumer)
    await until(lambda: memory.hears(time.monotonic()))
    yield lambda: memory.hears(time.monotonic())
    await asyncio.to_thread(reader.close)


async def until(true: Callable[[], bool]) -> None:
    for _ in range(500):
        if true():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not come true")


@pytest.mark.parametrize("key_ids", [(KEY_ID,), ()])
async def test_news_reach_the_memory(
    news: Callable[[], bool], memory: Memory, broker: Broker, key_ids: tuple[str, ...]
) -> None:
    """The keys that a record names are forgotten, or all of its tenant's."""
    other = KeyChanged(gpt_id="other", key_ids=())
    broker.write(other.model_dump_json().encode())
    await asyncio.sleep(0.05)
    assert memory.find(b"sent") is not None
    broker.write(KeyChanged(gpt_id="demo", key_ids=key_ids).model_dump_json().encode())
    await until(lambda: memory.find(b"sent") is None)
    assert news()


async def test_what_is_left_to_read_is_not_heard(news: Callable[[], bool], broker: Broker) -> None:
    """Where the end of the partition is ahead of what was read, news are not current."""
    broker.end += 1
    await until(lambda: not news())
    broker.end -= 1
    await until(news)


async def test_a_broker_that_says_nothing_is_not_heard(
    news: Callable[[], bool], broker: Broker
) -> None:
    """A second of silence is enough; the reader goes on when the broker does."""
    broker.silent = True
    await until(lambda: not news())
    broker.silent = False
    await until(news)


async def test_a_new_start_doubts_what_was_read_before(
    news: Callable[[], bool], memory: Memory, broker: Broker
) -> None:
    """News may have gone by meanwhile, so the key is to be read again; it is not forgotten."""
    known = memory.find(b"sent")
    assert known is not None
    broker.inbox.put(KafkaException(KafkaError(KafkaError._ALL_BROKERS_DOWN)))
    await until(lambda: not news())
    await until(news)
    later = known.read_at + 5
    memory.hear(later)
    assert not memory.is_current(known, later)
    assert memory.find(b"sent") is known


async def test_unreadable_news_doubt_everything(
    news: Callable[[], bool], memory: Memory, broker: Broker
) -> None:
    """A record that cannot be read may have concerned any key."""
    assert news()
    fresh = Known(Principal("demo", None, KEY_ID, frozenset(), None), time.monotonic())
    memory.keep(b"sent", fresh)
    await until(lambda: memory.is_current(fresh, time.monotonic()))
    broker.write(b"not json")

    def doubted() -> bool:
        later = fresh.read_at + 5
        memory.hear(later)
        return not memory.is_current(fresh, later)

    await until(doubted)
    assert memory.find(b"sent") is fresh
