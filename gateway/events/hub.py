"""All streams of one gateway: opens them, wakes them, and has each looked at now and then.

Records on `events` wake; rows are what is sent. Every few seconds the tenants' counters are looked
at as well, so that a gateway that hears nothing still delivers.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from typing import Final

import structlog
from confluent_kafka import Consumer, Message, TopicPartition
from starlette.concurrency import run_in_threadpool

from gateway.cursors import Cursors
from gateway.direct import Direct
from gateway.errors import Unavailable
from gateway.events import places
from gateway.events.closing import DRAINING
from gateway.events.errors import EventsExpired
from gateway.events.event import Event
from gateway.events.feed import Feed
from gateway.events.places import Bounds, Places
from gateway.events.seats import Seats
from gateway.events.staying import Staying
from gateway.events.stream import Stream
from gateway.events.wanted import Wanted
from gateway.keys.keys import Keys
from gateway.metrics import Metrics
from gateway.principal import Principal
from gateway.queries import events as queries
from gateway.queries.events import Page
from gateway.settings import GatewaySettings
from gateway.tail import MakeConsumer, Tail
from schemas.topics import EVENTS

TICK_S: Final = 1.0
_READ_ALONE: Final = 3
"""Streams that read for themselves at once, so that a crowd that comes back leaves connections."""

_REST_AFTER_S: Final = 30.0
"""How long records are read on after the last stream has ended: the next one may come soon."""

_log = structlog.get_logger("gateway.events")


class Hub:
    """Make and use it on one event loop."""

    def __init__(
        self,
        settings: GatewaySettings,
        direct: Direct,
        keys: Keys,
        cursors: Cursors,
        metrics: Metrics,
        *,
        consumer: MakeConsumer = Consumer,
    ) -> None:
        self.seats = Seats(settings, metrics)
        self.settings = settings
        self.draining = False
        self._direct = direct
        self._cursors = cursors
        self._metrics = metrics
        self._feeds: dict[str, Feed] = {}
        self._streams: set[Stream] = set()
        self._staying = Staying(keys, self._streams)
        self._turns = asyncio.Semaphore(_READ_ALONE)
        self._looked_at = 0.0
        self._alone_since = 0.0
        self._tail = Tail(settings, EVENTS.name, self, consumer)
        self._tail.rest()
        self._tail.start()
        self._ticking = asyncio.create_task(self._tick())

    async def open(
        self,
        kind: str,
        caller: Principal,
        token: str,
        wanted: Wanted,
        *,
        since: str | None,
        lasts_s: float | None = None,
    ) -> Stream:
        """Returns: a stream from a place on, or from now on; `release` it in the end.

        Args:
            kind: `sse`, `ws` or `poll`.
            caller: whose it is.
            token: the caller's key, which is looked at again while the stream is open.
            wanted: which events.
            since: a cursor or a number.
            lasts_s: how long it stays open.

        Raises:
            TooManyStreams, StreamLimit: no seat is free, or the gateway drains.
            Malformed: the place is none of this caller's, or ahead of all events.
            EventsExpired: what followed the place is no longer kept.
            Unavailable: Postgres is away.
        """
        self.check_life()
        theirs = places.of(self._cursors, caller)
        if since is not None:
            theirs.number(since)
        self.seats.take(kind, caller.key_id)
        try:
            bounds = await queries.bounds(self._direct, caller.gpt_id)
            place = bounds.last if since is None else theirs.find(since, bounds)
        except BaseException:
            self.seats.give(kind, caller.key_id)
            raise
        now = asyncio.get_running_loop().time()
        stream = Stream(
            kind=kind,
            caller=caller,
            token=token,
            wanted=wanted,
            places=theirs,
            place=place,
            feed=self._feed(caller.gpt_id, bounds),
            read=self._page,
            # All who wait for the same events are not to be pinged at the same time.
            ping_s=self.settings.event_ping.total_seconds() * random.uniform(0.7, 1),  # noqa: S311
            stall_s=self.settings.event_stall.total_seconds(),
            ends_at=None if lasts_s is None else now + lasts_s,
        )
        stream.moved()
        stream.feed.streams.add(stream)
        self._streams.add(stream)
        if self.draining:
            stream.close(DRAINING)
        return stream

    def release(self, stream: Stream) -> None:
        """Forget a stream that has ended."""
        self.seats.give(stream.kind, stream.caller.key_id)
        self._streams.discard(stream)
        feed = stream.feed
        feed.streams.discard(stream)
        if not feed.streams and self._feeds.get(feed.gpt_id) is feed:
            del self._feeds[feed.gpt_id]
            self._alone_since = asyncio.get_running_loop().time()
        if stream.closing is not None:
            self._metrics.event_streams_closed.labels(stream.kind, stream.closing.reason).inc()

    async def page(self, caller: Principal, wanted: Wanted, since: str, limit: int) -> Page:
        """Returns: what is wanted of the events behind a place; raises as `open` does."""
        theirs = places.of(self._cursors, caller)
        theirs.number(since)
        bounds = await queries.bounds(self._direct, caller.gpt_id)
        place = theirs.find(since, bounds)
        return _whole(await queries.page(self._direct, caller.gpt_id, wanted, place, limit), place)

    def places_of(self, caller: Principal) -> Places:
        """Returns: the cursors of a caller."""
        return places.of(self._cursors, caller)

    def sent(self, kind: str, count: int) -> None:
        """Count events that were handed to a client's connection."""
        self._metrics.events_sent.labels(kind).inc(count)

    def check_life(self) -> None:
        """Check that streams may be opened. Raises: Unavailable: the gateway is about to stop."""
        if self.draining:
            raise Unavailable("this gateway is about to stop; try again", retry_after_s=1)

    def stop_streaming(self) -> None:
        """End all streams, and open none from now on; for any thread."""
        self._tail.on_loop(self._drain)

    async def close(self) -> None:
        """End everything."""
        self._drain()
        self._ticking.cancel()
        await asyncio.wait([self._ticking])
        await self._staying.close()
        await run_in_threadpool(self._tail.close)
        for feed in self._feeds.values():
            feed.close()

    def began(self, ends: Sequence[TopicPartition]) -> None:
        """Have everyone look: records may have gone by."""
        del ends
        self._tail.on_loop(self._wake, None)

    def take(self, messages: Sequence[Message]) -> None:
        """Have the feeds of these tenants read."""
        keys = {(message.key() or b"").decode(errors="replace") for message in messages}
        # Reading a dict that the loop changes is safe; a miss is caught by the next look.
        if woken := [key for key in keys if key in self._feeds]:
            self._tail.on_loop(self._wake, woken)

    def polled(self, consumer: Consumer) -> None:
        """Nothing follows from what has not come."""

    def lost(self) -> None:
        """The counters are looked at all the same."""

    def _wake(self, gpt_ids: list[str] | None) -> None:
        for gpt_id in list(self._feeds) if gpt_ids is None else gpt_ids:
            if (feed := self._feeds.get(gpt_id)) is not None:
                feed.wake()

    def _feed(self, gpt_id: str, bounds: Bounds) -> Feed:
        feed = self._feeds.get(gpt_id)
        if feed is None:
            feed = Feed(self._direct, gpt_id, bounds.last, self._came)
            self._feeds[gpt_id] = feed
            self._tail.go_on()
            # What was told between the look at the bounds and now woke nobody.
            feed.wake()
        return feed

    def _came(self, event: Event) -> None:
        self._metrics.event_lag.observe(max(0.0, time.time() - event.created_at.timestamp()))

    async def _page(self, gpt_id: str, wanted: Wanted, since: int, limit: int) -> Page:
        async with self._turns:
            found = await queries.page(self._direct, gpt_id, wanted, since, limit)
        return _whole(found, since)

    def _drain(self) -> None:
        self.draining = True
        for stream in self._streams:
            stream.close(DRAINING)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            try:
                await self._see_to_all()
            except Exception:  # noqa: BLE001 - the hub must outlive whatever is wrong with one look
                _log.exception("streams were not seen to")

    async def _see_to_all(self) -> None:
        now = asyncio.get_running_loop().time()
        for stream in list(self._streams):
            stream.tick(now)
        for feed in self._feeds.values():
            feed.trim(time.monotonic())
        if not self._feeds and now - self._alone_since > _REST_AFTER_S:
            self._tail.rest()
        if self._feeds and now - self._looked_at > self.settings.event_poll.total_seconds():
            self._looked_at = now
            await self._look()

    async def _look(self) -> None:
        try:
            found = await queries.latest(self._direct, list(self._feeds))
        except Unavailable as error:
            _log.warning("counters of events unreadable", error=error.detail)
            return
        for gpt_id, last in found.items():
            feed = self._feeds.get(gpt_id)
            if feed is not None and last > feed.head:
                feed.wake()


def _whole(found: Page, since: int) -> Page:
    """Returns: the page. Raises: EventsExpired: some of what followed the place was removed."""
    if since < found.bounds.forgotten:
        raise EventsExpired(first=found.bounds.forgotten + 1)
    return found
