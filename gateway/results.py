"""Wakes those who wait for a request's result.

One thread reads all partitions of `results` from their end, without a group. A record only wakes;
the row in Postgres is the truth. So what this misses costs a waiter time, never the answer.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from gateway import kafka
from gateway.settings import GatewaySettings
from schemas.topics import RESULTS

_POLL_S: Final = 0.2
_BATCH: Final = 500
_TIMEOUT_S: Final = 5.0
_RETRY_S: Final = 1.0
_LOOK_AGAIN_S: Final = 60.0
_log = structlog.get_logger("gateway.results")


class TooManyWaiters(Exception):
    """No more calls may wait; the caller answers at once instead."""


class Waiter:
    """One call that waits for one request. `ended`: the gateway stops, waiting is over."""

    __slots__ = ("_event", "ended")

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.ended = False

    def wake(self) -> None:
        """End the wait: the row may have changed."""
        self._event.set()

    async def wait(self, timeout_s: float) -> bool:
        """Returns: whether it was woken within `timeout_s`; it can be waited on again."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True


class Results:
    """The reader of `results` and its waiters. Make and use it on one event loop."""

    def __init__(
        self, settings: GatewaySettings, consumer: Callable[[dict[str, Any]], Consumer] = Consumer
    ) -> None:
        self._topic = settings.topic_prefix + RESULTS.name
        self._options = {
            **kafka.options(settings, "results"),
            # The client insists on a name; without subscription and commits it is never used.
            "group.id": f"{settings.topic_prefix}actionstream-gateway-results",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 250,
            "fetch.error.backoff.ms": 100,
            "enable.partition.eof": False,
        }
        self._consumer = consumer
        self._limit = settings.max_waiters
        self._waiters: dict[str, set[Waiter]] = {}
        self._count = 0
        self._loop = asyncio.get_running_loop()
        self._stopping = threading.Event()
        self._assigned = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kafka-results", daemon=True)
        self._thread.start()

    @property
    def ready(self) -> bool:
        """Whether all partitions are being read."""
        return self._assigned.is_set()

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return self._count

    @contextlib.asynccontextmanager
    async def waiter(self, request_id: str) -> AsyncIterator[Waiter]:
        """Register for a request's result; do so before publishing it.

        Raises:
            TooManyWaiters: the limit is reached.
        """
        if self._count >= self._limit:
            raise TooManyWaiters
        waiter = Waiter()
        self._waiters.setdefault(request_id, set()).add(waiter)
        self._count += 1
        try:
            yield waiter
        finally:
            self._count -= 1
            others = self._waiters[request_id]
            others.discard(waiter)
            if not others:
                del self._waiters[request_id]

    def stop_waiting(self) -> None:
        """Have all calls answer as things stand, and none wait from now on; for any thread."""
        self._from_thread(self._end_waiting)

    def _end_waiting(self) -> None:
        self._limit = 0
        for waiters in self._waiters.values():
            for waiter in waiters:
                waiter.ended = True
                waiter.wake()

    def close(self) -> None:
        """End the thread; blocks for a poll's length."""
        self._stopping.set()
        self._thread.join(_TIMEOUT_S)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._read()
            except (KafkaException, RuntimeError) as error:
                _log.warning("results unreadable, reading again", error=str(error)[:200])
            finally:
                self._assigned.clear()
                # Whatever came by while nothing was read is found in the rows.
                self._from_thread(self._wake_all)
            self._stopping.wait(_RETRY_S)

    def _read(self) -> None:
        consumer = self._consumer(self._options)
        try:
            count = self._assign(consumer)
            look_again = time.monotonic() + _LOOK_AGAIN_S
            while not self._stopping.is_set():
                first = consumer.poll(_POLL_S)
                if first is not None:
                    self._dispatch([first, *consumer.consume(_BATCH, 0)])
                if time.monotonic() > look_again:
                    if self._partitions(consumer) != count:
                        return
                    look_again = time.monotonic() + _LOOK_AGAIN_S
        finally:
            consumer.close()

    def _assign(self, consumer: Consumer) -> int:
        count = self._partitions(consumer)
        ends = []
        for number in range(count):
            partition = TopicPartition(self._topic, number)
            _, end = consumer.get_watermark_offsets(partition, timeout=_TIMEOUT_S)
            ends.append(TopicPartition(self._topic, number, end))
        consumer.assign(ends)
        self._assigned.set()
        self._from_thread(self._wake_all)
        _log.info("results assigned", topic=self._topic, partitions=count)
        return count

    def _partitions(self, consumer: Consumer) -> int:
        found = consumer.list_topics(self._topic, timeout=_TIMEOUT_S).topics[self._topic]
        if found.error is not None:
            raise KafkaException(found.error)
        return len(found.partitions)

    def _dispatch(self, messages: list[Message]) -> None:
        woken = []
        for message in messages:
            error = message.error()
            if error is None:
                key = (message.key() or b"").decode(errors="replace")
                # Reading a dict that the loop changes is safe; a miss is caught by the row.
                if key in self._waiters:
                    woken.append(key)
            elif error.code() == KafkaError._AUTO_OFFSET_RESET or error.fatal():  # noqa: SLF001
                raise KafkaException(error)
        if woken:
            self._from_thread(self._wake, woken)

    def _wake(self, request_ids: list[str]) -> None:
        for request_id in request_ids:
            for waiter in self._waiters.get(request_id, ()):
                waiter.wake()

    def _wake_all(self) -> None:
        self._wake(list(self._waiters))

    def _from_thread(self, function: Callable[..., None], *arguments: object) -> None:
        # The loop may be closed while the thread ends.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, *arguments)
