"""Who is let in: work on documents while the expected wait allows it, and so many uploads at once.

Both are asked before a body is read, so that what is refused costs next to nothing.
"""

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from typing import Final

from gateway.backlog import Backlog
from gateway.errors import Busy, Overloaded
from gateway.settings import GatewaySettings

_PROBE_S: Final = 60.0
_LEAST_S: Final = 5
_MOST_S: Final = 120
"""A client that asks again within two minutes finds a gateway that has recovered."""


class Admission:
    """The gateway's policy; make and use it on one event loop."""

    def __init__(
        self,
        settings: GatewaySettings,
        backlog: Backlog,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        limit = settings.max_expected_wait
        self._limit_s = math.inf if limit is None else limit.total_seconds()
        self._free = settings.max_uploads
        self._clock = clock
        self._next_probe_at = -math.inf
        self._backlog = backlog

    def document_work(self) -> None:
        """Let a call in that starts work on a document.

        Raises:
            Overloaded: the expected wait is above the limit.
        """
        estimate = self._backlog.estimate
        wait_s = estimate.expected_wait_s
        if wait_s is None or wait_s <= self._limit_s:
            return
        # Where nothing was finished of late the wait is only that of the oldest, which may be stuck
        # for reasons of its own: one call a minute finds out.
        if estimate.per_minute is None and self._clock() >= self._next_probe_at:
            self._next_probe_at = self._clock() + _PROBE_S
            return
        raise Overloaded(
            f"work accepted now would take about {wait_s:.0f} s, more than the "
            f"{self._limit_s:.0f} s that are allowed here; try again later",
            retry_after_s=min(max(wait_s - self._limit_s, _LEAST_S), _MOST_S),
            expected_wait_s=wait_s,
        )

    @contextlib.contextmanager
    def upload(self) -> Iterator[None]:
        """Hold one of the places for uploads, each of which costs memory while its bytes come.

        Raises:
            Busy: none is free.
        """
        if self._free == 0:
            raise Busy("as many uploads as are allowed come in already; try again")
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1
