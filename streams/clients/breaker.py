"""A circuit breaker: whether calls of a model are worth trying, told from how the last ones went.

It opens when distinct records fail one after the other, or when the model is plainly away. It says
when a probe is due and whose fault a failure was; calling is left to `streams/clients/calls.py`.
Decision 0010 says why this is not one of the libraries that exist.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from enum import StrEnum
from typing import Final

LONGEST_PAUSE_SECONDS: Final = 60.0
PARDONS: Final = 3
"""How often in a row a record's own failed call is laid to the model: one that takes the model down
with it each time would otherwise come back for ever."""
_REMEMBERED: Final = 1000


class State(StrEnum):
    """What happens to a call: it is made, or waits for the probe under way, or is not tried."""

    CLOSED = "closed"
    HALF_OPEN = "half-open"
    OPEN = "open"


class Breaker:
    """The state of one model, for calls that are made side by side in one event loop."""

    def __init__(
        self,
        *,
        threshold: int,
        pause_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        changed: Callable[[State, str | None], None] = lambda _state, _reason: None,
    ) -> None:
        """Begin closed.

        Args:
            threshold: How many distinct records must fail without a success between.
            pause_seconds: How long it stays open at first; doubled up to a minute until a record
                succeeds.
            clock: Seconds that only grow.
            changed: Hears of every new state and its reason, and of every failed probe.
        """
        self._threshold = threshold
        self._first_pause = pause_seconds
        self._clock = clock
        self._changed = changed
        self._pause = pause_seconds
        self._probe_at = 0.0
        self._row: set[object] = set()
        self._pardoned: OrderedDict[str, int] = OrderedDict()
        self.state = State.CLOSED
        self.reason: str | None = None

    @property
    def probe_is_due(self) -> bool:
        """Returns: whether whoever calls now is to probe first."""
        return self.state is State.OPEN and self._clock() >= self._probe_at

    def succeeded(self, record: str | None) -> None:
        """Note that a record's call was answered: the model works, whatever was before."""
        self._row.clear()
        self._pardoned.pop(record or "", None)
        self._pause = self._first_pause
        if self.state is not State.CLOSED:
            self._turn(State.CLOSED, None)

    def failed(self, record: str | None, reason: str) -> None:
        """Note that a record's call failed; a call of no record counts as one of its own."""
        self._row.add(object() if record is None else record)
        if self.state is State.CLOSED and len(self._row) >= self._threshold:
            self.open(reason)

    def open(self, reason: str) -> None:
        """Note that the model is away for everyone, as a refused connection shows."""
        # Calls that were under way when it opened say nothing new, and a probe decides by itself.
        if self.state is State.CLOSED:
            self._open(reason)

    def pardons(self, record: str | None) -> bool:
        """Returns: whether a call that failed just now is not to be held against its record."""
        if self.state is State.CLOSED:
            return False
        times = self._pardoned.pop(record or "", 0) + 1
        if record is not None and times <= PARDONS:
            self._pardoned[record] = times
            if len(self._pardoned) > _REMEMBERED:
                self._pardoned.popitem(last=False)
        return times <= PARDONS

    def probing(self) -> None:
        """Note that a probe begins; the breaker was open."""
        self._turn(State.HALF_OPEN, self.reason)

    def probe_succeeded(self) -> None:
        """Close, but remember the pause: only a record shows that more than probes work."""
        self._row.clear()
        if self.state is State.HALF_OPEN:
            self._turn(State.CLOSED, None)

    def probe_failed(self, reason: str) -> None:
        """Stay open for another, longer pause."""
        if self.state is State.HALF_OPEN:
            self._open(reason)

    def probe_left(self) -> None:
        """Note that a probe ended without an outcome, so that the next caller probes."""
        if self.state is State.HALF_OPEN:
            self._turn(State.OPEN, self.reason)

    def _open(self, reason: str) -> None:
        self._row.clear()
        self._probe_at = self._clock() + self._pause
        self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)
        self._turn(State.OPEN, reason)

    def _turn(self, state: State, reason: str | None) -> None:
        self.state, self.reason = state, reason
        self._changed(state, reason)
