"""Sections under a heading: entries with a period, lists of texts, and pairs of label and value. Pure."""

import re
from collections.abc import Sequence

from local.models.extraction import places
from local.models.extraction.dates import find_periods
from local.models.extraction.fields import Field
from local.models.extraction.reading import Document, Reading
from local.models.extraction.sheet import Line, blur, fold

Row = dict[str, Reading | None]

_HEADINGS = frozenset(
    blur(fold(w))
    for w in (
        "experience",
        "education",
        "skills",
        "languages",
        "references",
        "interests",
        "profile",
        "summary",
        "hobbies",
        "certificates",
        "certifications",
        "publications",
        "projects",
        "awards",
        "contact",
        "about me",
        "volunteering",
        "training",
        "referees",
        "courses",
        "berufserfahrung",
        "ausbildung",
        "kenntnisse",
        "sprachen",
        "interessen",
        "profil",
        "weiterbildung",
        "hobbys",
        "referenzen",
        "ehrenamt",
        "experience professionnelle",
        "formation",
        "competences",
        "langues",
        "centres d'interet",
        "loisirs",
        "certifications",
        "personliche daten",
        "zertifikate",
    )
)
_BULLET = re.compile(r"^\s*[•·▪◦*–—-]\s+")
_SPLIT = re.compile(r"\s*[;|•·▪]\s*|,\s+(?![^()]*\))")
_PIECES = re.compile(r"\s{2,}|\s+[|–—·•-]\s+|,\s+|\s+(?:at|bei|chez|@)\s+")
_SCHOOL = re.compile(
    r"univers|college|school|schule|institut|gymnasium|lyc[ée]e|[ée]cole|academy|akademie|hochschule|polytech|IUT",
    re.IGNORECASE,
)
_YEAR = re.compile(r"(?<!\d)(?:19[5-9]\d|20\d\d)(?!\d)")
_PAIR = re.compile(r"(?P<label>[^\W\d_][^:]{0,60}?)\s*:\s+(?P<value>\S.*)")
_LONGEST_HEADING = 40
_MOST = 200


def _is_heading(document: Document, line: Line, wanted: Field) -> bool:
    """Whether a line heads another section: a known heading, another array's label, or capitals."""
    text = line.words.strip(" :")
    if not text or len(text) > _LONGEST_HEADING or _BULLET.match(line.text):
        return False
    key = blur(fold(text))
    if key in _HEADINGS or key in wanted.keys:
        return True
    arrays = (f for f in document.fields if f.spec.get("type") == "array")
    if any(key in f.keys for f in arrays):
        return True
    return (
        line.gap
        and text.isupper()
        and not any(c.isdigit() for c in text)
        and len(text.split()) < 5
        and "," not in text
    )


def find_section(document: Document, wanted: Field) -> list[Line]:
    """The lines under the field's heading, up to the next heading; empty where there is none."""
    for hit in document.hits.get(wanted.name, ()):
        if blur(fold(hit.line.words.strip(" :"))) not in wanted.keys:
            continue
        lines: list[Line] = []
        for line in document.sheet.lines[hit.line.number + 1 :]:
            if _is_heading(document, line, wanted) or len(lines) == _MOST:
                break
            lines.append(line)
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
    dated = [i for i, line in enumerate(lines) if _periods(line) and not _BULLET.match(line.text)]
    if not dated:
        return []
    lead = min(dated[0], 2)
    starts = [max(0, i - lead) for i in dated]
    rows = []
    for at, start in enumerate(starts):
        end = starts[at + 1] if at + 1 < len(starts) else len(lines)
        rows.append(_entry(lines[start:end], lines[dated[at]], columns))
    return rows


def _entry(lines: Sequence[Line], dated: Line, columns: Sequence[Field]) -> Row:
    row: Row = {c.name: None for c in columns}
    pieces: list[tuple[str, Line]] = []
    for line in lines[:3]:
        if _BULLET.match(line.text):
            break
        text = line.text
        if line is dated:
            start, end = _periods(line)[0]
            period = next(c for c in columns if c.kind == "period")
            row[period.name] = Reading(text[start:end].strip(), 0.75, line.number)
            text = text[:start] + "   " + text[end:]
        pieces += [
            (p.strip(" ()[],;:·|–-"), line)
            for p in _PIECES.split(text)
            if sum(c.isalpha() for c in p) > 1
        ]
    _assign(row, pieces, [c for c in columns if c.kind != "period"])
    return row


def _assign(row: Row, pieces: list[tuple[str, Line]], columns: Sequence[Field]) -> None:
    """Give an entry's pieces to its columns: organisations to parties, the rest in order."""
    left = list(pieces)
    for column in (c for c in columns if c.kind == "party"):
        found = next((p for p in left if _SCHOOL.search(p[0]) or places.legal_form(p[0])), None)
        if found is None and len(left) > 1:
            found = left[1]
        if found:
            row[column.name] = Reading(found[0], 0.6, found[1].number)
            left.remove(found)
    for column, piece in zip((c for c in columns if c.kind != "party"), left, strict=False):
        row[column.name] = Reading(piece[0], 0.6, piece[1].number)


def read_list(document: Document, wanted: Field) -> list[Reading]:
    """The entries of a list: the lines of its section, or what its label introduces, split at commas."""
    entries: list[Reading] = []
    for line in find_section(document, wanted)[:_MOST]:
        text = _BULLET.sub("", line.text).strip()
        entries += [Reading(p, 0.7, line.number) for p in _split(text)]
    if entries:
        return entries
    for hit in document.hits.get(wanted.name, ()):
        start, end = document.zone(hit)
        if hit.certainty > 0.8 and hit.line.text[hit.end : hit.end + 1] == ":":
            return [Reading(p, 0.65, hit.line.number) for p in _split(hit.line.text[start:end])]
    return []


def _split(text: str) -> list[str]:
    return [p for p in (" ".join(piece.split()).strip(" .-–") for piece in _SPLIT.split(text)) if p]


def read_pairs(document: Document, columns: Sequence[Field]) -> list[Row]:
    """All boxes of a form as pairs: what stands before a colon, and what after it, 0.7 each."""
    if len(columns) < 2:
        return []
    rows: list[Row] = []
    for line in document.sheet.lines:
        for piece in re.finditer(r"\S+(?: {1,2}\S+)*", line.text):
            match = _PAIR.fullmatch(piece[0])
            if match and len(rows) < _MOST:
                row: Row = {c.name: None for c in columns}
                row[columns[0].name] = Reading(match["label"].strip(), 0.7, line.number)
                row[columns[1].name] = Reading(match["value"].strip(" _."), 0.7, line.number)
                rows.append(row)
    return rows
