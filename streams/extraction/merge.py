"""Puts the answers for the windows of one document together into one answer.

Pure. A plain field takes the value that the model was surest of; rows and lists are joined, and
what two windows read twice, because they share lines, is taken once.
"""

from collections.abc import Sequence

from streams.extraction.reading import FieldValues, Reading, Row, Value, rows_of
from streams.extraction.windows import OVERLAP_LINES
from streams.extraction.wording import squeeze

_UNKNOWN_SCORE = 0.5
_STEP = 20
"""Scores are compared in steps of 1/20: a smaller lead does not outweigh standing first."""


def merge(readings: Sequence[Reading]) -> Reading:
    """Merges answers for consecutive windows, at least one.

    Returns: for a plain field the value with the highest model score, the first among about equal
        ones, and no value only where no window has one; all rows and entries in order.
    """
    merged = readings[0]
    for reading in readings[1:]:
        fields = {
            name: _join(merged.fields[name], values, overlaps=reading.overlaps)
            for name, values in reading.fields.items()
        }
        merged = Reading(fields)
    return merged


def _join(first: FieldValues, second: FieldValues, *, overlaps: bool) -> FieldValues:
    if isinstance(first, Value) and isinstance(second, Value):
        return second if _weight(second) > _weight(first) else first
    if isinstance(first, Value) or isinstance(second, Value):
        raise TypeError("answers for different types cannot be merged")
    before, after = rows_of(first), rows_of(second)
    shared = _shared(before, after) if overlaps else 0
    seam = [_fuller(*pair) for pair in zip(before[len(before) - shared :], after, strict=False)]
    rows = [*before[: len(before) - shared], *seam, *after[shared:]]
    plain = [row[""] for row in rows if "" in row]
    return plain or rows


def _weight(value: Value) -> tuple[bool, int]:
    score = _UNKNOWN_SCORE if value.score == "unavailable" else float(value.score)
    return value.text is not None, int(score * _STEP)


def _shared(before: list[Row], after: list[Row]) -> int:
    """How many rows at the end of one answer are those at the start of the next."""
    for count in range(min(OVERLAP_LINES, len(before), len(after)), 0, -1):
        pairs = zip(before[-count:], after[:count], strict=True)
        if all(_same(one, other) for one, other in pairs):
            return count
    return 0


def _same(one: Row, other: Row) -> bool:
    """Whether two rows agree wherever both have a value: a cut row lacks some of its cells."""
    compared = 0
    for name, value in one.items():
        second = other[name].text
        if value.text is None or second is None:
            continue
        if squeeze(value.text) != squeeze(second):
            return False
        compared += 1
    return compared > 0


def _fuller(one: Row, other: Row) -> Row:
    """Of a row that was read twice, cell by cell the one that is there and surer."""
    return {name: max(value, other[name], key=_weight) for name, value in one.items()}
