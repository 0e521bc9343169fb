"""The gate of a worker: records are worked on side by side, or one of them alone.

A record that ended its worker before is worked on alone, so that the next crash is its own doing
and nobody else's.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Gate:
    """Lets in any number of records, or a single one; who waits to be alone goes first."""

    def __init__(self) -> None:
        self._inside = 0
        self._alone = 0
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def beside_others(self) -> AsyncIterator[None]:
        """Be inside with others; wait while one is alone, or waits to be."""
        if self._alone:
            async with self._changed:
                await self._changed.wait_for(lambda: not self._alone)
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            if self._alone:
                await self._tell()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Be inside alone; wait until all others have left."""
        self._alone += 1
        entered = False
        try:
            async with self._changed:
                await self._changed.wait_for(lambda: not self._inside)
                self._inside = 1
                entered = True
            yield
        finally:
            self._alone -= 1
            self._inside -= int(entered)
            await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()
