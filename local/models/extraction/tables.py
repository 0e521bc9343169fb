"""Array fields: the rows of a table, with or without a header; every printed row is kept. Pure."""

import re
from collections.abc import Mapping, Sequence

from local.models.extraction.amounts import find_amounts
from local.models.extraction.dates import find_dates
from local.models.extraction.fields import Field, find_hits
from local.models.extraction.grid import (
    Column,
    Token,
    by_order,
    by_position,
    is_price,
    left_text,
    proves,
    reading,
)
from local.models.extraction.reading import Document, Reading
from local.models.extraction.sections import read_entries, read_pairs
from local.models.extraction.sheet import Line, Sheet, blur, fold
from local.models.extraction.totals import is_summary_head, weigh_label

Row = dict[str, Reading | None]

_MOST_ROWS = 2_000
_SHORT_DATE = re.compile(
    r"\d{1,2}[./-]\d{1,2}(?:[./-](?:\d{2,4})?)?(?![\d,])|\d{1,2}\.? ?[A-Za-zÀ-ÿ]{3,9}\.?(?: \d{4})?(?![\w])"
)
_CARRIED = re.compile(
    "|".join(
        blur(fold(w))
        for w in (
            "carried forward",
            "brought forward",
            "ubertrag",
            "report a nouveau",
            "opening balance",
            "closing balance",
            "alter kontostand",
            "neuer kontostand",
            "ancien solde",
            "nouveau solde",
            "alter saldo",
            "neuer saldo",
        )
    )
)
_POSITIONED, _ORDERED = 0.85, 0.65
_PROVED = 0.1
_QUIET_LINES = 6


def read_table(document: Document, wanted: Field, columns: Sequence[Field]) -> list[Row]:
    """The rows of an array field, in the printed order over all pages.

    Columns with amounts make a table; a label and a value make pairs; a period makes entries of a
    section. Scores: 0.85 a cell under its header, 0.65 by order, 0.1 more if the row multiplies out.
    """
    if not columns:
        return []
    if any(c.kind in ("amount", "quantity", "percentage") for c in columns):
        return _grid(document, columns)
    if any(c.kind == "period" for c in columns):
        return read_entries(document, wanted, columns)
    return read_pairs(document, columns)


def find_header(sheet: Sheet, columns: Sequence[Field]) -> dict[int, list[Column]]:
    """The header rows by line number: lines that label at least two of the columns, by page."""
    labelled: dict[int, list[Column]] = {}
    for field in columns:
        for hit in find_hits(sheet, field):
            if hit.certainty >= 0.5:
                labelled.setdefault(hit.line.number, []).append(Column(field, hit.start, hit.end))
    headers: dict[int, list[Column]] = {}
    for number, found in labelled.items():
        line = sheet.lines[number]
        fields = {c.field.name for c in found if c.field}
        if len(fields) > 1 and not find_amounts(line.text):
            headers[number] = _with_unknown(line, found)
    if not headers:
        return {}
    most = max(len({c.field.name for c in h if c.field}) for h in headers.values())
    return {n: h for n, h in headers.items() if len({c.field.name for c in h if c.field}) == most}


def _with_unknown(line: Line, found: Sequence[Column]) -> list[Column]:
    """A header's columns left to right, each field once, with the cells that no field asked for."""
    header: list[Column] = []
    for column in sorted(found, key=lambda c: (c.start, c.start - c.end)):
        taken = any(column.start < h.end and h.start < column.end for h in header)
        known = any(h.field is column.field for h in header)
        if not taken:
            header.append(Column(None if known else column.field, column.start, column.end))
    for cell in line.cells:
        if not any(cell.start < h.end and h.start < cell.end for h in header):
            header.append(Column(None, cell.start, cell.end))
    return sorted(header, key=lambda c: c.start)


def _apart(header: Sequence[Column]) -> bool:
    """Whether the header's cells stand apart, so that columns can be told by position."""
    gaps = [right.start - left.end for left, right in zip(header, header[1:], strict=False)]
    return sum(g > 1 for g in gaps) * 2 > len(gaps)


def _grid(document: Document, columns: Sequence[Field]) -> list[Row]:
    headers = find_header(document.sheet, columns)
    dated = any(c.kind == "date" for c in columns)
    builder = _Builder(columns, dated=dated)
    header: list[Column] = []
    open_table = not headers
    quiet = 0
    for line in document.sheet.lines:
        if line.number in headers:
            header, open_table, quiet = headers[line.number], True, 0
            builder.waiting.clear()
            continue
        if not open_table:
            continue
        amounts = find_amounts(line.text)
        if _closes(line, bool(amounts), builder):
            open_table = not headers and not builder.rows
            continue
        if amounts and builder.add(line, header):
            quiet = 0
        elif not amounts:
            quiet += 1
            builder.note(line)
        if quiet > _QUIET_LINES and builder.rows and headers:
            open_table = False
    return builder.rows[:_MOST_ROWS]


def _closes(line: Line, priced: bool, builder: "_Builder") -> bool:  # noqa: FBT001
    """Whether a line ends the table: a total, or the head of a tax summary."""
    key = line.key
    if not priced:
        return bool(builder.rows) and is_summary_head(key)
    return weigh_label(key) >= 3.0 and not builder.dated


class _Builder:
    """Collects the rows of a table and the words between them."""

    def __init__(self, columns: Sequence[Field], *, dated: bool) -> None:
        self.columns = columns
        self.dated = dated
        self.rows: list[Row] = []
        self.waiting: list[Line] = []
        self._own_words = False
        self._last = -1

    def add(self, line: Line, header: Sequence[Column]) -> bool:
        """Take a line with amounts as a row, unless it is a sum, a payment or a carried balance."""
        if _CARRIED.search(line.key) or (not self.dated and weigh_label(line.key) < 0):
            return False
        if not self.dated and weigh_label(line.key) > 0:
            return False
        date = self._date(line)
        if self.dated and date is None:
            return False
        placed = header and _apart(header)
        tokens = by_position(line.text, header) if placed else by_order(line.text, self.columns)
        if not tokens:
            return False
        self._append(line, tokens, date, header, _POSITIONED if placed else _ORDERED)
        return True

    def _date(self, line: Line) -> tuple[int, int] | None:
        if not self.dated:
            return None
        start = len(line.text) - len(line.text.lstrip())
        for found in find_dates(line.text):
            if found.start <= start + 1:
                return found.start, found.end
        match = _SHORT_DATE.match(line.text, start)
        return match.span() if match else None

    def _append(
        self,
        line: Line,
        tokens: Mapping[str, Token],
        date: tuple[int, int] | None,
        header: Sequence[Column],
        score: float,
    ) -> None:
        if self._multiplies(line, tokens):
            score += _PROVED
        row: Row = {c.name: None for c in self.columns}
        for name, token in tokens.items():
            row[name] = reading(line, token, score)
        used = [(t.start, t.end) for t in tokens.values()]
        used += [(a.start, a.end) for a in find_amounts(line.text)]
        if date:
            used.append(date)
            field = next(c for c in self.columns if c.kind == "date")
            row[field.name] = Reading(line.text[date[0] : date[1]], score, line.number)
        self._describe(line, row, used, header, score)
        self.rows.append(row)
        self.waiting.clear()
        self._last = line.number

    def _describe(
        self,
        line: Line,
        row: Row,
        used: Sequence[tuple[int, int]],
        header: Sequence[Column],
        score: float,
    ) -> None:
        """Give a row its words: its own, or those waiting from the lines above it."""
        field = next((c for c in self.columns if c.kind in ("text", "party", "person")), None)
        if field is None:
            return
        extent = left_text(line, used, header)
        own = line.text[extent[0] : extent[1]] if extent else ""
        self._own_words = sum(c.isalpha() for c in own) > 2
        if self._own_words:
            row[field.name] = Reading(" ".join(own.split()), score - 0.05, line.number)
        elif self.waiting:
            above = self.waiting[-1]
            row[field.name] = Reading(above.words, score - 0.2, above.number)

    def _multiplies(self, line: Line, tokens: Mapping[str, Token]) -> bool:
        by_role: dict[str, Token] = {}
        for column in self.columns:
            if column.name in tokens:
                role = (
                    "count"
                    if column.kind == "quantity"
                    else "price"
                    if is_price(column)
                    else "amount"
                )
                by_role.setdefault(role, tokens[column.name])
        return len(by_role) == 3 and proves(
            line.text, by_role["count"], by_role["price"], by_role["amount"]
        )

    def note(self, line: Line) -> None:
        """Take a line without amounts: the rest of the row above it, or the words of the next."""
        field = next((c for c in self.columns if c.kind in ("text", "party", "person")), None)
        if (
            field
            and self.rows
            and self._own_words
            and line.number == self._last + 1
            and not line.gap
        ):
            before = self.rows[-1][field.name]
            if before is not None and sum(c.isalpha() for c in line.text) > 2:
                self.rows[-1][field.name] = Reading(
                    f"{before.value} {line.words}", before.score - 0.05, before.line
                )
                self._last = line.number
                return
        self.waiting.append(line)
