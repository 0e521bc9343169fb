"""Values that are known by their shape: where each kind stands in a piece of a line. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from local.models.extraction.amounts import (
    find_amounts,
    find_loose_amounts,
    find_percentages,
    find_quantities,
)
from local.models.extraction.dates import find_dates, find_loose_dates, find_periods

_EMAIL = re.compile(r"[\w.+%-]{1,64}\s?@\s?[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}")
_URL = re.compile(
    r"(?:https?://|www\.)[^\s,;<>()]{3,200}|(?<![@\w.-])(?:[\w-]{2,63}\.){1,4}"
    r"(?:com|org|net|edu|io|dev|eu|de|fr|ch|at|uk|us|my|sg|be|nl|info|biz|app|"
    r"me)(?:/[^\s,;<>()]{0,200})?(?![\w@.])",
    re.IGNORECASE,
)
_PHONE = re.compile(r"(?<![\w.,/#-])(?:\+|\(\+?)?\d(?:[\d ()/.\u2013-]|\u00a0){5,20}\d(?![\w])")
_IBAN = re.compile(
    r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])"
)
_BIC = re.compile(
    r"(?<![A-Za-z0-9])[A-Z]{4}\s?[A-Z]{2}\s?[A-Z0-9]{2}(?:\s?[A-Z0-9]{3})?(?![A-Za-z0-9])"
)
_AREA = re.compile(r"(?:\(\d{3}\) ?|\d{3}[-.])\d{3}[-.]\d{4}")
_UNIT = (
    r"(?:business |working |calendar )?(?:days?|weeks?|months?|years?|Tagen?|Wochen?|Monate?n?|"
    r"Jahre?n?s?|jours?|semaines?|mois|ans?|années?)"
)
_COUNT = (
    r"(?:\d{1,3}|one|two|three|four|five|six|seven|eight|nine|ten|twelve|eighteen|twenty-four|"
    r"thirty|sixty|ninety|"
    r"ein(?:en|em|er|es)?|zwei|drei|vier|fünf|sechs|acht|zehn|zwölf|un|une|deux|trois|quatre|"
    r"cinq|six|douze|vingt-quatre|trente)"
)
_DURATION = re.compile(
    rf"(?<!\w){_COUNT}(?:\s?\(\w[\w -]{{0,15}}\))?[ -]{_UNIT}(?!\w)(?: zum (?:Monats|Quartals|"
    rf"Jahres)ende)?"
    r"|(?:auf )?unbestimmte Zeit|(?:an )?indefinite (?:period|term)|durée indéterminée",
    re.IGNORECASE,
)
_ID_TOKEN = re.compile(r"\S+")
_ID_SHAPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9/\-._*]*")
_DECIMAL = re.compile(r"\d{1,6}(?:[.,]\d{3})*[.,]\d{2,3}")
_FEW_DIGITS, _MOST_DIGITS = 7, 15
_WEAK_ID = 0.6
_SHORTEST_IBAN = 15
_SHORT_GROUP = 4


@dataclass(frozen=True, slots=True)
class Found:
    """A value in a piece of text: `text[start:end]`, and how surely it is of its kind, 0..1."""

    start: int
    end: int
    certainty: float


def _matches(pattern: re.Pattern[str], certainty: float) -> Callable[[str], list[Found]]:
    return lambda text: [Found(m.start(), m.end(), certainty) for m in pattern.finditer(text)]


def _dates(text: str) -> list[Found]:
    found = find_dates(text) or find_loose_dates(text)
    return [Found(f.start, f.end, f.certainty) for f in found]


def _periods(text: str) -> list[Found]:
    spans = [Found(f.start, f.end, f.certainty) for f in find_periods(text)]
    return spans or _matches(_DURATION, 0.85)(text)


def _amounts(text: str) -> list[Found]:
    clear = [Found(a.start, a.end, 0.95) for a in find_amounts(text)]
    return clear or [Found(a.start, a.end, 0.6) for a in find_loose_amounts(text)]


def _phones(text: str) -> list[Found]:
    dates = find_dates(text)
    found = []
    for match in _PHONE.finditer(text):
        digits = sum(c.isdigit() for c in match[0])
        if not _FEW_DIGITS <= digits <= _MOST_DIGITS:
            continue
        if any(match.start() < d.end and d.start < match.end() for d in dates):
            continue
        told = match[0].lstrip("(")[0] in "+0" or _AREA.fullmatch(match[0])
        found.append(Found(match.start(), match.end(), 0.95 if told else 0.7))
    return found


_MOD = 97


def valid_iban(text: str) -> bool:
    """Whether a printed IBAN's check digits are right (ISO 13616: the number modulo 97 is 1)."""
    compact = "".join(text.split()).upper()
    moved = compact[4:] + compact[:4]
    if not moved.isalnum() or not moved.isascii():
        return False
    return int("".join(str(int(c, 36)) for c in moved)) % _MOD == 1


def _ibans(text: str) -> list[Found]:
    found = []
    for match in _IBAN.finditer(text):
        end = match.end()
        while end - match.start() > _SHORTEST_IBAN and not valid_iban(text[match.start() : end]):
            cut = text.rfind(" ", match.start(), end)
            if cut < 0:
                break
            end = cut
        if valid_iban(text[match.start() : end]):
            found.append(Found(match.start(), end, 0.98))
        else:
            found.append(Found(match.start(), match.end(), 0.5))
    return found


def _identifiers(text: str) -> list[Found]:
    """Codes with a digit, their groups joined: `INV-7`, `DE 123 456 789`; also bare BICs."""
    found: list[Found] = []
    dates = find_dates(text)
    for token in _ID_TOKEN.finditer(text):
        core = _ID_SHAPE.search(token[0])
        if core is None:
            continue
        start, end = token.start() + core.start(), token.start() + core.end()
        while end > start and text[end - 1] in ".-_/*":
            end -= 1
        piece = text[start:end]
        if _DECIMAL.fullmatch(piece) or any(start < d.end and d.start < end for d in dates):
            continue
        if found and start - found[-1].end == 1 and text[found[-1].end] == " " and _goes_on(piece):
            found[-1] = Found(found[-1].start, end, found[-1].certainty)
        elif any(c.isdigit() for c in piece):
            prefix = text[:start].rstrip()
            word = re.search(r"(?<![A-Za-z0-9])[A-Z]{2,4}$", prefix)
            near = word is not None and start - len(prefix) == 1
            found.append(Found(word.start() if word and near else start, end, 0.9))
    return found or _matches(_BIC, _WEAK_ID)(text)


def _goes_on(piece: str) -> bool:
    """Whether a token continues an identifier: digits, or a short code that holds a digit."""
    return piece.isdigit() or (
        len(piece) <= _SHORT_GROUP and any(c.isdigit() for c in piece) and piece.isupper()
    )


def _spans(
    finder: Callable[[str], list[tuple[int, int]]], certainty: float
) -> Callable[[str], list[Found]]:
    return lambda text: [Found(s, e, certainty) for s, e in finder(text)]


_VAT = re.compile(
    r"(?<![A-Za-z0-9])(?:ATU|BE|CH|CZ|DE|DK|ES|FI|FR|GB|HU|IE|IT|LU|NL|PL|PT|SE)[ -]?"
    r"(?:\d{9}|\d{2} ?\d{9}|\d{3} ?\d{4} ?\d{2}|\d{8}|[A-Z0-9]{2} \d{9}|"
    r"\d{3}\.\d{3}\.\d{3})(?![A-Za-z0-9]| \d)"
)


def find_tax_numbers(text: str) -> list[Found]:
    """European VAT numbers by their shape, which is no IBAN's: a country, then 8 to 11 digits."""
    return [Found(m.start(), m.end(), 0.7) for m in _VAT.finditer(text)]


_FINDERS: Mapping[str, Callable[[str], list[Found]]] = {
    "date": _dates,
    "period": _periods,
    "amount": _amounts,
    "percentage": _spans(find_percentages, 0.9),
    "quantity": _spans(find_quantities, 0.7),
    "email": _matches(_EMAIL, 0.95),
    "url": _matches(_URL, 0.9),
    "phone": _phones,
    "iban": _ibans,
    "identifier": _identifiers,
}


def has_shape(kind: str) -> bool:
    """Whether values of a kind are known by their shape."""
    return kind in _FINDERS


def find_values(kind: str, text: str) -> list[Found]:
    """The values of a kind in a piece of text, left to right; none for kinds without a shape."""
    finder = _FINDERS.get(kind)
    return finder(text) if finder else []
