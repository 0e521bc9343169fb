"""Working under a lease, which is renewed meanwhile; the work ends when the lease is lost."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

import structlog

from streams.endings import Claimed
from streams.errors import DependencyDown, Fenced
from streams.gate import Gate
from streams.ledger import Ledger
from streams.stage import StepKey

log = structlog.get_logger()

T = TypeVar("T")


class Leased:
    """One claim, and the work that is done under it."""

    def __init__(self, ledger: Ledger, gate: Gate, key: StepKey, claim: Claimed) -> None:
        self._ledger = ledger
        self._gate = gate
        self._key = key
        self._claim = claim
        self._lost = False

    async def work(self, handle: Callable[[], Awaitable[T]]) -> T:
        """Returns: what `handle` returns. Raises: Fenced: the lease was lost."""

        async def beside_others() -> T:
            async with self._gate.beside_others():
                return await handle()

        return await self._kept(beside_others)

    async def work_alone(self, handle: Callable[[], Awaitable[T]]) -> T:
        """Returns: what `handle` returns, with nothing else at work in this process.

        Raises: Fenced: the lease was lost.
        """

        async def alone() -> T:
            async with self._gate.alone():
                if not await self._ledger.mark_alone(self._key, self._claim):
                    raise Fenced
                return await handle()

        return await self._kept(alone)

    async def _kept(self, work: Callable[[], Awaitable[T]]) -> T:
        task = asyncio.ensure_future(work())
        keeper = asyncio.create_task(self._keep(task))
        try:
            return await task
        except asyncio.CancelledError:
            if self._lost:
                raise Fenced from None
            raise
        finally:
            keeper.cancel()
            if not task.done():
                task.cancel()
                with suppress(BaseException):
                    await task

    async def _keep(self, task: "asyncio.Future[Any]") -> None:
        """Renew the lease; end when it is lost, having cancelled the work."""
        while True:
            await asyncio.sleep(self._ledger.lease_seconds / 3)
            try:
                ours = await self._ledger.renew(self._key, self._claim)
            except DependencyDown:
                continue
            except Exception:
                # The work may end well all the same: its commit is guarded by the fence.
                log.exception("lease not renewed")
                continue
            if not ours:
                self._lost = True
                task.cancel()
                return
