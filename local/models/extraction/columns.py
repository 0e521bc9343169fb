"""Pages of running text in two columns, whose columns are to be read one after the other. Pure."""

import re
from collections import Counter
from collections.abc import Sequence

_CELL = re.compile(r"\S+(?: \S+)*")
_FEWEST_LINES = 8
"""Lines with text in both columns below which a page is no page of two columns."""

_LETTERS = 18
"""Mean letters of a cell of running text; cells of tables and forms hold fewer on one side."""

_CROSSING = 0.1
_LEFT_MOST = 20


def unroll(lines: Sequence[str]) -> list[str]:
    """A page's lines, those of the right column after those of the left where it has two.

    A page has two columns if at least eight lines begin a second cell at the same place, both
    sides hold running text there, and hardly a line crosses it.
    """
    cells = [list(_CELL.finditer(line)) for line in lines]
    pairs = [found for found in cells if len(found) == len(("left", "right"))]
    starts = Counter(right.start() for _, right in pairs)
    if not starts:
        return list(lines)
    edge, count = starts.most_common(1)[0]
    if count < _FEWEST_LINES or edge < _LEFT_MOST:
        return list(lines)
    sides = [(left[0], right[0]) for left, right in pairs if right.start() == edge]
    crossing = sum(1 for line in lines if line[edge - 1 : edge].strip() and line[edge:].strip())
    if any(_mean_letters(side) < _LETTERS for side in zip(*sides, strict=True)):
        return list(lines)
    if crossing > _CROSSING * len(lines):
        return list(lines)
    return [line[:edge].rstrip() for line in lines] + ["", *(line[edge:] for line in lines)]


def _mean_letters(texts: Sequence[str]) -> float:
    return sum(c.isalpha() for text in texts for c in text) / len(texts)
