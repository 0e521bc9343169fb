"""So many at once: others wait in line, and not for ever."""

import asyncio
from collections import deque


class Slots:
    """A number of slots, given in the order in which they are asked for.

    A semaphore under `asyncio.timeout` does the same, at more CPU for each who waits.
    """

    def __init__(self, count: int) -> None:
        self._left = count
        self._line: deque[asyncio.Future[None]] = deque()

    async def take(self, longest_s: float) -> None:
        """Take a slot. Raises: TimeoutError: there was none in so many seconds."""
        if self._left:
            self._left -= 1
            return
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._line.append(turn)
        guard = loop.call_later(longest_s, _end, turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self.give_back()
            raise
        finally:
            guard.cancel()

    def give_back(self) -> None:
        """Give a slot to whoever waits longest, if anybody does."""
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._left += 1


def _end(turn: "asyncio.Future[None]") -> None:
    if not turn.done():
        turn.set_exception(TimeoutError())
