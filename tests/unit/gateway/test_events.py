"""Streams of events: what is wanted, where a client is, how it is fed, and how it ends."""

import asyncio
import json
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.cursors import Cursors
from gateway.errors import TooLarge, Unavailable
from gateway.events import event, places, wanted
from gateway.events.closing import DRAINING, GONE, SLOW, Closed
from gateway.events.errors import EventsExpired
from gateway.events.event import Event
from gateway.events.feed import KEPT, Feed
from gateway.events.hub import Hub
from gateway.events.places import Bounds
from gateway.events.sse import EventStream
from gateway.events.stream import CHARS_AT_ONCE, Stream
from gateway.events.wanted import Wanted
from gateway.principal import Principal
from gateway.queries import events as queries
from gateway.queries.events import Page

CALLER = Principal("demo", None, "key_1", frozenset({"read"}), None)
CURSORS = Cursors("a secret of sixteen")
PLACES = places.of(CURSORS, CALLER)


def told(number: int, kind: str = "document.parsed", **more: Any) -> tuple[Any, ...]:
    """A row of `events`."""
    end_user, object_id = more.get("end_user"), more.get("object_id", "doc_1")
    now = datetime.now(UTC)
    data = more.get("data", {})
    return (number, f"evt_{number}", kind, end_user, object_id, None, None, None, data, now)


@dataclass
class Rows:
    """A table of events, in the place of Postgres; `broken` reads fail."""

    events: list[Event] = field(default_factory=list)
    broken: int = 0
    reads: int = 0
    pages: int = 0

    def tell(self, *kinds: str, **more: Any) -> None:
        """Commit events."""
        for kind in kinds:
            self.events.append(event.of("demo", told(len(self.events) + 1, kind, **more)))

    async def rows(self, _tenant: str, _sql: str, given: tuple[Any, ...]) -> list[Any]:
        """What the feed reads."""
        self.reads += 1
        await asyncio.sleep(0)
        if self.broken:
            self.broken -= 1
            raise Unavailable("away")
        _, since, limit = given
        return [self._row(one) for one in self.events if one.sequence > since][:limit]

    @staticmethod
    def _row(one: Event) -> tuple[Any, ...]:
        data = json.loads(one.json)["data"]
        more = {"end_user": one.end_user, "object_id": one.object_id, "data": data}
        return told(one.sequence, one.type, **more)

    async def page(self, _tenant: str, chosen: Wanted, since: int, limit: int) -> Page:
        """What a stream reads that is behind its feed."""
        self.pages += 1
        await asyncio.sleep(0)
        behind = [one for one in self.events if one.sequence > since]
        found = [
            one
            for one in behind
            if chosen.takes(one.type, one.end_user, one.object_id, one.batch_id)
        ][:limit]
        last = len(self.events)
        upto = found[-1].sequence if len(found) == limit else last
        return Page(found, upto, Bounds(last, 0))


@pytest.fixture
def table() -> Rows:
    """An empty table."""
    return Rows()


def feed_of(table: Rows, head: int = 0) -> Feed:
    """A feed that begins behind a number."""
    return Feed(table, "demo", head, lambda _: None)  # type: ignore[arg-type]


def stream_of(table: Rows, feed: Feed, place: int = 0, **more: Any) -> Stream:
    """A stream of a feed from a place on."""
    made = Stream(
        kind="sse",
        caller=CALLER,
        token="",
        wanted=more.pop("wanted", Wanted()),
        places=PLACES,
        place=place,
        feed=feed,
        read=table.page,
        ping_s=10,
        stall_s=5,
        **more,
    )
    made.moved()
    feed.streams.add(made)
    return made


async def until(true: Callable[[], bool]) -> None:
    """Let others work until something is true."""
    for _ in range(1000):
        if true():
            break
        await asyncio.sleep(0)
    assert true()


def numbers(found: list[Event]) -> list[int]:
    """The numbers of events."""
    return [one.sequence for one in found]


async def test_one_read_feeds_all_streams(table: Rows) -> None:
    """However many there are, and each gets what it wants of it."""
    feed = feed_of(table)
    all_of_it = [stream_of(table, feed) for _ in range(20)]
    few = stream_of(table, feed, wanted=wanted.of(None, ["batch.*"]))
    waiting = [asyncio.create_task(one.next()) for one in (*all_of_it, few)]
    await asyncio.sleep(0)
    table.tell("document.parsed", "batch.created", "document.indexed")
    feed.wake()
    *found, last = await asyncio.gather(*waiting)
    assert table.reads == 1
    assert [numbers(one) for one in found] == [[1, 2, 3]] * 20
    assert numbers(last) == [2]
    assert few.place == 3


async def test_wakes_while_it_reads_are_one_more_read(table: Rows) -> None:
    """Nothing that was committed during a read is left until somebody asks again."""
    feed = feed_of(table)
    stream = stream_of(table, feed)
    table.tell("document.parsed")
    for _ in range(50):
        feed.wake()
    assert numbers(await stream.next()) == [1]
    table.tell("document.parsed")
    feed.wake()
    assert numbers(await stream.next()) == [2]
    assert table.reads <= 3


async def test_who_is_behind_reads_alone_and_catches_up(table: Rows) -> None:
    """Without a gap and without a repeat between what it read and what it is fed."""
    table.tell(*["document.parsed"] * 250)
    feed = feed_of(table, head=250)
    stream = stream_of(table, feed, place=0)
    found = numbers(await stream.next())
    table.tell(*["document.parsed"] * 30)
    feed.wake()
    while len(found) < 280:
        found += numbers(await stream.next())
    assert found == list(range(1, 281))
    assert table.pages == 3


async def test_a_slow_stream_costs_no_memory(table: Rows) -> None:
    """The feed keeps so many events and no more; what it dropped is read again."""
    feed = feed_of(table)
    stream = stream_of(table, feed)
    table.tell(*["document.parsed"] * (KEPT + 300))
    feed.wake()
    await stream.next(1)
    await until(lambda: feed.head == KEPT + 300)
    assert len(feed.behind(0)) == KEPT
    assert feed.floor == 300
    found = [1]
    while len(found) < KEPT + 300:
        found += numbers(await stream.next())
    assert found == list(range(1, KEPT + 301))


@pytest.mark.parametrize("head", [0, 80])
async def test_large_events_come_in_small_pieces(table: Rows, head: int) -> None:
    """Fed or read alone: one piece is bounded, and nothing is left out between two."""
    table.tell(*["document.failed"] * 80, data={"detail": "x" * 2000})
    feed = feed_of(table, head=head)
    stream = stream_of(table, feed)
    feed.wake()
    await until(lambda: feed.head == 80)
    found: list[int] = []
    while len(found) < 80:
        piece = await stream.next()
        assert sum(len(one.json) for one in piece) <= CHARS_AT_ONCE
        found += numbers(piece)
    assert found == list(range(1, 81))


async def test_one_event_that_is_larger_than_a_piece_comes_alone(table: Rows) -> None:
    """Nothing is so large that it stops a stream."""
    table.tell("document.failed", "document.failed", data={"detail": "x" * 2 * CHARS_AT_ONCE})
    stream = stream_of(table, feed_of(table, head=2))
    assert [numbers(await stream.next()) for _ in range(2)] == [[1], [2]]


async def test_a_read_that_fails_loses_nothing(table: Rows) -> None:
    """The next wake finds what the failed one did not."""
    feed = feed_of(table)
    stream = stream_of(table, feed)
    table.tell("document.parsed")
    table.broken = 1
    feed.wake()
    await until(lambda: table.reads == 1 and not table.broken)
    feed.wake()
    assert numbers(await stream.next()) == [1]


async def test_old_events_are_forgotten_and_read_again(table: Rows) -> None:
    """A feed holds nothing for long; who still needs it reads."""
    feed = feed_of(table)
    stream = stream_of(table, feed)
    table.tell("document.parsed")
    feed.wake()
    await until(lambda: feed.head == 1)
    feed.trim(asyncio.get_running_loop().time() + 60)
    assert feed.behind(0) == []
    assert numbers(await stream.next()) == [1]
    assert table.pages == 1


async def test_silence_is_a_ping_and_patience_has_an_end(table: Rows) -> None:
    """Whoever is not read is closed as slow, and what waits for it is let go."""
    hurried: list[bool] = []
    stream = stream_of(table, feed_of(table), hurry=lambda: hurried.append(True))
    now = asyncio.get_running_loop().time()
    waiting = asyncio.create_task(stream.next())
    await asyncio.sleep(0)
    stream.tick(now + 9)
    assert not waiting.done()
    stream.tick(now + 11)
    assert await waiting == []
    stream.blocked()
    stream.tick(now + 4)
    assert stream.closing is None
    stream.tick(now + 6)
    assert stream.closing is SLOW
    assert hurried == [True]
    stream.tick(now + 7)
    assert hurried == [True]
    with pytest.raises(Closed):
        await stream.next()


async def test_an_end_is_told_to_who_does_not_read_too(table: Rows) -> None:
    """Whatever the reason, the last words do not wait for the client."""
    hurried: list[bool] = []
    stream = stream_of(table, feed_of(table), hurry=lambda: hurried.append(True))
    stream.blocked()
    stream.close(DRAINING)
    stream.tick(asyncio.get_running_loop().time())
    assert hurried == [True]
    assert stream.closing is DRAINING


async def test_the_first_reason_to_end_counts(table: Rows) -> None:
    """A stream that waits is woken by its end."""
    stream = stream_of(table, feed_of(table))
    waiting = asyncio.create_task(stream.next())
    await asyncio.sleep(0)
    stream.close(DRAINING)
    stream.close(SLOW)
    with pytest.raises(Closed) as ended:
        await waiting
    assert ended.value.closing is DRAINING


async def test_a_stream_of_some_seconds_hands_over_what_is_there(table: Rows) -> None:
    """Before it ends."""
    table.tell(*["document.parsed"] * 150)
    feed = feed_of(table, head=150)
    stream = stream_of(table, feed, ends_at=asyncio.get_running_loop().time())
    assert len(await stream.next()) == 100
    assert len(await stream.next()) == 50
    with pytest.raises(Closed) as ended:
        await stream.next()
    assert ended.value.closing.reason == "wait_over"
    assert stream.closing is ended.value.closing


async def test_a_stream_that_fell_behind_what_is_kept_is_told(table: Rows) -> None:
    """What it would have missed is not left out in silence."""

    async def expired(*_: Any) -> Page:
        raise EventsExpired(first=9)

    stream = stream_of(table, feed_of(table, head=20))
    stream.read = expired
    with pytest.raises(Closed) as ended:
        await stream.next()
    assert ended.value.closing.code == 4410
    assert ended.value.closing.told()["problem"]["first"] == 9


async def test_a_client_that_sends_too_much_leaves_its_seat(table: Rows) -> None:
    """Its stream ends as that of one that goes."""
    stream, released = stream_of(table, feed_of(table)), []
    hub = SimpleNamespace(release=released.append)

    async def receive() -> MutableMapping[str, Any]:
        raise TooLarge("above the limit")

    async def send(_: MutableMapping[str, Any]) -> None:
        await asyncio.sleep(0)

    answer = EventStream(hub, stream)  # type: ignore[arg-type]
    await answer({"type": "http"}, receive, send)
    assert (stream.closing, released) == (GONE, [stream])


async def test_a_page_without_what_was_just_removed_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Old events may go between the look at the bounds and the reading."""

    async def bounds(*_: object) -> Bounds:
        return Bounds(9, 2)

    async def page(*_: object) -> Page:
        return Page([], 9, Bounds(9, 5))

    monkeypatch.setattr(queries, "bounds", bounds)
    monkeypatch.setattr(queries, "page", page)
    hub = SimpleNamespace(_cursors=CURSORS, _direct=None)
    with pytest.raises(EventsExpired):
        await Hub.page(hub, CALLER, Wanted(), "3", 10)  # type: ignore[arg-type]
    assert (await Hub.page(hub, CALLER, Wanted(), "5", 10)).upto == 9  # type: ignore[arg-type]
