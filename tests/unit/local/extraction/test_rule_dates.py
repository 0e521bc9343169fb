"""Dates and periods are found in all notations in use, and through the mistakes of OCR."""

import pytest

from local.models.extraction.dates import find_dates, find_periods, has_clock


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("25/12/2018 8:13:39 PM", "25/12/2018"),
        ("Date:25/12/20188:13PM", "25/12/2018"),
        ("25/01/20181:22:56PM", "25/01/2018"),
        ("12/03/1820:29", "12/03/18"),
        ("05Mar201818:24", "05Mar2018"),
        ("10 0CT 2017 TUE", "10 0CT 2017"),
        ("13/JUN/2018", "13/JUN/2018"),
        ("MAR-05-2018", "MAR-05-2018"),
        ("Feb 9, 2026", "Feb 9, 2026"),
        ("21 MARCH, 2018", "21 MARCH, 2018"),
        ("am 3. März 2026", "3. März 2026"),
        ("le 1er mars 2026", "1er mars 2026"),
        ("6 août 2026", "6 août 2026"),
        ("2 Ogos 2018", "2 Ogos 2018"),
        ("2018-01-05T10:22", "2018-01-05"),
        ("03.01.2018", "03.01.2018"),
        ("26 -06-2018", "26 -06-2018"),
        ("2O/06/2018", "2O/06/2018"),
        ("03/20/2023", "03/20/2023"),
    ],
)
def test_a_date_is_found_as_it_is_printed(text: str, date: str) -> None:
    """The date alone is taken, without the time that may be glued to it."""
    assert [text[d.start : d.end] for d in find_dates(text)] == [date]


@pytest.mark.parametrize(
    "text", ["03-2093 7358", "31/13/2018", "1.2.3", "12.50 13.20", "0012-3456", "TOTAL 20.18"]
)
def test_what_cannot_be_a_day_is_no_date(text: str) -> None:
    """Telephone numbers, versions and amounts are not taken for dates."""
    assert find_dates(text) == []


def test_uncertain_notations_are_less_certain() -> None:
    """A year of two digits and letters for digits lower the certainty."""
    [full], [short], [smudged] = map(find_dates, ("12/03/2018", "12/03/18", "l2/O3/2018"))
    assert full.certainty > short.certainty > smudged.certainty


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("Period: 1 March 2026 to 31 March 2026", "1 March 2026 to 31 March 2026"),
        ("01.02.2026 - 28.02.2026", "01.02.2026 - 28.02.2026"),
        ("1. Juni bis 30. Juni 2026", "1. Juni bis 30. Juni 2026"),
        ("4 May to 25 September 2026", "4 May to 25 September 2026"),
        ("June 2022 \u2013 present", "June 2022 \u2013 present"),
        ("03/2022 bis heute", "03/2022 bis heute"),
        ("2016 - 2021", "2016 - 2021"),
    ],
)
def test_a_period_is_two_ends_and_what_joins_them(text: str, period: str) -> None:
    """Days, months and years may bound a period, and its end may be open."""
    assert [text[p.start : p.end] for p in find_periods(text)] == [period]


def test_a_clock_is_a_time_of_day() -> None:
    """Times with and without a half of the day are seen; amounts are not."""
    assert has_clock("8:13 PM")
    assert not has_clock("813")
