"""What the rules share: a document with its label hits, and a value read from it with its score."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from local.models.extraction.fields import Field, Hit, below, beside, find_hits, resolve
from local.models.extraction.letterhead import Letterhead, read_letterhead
from local.models.extraction.sheet import Line, Sheet
from local.models.extraction.totals import TotalFound, rank_totals
from local.models.extraction.values import find_values

_FAR = 24
"""Letters between a label and its value above which the label is likely another's."""

_BELOW = 0.85
_GAP = re.compile(r"\s{3,}")


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
    def letterhead(self) -> Letterhead:
        """The name and address that head the document."""
        return read_letterhead(self.sheet)

    @cached_property
    def totals(self) -> list[TotalFound]:
        """The amounts that may be the total, best first."""
        return rank_totals(self.sheet)

    def zone(self, hit: Hit) -> tuple[int, int]:
        """The part of a label's line in which its value may stand."""
        return beside(hit, self.hits_by_line.get(hit.line.number, ()))


def shaped(document: Document, wanted: Field, *, last: bool) -> list[Reading]:
    """Values of a known shape beside or below the field's labels, best first.

    `last` takes the rightmost value of the row, as amounts stand there. A value under its label
    counts 0.85 of one beside it, one with many letters between 0.6.
    """
    readings = []
    for hit in document.hits.get(wanted.name, ()):
        reading = _shaped_beside(document, wanted, hit, last=last) or _shaped_below(
            document, wanted, hit
        )
        if reading:
            readings.append(reading)
    return sorted(readings, key=lambda r: -r.score)


def _shaped_beside(document: Document, wanted: Field, hit: Hit, *, last: bool) -> Reading | None:
    start, end = document.zone(hit)
    text = hit.line.text[start:end]
    found = find_values(wanted.kind, text)
    if not found:
        return None
    chosen = found[-1] if last else found[0]
    letters = sum(c.isalpha() for c in text[: found[0].start])
    near = 0.6 if letters > _FAR else 0.9 if letters else 1.0
    score = chosen.certainty * hit.certainty * near - 0.01 * min(hit.rank, 10)
    return Reading(text[chosen.start : chosen.end].strip(), score, hit.line.number)


def _shaped_below(document: Document, wanted: Field, hit: Hit) -> Reading | None:
    start, end = document.zone(hit)
    if sum(c.isalnum() for c in hit.line.text[start:end].split("  ")[0]) > _FAR:
        return None
    for line, cell in below(document.sheet, hit):
        found = find_values(wanted.kind, cell.text)
        if found and found[0].start <= _FAR // 2:
            chosen = found[0]
            score = chosen.certainty * hit.certainty * _BELOW - 0.01 * min(hit.rank, 10)
            return Reading(cell.text[chosen.start : chosen.end].strip(), score, line.number)
    return None


def worded(document: Document, wanted: Field) -> list[Reading]:
    """Texts beside or below the field's labels, best first: what a label and a colon introduce."""
    readings = []
    for hit in document.hits.get(wanted.name, ()):
        start, end = document.zone(hit)
        text = _GAP.split(hit.line.text[start:end].strip())[0].strip(" :-–|_.…")
        rest = hit.line.text[hit.end :].lstrip()
        introduced = rest[:1] in (":", "=") or hit.line.text[hit.end : hit.end + 2] == "  "
        if sum(c.isalnum() for c in text) > 1:
            factor = 0.9 if introduced else 0.55
            readings.append(
                Reading(
                    " ".join(text.split()),
                    hit.certainty * factor - 0.01 * hit.rank,
                    hit.line.number,
                )
            )
        elif not rest.strip(" :.-"):
            for line, cell in below(document.sheet, hit, 1):
                readings.append(
                    Reading(cell.text, hit.certainty * 0.7 - 0.01 * hit.rank, line.number)
                )
    return sorted(readings, key=lambda r: -r.score)


def agree(readings: Sequence[Reading]) -> Reading | None:
    """The best reading, a little surer where another says the same, less so where one disagrees."""
    if not readings:
        return None
    best = readings[0]
    others = [r for r in readings[1:] if r.score > best.score - 0.15]
    same = sum(r.value == best.value for r in others)
    change = 0.03 * min(same, 2) - 0.1 * min(len(others) - same, 2)
    return Reading(best.value, max(0.05, min(0.98, best.score + change)), best.line)


def under(document: Document, hit: Hit, count: int) -> list[Line]:
    """The lines below a label cut to its column, up to `count`, stopping at a gap after the first."""
    lines: list[Line] = []
    for line, cell in below(document.sheet, hit, count):
        if lines and line.gap:
            break
        lines.append(Line(line.number, line.page, cell.text, line.gap))
    return lines
