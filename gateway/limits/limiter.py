"""Decides which calls are counted where, and which are too many.

A call takes one token of every bucket that it is counted in, or none at all. Where the tokens are
leased this is arithmetic; else the shared buckets are asked, for half a second at most; and while
Postgres is away each process counts by itself.
"""

import asyncio
import math
import time
from collections.abc import Callable, Hashable
from typing import Final, Literal

import structlog

from gateway.errors import RateLimited
from gateway.limits import addresses
from gateway.limits.buckets import Account, Bucket, Caller
from gateway.limits.leases import Leases, Shared
from gateway.limits.store import AHEAD
from gateway.metrics import Metrics
from schemas import rate_limits
from schemas.api.problems import RateLimitState
from schemas.rate_limits import IP, KEY, OF_KEYS, WRITE, BadRateLimits, Limit, Limits

Cost = Literal["read", "write"]

WAIT_S: Final = 0.5
MOST_CALLERS: Final = 20_000
_SAID: Final = {
    KEY: "this key may make {count} calls in {period_s} s",
    WRITE: "this key may make {count} changes in {period_s} s",
    IP: "this address may make {count} calls without a valid key in {period_s} s",
}

_log = structlog.get_logger("gateway.limits")


class RateLimiter:
    """The limits of one gateway; make it and use it on one event loop.

    Args:
        text: the installation's limits.
        store: where gateways share their buckets.
        metrics: told what was refused, and what was counted alone.
        clock: seconds that only rise.
    """

    def __init__(
        self,
        text: str,
        store: Shared,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = rate_limits.parse(text)
        self._metrics = metrics
        self._clock = clock
        self._callers: dict[Hashable, Caller] = {}
        self.leases = Leases(store, metrics.rate_limit_takings.inc, clock)
        metrics.watch_rate_limits(lambda: self.leases.shared)

    async def admit_key(self, key_id: str, own: str | None, cost: Cost) -> Account:
        """Take a token of each of a key's buckets.

        Args:
            key_id: the key, which has been found valid.
            own: its own limits, which go before the installation's.
            cost: whether the call only reads.

        Returns: the account that it was counted in.

        Raises:
            RateLimited: one of them has none; nothing was taken of the others.
        """
        caller = self._callers.get((key_id, own)) or self._key(key_id, own)
        return await self._admit(caller, caller.read if cost == "read" else caller.write)

    async def admit_address(self, host: str | None) -> Account:
        """Take a token for a call that has no valid key; returns and raises as `admit_key`."""
        name = addresses.counted(host)
        caller = self._callers.get(name) or self._address(name)
        return await self._admit(caller, caller.read)

    def is_spent(self, address: str) -> bool:
        """Returns: whether no token is left of an address, by what this gateway knows of it.

        Args:
            address: as `addresses.counted` has it.
        """
        caller, now = self._callers.get(address), self._clock()
        return caller is not None and any(one.ready_in_s(now) > 0 for one in caller.read.buckets)

    async def _admit(self, caller: Caller, account: Account) -> Account:
        caller.used = True
        for bucket in account.buckets:
            if bucket.leased < 1:
                await self._wait(account)
                return account
        _charge(account)
        return account

    async def _wait(self, account: Account) -> None:
        until = self._clock() + WAIT_S
        for bucket in account.buckets:
            bucket.waiting += 1
        try:
            while lacking := [one for one in account.buckets if one.leased < 1]:
                now = self._clock()
                if not self.leases.shared or now >= until:
                    self._alone(account, now)
                    return
                if empty := [one for one in lacking if one.empty_until > now]:
                    self._refuse(account, empty, now)
                await asyncio.wait({self.leases.ask(lacking)}, timeout=until - now)
            _charge(account)
        finally:
            for bucket in account.buckets:
                bucket.waiting -= 1

    def _alone(self, account: Account, now: float) -> None:
        self._metrics.rate_limit_alone.inc()
        if empty := [one for one in account.buckets if one.ready_in_s(now) > 0]:
            self._refuse(account, empty, now)
        for bucket in account.buckets:
            bucket.take_alone(now)

    def _refuse(self, account: Account, empty: list[Bucket], now: float) -> None:
        slowest = max(empty, key=lambda one: one.ready_in_s(now))
        seconds = max(1, math.ceil(slowest.ready_in_s(now)))
        self._metrics.rate_limited.labels(slowest.policy).inc()
        for bucket in account.buckets:
            # What refused calls had asked of the others goes back soon; a tenth may stay.
            if bucket.leased > bucket.capacity * AHEAD:
                bucket.lease_ends_at = now
        limit = slowest.limit
        said = _SAID[slowest.policy].format(count=limit.count, period_s=limit.period_s)
        raise RateLimited(
            f"{said}; try again in {seconds} s",
            retry_after_s=seconds,
            headers=account.headers(now, slowest),
            rate_limit=RateLimitState(
                policy=slowest.policy,
                limit=limit.count,
                window_s=limit.period_s,
                remaining=0,
                reset_s=seconds,
            ),
        )

    def _key(self, key_id: str, own: str | None) -> Caller:
        limits = self._with(own)
        reading = _buckets(KEY, key_id, limits.get(KEY))
        writing = _buckets(WRITE, key_id, limits.get(WRITE))
        return self._remember((key_id, own), Caller(reading, (*reading, *writing)))

    def _address(self, name: str) -> Caller:
        buckets = _buckets(IP, name, self._limits.get(IP))
        return self._remember(name, Caller(buckets, buckets))

    def _with(self, own: str | None) -> Limits:
        if own is None:
            return self._limits
        try:
            return {**self._limits, **rate_limits.parse(own, OF_KEYS)}
        except BadRateLimits as error:
            _log.error("a key's own limits cannot be read; the usual ones hold", error=str(error))
            return self._limits

    def _remember(self, name: Hashable, caller: Caller) -> Caller:
        if len(self._callers) >= MOST_CALLERS:
            self._forget()
        self._callers[name] = caller
        return caller

    def _forget(self) -> None:
        """Make room: those who rest first, and then, so that there is an end, the oldest ones."""
        for name in [name for name, one in self._callers.items() if one.rested()]:
            del self._callers[name]
        surplus = len(self._callers) - MOST_CALLERS * 3 // 4
        for name in list(self._callers)[: max(0, surplus)]:
            del self._callers[name]


def _buckets(scope: str, whom: str, limit: Limit | None) -> tuple[Bucket, ...]:
    return () if limit is None else (Bucket(f"{scope}:{whom}", limit),)


def _charge(account: Account) -> None:
    for bucket in account.buckets:
        bucket.leased -= 1
