"""Token buckets in this process: what is leased of the shared ones, and what is known of them.

A bucket is described by when it will be full again: it lacks the tokens that come back until then.
Nothing here waits or asks anyone; all times are seconds of one clock that only rises.
"""

import math
from typing import Final

from schemas.rate_limits import Limit

EPSILON: Final = 1e-6
"""Of a token: what rounding may take from one that has come back in full."""
REFUSED_S: Final = 1.0
"""How long an empty shared bucket is not asked for again, though others may give tokens back."""
LEASE_S: Final = 5.0
"""How long leased tokens are kept from the other gateways."""


class Bucket:
    """One token bucket, as far as this process knows it.

    `leased` tokens are this process's to give; `waiting` calls want one more than there are.
    """

    __slots__ = (
        "capacity",
        "empty_until",
        "full_at",
        "lease_ends_at",
        "leased",
        "limit",
        "per_second",
        "scope",
        "waiting",
    )

    def __init__(self, scope: str, limit: Limit) -> None:
        self.scope = scope
        self.limit = limit
        self.capacity = limit.count
        self.per_second = limit.per_second
        self.leased = 0
        self.lease_ends_at = 0.0
        self.full_at = 0.0
        self.empty_until = 0.0
        self.waiting = 0

    @property
    def policy(self) -> str:
        """Returns: the name of its limit: the scope without whom it counts."""
        return self.scope.partition(":")[0]

    def left(self, now: float) -> float:
        """Returns: tokens beside the leased ones, if nobody else has taken any meanwhile."""
        return self.capacity - self.per_second * max(0.0, self.full_at - now)

    def remaining(self, now: float) -> int:
        """Returns: whole tokens that a caller can still have, as far as is known."""
        found = math.floor(self.leased + self.left(now) + EPSILON)
        return min(max(0, found), self.capacity)

    def full_in_s(self, now: float) -> float:
        """Returns: seconds until nothing of it is missing."""
        return max(0.0, self.full_at - now - self.leased / self.per_second)

    def ready_in_s(self, now: float) -> float:
        """Returns: seconds until there is a token."""
        missing = 1 - self.leased - self.left(now)
        return missing / self.per_second if missing > EPSILON else 0.0

    def take_alone(self, now: float) -> None:
        """Take a token of this process's own; there must be one."""
        if self.leased >= 1:
            self.leased -= 1
        else:
            self.full_at = max(self.full_at, now) + 1 / self.per_second

    def learn(self, granted: int, full_in_s: float, now: float) -> None:
        """Note what the shared bucket gave, and when it will be full again."""
        self.leased += granted
        self.lease_ends_at = now + LEASE_S
        self.full_at = now + full_in_s
        missing = 1 - self.left(now)
        if missing > EPSILON:
            self.empty_until = now + min(missing / self.per_second, REFUSED_S)


class Account:
    """The buckets that calls of one kind of one caller are counted in, together."""

    __slots__ = ("_policy", "buckets")

    def __init__(self, buckets: tuple[Bucket, ...]) -> None:
        self.buckets = buckets
        self._policy = ", ".join(
            f'"{one.policy}";q={one.capacity};w={one.limit.period_s}' for one in buckets
        )

    def headers(self, now: float, refused: Bucket | None = None) -> dict[str, str]:
        """Returns: how things stand, as draft-ietf-httpapi-ratelimit-headers-10 has it.

        `r` tokens are left, and after `t` seconds all are; of the bucket that refused a call, there
        are none, and after `t` there is one.
        """
        if not self.buckets:
            return {}
        standings = []
        for one in self.buckets:
            remaining, seconds = one.remaining(now), one.full_in_s(now)
            if one is refused:
                remaining, seconds = 0, max(1.0, one.ready_in_s(now))
            standings.append(f'"{one.policy}";r={remaining};t={math.ceil(seconds)}')
        return {"RateLimit-Policy": self._policy, "RateLimit": ", ".join(standings)}


class Caller:
    """What one caller's calls are counted in, by what they cost."""

    __slots__ = ("_buckets", "read", "used", "write")

    def __init__(self, read: tuple[Bucket, ...], write: tuple[Bucket, ...]) -> None:
        self.read = Account(read)
        self.write = Account(write)
        self.used = True
        self._buckets = {*read, *write}

    def rested(self) -> bool:
        """Returns: whether it may be forgotten: it has nothing, and no call since the last look."""
        used, self.used = self.used, False
        return not used and not any(one.leased or one.waiting for one in self._buckets)
