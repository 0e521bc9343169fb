"""An estimate of how long a document that is accepted now will take, made beside all calls.

What waits is the lag of the first stage's consumer group plus the runs that have begun and not
ended; the rate is that of the runs which ended of late. It is an average over all documents, so it
is wrong for one that is much larger or smaller, and for those that wait in a retry.
"""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Final, Protocol

import structlog
from confluent_kafka import KafkaException
from starlette.concurrency import run_in_threadpool

from gateway.errors import Unavailable
from gateway.queries.backlog import MOST_FINISHED, Progress

REFRESH_S: Final = 3.0
_KEPT_S: Final = 30.0
_TYPICAL: Final = 50
_SHORTEST: Final = timedelta(minutes=1)
_LONGEST: Final = timedelta(minutes=15)
_log = structlog.get_logger("gateway.backlog")


@dataclass(frozen=True, slots=True)
class Estimate:
    """Documents that wait, how fast they are finished, and how long one accepted now takes.

    Each is null where it is not known.
    """

    waiting: int | None = None
    per_minute: float | None = None
    expected_wait_s: float | None = None


UNKNOWN: Final = Estimate()


class Lag(Protocol):
    """Counts the records that no worker has begun with; blocks."""

    def read(self) -> int:
        """Returns: records. Raises: KafkaException: the brokers do not answer."""


class Runs(Protocol):
    """Reads how the runs stand."""

    async def __call__(self) -> Progress:
        """Returns: how they stand. Raises: Unavailable: Postgres does not answer."""


class Backlog:
    """Keeps the estimate fresh; `run` does so until it is cancelled."""

    def __init__(self, lag: Lag, runs: Runs) -> None:
        self._lag = lag
        self._runs = runs
        self._estimate = UNKNOWN
        self._at = 0.0
        self._stalled_at: float | None = None

    @property
    def estimate(self) -> Estimate:
        """The last one; unknown where it is too old to say anything."""
        return self._estimate if time.monotonic() - self._at < _KEPT_S else UNKNOWN

    async def run(self) -> None:
        """Estimate every few seconds."""
        while True:
            try:
                await self.refresh()
            except Exception:  # noqa: BLE001
                # Whatever it is, calls go on without an estimate and the next one may succeed.
                _log.exception("no estimate")
            await asyncio.sleep(REFRESH_S)

    async def refresh(self) -> None:
        """Estimate now; where a server is away, the last estimate stays for a while."""
        try:
            lag, progress = await asyncio.gather(run_in_threadpool(self._lag.read), self._runs())
        except (KafkaException, Unavailable) as error:
            _log.debug("no estimate", reason=str(error)[:200])
            return
        now = time.monotonic()
        found = estimated(progress, lag)
        if found.waiting and found.per_minute is None:
            # Records that no worker takes up have no row that would tell since when they wait.
            self._stalled_at = self._stalled_at or now
            wait_s = max(found.expected_wait_s or 0.0, now - self._stalled_at)
            found = Estimate(found.waiting, None, round(wait_s, 1) or None)
        else:
            self._stalled_at = None
        self._estimate, self._at = found, now


def estimated(progress: Progress, lag: int) -> Estimate:
    """Returns: the estimate from how the runs stand and the records that wait before them.

    The rate counts only time in which there was work: where documents come seldom, they are
    finished as seldom, and that says nothing of how fast it goes.
    """
    waiting = lag + progress.unfinished
    durations = [(end - start).total_seconds() for start, end in progress.finished[:_TYPICAL]]
    typical_s = median(durations) if durations else None
    since = _window_start(progress, typical_s)
    recent = [run for run in progress.finished if run[1] > since]
    spans = [*recent, (progress.oldest, progress.now)] if progress.oldest else recent
    busy_s = _covered_s(((max(start, since), end) for start, end in spans), progress.now)
    rate = len(recent) / busy_s if recent and busy_s else None
    if not waiting:
        wait_s = typical_s
    elif rate is not None:
        wait_s = max(waiting / rate, typical_s or 0.0)
    else:
        wait_s = max(_stalled_s(progress), typical_s or 0.0) or None
    return Estimate(
        waiting=waiting,
        per_minute=None if rate is None else round(rate * 60, 1),
        expected_wait_s=None if wait_s is None else round(wait_s, 1),
    )


def _window_start(progress: Progress, typical_s: float | None) -> datetime:
    """Returns: since when ends are counted: a minute, more where documents take long."""
    window = min(max(_SHORTEST, timedelta(seconds=3 * (typical_s or 0.0))), _LONGEST)
    since = progress.now - window
    if len(progress.finished) == MOST_FINISHED:
        since = max(since, progress.finished[-1][1])
    return since


def _covered_s(spans: Iterable[tuple[datetime, datetime]], now: datetime) -> float:
    """Returns: the seconds that lie in at least one of the spans."""
    covered, until = timedelta(), None
    for start, end in sorted(spans):
        begin = start if until is None else max(start, until)
        if end > begin:
            covered += min(end, now) - begin
            until = end
    return covered.total_seconds()


def _stalled_s(progress: Progress) -> float:
    """Returns: for how long work has waited in vain, as far as the rows tell.

    A run that was sent again long after its beginning has not waited since then, so the last end
    of any run counts too.
    """
    if progress.oldest is None:
        return 0.0
    last = progress.finished[0][1] if progress.finished else progress.oldest
    return (progress.now - max(progress.oldest, last)).total_seconds()
