"""What the rules share: a document with its label hits, and a value read from it. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from local.models.extraction.blocks import Block, read_blocks
from local.models.extraction.fields import Field
from local.models.extraction.labels import Hit, below, beside, find_hits, resolve
from local.models.extraction.letterhead import Letterhead, read_letterhead
from local.models.extraction.rows import Row, read_rows
from local.models.extraction.sheet import Cell, Sheet
from local.models.extraction.totals import TaxFound, TotalFound, find_tax, rank_totals
from local.models.extraction.values import Found, find_values

_FAR = 15
"""Letters between a label and its value above which the label is likely another's."""

_BELOW = 0.85
_LABEL = 0.9
_PROSE_LINE = 30
_RANK_STEP, _MOST_RANKS = 0.01, 10
_GAP = re.compile(r"\s{3,}")
_CLOSE = 0.15
_WEAK = 0.45
_SENTENCE = re.compile(r"[.;]\s|[.;]$")


@dataclass(frozen=True, slots=True)
class Reading:
    """A value as printed, how sure the rule is of it (0..1), and the line it stands on."""

    value: str
    score: float
    line: int = -1


@dataclass(frozen=True)
class Document:
    """A sheet and the fields wanted from it; what several rules need is worked out once."""

    sheet: Sheet
    fields: tuple[Field, ...]

    @cached_property
    def hits(self) -> dict[str, list[Hit]]:
        """The label hits of every field, without parts of other fields' longer labels."""
        return resolve({f.name: find_hits(self.sheet, f) for f in self.fields})

    @cached_property
    def hits_by_line(self) -> dict[int, list[Hit]]:
        """All fields' hits by line number."""
        lines: dict[int, list[Hit]] = {}
        for found in self.hits.values():
            for hit in found:
                lines.setdefault(hit.line.number, []).append(hit)
        return lines

    @cached_property
    def labelled_lines(self) -> frozenset[int]:
        """The lines that begin with a label and a colon or a gap: they hold no bare name."""
        return frozenset(
            hit.line.number
            for found in self.hits.values()
            for hit in found
            if hit.certainty > _LABEL and hit.start <= hit.line.cells[0].start + 1
        )

    @cached_property
    def letterhead(self) -> Letterhead:
        """The name and address that head the document."""
        return read_letterhead(self.sheet, self.labelled_lines)

    @cached_property
    def blocks(self) -> list[Block]:
        """The names with addresses on the first page, top to bottom and left to right."""
        return read_blocks(self.sheet, self.labelled_lines)

    @cached_property
    def totals(self) -> list[TotalFound]:
        """The amounts that may be the total, best first."""
        return rank_totals(self.rows)

    @cached_property
    def rows(self) -> list[Row]:
        """The lines that hold amounts."""
        return read_rows(self.sheet)

    @cached_property
    def tax(self) -> TaxFound | None:
        """A part sum, a rate and a tax that prove each other."""
        return find_tax(self.rows)

    @cached_property
    def _shaped(self) -> dict[str, list[Reading]]:
        return {}

    def shaped(self, wanted: Field) -> list[Reading]:
        """The result of `shaped`, worked out once for each field."""
        if wanted.name not in self._shaped:
            self._shaped[wanted.name] = shaped(self, wanted)
        return self._shaped[wanted.name]

    def zone(self, hit: Hit) -> tuple[int, int]:
        """The part of a label's line in which its value may stand."""
        return beside(hit, self.hits_by_line.get(hit.line.number, ()))


def shaped(document: Document, wanted: Field) -> list[Reading]:
    """Values of a known shape beside or below the field's labels, best first.

    Of the amounts of a row the last is its value. A value under its label counts 0.85 of one
    beside it; one with many letters between 0.6.
    """
    readings = []
    for hit in document.hits.get(wanted.name, ()):
        reading = _shaped_beside(document, wanted, hit) or _shaped_below(document, wanted, hit)
        if reading:
            readings.append(reading)
    return sorted(readings, key=lambda r: -r.score)


def _penalty(hit: Hit) -> float:
    return _RANK_STEP * min(hit.rank, _MOST_RANKS)


def _shaped_beside(document: Document, wanted: Field, hit: Hit) -> Reading | None:
    start, end = document.zone(hit)
    text = hit.line.text[start:end]
    found = find_values(wanted.kind, text)
    if not found and end == len(hit.line.text) > _PROSE_LINE and len(hit.line.cells) == 1:
        following = next(document.sheet.after(hit.line, 1), None)
        if following and not following.gap:
            text = f"{text} {following.words}"
            found = find_values(wanted.kind, text)
    if not found:
        return None
    chosen = _chosen(wanted, text, found)
    letters = sum(c.isalpha() for c in text[: chosen.start])
    if hit.certainty <= _WEAK and letters > _FAR // 3:
        return None
    near = 0.6 if letters > _FAR else 1.0 - letters / 40
    score = chosen.certainty * hit.certainty * near - _penalty(hit)
    return Reading(text[chosen.start : chosen.end].strip(), score, hit.line.number)


def _chosen(wanted: Field, text: str, found: Sequence[Found]) -> Found:
    """The value of a row: its last amount, unless a sentence ends between; else the first value."""
    if wanted.kind == "amount" and not _SENTENCE.search(text[found[0].end : found[-1].start]):
        return found[-1]
    return found[0]


def _shaped_below(document: Document, wanted: Field, hit: Hit) -> Reading | None:
    if not hit.whole and not hit.closed:
        return None
    for line, cell in below(document.sheet, hit):
        found = find_values(wanted.kind, cell.text)
        if found and found[0].start <= _FAR // 2:
            chosen = found[0]
            score = chosen.certainty * hit.certainty * _BELOW - _penalty(hit)
            return Reading(cell.text[chosen.start : chosen.end].strip(), score, line.number)
    return None


def worded(document: Document, wanted: Field) -> list[Reading]:
    """Texts beside or below the field's labels, best first: what a label and a colon introduce.

    A text after a colon or a gap counts 0.9 of its label, after a mere word 0.55, below 0.75.
    """
    readings = []
    for hit in document.hits.get(wanted.name, ()):
        start, end = document.zone(hit)
        cell = value_cell(hit, start, end)
        if cell:
            factor = 0.9 if hit.closed else 0.55
            score = hit.certainty * factor - _penalty(hit)
            readings.append(Reading(" ".join(cell.text.split()), score, hit.line.number))
        elif hit.whole:
            for line, under in below(document.sheet, hit, 1):
                score = hit.certainty * 0.75 - _penalty(hit)
                readings.append(Reading(under.text, score, line.number))
    return sorted(readings, key=lambda r: -r.score)


def value_cell(hit: Hit, start: int, end: int) -> Cell | None:
    """The text beside a label, up to a gap of three spaces; None if it is a label too."""
    raw = _GAP.split(hit.line.text[start:end].strip())[0]
    if raw.endswith(":"):
        return None
    text = raw.strip(" :-|_.\u2013\u2026")
    if not any(c.isalnum() for c in text):
        return None
    begin = hit.line.text.find(text, start)
    return Cell(text, begin, begin + len(text))


def agree(readings: Sequence[Reading]) -> Reading | None:
    """The best reading, a little surer where another says the same, less so where one disagrees."""
    if not readings:
        return None
    best = readings[0]
    others = [r for r in readings[1:] if r.score > best.score - _CLOSE]
    same = sum(r.value == best.value for r in others)
    change = 0.03 * min(same, 2) - 0.1 * min(len(others) - same, 2)
    return Reading(best.value, max(0.05, min(0.98, best.score + change)), best.line)
