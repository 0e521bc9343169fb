"""Dates as documents print them, read into ISO form; English, German, French and Malay months.

Pure. Text from OCR drops the space before a time (`25/12/20188:13PM`) and reads O for 0; both are
understood, because a person reads them without doubt.
"""

import datetime as dt
import re

_MONTHS = (
    ("january", "januar", "jänner", "janvier", "januari", "jan", "janv"),
    ("february", "februar", "février", "fevrier", "februari", "feb", "févr", "fév"),
    ("march", "märz", "maerz", "mars", "mac", "mar", "mär", "mrz"),
    ("april", "avril", "apr", "avr"),
    ("may", "mai", "mei"),
    ("june", "juni", "juin", "jun"),
    ("july", "juli", "juillet", "julai", "jul", "juil"),
    ("august", "août", "aout", "ogos", "aug", "ogo"),
    ("september", "septembre", "sept", "sep"),
    ("october", "oktober", "octobre", "oct", "okt"),
    ("november", "novembre", "nov"),
    ("december", "dezember", "décembre", "decembre", "disember", "dec", "dez", "déc", "dis"),
)
_NUMBER_OF = {name: number for number, names in enumerate(_MONTHS, 1) for name in names}
_MONTH = "(?P<month>" + "|".join(sorted(_NUMBER_OF, key=len, reverse=True)) + r")(?![a-zà-ÿ])"
_LONG = r"(?P<long>(?:19|20)\d\d)(?!:\d)"
_SHORT = r"(?P<short>\d\d)(?!\d(?!\d?:\d\d))"
_YEAR = rf"(?:{_LONG}|['\u2019]?{_SHORT})"
_GAP = r"[\s/.,\-]{0,3}"

_ISO = re.compile(
    r"(?<!\d)(?P<long>(?:19|20)\d\d)\s?[-/.]\s?(?P<b>\d{1,2})\s?[-/.]\s?(?P<a>\d{1,2})"
)
_EAST_ASIAN = re.compile(
    r"(?P<long>(?:19|20)\d\d)\s?年\s?(?P<b>\d{1,2})\s?月\s?(?P<a>\d{1,2})\s?日"
)
_NUMERIC = re.compile(
    rf"(?<!\d)(?P<a>\d{{1,2}})\s?(?P<mark>[/.\-])\s?(?P<b>\d{{1,2}})\s?[/.\-]\s?{_YEAR}"
)
_NAMED = re.compile(
    rf"(?<!\d)(?P<a>\d{{1,2}})(?:\s?(?:st|nd|rd|th|er))?{_GAP}(?:of\s)?{_MONTH}{_GAP}{_YEAR}",
    re.IGNORECASE,
)
_MONTH_FIRST = re.compile(
    rf"(?<![a-zà-ÿ]){_MONTH}{_GAP}(?P<a>\d{{1,2}})(?:\s?(?:st|nd|rd|th))?(?:[\s,.]{{1,3}}){_YEAR}",
    re.IGNORECASE,
)
_COMPACT = re.compile(r"(?<!\d)(?P<long>20\d\d)(?P<b>[01]\d)(?P<a>[0-3]\d)(?!\d)")
_GLUED = re.compile(r"(?P<a>[0-3]\d)[/\-](?P<b>[01]\d)[/\-](?P<long>(?:19|20)\d\d)")
_WHOLE = (_ISO, _EAST_ASIAN, _NAMED, _MONTH_FIRST, _NUMERIC, _COMPACT, _GLUED)

_NO_YEAR = (
    re.compile(rf"^\s*(?P<a>\d{{1,2}})(?:st|nd|rd|th|er)?{_GAP}{_MONTH}\.?\s*$", re.IGNORECASE),
    re.compile(rf"^\s*{_MONTH}{_GAP}(?P<a>\d{{1,2}})(?:st|nd|rd|th)?\s*$", re.IGNORECASE),
    re.compile(r"^\s*(?P<a>\d{1,2})(?P<mark>[/.\-])\s?(?P<b>\d{1,2})\.?\s*$"),
)
_ORDERED = re.compile(rf"(?<![\d/.\-])(?P<a>\d{{1,2}})[/\-](?P<b>\d{{1,2}})[/\-]{_YEAR}")
_SMUDGE = re.compile(r"(?<=[\d/.\-])[OoIl|](?=[\d/.\-])|(?<![A-Za-z])[OoIl|](?=\d?[/.\-]\d)")
_SMUDGED = {"O": "0", "o": "0"}
_PIVOT = 70
_MOST_MONTHS = 12


def read_date(text: str, *, month_first: bool = False, year: int | None = None) -> str | None:
    """The first date in `text` as `YYYY-MM-DD`; None if there is none that can be.

    Args:
        text: a date as printed; words and a time of day may stand around it.
        month_first: how `03/04/2026` is meant where both readings can be; dots are never so.
        year: the year of a date that is printed without one; None refuses such a date.
    """
    plain = _SMUDGE.sub(lambda match: _SMUDGED.get(match[0], "1"), text)
    found = [
        (match.start(), order, match)
        for order, pattern in enumerate(_WHOLE)
        for match in pattern.finditer(plain)
    ]
    for _, _, whole in sorted(found, key=lambda item: item[:2]):
        if (iso := _iso(whole, month_first, None)) is not None:
            return iso
    if year is not None:
        for match in (pattern.match(plain) for pattern in _NO_YEAR):
            if match and (iso := _iso(match, month_first, year)) is not None:
                return iso
    return None


def slashed(text: str) -> list[tuple[int, int]]:
    """The two leading numbers of every `12/31/2026`-like date, which tell how a document orders."""
    return [(int(match["a"]), int(match["b"])) for match in _ORDERED.finditer(text)]


def years(text: str) -> set[int]:
    """The years of the full dates that stand in `text`."""
    patterns = (_ISO, _NAMED, _MONTH_FIRST, _NUMERIC)
    return {_year(match) for pattern in patterns for match in pattern.finditer(text)}


def _year(match: re.Match[str]) -> int:
    if match["long"]:
        return int(match["long"])
    short = int(match["short"])
    return short + (2000 if short < _PIVOT else 1900)


def _iso(match: re.Match[str], month_first: bool, year: int | None) -> str | None:  # noqa: FBT001 - a fact of the document, not a mode
    groups = match.groupdict()
    first = int(groups["a"])
    if groups.get("month"):
        return _day(year or _year(match), _NUMBER_OF[groups["month"].lower()], first)
    second = int(groups["b"])
    whole = year or _year(match)
    swapped = month_first and groups.get("mark") in {"/", "-"}
    if groups.get("mark") is None:
        return _day(whole, second, first)
    if first > _MOST_MONTHS or second > _MOST_MONTHS:
        swapped = second > _MOST_MONTHS
    return _day(whole, first, second) if swapped else _day(whole, second, first)


def _day(year: int, month: int, day: int) -> str | None:
    try:
        return dt.date(year, month, day).isoformat()
    except ValueError:
        return None
