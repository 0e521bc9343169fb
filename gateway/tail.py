"""Follows a topic from its end: one thread, all partitions, no group, nothing committed.

What went by while nothing was read is lost to it, so whoever follows has another source of truth.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from gateway import kafka
from gateway.settings import GatewaySettings

TIMEOUT_S: Final = 5.0
_POLL_S: Final = 0.2
_BATCH: Final = 500
_RETRY_S: Final = 1.0
_LOOK_AGAIN_S: Final = 60.0
_log = structlog.get_logger("gateway.tail")

MakeConsumer = Callable[[dict[str, Any]], Consumer]


class Follower(Protocol):
    """What becomes of the records; the tail's thread calls it."""

    def began(self, ends: Sequence[TopicPartition]) -> None:
        """All partitions are read from these ends on."""

    def take(self, messages: Sequence[Message]) -> None:
        """These came, in the order of each partition."""

    def polled(self, consumer: Consumer) -> None:
        """Everything that had come was taken; called several times a second."""

    def lost(self) -> None:
        """Nothing is read any more; `began` follows once it is again."""


class Tail:
    """Reads until it is closed; where the brokers fail it begins anew, at the ends of then.

    While it rests it reads nothing: each record costs a broker and this process a fetch.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        topic: str,
        follower: Follower,
        consumer: MakeConsumer = Consumer,
    ) -> None:
        self._topic = settings.topic_prefix + topic
        self._options = {
            **kafka.options(settings, topic),
            # The client insists on a name; without subscription and commits it is never used.
            "group.id": f"{settings.topic_prefix}actionstream-gateway-{topic}",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 250,
            "fetch.error.backoff.ms": 100,
            "enable.partition.eof": False,
        }
        self._follower = follower
        self._consumer = consumer
        self._loop = asyncio.get_running_loop()
        self._stopping = threading.Event()
        self._assigned = threading.Event()
        self._wanted = threading.Event()
        self._wanted.set()
        self._thread = threading.Thread(target=self._run, name=f"kafka-{topic}", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def rest(self) -> None:
        """Read nothing from now on."""
        self._wanted.clear()

    def go_on(self) -> None:
        """Read again, from the ends of then on; for any thread."""
        self._wanted.set()

    @property
    def ready(self) -> bool:
        """Whether all partitions are being read."""
        return self._assigned.is_set()

    def on_loop(self, function: Callable[..., None], *arguments: object) -> None:
        """Have the event loop call a function; for any thread, and in the order of the calls."""
        # The loop may be closed while the thread ends.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, *arguments)

    def close(self) -> None:
        """End the thread; blocks for a poll's length."""
        self._stopping.set()
        self._thread.join(TIMEOUT_S)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._read()
            except (KafkaException, RuntimeError) as error:
                _log.warning("unreadable, reading again", topic=self._topic, error=str(error)[:200])
            finally:
                self._assigned.clear()
                self._follower.lost()
            self._stopping.wait(_RETRY_S)

    def _read(self) -> None:
        consumer = self._consumer(self._options)
        try:
            while not self._stopping.is_set():
                if self._wanted.wait(_POLL_S):
                    self._follow(consumer)
        finally:
            consumer.close()

    def _follow(self, consumer: Consumer) -> None:
        """Read until it is to rest, is closed, or there are more partitions."""
        count = self._assign(consumer)
        look_again = time.monotonic() + _LOOK_AGAIN_S
        while self._wanted.is_set() and not self._stopping.is_set():
            first = consumer.poll(_POLL_S)
            if first is not None:
                self._take([first, *consumer.consume(_BATCH, 0)])
            self._follower.polled(consumer)
            if time.monotonic() > look_again:
                if self._partitions(consumer) != count:
                    break
                look_again = time.monotonic() + _LOOK_AGAIN_S
        self._assigned.clear()
        consumer.unassign()

    def _assign(self, consumer: Consumer) -> int:
        count = self._partitions(consumer)
        ends = []
        for number in range(count):
            partition = TopicPartition(self._topic, number)
            _, end = consumer.get_watermark_offsets(partition, timeout=TIMEOUT_S)
            ends.append(TopicPartition(self._topic, number, end))
        consumer.assign(ends)
        self._assigned.set()
        self._follower.began(ends)
        _log.info("assigned", topic=self._topic, partitions=count)
        return count

    def _partitions(self, consumer: Consumer) -> int:
        found = consumer.list_topics(self._topic, timeout=TIMEOUT_S).topics[self._topic]
        if found.error is not None:
            raise KafkaException(found.error)
        return len(found.partitions)

    def _take(self, messages: list[Message]) -> None:
        for message in messages:
            error = message.error()
            if error is not None and (
                error.code() == KafkaError._AUTO_OFFSET_RESET or error.fatal()  # noqa: SLF001
            ):
                raise KafkaException(error)
        self._follower.take([message for message in messages if message.error() is None])
