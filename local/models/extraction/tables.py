"""Array fields: the rows of a table, with or without a header; every printed row is kept. Pure."""

from collections.abc import Sequence
from itertools import pairwise

from local.models.extraction.amounts import find_amounts
from local.models.extraction.fields import Field
from local.models.extraction.grid import Column
from local.models.extraction.labels import find_hits
from local.models.extraction.lists import read_pairs
from local.models.extraction.reading import Document
from local.models.extraction.rows import is_summary_head, weigh_label
from local.models.extraction.sections import Row, read_entries
from local.models.extraction.sheet import Line, Sheet
from local.models.extraction.table_rows import RowBuilder

_MOST_ROWS = 2_000
_QUIET_LINES = 6
"""Lines without amounts after which a table with a header is over."""

_TOTAL = 3.0
_HEADER_LABEL = 0.5


def read_table(document: Document, wanted: Field, columns: Sequence[Field]) -> list[Row]:
    """The rows of an array field, in the printed order over all pages.

    Columns with amounts make a table; with a period, the entries of a section; else pairs of
    label and value. Scores: 0.85 a cell under its header, 0.65 by order, 0.1 more if the row
    multiplies out.
    """
    if not columns:
        return []
    if any(c.kind in ("amount", "quantity", "percentage") for c in columns):
        return _grid(document, columns)
    if any(c.kind == "period" for c in columns):
        return read_entries(document, wanted, columns)
    return read_pairs(document, columns)


def find_headers(sheet: Sheet, columns: Sequence[Field]) -> dict[int, list[Column]]:
    """The header rows by line number: the lines without amounts that label most of the columns."""
    labelled: dict[int, list[Column]] = {}
    for field in columns:
        for hit in find_hits(sheet, field):
            if hit.certainty >= _HEADER_LABEL:
                labelled.setdefault(hit.line.number, []).append(Column(field, hit.start, hit.end))
    headers = {
        number: _with_unknown(sheet.lines[number], found)
        for number, found in labelled.items()
        if not find_amounts(sheet.lines[number].text)
    }
    most = max((_named(h) for h in headers.values()), default=0)
    return {n: h for n, h in headers.items() if most > 1 and _named(h) == most}


def _named(header: Sequence[Column]) -> int:
    return len({c.field.name for c in header if c.field})


def _with_unknown(line: Line, found: Sequence[Column]) -> list[Column]:
    """A header's columns left to right, each field once (amounts may be twice), and other cells."""
    header: list[Column] = []
    for column in sorted(found, key=lambda c: (c.start, c.start - c.end)):
        taken = any(column.start < h.end and h.start < column.end for h in header)
        known = any(h.field is column.field for h in header)
        if not taken:
            twice = known and column.field is not None and column.field.kind != "amount"
            header.append(Column(None if twice else column.field, column.start, column.end))
    header += [
        Column(None, cell.start, cell.end)
        for cell in line.cells
        if not any(cell.start < h.end and h.start < cell.end for h in header)
    ]
    return sorted(header, key=lambda c: c.start)


def _apart(header: Sequence[Column]) -> bool:
    """Whether the header's cells stand apart, so that columns can be told by position."""
    gaps = [right.start - left.end for left, right in pairwise(header)]
    return sum(g > 1 for g in gaps) * 2 > len(gaps)


def _grid(document: Document, columns: Sequence[Field]) -> list[Row]:
    """The rows of a table of amounts, from each header (or the top) to the total below it."""
    headers = find_headers(document.sheet, columns)
    builder = RowBuilder(columns)
    proved = document.tax
    closing = {proved.part[0].number, proved.tax[0].number} if proved else set()
    inside, quiet = not headers, 0
    for line in document.sheet.lines:
        if line.number in headers:
            header = headers[line.number]
            inside, quiet = True, 0
            builder.begin(header if _apart(header) else ())
        elif not inside:
            continue
        elif line.number in closing or _closes(line, builder):
            inside = not headers and not builder.rows
        elif find_amounts(line.text):
            quiet = 0
            builder.add(line)
        else:
            quiet += 1
            builder.note(line)
            inside = quiet <= _QUIET_LINES or not headers or not builder.rows
    return builder.rows[:_MOST_ROWS]


def _closes(line: Line, builder: RowBuilder) -> bool:
    """Whether a line ends the table: a total, or the head of a tax summary."""
    if not find_amounts(line.text):
        return bool(builder.rows) and is_summary_head(line.worded)
    return weigh_label(line.worded) >= _TOTAL and not builder.dated
