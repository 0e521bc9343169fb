"""Which pieces of text stand on the same printed row, however the page is turned or bent.

Pure functions. Pieces are linked to rows the surest pair first; a link that would put two pieces
above each other into one row is refused, which keeps close rows apart on a page that is a little
askew.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from streams.parsing.ocr.line import Line

_SAME_ROW = 0.45
_OVERLAP = 0.3
_LONG_ENOUGH = 3.0


@dataclass(frozen=True, slots=True)
class Piece:
    """A line in the page's own directions, along the rows and from row to row, in pixels."""

    line: Line
    left: float
    right: float
    middle: float
    height: float


def pieces(lines: Sequence[Line]) -> list[Piece]:
    """Return `lines` as pieces after undoing the turn of the page, told by the lines' slopes."""
    angle = _turn(lines)
    cosine, sine = math.cos(angle), math.sin(angle)
    found = []
    for line in lines:
        along = [x * cosine + y * sine for x, y in line.quad]
        down = [y * cosine - x * sine for x, y in line.quad]
        left, right = (along[0] + along[3]) / 2, (along[1] + along[2]) / 2
        height = (down[2] + down[3] - down[0] - down[1]) / 2
        # A line that runs across the page's direction has no sides of its own there: take its
        # outline.
        if right - left < 1 or height < 1:
            left, right = min(along), max(along)
            height = max(down) - min(down)
        found.append(Piece(line, left, right, sum(down) / 4, max(height, 1.0)))
    return found


def rows(found: Sequence[Piece]) -> list[list[Piece]]:
    """Return the rows from top to bottom, each from left to right."""
    members: list[list[Piece]] = [[piece] for piece in found]
    row_of = list(range(len(found)))
    for _, first, second in sorted(_links(found)):
        one, other = row_of[first], row_of[second]
        if one == other or not _fit(members[one], members[other]):
            continue
        members[one] += members[other]
        members[other] = []
        row_of = [one if row == other else row for row in row_of]
    filled = [sorted(row, key=lambda piece: piece.left) for row in members if row]
    return sorted(filled, key=lambda row: (_middle(row), row[0].left))


def _turn(lines: Sequence[Line]) -> float:
    slopes: list[tuple[float, float]] = []
    for line in lines:
        (x0, y0), (x1, y1), _, (x3, y3) = line.quad
        length, height = math.hypot(x1 - x0, y1 - y0), math.hypot(x3 - x0, y3 - y0)
        if length > _LONG_ENOUGH * height:
            slopes.append((math.atan2(y1 - y0, x1 - x0), length))
    if not slopes:
        return 0.0
    # The quarter in which most of the text runs, then the weighted median around it.
    quarters = [0.0] * 4
    for slope, length in slopes:
        quarters[round(slope / (math.pi / 2)) % 4] += length
    quarter = quarters.index(max(quarters)) * math.pi / 2
    leaning = sorted(
        (math.remainder(slope - quarter, 2 * math.pi), length)
        for slope, length in slopes
        if abs(math.remainder(slope - quarter, 2 * math.pi)) < math.pi / 4
    )
    half = sum(length for _, length in leaning) / 2
    for slope, length in leaning:
        half -= length
        if half <= 0:
            return quarter + slope
    return quarter


def _links(found: Sequence[Piece]) -> list[tuple[float, int, int]]:
    order = sorted(range(len(found)), key=lambda number: found[number].middle)
    middles = [found[number].middle for number in order]
    links = []
    for number, piece in enumerate(found):
        reach = _SAME_ROW * piece.height
        nearby = order[
            bisect_left(middles, piece.middle - reach) : bisect_right(middles, piece.middle + reach)
        ]
        for other in nearby:
            mate = found[other]
            smaller = min(piece.height, mate.height)
            apart = abs(piece.middle - mate.middle) / smaller
            if mate.left >= piece.left and other != number and apart <= _SAME_ROW:
                gap = max(0.0, mate.left - piece.right) / smaller
                links.append((apart + gap / 100, number, other))
    return links


def _fit(row: Sequence[Piece], other: Sequence[Piece]) -> bool:
    for one in row:
        for two in other:
            shared = min(one.right, two.right) - max(one.left, two.left)
            if shared > _OVERLAP * min(one.right - one.left, two.right - two.left):
                return False
    heights = median([piece.height for piece in (*row, *other)])
    return abs(_middle(row) - _middle(other)) <= _SAME_ROW * heights


def _middle(row: Sequence[Piece]) -> float:
    return sum(piece.middle for piece in row) / len(row)
