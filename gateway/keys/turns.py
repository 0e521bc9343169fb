"""Turns at the database for keys that this gateway has not seen: few at once, in turn by address.

Whoever sends many keys that nobody has waits behind his own. Who has used up what strangers may
call has one read at a time, so that what is refused with 429 in the end costs next to nothing.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from gateway.errors import Unavailable

AT_ONCE: Final = 4
"""Reads at once; half of what a gateway has of connections to Postgres by default is more."""

MOST_WAITING: Final = 256
"""Reads that wait, of all addresses: a tenth of a second where a read takes 1.5 ms."""

_Line = deque["asyncio.Future[None]"]


class Turns:
    """Use it on one event loop.

    Args:
        is_spent: says whether an address has used up its calls without a key.
        most: reads that may wait.
    """

    def __init__(self, is_spent: Callable[[str], bool], most: int = MOST_WAITING) -> None:
        self._is_spent = is_spent
        self._most = most
        self._reading = Counter[str]()
        self._lines: OrderedDict[str, _Line] = OrderedDict()
        """Who waits, by address; the address that had its turn last stands last."""

    @asynccontextmanager
    async def taken(self, address: str) -> AsyncIterator[None]:
        """Hold a turn of this address, once it comes.

        Raises:
            Unavailable: too many wait, and none of another address has more that do.
        """
        await self._come(address)
        try:
            yield
        finally:
            self._end(address)

    async def _come(self, address: str) -> None:
        self._make_room(address)
        turn = asyncio.get_running_loop().create_future()
        self._lines.setdefault(address, deque()).append(turn)
        self._begin()
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled() and turn.exception() is None:
                self._end(address)
            raise

    def _end(self, address: str) -> None:
        self._reading[address] -= 1
        if not self._reading[address]:
            del self._reading[address]
        self._begin()

    def _begin(self) -> None:
        """Give turns to those who may have one, an address after the other."""
        while self._reading.total() < AT_ONCE and (address := self._next()) is not None:
            turn = self._lines[address].popleft()
            self._lines.move_to_end(address)
            self._drop_empty(address)
            # Whoever has gone away meanwhile is passed over.
            if not turn.cancelled():
                self._reading[address] += 1
                turn.set_result(None)

    def _next(self) -> str | None:
        # Only addresses that read already are passed over, so that few are ever looked at.
        may = (one for one in self._lines if not self._reading[one] or not self._is_spent(one))
        return next(may, None)

    def _make_room(self, address: str) -> None:
        """Refuse the latest one of the address with the most that wait, which may be this one."""
        if sum(map(len, self._lines.values())) < self._most:
            return
        longest = max(self._lines, key=lambda one: len(self._lines[one]))
        if len(self._lines[longest]) <= len(self._lines.get(address, ())):
            raise _crowded()
        latest = self._lines[longest].pop()
        if not latest.cancelled():
            latest.set_exception(_crowded())
        self._drop_empty(longest)

    def _drop_empty(self, address: str) -> None:
        if not self._lines[address]:
            del self._lines[address]


def _crowded() -> Unavailable:
    detail = "too many keys are looked up that this gateway has not seen; try again"
    return Unavailable(detail, retry_after_s=1)
