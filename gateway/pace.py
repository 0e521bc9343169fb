"""How fast documents end, and when the rest will have: an interval, never a single number.

The ends are taken for a Poisson process whose pace stays what it was of late. If n of them took T
seconds, the time that m more take is m * T / n times a value of the F distribution with 2m and 2n
degrees of freedom, being a ratio of two gamma variables. Its quantiles are those of E. Paulson, "An
Approximate Normalization of the Analysis of Variance Distribution", Ann. Math. Statist. 13 (1942),
which is Abramowitz and Stegun 26.6.15 solved for F.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

MOST: Final = 200
"""Ends that are looked at, the latest ones."""

_LEAST: Final = 5
_BREAK_S: Final = 900.0
"""What lies before a pause as long as this says nothing about the pace of now."""

_Z: Final = 1.6448536269514722
"""Quantile of the normal distribution: nine of ten intervals hold."""


@dataclass(frozen=True, slots=True)
class Pace:
    """So many documents ended within so many seconds until now."""

    ended: int
    seconds: float

    @property
    def per_minute(self) -> float | None:
        """Returns: documents a minute; none where fewer than two ends are known."""
        return self.ended * 60 / self.seconds if self.ended and self.seconds > 0 else None

    @property
    def known(self) -> bool:
        """Returns: whether enough has ended to say anything about the rest."""
        return self.ended >= _LEAST and self.seconds > 0

    def time_left(self, remaining: int) -> tuple[float, float]:
        """Returns: the least and the most seconds that so many (at least one) more will take."""
        mean = remaining * self.seconds / self.ended
        return (
            mean * _quantile(2 * remaining, 2 * self.ended, -_Z),
            mean * _quantile(2 * remaining, 2 * self.ended, _Z),
        )


def pace(ends: Sequence[datetime], now: datetime) -> Pace:
    """Returns: the pace that these ends show, the latest given first, back to the last pause."""
    since, ended = now, -1
    for end in ends:
        if (since - end).total_seconds() > _BREAK_S:
            break
        since, ended = end, ended + 1
    # The first of them only starts the clock.
    return Pace(max(0, ended), max(0.0, (now - since).total_seconds()))


def _quantile(first: int, second: int, z: float) -> float:
    """Returns: the value of the F distribution that a normal deviation `z` stands for."""
    a, b = 2 / (9 * first), 2 / (9 * second)
    root = math.sqrt(a * (1 - b) ** 2 + b * (1 - a) ** 2 - z * z * a * b)
    cube_root = ((1 - a) * (1 - b) + z * root) / ((1 - b) ** 2 - z * z * b)
    return float(max(0.0, cube_root) ** 3)
