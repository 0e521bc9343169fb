"""A circuit breaker: after some failures in a row nobody waits for another one for a while."""

import time
from collections.abc import Callable
from typing import Literal

State = Literal["closed", "half-open", "open"]


class Breaker:
    """Open, it lets nothing through; after a pause one call at a time, until one succeeds.

    Args:
        failures: so many in a row open it.
        pause_s: how long it stays open, and how long a probe may take before another is let in.
        clock: seconds that only rise.
    """

    def __init__(
        self, *, failures: int, pause_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = failures
        self._pause_s = pause_s
        self._clock = clock
        self._failed = 0
        self._next_at = 0.0
        self.reason: str | None = None

    @property
    def state(self) -> State:
        """Whether calls go through now."""
        if self._failed < self._limit:
            return "closed"
        return "open" if self._clock() < self._next_at else "half-open"

    def admits(self) -> bool:
        """Returns: whether this call may be made; its outcome is to be told."""
        state = self.state
        if state == "half-open":
            self._next_at = self._clock() + self._pause_s
        return state != "open"

    def succeeded(self) -> None:
        """Close: the call went well."""
        self._failed, self.reason = 0, None

    def failed(self, reason: str) -> None:
        """Count a call that failed."""
        self._failed += 1
        self._next_at = self._clock() + self._pause_s
        self.reason = reason
