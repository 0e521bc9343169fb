"""One client's way through its tenant's events: a place, and what it wants from there on."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

from gateway.errors import Unavailable
from gateway.events import closing
from gateway.events.closing import OVER, SLOW, Closed, Closing
from gateway.events.errors import EventsExpired
from gateway.events.event import Event
from gateway.events.feed import Feed
from gateway.events.places import Places
from gateway.events.wanted import Wanted
from gateway.principal import Principal
from gateway.queries.events import Page

AT_ONCE: Final = 100
CHARS_AT_ONCE: Final = 32 * 1024
"""Events handed over in one piece, and their length unless a single one is longer: what a client
that does not read costs beside the buffer of its connection."""

_TROUBLE_S: Final = 1.0
_log = structlog.get_logger("gateway.events")

ReadPage = Callable[[str, Wanted, int, int], Awaitable[Page]]


@dataclass(eq=False, slots=True)
class Stream:
    """Use it on one event loop. All times are monotonic, in seconds.

    `kind` is `sse`, `ws` or `poll`; `place` the number up to which everything was handed over;
    `ends_at` when it ends once nothing is left to hand over. While what was handed over is being
    written, `blocked_since` says since when; `hurry` lets the writing go on unread.
    """

    kind: str
    caller: Principal
    token: str
    wanted: Wanted
    places: Places
    place: int
    feed: Feed
    read: ReadPage
    ping_s: float
    stall_s: float
    ends_at: float | None = None
    hurry: Callable[[], None] | None = None
    blocked_since: float | None = None
    closing: Closing | None = None
    _ping_at: float = 0.0
    _ping_due: bool = False
    _woken: asyncio.Event = field(default_factory=asyncio.Event)

    async def next(self, most: int = AT_ONCE) -> list[Event]:
        """Returns: the next events that are wanted; none where it is time for a sign of life.

        Raises:
            Closed: the stream has ended.
        """
        loop = asyncio.get_running_loop()
        while True:
            self._woken.clear()
            if self.closing is not None:
                raise Closed(self.closing)
            if self.place < self.feed.head:
                if found := await self._found(most):
                    return found
                continue
            if self.ends_at is not None and loop.time() >= self.ends_at:
                self.close(OVER)
                continue
            if self._ping_due:
                self._ping_due = False
                return []
            await self._woken.wait()

    def wake(self) -> None:
        """Look again."""
        self._woken.set()

    def close(self, closing: Closing) -> None:
        """End it; the first reason counts."""
        if self.closing is None:
            self.closing = closing
            self._woken.set()

    async def pause(self) -> None:
        """Wait for anything to happen to it. Raises: Closed: the stream has ended."""
        self._woken.clear()
        if self.closing is None:
            await self._woken.wait()
        if self.closing is not None:
            raise Closed(self.closing)

    def blocked(self) -> None:
        """Note that it waits for its client, from now on if it did not before."""
        if self.blocked_since is None:
            self.blocked_since = asyncio.get_running_loop().time()

    def moved(self) -> None:
        """Note that the client has taken what it was sent."""
        self.blocked_since = None
        self._ping_at = asyncio.get_running_loop().time() + self.ping_s

    def tick(self, now: float) -> None:
        """See to what is due by now: a sign of life, the end, patience with a slow client."""
        if self.blocked_since is not None:
            if self.closing is not None or now - self.blocked_since > self.stall_s:
                self.close(SLOW)
                self._hurry()
        elif now >= self._ping_at:
            self._ping_at = now + self.ping_s
            self._ping_due = True
            self._woken.set()
        elif self.ends_at is not None and now >= self.ends_at:
            self._woken.set()

    def _hurry(self) -> None:
        """Let the last words be written to a client that does not read."""
        hurry, self.hurry = self.hurry, None
        if hurry is not None:
            hurry()

    async def _found(self, most: int) -> list[Event]:
        if self.place < self.feed.floor:
            return await self._read_alone(most)
        wanted, chars = self.wanted, 0
        found: list[Event] = []
        for event in self.feed.behind(self.place):
            if wanted.takes(event.type, event.end_user, event.object_id, event.batch_id):
                chars += len(event.json)
                if len(found) == most or (found and chars > CHARS_AT_ONCE):
                    break
                found.append(event)
            self.place = event.sequence
        return found

    async def _read_alone(self, most: int) -> list[Event]:
        try:
            page = await self.read(self.feed.gpt_id, self.wanted, self.place, most)
        except EventsExpired as error:
            self.close(closing.of(error))
            return []
        except Unavailable as error:
            _log.warning("events unreadable", gpt_id=self.feed.gpt_id, error=error.detail)
            await asyncio.sleep(_TROUBLE_S)
            return []
        fitting = _fitting(page.events)
        self.place = page.upto if len(fitting) == len(page.events) else fitting[-1].sequence
        return fitting


def _fitting(events: list[Event]) -> list[Event]:
    """Returns: as many of them as go in one piece, and at least one."""
    chars = 0
    for place, event in enumerate(events):
        chars += len(event.json)
        if place and chars > CHARS_AT_ONCE:
            return events[:place]
    return events
