"""Amounts of money, quantities and percentages as documents print them, and their numbers.

`1,234.56`, `1.234,56 €`, `1 234,56 €`, `1'234.56` and `RM1234.56` are all read. Pure.
"""

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

CURRENCY = (
    r"(?:RM|MYR|USD|EUR|GBP|CHF|SGD|INR|AUD|CAD|JPY|CNY|SEK|NOK|DKK|PLN|CZK|Rs\.?|US\$|S\$|A\$|Fr\."
    r"|[$€£¥₹])"
)
_GROUPED = (
    r"(?:\d{1,3}(?:,\d{3})+(?:\.\d{1,4})?|\d{1,3}(?:\.\d{3})+(?:,\d{1,4})"
    r"|\d{1,3}(?:[\u00a0\u202f'\u2019]\d{3})+(?:[.,]\d{1,4})?|\d{1,3}(?: \d{3})+,\d{2})"
)
_DECIMAL = r"\d+[.,]\d{2}"
_BEFORE = rf"(?:(?P<before>(?<![A-Za-z]){CURRENCY})\s?)?"
_AFTER = r"(?:\s?(?P<after>EUR|USD|GBP|CHF|€|£|\$)(?![A-Za-z/]))?"
_MONEY = re.compile(
    rf"(?<![\d.,:/\-#]){_BEFORE}(?P<sign>[-+\u2212]\s?)?(?P<late>{CURRENCY}\s?)?"
    rf"(?P<number>{_GROUPED}|{_DECIMAL})(?P<minus>-(?!\d))?(?![\d%:/]|[.,]\d|\s?%){_AFTER}"
)
_GLUED = re.compile(
    rf"(?:{CURRENCY}|[:*@=xX-])\s?(?P<number>{_GROUPED}|{_DECIMAL})(?![\d%:/]|[.,]\d|\s?%)"
)
_WHOLE = re.compile(
    rf"(?<![\w.,])(?:(?P<before>{CURRENCY})\s?(?P<number>\d+(?:,"
    rf"\d{{3}})*)(?![\d]|[.,]\d| \d[A-Z]{{2}})"
    rf"|(?P<other>\d+(?:[.,' ]\d{{3}})*)\s?(?:€|EUR|CHF|USD|£)(?![A-Za-z]))"
)
_LOOSE = re.compile(
    r"(?<![\d.,])(?P<number>-?(?:[\dOolI]{0,8}\d ?[.,] ?|[.,])[\dOo]{2})(?![\w.,%])"
)
_LETTERS = str.maketrans("OolI", "0011")


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount in a line: `line[start:end]` is what is returned, `number` its value.

    The span holds a currency sign that touches the number, because it belongs to the value; a
    currency's letters (`RM 57.40`) stay outside: where they stand is a matter of layout.
    """

    start: int
    end: int
    number: Decimal


def to_number(text: str) -> Decimal | None:
    """The number that a printed amount or quantity means; None if it is none.

    The last separator is the decimal one unless exactly three digits follow it and it could
    group thousands; this is the reading of all three notations in use (English, German, French).
    """
    negative = bool(re.search(r"[-\u2212]\s?\D{0,4}\d|\d-$", text))
    digits = re.sub(r"[^\d.,]", "", text).rstrip(".,")
    last = max(digits.rfind("."), digits.rfind(","))
    if last >= 0:
        whole, fraction = digits[:last], digits[last + 1 :]
        groups = digits[last] not in whole and len(fraction) != len("000")
        other = "," if digits[last] == "." else "."
        if groups or other in whole:
            digits = re.sub(r"[.,]", "", whole) + "." + fraction
        else:
            digits = re.sub(r"[.,]", "", digits)
    try:
        number = Decimal(digits)
    except InvalidOperation:
        return None
    return -number if negative else number


def _bounds(text: str, match: re.Match[str]) -> tuple[int, int]:
    """The span of a match with its sign and a currency sign, without a currency's letters."""
    groups = match.groupdict()
    start, end = match.span("number")
    if groups.get("sign"):
        start = match.start("sign")
    if groups.get("late") and not groups["late"].strip().isalpha():
        start = min(start, match.start("late"))
    before = groups.get("before")
    if before and not before.strip(".").isalpha():
        start = match.start("before")
    if groups.get("minus"):
        end = match.end("minus")
    after = groups.get("after")
    if after:
        end = match.end("after")
    while start < end and text[start].isspace():
        start += 1
    return start, end


def find_amounts(text: str) -> list[Amount]:
    """The amounts with two or more decimals or a currency in a line, left to right."""
    found: list[Amount] = []
    for pattern in (_MONEY, _WHOLE, _GLUED):
        for match in pattern.finditer(text):
            if any(match.start() < f.end and f.start < match.end() for f in found):
                continue
            if match.groupdict().get("other"):
                start, end = match.span()
            else:
                start, end = _bounds(text, match)
            number = to_number(text[start:end])
            if number is not None:
                found.append(Amount(start, end, number))
    return sorted(found, key=lambda f: f.start)


def find_loose_amounts(text: str) -> list[Amount]:
    """Amounts in faint print (`8. 20`, `12.5O`, `.50`), which only a labelled row may hold."""
    found = []
    for match in _LOOSE.finditer(text):
        number = to_number(match["number"].replace(" ", "").translate(_LETTERS))
        if number is not None:
            found.append(Amount(match.start("number"), match.end("number"), number))
    return found


_PERCENT = re.compile(
    r"(?<![\d.,])[-+]?\d{1,3}(?:[.,]\d{1,3})?\s?(?:%|v\.?H\.?|percent|Prozent|pour cent)"
)


def find_percentages(text: str) -> list[tuple[int, int]]:
    """The places of percentages in a line."""
    return [match.span() for match in _PERCENT.finditer(text)]


_QUANTITY = re.compile(
    r"(?<![\w.,/-])[-+]?\d{1,6}(?:[.,]\d{1,3})?(?:\s?(?:x|pcs?|pieces?|units?|hours?|hrs?|h|"
    r"days?|kg|g|l|"
    r"m|km|m2|m²|Stk\.?|Stück|Stunden|Std\.?|Tage?|heures?|jours?|pièces?|Nos?))?(?![\w.,]\d|\w)",
    re.IGNORECASE,
)


def find_quantities(text: str) -> list[tuple[int, int]]:
    """The places of plain numbers, with or without a unit, in a line."""
    return [match.span() for match in _QUANTITY.finditer(text)]
