"""Rows of cells as lines of text with aligned columns, for every format that has tables."""

from collections.abc import Sequence
from itertools import zip_longest

GUTTER = "  "
MAX_CELL = 48
"""A cell longer than this is prose: it is not worth padding every other cell to its width."""
MAX_BLOAT = 4
"""Aligned text may be this many times as long as the bare cells; above it nothing is padded."""


def align(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return one line per row (more where a cell has several lines), columns padded to line up.

    Cells of a column start at the same place unless a cell is longer than `MAX_CELL`; where
    alignment would mostly add spaces, cells are only set apart by two of them. Rows without text
    are left out.
    """
    lines = [line for row in rows for line in _physical(row) if any(line)]
    widths = _widths(lines)
    bare = sum(len(cell) + len(GUTTER) for line in lines for cell in line)
    padded = sum(sum(widths[: len(line)]) for line in lines)
    if padded > MAX_BLOAT * bare:
        widths = [0] * len(widths)
    return [
        GUTTER.join(cell.ljust(width) for cell, width in zip(line, widths, strict=False)).rstrip()
        for line in lines
    ]


def _physical(row: Sequence[str]) -> list[list[str]]:
    """Set the lines of a row's cells beside one another."""
    cells = [[line.replace("\t", " ").rstrip() for line in cell.splitlines()] for cell in row]
    return [list(line) for line in zip_longest(*cells, fillvalue="")]


def _widths(lines: Sequence[Sequence[str]]) -> list[int]:
    widths: list[int] = []
    for line in lines:
        widths.extend([0] * (len(line) - len(widths)))
        for index, cell in enumerate(line):
            if len(cell) <= MAX_CELL:
                widths[index] = max(widths[index], len(cell))
    return widths
