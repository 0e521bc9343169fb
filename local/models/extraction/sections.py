"""Sections under a heading, and the entries with a period that stand in them. Pure."""

import re
from collections.abc import Sequence
from itertools import pairwise

from local.models.extraction import places
from local.models.extraction.dates import find_periods
from local.models.extraction.fields import Field
from local.models.extraction.reading import Document, Reading
from local.models.extraction.sheet import Cell, Line, blur, fold
from local.models.extraction.words import listed

Row = dict[str, Reading | None]

_HEADINGS = frozenset(
    listed(
        "experience,education,skills,languages,references,interests,profile,summary,hobbies,"
        "certificates,contact,"
        "certifications,publications,projects,awards,about me,volunteering,training,referees,"
        "courses,details,"
        "work experience,professional experience,personal details,career summary,objective,"
        "berufserfahrung,ausbildung,kenntnisse,sprachen,interessen,profil,weiterbildung,hobbys,"
        "referenzen,"
        "ehrenamt,zertifikate,personliche daten,kontakt,"
        "experience professionnelle,formation,competences,langues,centres d'interet,loisirs,"
        "coordonnees"
    )
)
BULLET = re.compile(r"^\s*[•·▪◦*\u2013\u2014-]\s+")
_PIECES = re.compile(r"\s{3,}|\s+[|•·\u2013\u2014-]\s+|\s+(?:at|bei|chez|@)\s+")
_COMMA = re.compile(r",\s+")
_SCHOOL = re.compile(
    r"univers|college|school|schule|institut|gymnasium|lyc[ée]e|[ée]cole|academy|akademie|"
    r"polytech|IUT",
    re.IGNORECASE,
)
_YEAR = re.compile(r"(?<!\d)(?:19[5-9]\d|20\d\d)(?!\d)")
_LONGEST_HEADING = 40
_MOST_LINES = 200
_COLUMN = 15
"""Characters between the left edges of two headings that make them heads of two columns."""

_MOST_WORDS = 4
_LEAD, _ENTRY_LINES = 2, 4


def _heads(document: Document, line: Line, cell: Cell) -> bool:
    """Whether a cell heads a section: a known heading, an array's label, capitals after a gap."""
    text = cell.text.strip(" :#")
    if not text or len(text) > _LONGEST_HEADING or BULLET.match(cell.text):
        return False
    key = blur(fold(text))
    if key in _HEADINGS:
        return True
    if any(key in f.keys for f in document.fields if f.spec.get("type") == "array"):
        return True
    capitals = text.isupper() and not any(c.isdigit() or c == "," for c in text)
    return line.gap and capitals and len(text.split()) <= _MOST_WORDS


def _edges(document: Document) -> list[int]:
    """The left edges of the columns that headings stand in, at least one."""
    starts = sorted(
        {c.start for line in document.sheet.lines for c in line.cells if _heads(document, line, c)}
    )
    edges = starts[:1] or [0]
    for left, right in pairwise(starts):
        if right - left >= _COLUMN:
            edges.append(right)
    return edges


def _cut(line: Line, left: int, right: int) -> Line | None:
    """The part of a line within a column: its cells that begin there; None if there are none."""
    cells = [c for c in line.cells if left <= c.start < right]
    if not cells:
        return None
    text = line.text[cells[0].start : cells[-1].end]
    return Line(line.number, line.page, text, line.gap)


def find_section(document: Document, wanted: Field) -> list[Line]:
    """The lines under the field's heading, in its column, up to the next heading; may be empty."""
    edges = _edges(document)
    for hit in document.hits.get(wanted.name, ()):
        if not hit.whole or not _heads(document, hit.line, hit.cell):
            continue
        left = max((e for e in edges if e <= hit.start), default=0)
        right = min((e for e in edges if e > hit.start), default=10_000)
        lines: list[Line] = []
        for line in document.sheet.lines[hit.line.number + 1 :]:
            part = _cut(line, left - 2 if left else 0, right - 2)
            if part is None:
                continue
            if (
                _heads(document, part, Cell(part.text, 0, len(part.text)))
                or len(lines) == _MOST_LINES
            ):
                break
            lines.append(part)
        if lines:
            return lines
    return []


def _periods(line: Line) -> list[tuple[int, int]]:
    spans = [(p.start, p.end) for p in find_periods(line.text)]
    return spans or [m.span() for m in _YEAR.finditer(line.text)][:1]


def read_entries(document: Document, wanted: Field, columns: Sequence[Field]) -> list[Row]:
    """The entries of a section, one for each period in it: 0.75 for the period, 0.6 for the words.

    An entry begins at the line with a period, or above it if the section begins with words.
    """
    lines = find_section(document, wanted)
    dated = [i for i, line in enumerate(lines) if _periods(line)]
    dated = [i for i in dated if not BULLET.match(lines[i].text)] or dated
    if not dated:
        return []
    lead = min(dated[0], _LEAD)
    starts = [max(0, i - lead) for i in dated]
    ends = [*starts[1:], len(lines)]
    return [
        _entry(lines[start:end], lines[at], columns)
        for start, end, at in zip(starts, ends, dated, strict=True)
    ]


def _entry(lines: Sequence[Line], dated: Line, columns: Sequence[Field]) -> Row:
    """An entry's cells from its first lines, up to a bullet or a gap after the words."""
    row: Row = {c.name: None for c in columns}
    pieces: list[tuple[str, Line]] = []
    for at, line in enumerate(lines[:_ENTRY_LINES]):
        text = BULLET.sub("", line.text) if line is dated else line.text
        if at and (BULLET.match(text) or (line.gap and len(pieces) > 1 and line is not dated)):
            break
        if line is dated:
            found = _periods(Line(line.number, line.page, text, line.gap))[0]
            period = next(c for c in columns if c.kind == "period")
            row[period.name] = Reading(text[found[0] : found[1]].strip(), 0.75, line.number)
            text = text[: found[0]] + "   " + text[found[1] :]
        parts = (p.strip(" ()[],;:·|-\u2013") for p in _PIECES.split(text))
        pieces += [(p, line) for p in parts if sum(c.isalpha() for c in p) > 1]
    _assign(row, pieces, [c for c in columns if c.kind != "period"])
    return row


def _assign(row: Row, pieces: Sequence[tuple[str, Line]], columns: Sequence[Field]) -> None:
    """Give an entry's pieces to its columns: organisations to parties, the rest in order.

    A single piece is taken apart at its last comma; of an organisation only its name is kept.
    """
    left = list(pieces)
    if len(left) == 1:
        words, line = left[0]
        left = [(part, line) for part in _COMMA.split(words)]
    for column in (c for c in columns if c.kind == "party"):
        known = (p for p in left if _SCHOOL.search(p[0]) or places.legal_form(p[0]))
        found = next(known, left[1] if len(left) > 1 else None)
        if found:
            row[column.name] = Reading(_COMMA.split(found[0])[0], 0.6, found[1].number)
            left.remove(found)
    for column, piece in zip((c for c in columns if c.kind != "party"), left, strict=False):
        row[column.name] = Reading(piece[0], 0.6, piece[1].number)
