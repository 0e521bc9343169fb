"""How many calls run at once, and how many may wait."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from starlette.requests import Request

from local.models.refusal import Refused

BUSY = "server busy, please try again.  maximum pending requests exceeded"

Result = TypeVar("Result")


class ClientGone(Exception):
    """The client closed its connection before it had its answer."""


class Slots:
    """At most `parallel` calls at once, first come first served; at most `queue` more may wait."""

    def __init__(self, parallel: int, queue: int) -> None:
        self._free = asyncio.Semaphore(parallel)
        self._room = parallel + queue
        self._held = 0

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """Wait for a slot and keep it while the block runs; a cancelled wait leaves no trace.

        Raises:
            Refused: 503 when the queue is full.
        """
        if self._held >= self._room:
            raise Refused(503, BUSY)
        self._held += 1
        try:
            async with self._free:
                yield
        finally:
            self._held -= 1


async def unless_gone(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """Return what `work` returns, or cancel it as soon as the client closes its connection.

    The request's body must have been read.

    Raises:
        ClientGone: the connection closed first.
    """
    task = asyncio.ensure_future(work)
    closed = asyncio.ensure_future(_closed(request))
    try:
        await asyncio.wait({task, closed}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGone
        return task.result()
    finally:
        for pending in (task, closed):
            pending.cancel()
        await asyncio.gather(task, closed, return_exceptions=True)


async def _closed(request: Request) -> None:
    """Return when the connection is closed."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
