"""Slots that all records share, of which the documents of batches may hold only some.

A record is bulk while it is worked on for a batch. It never takes the last slots, and none that
another record waits for, so that who sends one document does not wait behind thousands.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Final

_BULK: Final = ContextVar("bulk", default=False)


@contextmanager
def as_bulk(*, bulk: bool) -> Iterator[None]:
    """Say of what is done in this context whether it is done for a batch."""
    before = _BULK.get()
    _BULK.set(bulk)
    try:
        yield
    finally:
        # Not by a token: work that is thrown away ends in another context than it began in.
        _BULK.set(before)


class Slots:
    """So many at once; of these, bulk work may hold `share`, rounded down, but at least one."""

    def __init__(self, total: int, share: float) -> None:
        self._free = total
        self._bulk_free = max(1, min(total, int(total * share)))
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._bulk_waiting: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Hold a slot in this context, from when one is free for this kind of work."""
        bulk = _BULK.get()
        await self._taken(bulk=bulk)
        try:
            yield
        finally:
            self._give_back(bulk=bulk)

    async def _taken(self, *, bulk: bool) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        (self._bulk_waiting if bulk else self._waiting).append(turn)
        self._serve()
        try:
            await turn
        except asyncio.CancelledError:
            # It may have been given a slot just before; otherwise nobody serves it any more.
            if not turn.cancelled():
                self._give_back(bulk=bulk)
            raise

    def _give_back(self, *, bulk: bool) -> None:
        self._free += 1
        self._bulk_free += bulk
        self._serve()

    def _serve(self) -> None:
        """Give what is free to those who wait, to others before bulk work."""
        while self._free and (turn := _first(self._waiting)):
            self._free -= 1
            turn.set_result(None)
        while self._free and self._bulk_free and (turn := _first(self._bulk_waiting)):
            self._free -= 1
            self._bulk_free -= 1
            turn.set_result(None)


def _first(waiting: "deque[asyncio.Future[None]]") -> "asyncio.Future[None] | None":
    """Returns: the first who still waits, no longer among those who do."""
    while waiting:
        turn = waiting.popleft()
        if not turn.cancelled():
            return turn
    return None
