"""Gives a value its normal form by its kind: ISO date, decimal amount, checked number, tidy text.

Pure. A value that is not understood has no normal form, it is never guessed.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from pydantic import JsonValue

from schemas.document_types import Kind
from streams.extraction.amounts import currencies, decimal_mark, read_amount, read_number
from streams.extraction.dates import read_date, slashed, years

FORMATTED = frozenset(
    {
        Kind.DATE,
        Kind.AMOUNT,
        Kind.QUANTITY,
        Kind.PERCENTAGE,
        Kind.IBAN,
        Kind.EMAIL,
        Kind.PHONE,
        Kind.URL,
    }
)
"""Kinds with a form that a value can violate; for the others validity is `unavailable`."""

_SAMPLE = 200_000
_MOST_MONTHS = 12
_EMAIL = re.compile(r"[\w.+%'-]{1,64}@(?:[\w-]{1,63}\.)+[A-Za-z]{2,24}")
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")
_HOST = re.compile(r"(?:[\w-]{1,63}\.)+[A-Za-z]{2,24}(?::\d{1,5})?")
_US_PLACE = re.compile(r"\b[A-Z]{2},? \d{5}(?:-\d{4})?\b|\bU\.?S\.?A\b|\bUnited States\b")
_DAY_FIRST_PLACE = re.compile(r"\b(?:GST|ABN|VAT|SDN BHD|Pty|Ltd)\b", re.IGNORECASE)
_PHONE_DIGITS = range(6, 16)


@dataclass(frozen=True, slots=True)
class Hints:
    """What the whole document tells of how its dates and numbers are to be read.

    `year` is the year of its dates if they all share one; `mark` its decimal mark; `currency` its
    currency if it names exactly one.
    """

    month_first: bool = False
    year: int | None = None
    mark: str | None = None
    currency: str | None = None


def hints(texts: Iterable[str]) -> Hints:
    """Reads from a document's first 200,000 characters how it writes dates and numbers."""
    sample = _sample(texts)
    named, found_years = currencies(sample), years(sample)
    return Hints(
        month_first=_month_first(sample, named),
        year=found_years.pop() if len(found_years) == 1 else None,
        mark=decimal_mark(sample),
        currency=named.pop() if len(named) == 1 else None,
    )


def _sample(texts: Iterable[str]) -> str:
    kept: list[str] = []
    room = _SAMPLE
    for text in texts:
        kept.append(text[:room])
        room -= len(kept[-1])
        if not room:
            break
    return "\n".join(kept)


def _month_first(sample: str, named: set[str]) -> bool:
    """A date that can be read one way only decides for all; else the country seen in the text."""
    pairs = slashed(sample)
    day_first = sum(first > _MOST_MONTHS for first, _ in pairs)
    month_first = sum(second > _MOST_MONTHS for _, second in pairs)
    if day_first != month_first:
        return month_first > day_first
    if named - {"USD"}:
        return False
    if _US_PLACE.search(sample):
        return True
    return "USD" in named and not _DAY_FIRST_PLACE.search(sample)


def normalise(kind: str, text: str, hint: Hints | None = None) -> JsonValue:
    """The normal form of a value as printed; None where it is not understood.

    Args:
        kind: an `x-kind`; one that is not known is treated as text.
        text: the value as printed.
        hint: what the document tells of its dates and numbers.

    Returns: date: `YYYY-MM-DD`; amount: `{"amount": "1234.56", "currency": "EUR" or null}`;
        quantity and percentage: a number; iban: without spaces, its check digits verified; email,
        phone (digits, `+` kept) and url: their plain form; others: the text, white space tidied.
    """
    hint = hint or Hints()
    tidy = " ".join(text.split())
    if not tidy:
        return None
    match kind:
        case Kind.DATE:
            return read_date(tidy, month_first=hint.month_first, year=hint.year)
        case Kind.AMOUNT:
            amount = read_amount(tidy, mark=hint.mark, currency=hint.currency)
            return None if amount is None else {**amount}
        case Kind.QUANTITY | Kind.PERCENTAGE:
            return _number(tidy, hint.mark)
        case _:
            return _FORMS[Kind(kind)](tidy) if kind in _FORMS else tidy


def _number(text: str, mark: str | None) -> int | float | None:
    value = read_number(text, mark=mark)
    if value is None:
        return None
    return int(value) if value == value.to_integral_value() else float(value)


def _iban(text: str) -> str | None:
    """Source: ISO 13616: the number with its first four characters last is 1 modulo 97."""
    compact = re.sub(r"[^A-Za-z0-9]", "", text).upper().removeprefix("IBAN")
    if not _IBAN.fullmatch(compact):
        return None
    digits = "".join(str(int(character, 36)) for character in compact[4:] + compact[:4])
    return compact if int(digits) % 97 == 1 else None


def _email(text: str) -> str | None:
    match = _EMAIL.search(text.replace(" ", "")) or _EMAIL.search(text)
    if match is None:
        return None
    local, _, domain = match[0].rpartition("@")
    return f"{local}@{domain.lower()}"


def _phone(text: str) -> str | None:
    number = re.sub(r"\(0\)", "", re.split(r"(?i)\b(?:ext|x|fax)\b", text)[0])
    digits = re.sub(r"\D", "", number)
    if len(digits) not in _PHONE_DIGITS:
        return None
    international = "+" in number or digits.startswith("00")
    return f"+{digits.removeprefix('00')}" if international else digits


def _url(text: str) -> str | None:
    compact = text.replace(" ", "")
    try:
        parts = urlsplit(compact if "://" in compact else f"//{compact}")
    except ValueError:
        return None
    if parts.scheme not in {"", "http", "https", "ftp"} or not _HOST.fullmatch(parts.netloc):
        return None
    return parts._replace(netloc=parts.netloc.lower()).geturl().removeprefix("//")


_FORMS: Final = {Kind.IBAN: _iban, Kind.EMAIL: _email, Kind.PHONE: _phone, Kind.URL: _url}
"""The kinds whose normal form depends on nothing but the value."""
