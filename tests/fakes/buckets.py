"""Shared buckets in memory, with the same arithmetic as the statement in Postgres."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway.limits.store import AHEAD, Ask, Grant, StoreAway


@dataclass
class Clock:
    """Seconds that pass when a test says so."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class FakeBuckets:
    """What several gateways share; `away` while it does not answer."""

    clock: Clock
    away: bool = False
    full_at: dict[str, float] = field(default_factory=dict)
    takings: list[list[Ask]] = field(default_factory=list)
    swept: int = 0

    async def take(self, asks: Iterable[Ask], *, ahead: float = AHEAD) -> list[Grant]:
        """As `gateway.limits.store.Store.take`."""
        listed = list(asks)
        if self.away:
            raise StoreAway("OperationalError")
        if listed:
            self.takings.append(listed)
        return [self._taken(one, ahead) for one in sorted(listed)]

    async def sweep(self) -> None:
        """As `gateway.limits.store.Store.sweep`."""
        self.swept += 1
        self.full_at = {scope: at for scope, at in self.full_at.items() if at >= self.clock()}

    def tokens(self, one: Ask) -> float:
        """Returns: what is in a bucket now."""
        lacking = self.full_at.get(one.scope, 0.0) - self.clock()
        return one.limit.count - one.limit.per_second * max(0.0, lacking)

    def _taken(self, one: Ask, ahead: float) -> Grant:
        now, rate = self.clock(), one.limit.per_second
        there = self.tokens(one)
        granted = max(
            min(one.need, 0), min(math.floor(there + 1e-6), one.need + math.floor(there * ahead))
        )
        full_at = min(max(self.full_at.get(one.scope, 0.0), now), now + one.limit.period_s)
        self.full_at[one.scope] = full_at + granted / rate
        return Grant(one.scope, granted, self.full_at[one.scope] - now)
