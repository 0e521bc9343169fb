"""One tenant's latest events, read once for all of its streams.

Streams take what they want from here at their own pace; whoever is further behind than this reaches
reads for itself. So a slow client costs no memory, however much happens meanwhile.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from gateway.direct import Direct
from gateway.errors import Unavailable
from gateway.events.event import Event
from gateway.queries import events as queries

KEPT: Final = 512
KEPT_CHARS: Final = 1024**2
KEPT_S: Final = 10.0
_READ: Final = 200
"""Events of one read; those that follow are the next one's."""

_log = structlog.get_logger("gateway.events")


class Woken(Protocol):
    """A stream, as its feed knows it."""

    def wake(self) -> None:
        """Something has come."""


class Feed:
    """Use it on one event loop.

    Args:
        direct: where events are read.
        gpt_id: the tenant.
        head: the number behind which it begins.
        came: told of each event that was read, before anyone else.
    """

    def __init__(
        self, direct: Direct, gpt_id: str, head: int, came: Callable[[Event], None]
    ) -> None:
        self.gpt_id = gpt_id
        self.head = self.floor = head
        self.streams: set[Woken] = set()
        self._direct = direct
        self._came = came
        self._recent: deque[Event] = deque()
        self._chars = 0
        self._read_at = 0.0
        self._stale = False
        self._task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Read what has come; calls while it is read are one more read."""
        self._stale = True
        if self._task is None:
            self._task = asyncio.create_task(self._read())

    def behind(self, sequence: int) -> list[Event]:
        """Returns: the events behind a number that is not below the floor, in their order."""
        found = []
        for event in reversed(self._recent):
            if event.sequence <= sequence:
                break
            found.append(event)
        found.reverse()
        return found

    def trim(self, now: float) -> None:
        """Forget what all but the slowest have had for a while."""
        if self._recent and now - self._read_at > KEPT_S:
            self._recent.clear()
            self._chars = 0
            self.floor = self.head

    def close(self) -> None:
        """End what is being read."""
        if self._task is not None:
            self._task.cancel()

    async def _read(self) -> None:
        try:
            while self._stale:
                self._stale = False
                found = await queries.after(self._direct, self.gpt_id, self.head, _READ)
                self._take(found)
                self._stale |= len(found) == _READ
        except Unavailable as error:
            # The hub looks again within seconds.
            _log.warning("events unreadable", gpt_id=self.gpt_id, error=error.detail)
        except Exception:  # noqa: BLE001 - nobody waits for this task, so it is said here
            _log.exception("events were not read", gpt_id=self.gpt_id)
        finally:
            self._task = None

    def _take(self, found: list[Event]) -> None:
        if not found:
            return
        for event in found:
            self._came(event)
            self._chars += len(event.json)
        self._recent.extend(found)
        while len(self._recent) > KEPT or self._chars > KEPT_CHARS:
            oldest = self._recent.popleft()
            self._chars -= len(oldest.json)
            self.floor = oldest.sequence
        self.head = found[-1].sequence
        self._read_at = time.monotonic()
        for stream in self.streams:
            stream.wake()
