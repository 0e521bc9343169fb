"""Wakes those who wait for a request's result.

A record on `results` only wakes; the row in Postgres is the truth. So what is missed here costs a
waiter time, never the answer.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from confluent_kafka import Consumer, Message, TopicPartition

from gateway.settings import GatewaySettings
from gateway.tail import MakeConsumer, Tail
from schemas.topics import RESULTS


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

    def __init__(self, settings: GatewaySettings, consumer: MakeConsumer = Consumer) -> None:
        self._limit = settings.max_waiters
        self._waiters: dict[str, set[Waiter]] = {}
        self._count = 0
        self._tail = Tail(settings, RESULTS.name, self, consumer)
        self._tail.start()

    @property
    def ready(self) -> bool:
        """Whether all partitions are being read."""
        return self._tail.ready

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
        self._tail.on_loop(self._end_waiting)

    def _end_waiting(self) -> None:
        self._limit = 0
        for waiters in self._waiters.values():
            for waiter in waiters:
                waiter.ended = True
                waiter.wake()

    def close(self) -> None:
        """End the thread; blocks for a poll's length."""
        self._tail.close()

    def began(self, ends: Sequence[TopicPartition]) -> None:
        """Have everyone look at the row: records may have gone by."""
        del ends
        self._tail.on_loop(self._wake_all)

    def take(self, messages: Sequence[Message]) -> None:
        """Wake those who wait for these requests."""
        keys = ((message.key() or b"").decode(errors="replace") for message in messages)
        # Reading a dict that the loop changes is safe; a miss is caught by the row.
        woken = [key for key in keys if key in self._waiters]
        if woken:
            self._tail.on_loop(self._wake, woken)

    def polled(self, consumer: Consumer) -> None:
        """Nothing follows from what has not come."""

    def lost(self) -> None:
        """Have everyone look at the row."""
        self._tail.on_loop(self._wake_all)

    def _wake(self, request_ids: list[str]) -> None:
        for request_id in request_ids:
            for waiter in self._waiters.get(request_id, ()):
                waiter.wake()

    def _wake_all(self) -> None:
        self._wake(list(self._waiters))
