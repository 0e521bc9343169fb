"""The pace of documents and the time left: quantiles, pauses, what is too little to know."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.pace import Pace, _quantile, pace

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
Z = 1.6448536269514722


def ends(*seconds_ago: float) -> list[datetime]:
    """Returns: times so long ago."""
    return [NOW - timedelta(seconds=one) for one in seconds_ago]


@pytest.mark.parametrize(
    ("first", "second", "z", "tabled"),
    [(10, 20, Z, 2.348), (10, 20, -Z, 0.3605), (2, 10, Z, 4.103), (200, 200, Z, 1.263)],
)
def test_quantiles_are_those_of_the_tables(
    first: int, second: int, z: float, tabled: float
) -> None:
    """The F distribution's 5 % and 95 % points, within one in a hundred."""
    assert _quantile(first, second, z) == pytest.approx(tabled, rel=0.01)


def test_the_interval_holds_the_mean_and_narrows() -> None:
    """A hundred more at one a second take about 100 s; the more is known the surer it is."""
    few, many = Pace(5, 5.0).time_left(100), Pace(200, 200.0).time_left(100)
    assert few[0] < many[0] < 100 < many[1] < few[1]


def test_the_next_one_may_come_at_once() -> None:
    """The interval of a single document begins near nothing, and never below."""
    low, high = Pace(5, 50.0).time_left(1)
    assert 0 <= low < 1
    assert high > 30


def test_the_first_end_starts_the_clock() -> None:
    """Three ends within 30 s are two in that time."""
    assert pace(ends(0, 10, 30), NOW) == Pace(2, 30.0)


def test_what_lies_before_a_pause_does_not_count() -> None:
    """Yesterday's pace is not today's; and where nothing ends for long there is none."""
    assert pace(ends(1, 2, 5000, 5001), NOW) == Pace(1, 2.0)
    assert not pace(ends(5000, 5001), NOW).known
    assert pace(ends(5000, 5001), NOW).per_minute is None
    assert pace([], NOW).per_minute is None


def test_a_few_ends_say_a_pace_but_no_time_left() -> None:
    """Two a minute can be told after two; an interval of them would say nothing."""
    found = pace(ends(0, 30, 60), NOW)
    assert (found.per_minute, found.known) == (2.0, False)
