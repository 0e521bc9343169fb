"""Dates and periods as documents print them, in English, German, French and Malay.

A pattern must survive OCR, which drops the space before a time (`25/12/20188:13PM`) and reads
`O` for `0`; a match counts only if it is a possible day of a plausible year. Pure.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

_MONTH_NAMES = (
    ("january", "januar", "janvier", "januari", "jan", "jänner", "janv"),
    ("february", "februar", "février", "fevrier", "februari", "feb", "févr", "fév"),
    ("march", "märz", "maerz", "marz", "mars", "mac", "mar", "mär"),
    ("april", "avril", "apr", "avr"),
    ("may", "mai", "mei"),
    ("june", "juni", "juin", "jun"),
    ("july", "juli", "juillet", "julai", "jul", "juil"),
    ("august", "août", "aout", "ogos", "aug"),
    ("september", "septembre", "sept", "sep"),
    ("october", "oktober", "octobre", "oct", "okt"),
    ("november", "novembre", "nov"),
    ("december", "dezember", "décembre", "decembre", "disember", "dec", "dez", "déc", "dis"),
)
_LOOKALIKE = str.maketrans(
    {"o": "[o0]", "i": "[il1]", "l": "[li1]", "b": "[b8]", "g": "[g6]", "s": "[s5]"}
)
MONTH = (
    "(?:"
    + "|".join(
        name.translate(_LOOKALIKE)
        for name in sorted((n for names in _MONTH_NAMES for n in names), key=len, reverse=True)
    )
    + ")"
)
_TIME = r"\d{1,2}[:.]\d{2}"
_YEAR = r"(?:19[5-9]\d|20\d\d)"
_SHORT_YEAR = r"\d\d"
_TAIL = rf"(?:(?![\dOolI])(?![/.-]\d)|(?={_TIME}))"

_NUMERIC = re.compile(
    rf"(?<!\d)(?<!\d[/.])(?P<a>\d{{1,2}})\s?(?P<s>[/.\-])\s?(?P<b>\d{{1,2}})\s?(?P<t>[/.\-])\s?"
    rf"(?:(?P<y>{_YEAR})(?:(?!\d)|(?=\d{{1,2}}[:.]\d\d)|(?=\d{{4,6}}(?!\d)))|"
    rf"(?P<z>{_SHORT_YEAR}){_TAIL})"
)
_ISO = re.compile(
    rf"(?<!\d)(?<!\d[/.\-])(?P<y>{_YEAR})(?P<s>[/.\-])(?P<b>\d{{1,2}})(?P<t>[/.\-])(?P<a>\d{{2}}|"
    rf"\d(?!\d))"
)
_NAMED = re.compile(
    rf"(?<!\d)(?P<a>\d{{1,2}})\s?(?:st|nd|rd|th|er|\.|de)?\s?[-/.,' ]?\s?(?P<m>{MONTH})"
    rf"\s?[-/.,' ]{{0,2}}\s?(?:(?P<y>{_YEAR})(?:(?!\d)|(?={_TIME}))|(?P<z>{_SHORT_YEAR}){_TAIL})",
    re.IGNORECASE,
)
_MONTH_FIRST = re.compile(
    rf"(?<![a-zà-ü])(?P<m>{MONTH})\.?[-/ ]?(?P<a>\d{{1,2}})(?:st|nd|rd|th)?\s?[-/,.]?\s?"
    rf"(?:(?P<y>{_YEAR})(?:(?!\d)|(?={_TIME}))|'(?P<z>{_SHORT_YEAR}){_TAIL})",
    re.IGNORECASE,
)
_SMUDGED = re.compile(
    r"(?<![A-Za-z\d])(?P<a>[\dOolI|]{1,2})(?P<s>[/.\-])(?P<b>[\dOolI|]{1,2})(?P<t>[/.\-])(?P<y>[2Zz][\dOolI|S]{3})(?!\d)"
)
_COMPACT = re.compile(r"(?<!\d)(?P<y>20\d\d)(?P<b>[01]\d)(?P<a>[0-3]\d)(?!\d)")
_COMPACT_LAST = re.compile(rf"(?<!\d)(?P<a>[0-3]\d)(?P<b>[01]\d)(?P<y>{_YEAR})(?!\d)")
_GLUED_FRONT = re.compile(
    rf"(?P<a>[0-3]\d)(?P<s>[/\-])(?P<b>[01]\d)(?P<t>[/\-])(?P<y>{_YEAR})(?!\d)"
)
_MONTH_YEAR = re.compile(
    rf"(?<![a-zà-ü\d])(?P<m>{MONTH})\.?\s?[-/., ]?\s?(?P<y>{_YEAR})(?!\d)", re.IGNORECASE
)
_DIGITS = str.maketrans("OolI|ZzS", "00111225")
_MOST_DAYS = 31
_MONTHS = 12
_MOST_ON_A_LINE = 30
"""Dates of a line that are looked at; printed lines hold two or three."""

_PRESENT = r"(?:present|today|now|current|heute|aujourd['\u2019]hui|présent|ce jour|sekarang)"
_TO = (
    r"\s?(?:-|\u2013|\u2014|~|to|until|till|through|bis(?:\s+zum)?|au|à|jusqu['\u2019]au|hingga)\s?"
)


@dataclass(frozen=True, slots=True)
class DateFound:
    """A date in a line: `line[start:end]` prints it; `certainty` 0..1 is that of the notation."""

    start: int
    end: int
    certainty: float


def _possible(match: re.Match[str]) -> bool:
    """Whether a match's day and month can be, in either order of the two."""
    groups = match.groupdict()
    day = int(groups["a"].translate(_DIGITS))
    if "b" not in groups:
        return 1 <= day <= _MOST_DAYS
    month = int(groups["b"].translate(_DIGITS))
    return (1 <= day <= _MOST_DAYS and 1 <= month <= _MONTHS) or (
        1 <= month <= _MOST_DAYS and 1 <= day <= _MONTHS
    )


_PATTERNS = (
    (_ISO, 0.95),
    (_NAMED, 0.95),
    (_MONTH_FIRST, 0.95),
    (_NUMERIC, 0.95),
    (_GLUED_FRONT, 0.7),
    (_SMUDGED, 0.5),
)


def find_dates(text: str) -> list[DateFound]:
    """The dates printed in a line, left to right, without overlaps.

    Certainties: two-digit years and unequal separators are 0.8 (both are also shapes of codes),
    a date inside a run of digits 0.7, one with letters for digits 0.5.
    """
    found: list[DateFound] = []
    for pattern, certainty in _PATTERNS:
        for match in islice(pattern.finditer(text), _MOST_ON_A_LINE):
            if not _possible(match):
                continue
            if any(match.start() < f.end and f.start < match.end() for f in found):
                continue
            groups = match.groupdict()
            odd = groups.get("s") != groups.get("t") or groups.get("z") is not None
            found.append(DateFound(match.start(), match.end(), min(certainty, 0.8 if odd else 1.0)))
    return sorted(found, key=lambda f: f.start)


def find_loose_dates(text: str) -> list[DateFound]:
    """Notations that are dates only beside a label: `20260303`, `03032026`, `March 2026`."""
    loose = (_COMPACT, 0.7), (_COMPACT_LAST, 0.6), (_MONTH_YEAR, 0.7)
    return [
        DateFound(m.start(), m.end(), certainty)
        for pattern, certainty in loose
        for m in pattern.finditer(text)
        if "a" not in m.groupdict() or _possible(m)
    ]


_DAY_MONTH = re.compile(
    rf"(?<!\d)\d{{1,2}}(?:st|nd|rd|th|er|\.)?\s?{MONTH}(?![a-zà-ü])", re.IGNORECASE
)


def _period_ends(text: str) -> Iterator[DateFound]:
    yield from find_dates(text)
    yield from find_loose_dates(text)
    for match in re.finditer(rf"(?<!\d)(?:(?:0[1-9]|1[0-2])[/.])?{_YEAR}(?!\d)", text):
        yield DateFound(match.start(), match.end(), 0.6)
    for match in re.finditer(rf"(?<![a-zà-ü]){MONTH}\.?(?![a-zà-ü])", text, re.IGNORECASE):
        yield DateFound(match.start(), match.end(), 0.4)
    for match in _DAY_MONTH.finditer(text):
        yield DateFound(match.start(), match.end(), 0.5)
    for match in re.finditer(r"(?<![\d./])\d{1,2}\.(?:\s?\d{1,2}\.)?(?!\d)", text):
        yield DateFound(match.start(), match.end(), 0.4)


_BETWEEN = re.compile(_TO, re.IGNORECASE)
_OPEN_END = re.compile(_TO + _PRESENT, re.IGNORECASE)


def find_periods(text: str) -> list[DateFound]:
    """Spans of time in a line: two dates, months or years with a dash or `to` between them."""
    ends = list(islice(_period_ends(text), _MOST_ON_A_LINE))
    found: list[DateFound] = []
    for left in sorted(ends, key=lambda f: (f.start, -f.end)):
        if found and left.start < found[-1].end:
            continue
        rights = [
            r for r in ends if r.start >= left.end and _BETWEEN.fullmatch(text[left.end : r.start])
        ]
        if rights:
            right = max(rights, key=lambda f: f.end)
            found.append(DateFound(left.start, right.end, max(left.certainty, right.certainty)))
        elif opened := _OPEN_END.match(text, left.end):
            found.append(DateFound(left.start, opened.end(), left.certainty))
    return found


_CLOCK = re.compile(
    r"(?<!\d)(?:[01]?\d|2[0-3])[:.][0-5]\d(?:[:.][0-5]\d)?\s?(?:[AaPp]\.?[Mm])?(?!\d)"
)


def has_clock(text: str) -> bool:
    """Whether a time of day stands in the text, as beside the date of a till receipt."""
    return _CLOCK.search(text) is not None
