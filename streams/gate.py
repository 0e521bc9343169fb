"""The gate of a worker: records are worked on side by side, or one of them alone.

A record that ended its worker before is worked on alone, so that the next crash is its own doing
and nobody else's.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class Gate:
    """Lets in any number of records, or a single one; who waits to be alone goes first."""

    def __init__(self) -> None:
        self._inside = 0
        self._alone = 0
        self._waiting: set[asyncio.Future[None]] = set()

    @asynccontextmanager
    async def beside_others(self) -> AsyncIterator[None]:
        """Be inside with others; wait while one is alone, or waits to be."""
        await self._until(lambda: not self._alone)
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            self._tell()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Be inside alone; wait until all others have left."""
        self._alone += 1
        try:
            await self._until(lambda: not self._inside)
            self._inside += 1
            try:
                yield
            finally:
                self._inside -= 1
        finally:
            self._alone -= 1
            self._tell()

    async def _until(self, free: Callable[[], bool]) -> None:
        while not free():
            woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.add(woken)
            try:
                await woken
            finally:
                self._waiting.discard(woken)

    def _tell(self) -> None:
        for woken in self._waiting:
            if not woken.done():
                woken.set_result(None)
