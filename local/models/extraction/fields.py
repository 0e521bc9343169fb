"""A field of a schema as the rules see it, and the label hits of all fields on a sheet.

Pure; knows no document type, only kinds, labels, names and descriptions.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from local.models.extraction.sheet import Cell, Line, Sheet, blur, fold

_SHORT = 3
_LONG_ENOUGH_GLUED = 7
_SEPARATORS = " \t:.#°*_=|–—>"
_OPENERS = " \t*•·-–#([|"


@dataclass(frozen=True)
class Field:
    """One property of a schema: its name, kind, labels in print, description and own properties."""

    name: str
    kind: str
    labels: tuple[str, ...]
    description: str
    spec: Mapping[str, Any] = field(repr=False, compare=False, default_factory=dict)

    @cached_property
    def tokens(self) -> frozenset[str]:
        """The words of the field's name, lower case."""
        return frozenset(
            re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", self.name).lower())
        )

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The labels folded and blurred, the field's own name last, each once."""
        printed = [*self.labels, self.name.replace("_", " ")]
        return tuple(dict.fromkeys(k for k in (blur(fold(label)) for label in printed) if k))

    def named(self, *words: str) -> bool:
        """Whether the field's name holds one of the words."""
        return not self.tokens.isdisjoint(words)

    def says(self, pattern: re.Pattern[str]) -> bool:
        """Whether the field's name, labels or description match a pattern."""
        return bool(pattern.search(" ".join((self.name, *self.labels, self.description))))


def read_fields(properties: object) -> tuple[Field, ...]:
    """The fields of a schema's `properties`; what is not a mapping is left out."""
    if not isinstance(properties, Mapping):
        return ()
    fields = []
    for name, spec in properties.items():
        if not isinstance(spec, Mapping):
            continue
        labels = spec.get("x-labels")
        printed = labels if isinstance(labels, Sequence) and not isinstance(labels, str) else ()
        fields.append(
            Field(
                name=str(name),
                kind=str(spec.get("x-kind") or "text"),
                labels=tuple(str(label).strip().lower() for label in printed),
                description=str(spec.get("description") or ""),
                spec=spec,
            )
        )
    return tuple(fields)


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
    0.6 amid words; 0.4 inside a run of letters. Ordered by the share of right values on the
    receipts that the rules were tuned on, not fitted.
    """
    text = line.text
    left, right = _starts_word(text, start), _ends_word(text, end)
    if not (left and right):
        long_enough = size >= _LONG_ENOUGH_GLUED and (left or right)
        return 0.4 if long_enough else 0.0
    rest = text[end:]
    closed = not rest.strip() or bool(re.match(r"\s*[.)]?\s*[:#=]|\s{2,}|\s*[._]{3,}", rest))
    before = text[:start].rstrip(_OPENERS)
    opened = not before or before[-1] in ":|" or len(text[:start]) - len(before) > 1
    if size <= _SHORT and not (opened and closed):
        return 0.3 if opened else 0.0
    if opened:
        return 0.95 if closed else 0.85
    return 0.7 if closed else 0.5


def find_hits(sheet: Sheet, wanted: Field) -> list[Hit]:
    """Where the labels of a field are printed, in reading order, overlaps resolved to the longest."""
    hits: list[Hit] = []
    for line in sheet.lines:
        key = line.key
        for rank, label in enumerate(wanted.keys):
            at = key.find(label)
            while at >= 0:
                start, end = line.places[at], line.places[at + len(label) - 1] + 1
                certainty = _certainty(line, start, end, len(label))
                if certainty:
                    hits.append(Hit(line, start, end, certainty, rank))
                at = key.find(label, at + 1)
    return [h for h in hits if not any(_covers(other, h) for other in hits)]


def _covers(one: Hit, other: Hit) -> bool:
    """Whether a hit lies within a longer one on the same line."""
    return (
        one.line is other.line
        and one.start <= other.start
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
        (o.start for o in others if o.start >= hit.end and o.certainty >= 0.8), default=len(text)
    )
    start = hit.end
    while start < end and text[start] in _SEPARATORS:
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
