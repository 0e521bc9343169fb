"""Amounts, quantities and percentages as documents print them, read into decimals and currencies.

Pure. `1,234.56`, `1.234,56`, `1 234,56` and `1'234.56` are all read; which of the comma and the
point parts the decimals where only one of them stands before three digits is told by the document.
"""

import re
from decimal import Decimal, InvalidOperation

_CODES = (
    "EUR|USD|GBP|CHF|MYR|SGD|INR|AUD|CAD|NZD|HKD|JPY|CNY|SEK|NOK|DKK|PLN|CZK|HUF|RON|BGN|THB|IDR"
    "|PHP|VND|KRW|TWD|ZAR|BRL|MXN|TRY|ILS|AED|SAR"
)
_SIGNS = {
    "US$": "USD", "S$": "SGD", "A$": "AUD", "C$": "CAD", "NZ$": "NZD", "HK$": "HKD", "R$": "BRL",
    "€": "EUR", "£": "GBP", "₹": "INR", "¥": "JPY", "₩": "KRW", "₺": "TRY", "฿": "THB",
    "₪": "ILS", "zł": "PLN", "Kč": "CZK", "RM": "MYR", "Rs": "INR", "SFr": "CHF", "Fr.": "CHF",
}  # fmt: skip
_DOLLARS = frozenset({"USD", "SGD", "AUD", "CAD", "NZD", "HKD", "MYR"})
_SIGN = "|".join(re.escape(sign) for sign in sorted(_SIGNS, key=len, reverse=True))
_CURRENCY = re.compile(
    rf"(?<![A-Za-z])(?P<code>{_CODES})(?![A-Za-z])|(?P<dollar>(?<![A-Z])\$)"
    rf"|(?:(?<![A-Za-z])(?P<sign>{_SIGN})(?![A-Za-z]))"
)
_NUMBER = re.compile(
    r"(?:\d{1,3}(?:[ \u00a0\u202f\u2009]\d{3})+(?!\d)|\d+)(?:\s?[.,'\u2019]\s?\d+)*|[.,]\d+"
)
_DECIMALS = re.compile(r"\d ?(?P<mark>[.,]) ?\d\d(?![\d%])(?![.,]\d)")
_NEGATIVE = re.compile(
    r"^\s*\(.*\)\s*$|^\D*[-\u2212\u2013]\s*\D{0,4}\d|\d\s?[-\u2212\u2013]\s*(?:\D{0,4})$", re.DOTALL
)
_SMUDGE = re.compile(r"(?<=\d)[oO](?=[\d.,]|$)|(?<=[.,])[oO]|(?<=\d)[lI|](?=[\d.,])")
_GROUP = 3
_MOST_DIGITS = 20


def decimal_mark(text: str) -> str | None:
    """Which of `.` and `,` parts the decimals in a document, by count; None if neither does."""
    marks = [match["mark"] for match in _DECIMALS.finditer(text)]
    points, commas = marks.count("."), marks.count(",")
    if points == commas:
        return None
    return "." if points > commas else ","


def currencies(text: str) -> set[str]:
    """The ISO codes of the currencies that stand in `text`; a lone dollar sign counts as USD."""
    found = {
        _SIGNS[m["sign"]] if m["sign"] else m["code"]
        for m in _CURRENCY.finditer(text)
        if not m["dollar"]
    }
    if not found & _DOLLARS and any(m["dollar"] for m in _CURRENCY.finditer(text)):
        found.add("USD")
    return found


def read_number(text: str, *, mark: str | None = None) -> Decimal | None:
    """The one number in `text`, its sign included; None if there is none or more than one.

    Args:
        text: a number as printed, currency and unit may stand around it.
        mark: the decimal mark of the document, for `1.234`; without one three digits are a group.
    """
    plain = _SMUDGE.sub(lambda match: "0" if match[0] in "oO" else "1", text)
    numbers = _NUMBER.findall(plain)
    if len(numbers) != 1:
        return None
    value = _plain(re.sub(r"[^\d.,]", "", numbers[0]), mark)
    if value is None:
        return None
    return -value if _NEGATIVE.search(plain) else value


def _plain(digits: str, mark: str | None) -> Decimal | None:
    if sum(map(str.isdigit, digits)) > _MOST_DIGITS:
        return None
    last = max(digits.rfind("."), digits.rfind(","))
    if last >= 0 and _parts_decimals(digits, last, mark):
        digits = re.sub(r"[.,]", "", digits[:last]) + "." + digits[last + 1 :]
    else:
        digits = re.sub(r"[.,]", "", digits)
    try:
        return Decimal(digits)
    except InvalidOperation:
        return None


def _parts_decimals(digits: str, last: int, mark: str | None) -> bool:
    """Whether the last separator parts decimals rather than thousands."""
    whole, fraction, separator = digits[:last], digits[last + 1 :], digits[last]
    if separator in whole:
        return len(fraction) != _GROUP
    if len(fraction) != _GROUP or set(whole) & set(".,"):
        return True
    if not whole.strip("0") or len(whole) > _GROUP:
        return True
    return separator == mark


def read_amount(
    text: str, *, mark: str | None = None, currency: str | None = None
) -> dict[str, str | None] | None:
    """An amount as `{"amount": "1234.56", "currency": "EUR"}`; None if `text` is not one amount.

    Args:
        text: an amount as printed.
        mark: the decimal mark of the document.
        currency: the currency of the document, for an amount without its own.

    Returns: at least two decimals, more only where printed; `currency` is null where nothing
        tells it. A bare dollar sign means the document's dollar, or USD.
    """
    value = read_number(_CURRENCY.sub(" ", text), mark=mark)
    if value is None:
        return None
    return {"amount": _two_places(value), "currency": _currency(text, currency)}


def _currency(text: str, document: str | None) -> str | None:
    match = _CURRENCY.search(text)
    if match is None:
        return document
    if match["dollar"]:
        return document if document in _DOLLARS else "USD"
    return _SIGNS[match["sign"]] if match["sign"] else match["code"]


def _two_places(value: Decimal) -> str:
    plain = f"{value.normalize():f}"
    _, _, fraction = plain.partition(".")
    return plain if len(fraction) > len("00") else f"{value:.2f}"
