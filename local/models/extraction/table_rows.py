"""Collecting the rows of a table: their cells, and their words from the lines around them. Pure."""

import re
from collections.abc import Mapping, Sequence

from local.models.extraction.amounts import find_amounts
from local.models.extraction.dates import MONTH, find_dates
from local.models.extraction.fields import Field
from local.models.extraction.grid import (
    Column,
    Token,
    by_order,
    by_position,
    is_price,
    left_text,
    proves,
    tidy_words,
)
from local.models.extraction.reading import Reading
from local.models.extraction.rows import (
    CHANGE,
    MEDIUM,
    NOT_MONEY,
    PART,
    ROUNDING,
    STRONG,
    TAX,
    TENDERED,
)
from local.models.extraction.sections import Row
from local.models.extraction.sheet import Line
from local.models.extraction.words import any_of

_SHORT_DATE = re.compile(
    rf"\d{{1,2}}[./-]\d{{1,2}}(?:[./-](?:\d{{2,4}})?)?(?![\d,])|\d{{1,"
    rf"2}}\.? ?{MONTH}\.?(?: \d{{4}})?(?!\w)",
    re.IGNORECASE,
)
_CARRIED = any_of(
    "carried forward,brought forward,ubertrag,report a nouveau,opening balance,closing balance,"
    "alter kontostand,neuer kontostand,ancien solde,nouveau solde,alter saldo,neuer saldo,"
    "anfangssaldo,endsaldo,solde initial"
)
_WHOLE = any_of("amount,amt,betrag,montant,ringgit malaysia")
_POSITIONED, _ORDERED, _PROVED = 0.85, 0.65, 0.1
_WORDS, _WORDS_ABOVE = 0.05, 0.2
_SOME_LETTERS = 2
_ROLES = 3


class RowBuilder:
    """Collects the rows of a table of amounts, and the lines of words between them."""

    def __init__(self, columns: Sequence[Field]) -> None:
        self.rows: list[Row] = []
        self._columns = columns
        self._dates = next((c for c in columns if c.kind == "date"), None)
        self._words = next((c for c in columns if c.kind in ("text", "party", "person")), None)
        self._header: Sequence[Column] = ()
        self._uncosted = not any(c.kind == "amount" for c in columns)
        self._waiting: list[Line] = []
        self._continued: list[Line] = []
        self._own = ""
        self._last = -1

    @property
    def dated(self) -> bool:
        """Whether every row begins with a date, as in a statement of account."""
        return self._dates is not None

    def begin(self, header: Sequence[Column]) -> None:
        """Start below a header row; an empty header means that columns are told by order."""
        self._header = header
        self._waiting.clear()

    def add(self, line: Line) -> None:
        """Take a line with amounts as a row, unless it is a sum, a payment or a carried balance."""
        if _CARRIED.search(line.worded) or (not self.dated and _is_sum(line)):
            return
        date = self._date(line)
        if self.dated and date is None:
            return
        positioned = bool(self._header)
        tokens = (
            by_position(line.text, self._header)
            if positioned
            else by_order(line.text, self._columns)
        )
        if any(c.name in tokens for c in self._columns if c.kind == "amount") or self._uncosted:
            self._append(line, tokens, date, _POSITIONED if positioned else _ORDERED)

    def note(self, line: Line) -> None:
        """Take a line without amounts: the rest of the row above it, or the words of the next."""
        if _is_sum(line):
            self._waiting.append(line)
            return
        follows = line.number == self._last + 1 and not line.gap
        if follows and self._names_last(line):
            return
        if self.rows and self._own and follows and _letters(line.text) > _SOME_LETTERS:
            self._continued.append(line)
            self._last = line.number
            self._rewrite()
        else:
            self._waiting.append(line)

    def _names_last(self, line: Line) -> bool:
        """Give the last row, if it has no words at all, those of the line under it."""
        row = self.rows[-1] if self.rows else {}
        if self._words is None or not row or row[self._words.name] is not None:
            return False
        if _letters(line.text) <= _SOME_LETTERS:
            return False
        row[self._words.name] = Reading(line.words, _ORDERED - _WORDS_ABOVE, line.number)
        return True

    def _date(self, line: Line) -> tuple[int, int] | None:
        """The extent of the date that a row begins with, the year of which may be missing."""
        if not self.dated:
            return None
        start = line.cells[0].start
        for found in find_dates(line.text):
            if found.start <= start + 1:
                return found.start, found.end
        match = _SHORT_DATE.match(line.text, start)
        return match.span() if match else None

    def _append(
        self, line: Line, tokens: Mapping[str, Token], date: tuple[int, int] | None, score: float
    ) -> None:
        if self._multiplies(line, tokens):
            score += _PROVED
        row: Row = {c.name: None for c in self._columns}
        for name, token in tokens.items():
            row[name] = Reading(line.text[token.start : token.end].strip(), score, line.number)
        used = [(t.start, t.end) for t in tokens.values()]
        used += [(a.start, a.end) for a in find_amounts(line.text)]
        if date and self._dates:
            used.append(date)
            row[self._dates.name] = Reading(line.text[date[0] : date[1]], score, line.number)
        if self._words is None or self._describe(line, row, used, score) or not self._only(tokens):
            self.rows.append(row)
            self._last = line.number
        self._waiting.clear()

    def _only(self, tokens: Mapping[str, Token]) -> bool:
        """Whether a row holds a single amount, which without words is no row."""
        return len(tokens) == 1

    def _describe(
        self, line: Line, row: Row, used: Sequence[tuple[int, int]], score: float
    ) -> bool:
        """Give a row its words: its own, or those waiting on the line above; whether it has any."""
        if self._words is None:
            return False
        extent = left_text(line, used, self._header)
        own = tidy_words(line.text[extent[0] : extent[1]]) if extent else ""
        if _letters(own) > _SOME_LETTERS:
            row[self._words.name] = Reading(own, score - _WORDS, line.number)
            self._own, self._continued = own, []
            return True
        if not self._waiting and self._continued and self.rows:
            self._waiting.append(self._continued.pop())
            self._rewrite()
        self._own, self._continued = "", []
        if not self._waiting:
            return False
        above = self._waiting[-1]
        if _is_sum(above):
            return False
        row[self._words.name] = Reading(above.words, score - _WORDS_ABOVE, above.number)
        return True

    def _rewrite(self) -> None:
        """Join the last row's own words with the lines that continue them."""
        row = self.rows[-1]
        before = row[self._words.name] if self._words else None
        if before is None or self._words is None:
            return
        lines = [self._own, *(line.words for line in self._continued)]
        row[self._words.name] = Reading(" ".join(lines), before.score, before.line)

    def _multiplies(self, line: Line, tokens: Mapping[str, Token]) -> bool:
        """Whether a row has a count, a price and an amount that is their product."""
        roles: dict[str, Token] = {}
        for column in self._columns:
            if column.name in tokens:
                counted = column.kind == "quantity"
                role = "count" if counted else "price" if is_price(column) else "amount"
                roles.setdefault(role, tokens[column.name])
        complete = len(roles) == _ROLES
        return complete and proves(line.text, roles["count"], roles["price"], roles["amount"])


def _is_sum(line: Line) -> bool:
    """Whether a line's words say that its amount is a sum, a tax, a payment or the like.

    Words of payments and counts count at the start only: goods are called `gift card`.
    """
    words = line.worded
    if any(p.search(words) for p in (STRONG, MEDIUM, PART, ROUNDING, TAX)):
        return True
    return any(p.match(words) for p in (CHANGE, TENDERED, NOT_MONEY, _WHOLE))


def _letters(text: str) -> int:
    return sum(c.isalpha() for c in text)
