"""Lists of texts, and pairs of label and value. Pure."""

import re
from collections.abc import Sequence

from local.models.extraction.fields import Field
from local.models.extraction.reading import Document, Reading
from local.models.extraction.sections import BULLET, Row, find_section
from local.models.extraction.sheet import Line

_SPLIT = re.compile(r"\s*[;|•·▪]\s*|,\s+(?![^()]*\))|\s{3,}")
_PIECE = re.compile(r"\S+(?: {1,2}\S+)*")
_PAIR = re.compile(r"(?P<label>[^\W\d_][^:]{0,60}?)\s*:\s+(?P<value>\S.*)")
_BLANK = re.compile(r"[\s_.…-]*")
_MOST = 300
_LONGEST_LABEL, _MOST_LABEL_WORDS = 40, 6
_LISTED, _INLINE, _PAIRED = 0.7, 0.65, 0.7


def read_list(document: Document, wanted: Field) -> list[Reading]:
    """The entries of a list: its section's lines, or what its label introduces, cut at commas."""
    entries: list[Reading] = []
    for line in find_section(document, wanted)[:_MOST]:
        text = BULLET.sub("", line.text).strip()
        entries += [Reading(p, _LISTED, line.number) for p in _split(text)]
    if entries:
        return entries
    for hit in document.hits.get(wanted.name, ()):
        start, end = document.zone(hit)
        if hit.closed and not hit.whole and hit.certainty > _LISTED:
            return [Reading(p, _INLINE, hit.line.number) for p in _split(hit.line.text[start:end])]
    return []


def _split(text: str) -> list[str]:
    pieces = (" ".join(piece.split()).strip(" .-\u2013") for piece in _SPLIT.split(text))
    return [piece for piece in pieces if piece]


def read_pairs(document: Document, columns: Sequence[Field]) -> list[Row]:
    """All boxes of a form as pairs, 0.7 each: two cells on a line, or else `label: value`.

    A form sets its boxes in one of the two ways; the way with more boxes is taken.
    """
    if len(columns) < len(("label", "value")):
        return []
    cells = [pair for line in document.sheet.lines if (pair := _two_cells(line))]
    colons = [pair for line in document.sheet.lines for pair in _colons(line)]
    pairs = cells if len(cells) >= len(colons) else colons
    return [_row(line, label, value, columns) for line, label, value in pairs[:_MOST]]


def _row(line: Line, label: str, value: str, columns: Sequence[Field]) -> Row:
    row: Row = {c.name: None for c in columns}
    row[columns[0].name] = Reading(label, _PAIRED, line.number)
    row[columns[1].name] = None if _BLANK.fullmatch(value) else Reading(value, _PAIRED, line.number)
    return row


def _two_cells(line: Line) -> tuple[Line, str, str] | None:
    """A line of a short label and a value with a gap between them."""
    if len(line.cells) != len(("label", "value")):
        return None
    label, value = (cell.text for cell in line.cells)
    short = len(label) <= _LONGEST_LABEL and len(label.split()) <= _MOST_LABEL_WORDS
    if not short or not label[:1].isalpha() or ":" in label[:-1]:
        return None
    return line, label.rstrip(" :"), value


def _colons(line: Line) -> list[tuple[Line, str, str]]:
    """The `label: value` pieces of a line."""
    pieces = (_PAIR.fullmatch(piece[0]) for piece in _PIECE.finditer(line.text))
    return [(line, m["label"].strip(), m["value"].strip()) for m in pieces if m]
