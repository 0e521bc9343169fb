"""One row of a table: which of its values belongs to which column. Pure.

With a header whose cells are apart, a value belongs to the nearest header cell; without, amounts
are told by their order from the right: the last is the row's amount, or the balance after it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from local.models.extraction.amounts import find_amounts, find_percentages, to_number
from local.models.extraction.dates import find_dates
from local.models.extraction.fields import Field
from local.models.extraction.sheet import Line

_PLAIN = re.compile(r"(?<![\w.,:/#-])[-+]?\d{1,5}(?:[.,]\d{1,3})?(?![\w.,%]*\d)")
_TIMES = re.compile(
    r"(?<![\w.,])(\d{1,5}(?:[.,]\d{1,3})?)\s?(?:[A-Za-z]{1,4}\s*)?[xX*@\u00d7]\s?(?=\W{0,"
    r"2}\d|RM|\s*[$€£])"
)
_SHORT_DATE = re.compile(r"\s*(?:[0-2]?\d|3[01])[./-](?:0?[1-9]|1[0-2])(?:[./]|(?![\d.,]))")
_NEAR_PRODUCT = 0.011
_OUTSIDE = 2
"""Characters from a header cell beyond which words are of another column."""


@dataclass(frozen=True, slots=True)
class Column:
    """A header cell: the field it heads, or None for one that was not asked for, and its extent."""

    field: Field | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Token:
    """A value in a row: its place, and whether it is an amount, a plain number or a percentage."""

    start: int
    end: int
    kind: str


def tokens_of(text: str) -> list[Token]:
    """The amounts, percentages and plain numbers of a row, left to right, dates left out."""
    short = _SHORT_DATE.match(text)
    dates = [(d.start, d.end) for d in find_dates(text)] + ([short.span()] if short else [])
    found = [Token(a.start, a.end, "amount") for a in find_amounts(text)]
    found += [Token(s, e, "percentage") for s, e in find_percentages(text)]
    for match in (*_TIMES.finditer(text), *_PLAIN.finditer(text)):
        found.append(
            Token(
                match.start(),
                match.start() + len(match[0].split("x")[0].rstrip(" xX*@\u00d7")),
                "number",
            )
        )
    kept: list[Token] = []
    for token in found:
        overlaps = any(token.start < k.end and k.start < token.end for k in kept)
        if not overlaps and not any(token.start < e and s < token.end for s, e in dates):
            kept.append(token)
    return sorted(kept, key=lambda t: t.start)


def _distance(token: Token, column: Column) -> float:
    """How far a value stands from a header cell: 0 where they share a column, else characters."""
    if token.start < column.end and column.start < token.end:
        return abs((token.start + token.end) - (column.start + column.end)) / 100
    return min(
        abs(token.start - column.start),
        abs(token.end - column.end),
        abs(token.start - column.end),
        abs(token.end - column.start),
    )


def is_balance(column: Field) -> bool:
    """Whether a column holds a running balance."""
    return column.named("balance", "saldo", "solde")


def is_price(column: Field) -> bool:
    """Whether a column holds the price of one unit."""
    return column.named("unit", "price", "rate", "each")


def by_position(text: str, header: Sequence[Column]) -> dict[str, Token]:
    """The numbers of a row under their header cells, each column's nearest.

    A field may head two columns, as debit and credit do; the right one of two that are filled is
    taken.
    """
    chosen: dict[str, tuple[Column, float, Token]] = {}
    for token in tokens_of(text):
        column = min(header, key=lambda c: _distance(token, c))
        if column.field is None or not _fits(token, column.field):
            continue
        distance = _distance(token, column)
        held = chosen.get(column.field.name)
        if held is None or held[0] is not column or distance < held[1]:
            chosen[column.field.name] = (column, distance, token)
    return {name: token for name, (_, _, token) in chosen.items()}


def _fits(token: Token, column: Field) -> bool:
    wanted = {
        "amount": ("amount",),
        "quantity": ("number", "amount"),
        "percentage": ("percentage", "number"),
    }
    return token.kind in wanted.get(column.kind, ())


def by_order(text: str, columns: Sequence[Field]) -> dict[str, Token]:
    """The numbers of a row by their order: how many, the price, then amount and balance."""
    tokens = tokens_of(text)
    amounts = [t for t in tokens if t.kind == "amount"]
    chosen: dict[str, Token] = {}
    balance = next((c for c in columns if c.kind == "amount" and is_balance(c)), None)
    price = next((c for c in columns if c.kind == "amount" and is_price(c)), None)
    plain = [c for c in columns if c.kind == "amount" and c not in (balance, price)]
    if balance and len(amounts) > 1:
        chosen[balance.name] = amounts.pop()
    if plain and amounts:
        chosen[plain[0].name] = amounts.pop()
    if price and amounts:
        times = _TIMES.search(text)
        after = [a for a in amounts if times and a.start >= times.end(1)]
        chosen[price.name] = after[0] if after else amounts[0]
    quantity = next((c for c in columns if c.kind == "quantity"), None)
    if quantity:
        found = _count(text, tokens, chosen)
        if found:
            chosen[quantity.name] = found
    return chosen


def _count(text: str, tokens: Sequence[Token], chosen: dict[str, Token]) -> Token | None:
    """The number of units: before a times sign, else the one whose product with the price fits."""
    times = _TIMES.search(text)
    if times:
        return Token(times.start(1), times.end(1), "number")
    taken = {t.start for t in chosen.values()}
    free = [t for t in tokens if t.start not in taken and t.kind in ("number", "amount")]
    amounts = sorted((t for t in chosen.values() if t.kind == "amount"), key=lambda t: t.start)
    if len(amounts) > 1:
        for token in free:
            if proves(text, token, amounts[0], amounts[-1]):
                return token
    return None


def proves(text: str, count: Token, price: Token, amount: Token) -> bool:
    """Whether a row's count times its price is its amount, to a cent."""
    numbers = [to_number(text[t.start : t.end]) for t in (count, price, amount)]
    if any(n is None for n in numbers):
        return False
    many, each, whole = (n for n in numbers if n is not None)
    return bool(many) and abs(abs(many * each) - abs(whole)) < _NEAR_PRODUCT


def left_text(
    line: Line, used: Sequence[tuple[int, int]], header: Sequence[Column]
) -> tuple[int, int] | None:
    """The extent of a row's words: its longest stretch of letters outside the used values."""
    kept = list(line.text)
    for start, end in used:
        kept[start:end] = "\0" * (end - start)
    heads = [
        c for c in header if c.field is not None and c.field.kind in ("text", "party", "person")
    ]
    best: tuple[float, int, int] | None = None
    for match in re.finditer(r"[^\0\s][^\0]*", "".join(kept)):
        for piece in re.finditer(r"\S+(?:\s{1,2}\S+)*", match[0]):
            start, end = match.start() + piece.start(), match.start() + piece.end()
            letters = float(sum(c.isalpha() for c in piece[0]))
            if heads and min(_distance(Token(start, end, "text"), h) for h in heads) > _OUTSIDE:
                letters *= 0.3
            if letters > 1 and (best is None or letters > best[0]):
                best = (letters, start, end)
    return best[1:] if best else None


_LONGEST = 400
_EDGE_WORD = re.compile(
    r"^(?:\d{1,3} ?[xX](?=\s)|[^\w(\[\"„«*#]|(?:x|kg|g|pcs?|stk|ea|unit)(?=\s|$))+|"
    r"(?:[^\w)\]\"“»%.+#]|(?<=\s)(?:x|kg)(?=\s|$))+$",
    re.IGNORECASE,
)


def tidy_words(text: str) -> str:
    """A row's words with single spaces, without the signs and units of a multiplication around."""
    words = " ".join(text.split())[:_LONGEST]
    for _ in range(2):
        words = _EDGE_WORD.sub("", words).strip()
    return words
