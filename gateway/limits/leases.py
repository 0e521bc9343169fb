"""Gets tokens from the shared buckets, for all who wait at once, and gives back what is not used.

While Postgres is away nobody waits for it: this says so (`shared`) and looks for it once a second.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final, Protocol

import structlog

from gateway.limits.buckets import Bucket
from gateway.limits.store import AHEAD, Ask, Grant, StoreAway

_TICK_S: Final = 1.0
"""How often leases are looked through, and an absent Postgres is looked for."""
_SWEEP_S: Final = 60.0
_MOST_AT_ONCE: Final = 100
"""Buckets of one statement, whose work grows with their square."""

_log = structlog.get_logger("gateway.limits")


class Shared(Protocol):
    """Where gateways share their buckets."""

    async def take(self, asks: Iterable[Ask], *, ahead: float = AHEAD) -> list[Grant]:
        """Take tokens. Raises: StoreAway."""

    async def sweep(self) -> None:
        """Remove full buckets. Raises: StoreAway."""


class Leases:
    """The tokens that this process holds; make it and use it on one event loop."""

    def __init__(
        self,
        store: Shared,
        taken: Callable[[], object] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.shared = True
        self._store = store
        self._taken = taken
        self._clock = clock
        self._asked: dict[str, Bucket] = {}
        self._answer: asyncio.Future[None] | None = None
        self._wake = asyncio.Event()
        self._held: dict[str, Bucket] = {}
        self._tidy_at = clock() + _TICK_S
        self._sweep_at = clock() + _SWEEP_S

    def ask(self, buckets: Iterable[Bucket]) -> asyncio.Future[None]:
        """Returns: what is done when these buckets have been asked, or could not be."""
        for bucket in buckets:
            self._asked[bucket.scope] = bucket
        if self._answer is None:
            self._answer = asyncio.get_running_loop().create_future()
        self._wake.set()
        return self._answer

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK_S):
                    await self._wake.wait()
            self._wake.clear()
            try:
                await self.turn()
            except Exception:  # noqa: BLE001 - calls must not wait for a loop that has ended
                _log.exception("rate limits are counted by this process alone")
                self.shared = False

    async def turn(self) -> None:
        """Ask for what is wanted now, and give back what nobody wanted."""
        asked, self._asked = self._asked, {}
        answer, self._answer = self._answer, None
        try:
            if not self.shared:
                await self._store.take(())
                self.shared = True
                _log.info("rate limits are shared again")
            await self._take(asked.values())
            await self._tidy()
        except StoreAway as error:
            if self.shared:
                _log.warning("rate limits are counted by this process alone", error=str(error))
            self.shared = False
        finally:
            if answer is not None and not answer.done():
                answer.set_result(None)

    async def close(self) -> None:
        """Give everything back, if that can be done at once."""
        if self.shared:
            with contextlib.suppress(StoreAway):
                await self._give_back(float("inf"))

    async def _take(self, buckets: Iterable[Bucket]) -> None:
        wanted = {one.scope: one for one in buckets if one.waiting > one.leased}
        for some in _chunks(wanted):
            self._taken()
            for scope, granted, full_in_s in await self._store.take(
                Ask(one.scope, one.limit, one.waiting - one.leased) for one in some.values()
            ):
                bucket = some[scope]
                bucket.learn(granted, full_in_s, self._clock())
                if granted:
                    self._held[scope] = bucket

    async def _give_back(self, now: float) -> None:
        ended = {
            scope: one
            for scope, one in self._held.items()
            if one.lease_ends_at <= now and not one.waiting
        }
        for some in _chunks(ended):
            asks = [Ask(scope, one.limit, -one.leased) for scope, one in some.items()]
            for scope, one in some.items():
                del self._held[scope]
                one.full_at -= one.leased / one.per_second
                one.leased = 0
            asks = [ask for ask in asks if ask.need]
            if asks:
                await self._store.take(asks, ahead=0)

    async def _tidy(self) -> None:
        now = self._clock()
        if now >= self._tidy_at:
            self._tidy_at = now + _TICK_S
            await self._give_back(now)
        if now >= self._sweep_at:
            self._sweep_at = now + _SWEEP_S
            await self._store.sweep()


def _chunks(buckets: dict[str, Bucket]) -> Iterable[dict[str, Bucket]]:
    items = iter(buckets.items())
    while some := dict(islice(items, _MOST_AT_ONCE)):
        yield some
