"""Where the labels of fields are printed, and where their values stand. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from local.models.extraction.fields import Field
from local.models.extraction.sheet import Cell, Line, Sheet

_SHORT = 3
_LONG_ENOUGH_GLUED = 7
_SURE = 0.8
_WIDEST = 300
"""Characters behind a label in which its value may stand."""

_MOST_ON_A_LINE, _MOST_HITS = 8, 500
"""Hits of a field on a line and in all that are looked at, so that the cost stays bounded."""

_SEPARATORS = " \t:.#°*_=|>\u2013\u2014"
_FRACTION = re.compile(r"\.\d")
_OPENERS = " \t*•·-\u2013#([|"
_CLOSED = re.compile(r"\s*$|\s*[.)]?\s*[:#=]|\s{2,}|\s*[._]{3,}")


@dataclass(frozen=True, slots=True)
class Hit:
    """A label found on a line: `line.text[start:end]`, how surely it is one, and its rank.

    `rank` is the label's place in the field's list: labels are listed best first.
    """

    line: Line
    start: int
    end: int
    certainty: float
    rank: int

    @property
    def cell(self) -> Cell:
        """The cell that the label begins in."""
        for cell in self.line.cells:
            if cell.start <= self.start < cell.end:
                return cell
        return Cell(self.line.text, 0, len(self.line.text))

    @property
    def closed(self) -> bool:
        """Whether a colon, a gap or the end of the line follows."""
        return bool(_CLOSED.match(self.line.text, self.end))

    @property
    def whole(self) -> bool:
        """Whether the label is all its cell says, but for a colon and the like."""
        cell = self.cell
        return self.start - cell.start <= 1 and not cell.text[self.end - cell.start :].strip(
            " :.-#"
        )


def _starts_word(text: str, place: int) -> bool:
    if place == 0 or not text[place - 1].isalnum():
        return True
    before, here = text[place - 1], text[place]
    return (before.islower() and here.isupper()) or before.isdigit() != here.isdigit()


def _ends_word(text: str, place: int) -> bool:
    if place >= len(text) or not text[place].isalnum():
        return True
    last, here = text[place - 1], text[place]
    return (last.islower() and here.isupper()) or here.isdigit() != last.isdigit()


def _certainty(line: Line, start: int, end: int, size: int) -> float:
    """How surely a label's letters at this place are a label, from where they stand.

    0.95 at the start of a cell and before a colon, a gap or the end; 0.85 at the start of a cell;
    0.7 closed amid words; 0.5 amid words; 0.4 inside a run of letters or short; 0 for neither.
    Ordered by the share of right values on the receipts that the rules were tuned on, not fitted.
    """
    text = line.text
    left, right = _starts_word(text, start), _ends_word(text, end)
    if not (left and right):
        return 0.4 if size >= _LONG_ENOUGH_GLUED and (left or right) else 0.0
    closed = bool(_CLOSED.match(text, end))
    before = text[:start].rstrip(_OPENERS)
    opened = not before or before[-1] in ":|" or start - len(before) > 1
    if size <= _SHORT and not (opened and closed):
        return (0.6 if size == _SHORT else 0.45) if opened else 0.4
    if opened:
        return 0.95 if closed else 0.85
    return 0.7 if closed else 0.5


def find_hits(sheet: Sheet, wanted: Field) -> list[Hit]:
    """Where a field's labels are printed, in reading order, overlaps resolved to the longest."""
    hits: list[Hit] = []
    for line in sheet.lines:
        found: list[Hit] = []
        key = line.key
        for rank, label in enumerate(wanted.keys):
            at = key.find(label)
            while at >= 0 and len(found) < _MOST_ON_A_LINE:
                start, end = line.places[at], line.places[at + len(label) - 1] + 1
                certainty = _certainty(line, start, end, len(label))
                if certainty:
                    found.append(Hit(line, start, end, certainty, rank))
                at = key.find(label, at + 1)
        hits += [h for h in found if not any(_covers(other, h) for other in found)]
        if len(hits) > _MOST_HITS:
            break
    return hits


def _covers(one: Hit, other: Hit) -> bool:
    """Whether a hit lies within a longer one on the same line."""
    return (
        one.start <= other.start
        and other.end <= one.end
        and one.end - one.start > other.end - other.start
    )


def resolve(hits: Mapping[str, list[Hit]]) -> dict[str, list[Hit]]:
    """All fields' hits without those that are part of another field's longer label.

    So `date` within `due date` belongs to the due date, and `total` within `total tax` to the tax.
    """
    by_line: dict[int, list[Hit]] = {}
    for found in hits.values():
        for hit in found:
            by_line.setdefault(hit.line.number, []).append(hit)
    return {
        name: [h for h in found if not any(_covers(o, h) for o in by_line[h.line.number])]
        for name, found in hits.items()
    }


def beside(hit: Hit, others: Sequence[Hit]) -> tuple[int, int]:
    """The part of the label's line that its value may stand in: up to the next label, if any."""
    text = hit.line.text
    end = min(
        (o.start for o in others if o.start >= hit.end and o.certainty >= _SURE), default=len(text)
    )
    end = min(end, hit.end + _WIDEST)
    start = hit.end
    while start < end and text[start] in _SEPARATORS and not _FRACTION.match(text, start):
        start += 1
    return start, end


def below(sheet: Sheet, hit: Hit, count: int = 2) -> list[tuple[Line, Cell]]:
    """The nearest cells under a label, at most `count` rows down, that stand in its column."""
    cell = hit.cell
    found = []
    for line in sheet.after(hit.line, count):
        for under in line.cells:
            if under.start < max(cell.end, hit.end) and cell.start < under.end:
                found.append((line, under))
                break
    return found
