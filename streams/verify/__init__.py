"""Verify: every difference between Postgres, the ledger, the search index and the object store.

Reads all of them in pages, changes nothing, and holds a bounded number of findings in memory;
`streams/verify/repair.py` mends what it finds.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from streams.settings import Settings
from streams.verify import batches, collections, entries, letters, numbers, objects, runs
from streams.verify.confirm import PAUSE_S, Confirmation
from streams.verify.difference import Comparison, Difference, Kind, Look
from streams.verify.stores import Stores, opened

__all__ = ["COMPARISONS", "Difference", "Kind", "Pace", "Progress", "differences", "found_in"]

COMPARISONS: Final[tuple[Comparison, ...]] = (
    *runs.COMPARISONS,
    *letters.COMPARISONS,
    *numbers.COMPARISONS,
    *batches.COMPARISONS,
    *entries.COMPARISONS,
    *collections.COMPARISONS,
    *objects.COMPARISONS,
)


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient a verification is.

    `margin`: work that moved within it is in flight. `patience`: how long altogether it may wait
    for the topics to be worked off. `pause_s`: between the first look at a finding and the second.
    """

    margin: timedelta = timedelta(seconds=60)
    patience: timedelta = timedelta(seconds=30)
    pause_s: float = PAUSE_S


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a comparison is; `total` is None where nobody knows it."""

    name: str
    done: int
    total: int | None


def _silent(_: Progress) -> None:
    return None


async def differences(
    settings: Settings,
    pace: Pace = Pace(),
    *,
    tell: Callable[[Progress], None] = _silent,
) -> AsyncIterator[Difference]:
    """Yield every difference; those that are not `certain` may be work in flight.

    Raises: DependencyDown: a store or Kafka does not answer, so that nothing can be compared.
    """
    async with opened(settings, margin=pace.margin) as stores:
        async for each in found_in(stores, pace, tell=tell):
            yield each


async def found_in(
    stores: Stores, pace: Pace, *, tell: Callable[[Progress], None] = _silent
) -> AsyncIterator[Difference]:
    """Yield every difference between opened stores, one comparison after the other."""
    confirmation = Confirmation(
        stores, patience_s=pace.patience.total_seconds(), pause_s=pace.pause_s
    )
    for comparison in COMPARISONS:
        counted = _Counted(comparison.name, await _total(comparison, stores), tell)
        async for each in confirmation.confirmed(comparison, Look(seen=counted.add)):
            yield each
        counted.add(0)


async def _total(comparison: Comparison, stores: Stores) -> int | None:
    return None if comparison.total is None else await comparison.total(stores)


class _Counted:
    """Adds up what was looked at."""

    def __init__(self, name: str, total: int | None, tell: Callable[[Progress], None]) -> None:
        self._name = name
        self._total = total
        self._tell = tell
        self._done = 0

    def add(self, count: int) -> None:
        self._done += count
        self._tell(Progress(self._name, self._done, self._total))
