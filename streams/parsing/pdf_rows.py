"""The text layer of a PDF page as rows of text in which the printed columns stay visible.

Characters that stand close together become runs, runs at one height become a row, and a run is
put at the column of a grid whose cell is the page's usual character width, so that what is printed
below one another stays so.
"""

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

EM_PER_HEIGHT = 0.8
"""A font's em as a share of its line box, which spans ascent and descent."""
COLUMN_GAP_EM = 0.7
"""Words further apart than this stand in different columns; justified text stays below it."""
WORD_GAP_EM = 0.12
MAX_COLUMN = 300
ROW_TOLERANCE = 0.45
BLANK_LINE_PITCH = 1.6
"""Baselines further apart than this many line boxes have a visible gap between them."""
DOUBLE_SPACING = 2.5
"""Up to this pitch a page's usual one is its line spacing, which is no gap."""

Glyph = tuple[str, float, float, float, float, int]
"""A character, its left, bottom, right, top in points (upwards), and its quarter turns."""


@dataclass(slots=True)
class Run:
    """Characters that belong together, in reading order, and the box around them."""

    text: str
    left: float
    bottom: float
    right: float
    top: float

    @property
    def middle(self) -> float:
        """The height of the run's centre line."""
        return (self.bottom + self.top) / 2

    @property
    def height(self) -> float:
        """The height of its line box, never zero."""
        return max(self.top - self.bottom, 0.1)


def layout(glyphs: Sequence[Glyph]) -> str:
    """Return the page's text, a row a line; text at another angle follows after a blank line."""
    turns = Counter(glyph[5] for glyph in glyphs if not glyph[0].isspace())
    blocks = ["\n".join(_lines(_runs(_turned(glyphs, turn)))) for turn, _ in turns.most_common()]
    return "\n\n".join(block for block in blocks if block)


def _turned(glyphs: Iterable[Glyph], turn: int) -> Iterator[Glyph]:
    """Yield the characters of one angle, their boxes turned so that the text runs to the right."""
    for glyph in glyphs:
        text, left, bottom, right, top, own = glyph
        if own != turn:
            continue
        if turn == 0:
            yield glyph
        elif turn == 1:  # reading downwards: PDFium counts quarter turns clockwise
            yield text, -top, left, -bottom, right, 0
        elif turn == 2:  # noqa: PLR2004 - upside down
            yield text, -right, -top, -left, -bottom, 0
        else:  # reading upwards
            yield text, bottom, -right, top, -left, 0


def _runs(glyphs: Iterable[Glyph]) -> list[Run]:
    """Join characters that follow one another closely, to the right or, as in Hebrew, the left."""
    runs: list[Run] = []
    run = Run("", 0.0, 0.0, 0.0, 0.0)
    last_left = last_right = math.inf
    middle = tolerance = em = 0.0
    spaced = False
    for text, left, bottom, right, top, _ in glyphs:
        if text.isspace():
            spaced = True
            continue
        gap = left - last_right if left >= last_left else last_left - right
        if gap < COLUMN_GAP_EM * em and abs((bottom + top) / 2 - middle) < tolerance:
            run.text += f" {text}" if spaced and gap > -em / 2 else text
            run.left, run.right = min(run.left, left), max(run.right, right)
        else:
            run = Run(text, left, bottom, right, top)
            runs.append(run)
            middle, em = run.middle, run.height * EM_PER_HEIGHT
            tolerance = ROW_TOLERANCE * run.height
        last_left, last_right, spaced = left, right, False
    return runs


def _lines(runs: list[Run]) -> list[str]:
    if not runs:
        return []
    rows = _rows(runs)
    cell = _cell_width(runs)
    margin = min(run.left for run in runs)
    blank_above = _blank_above(rows)
    lines = []
    for row, blank in zip(rows, blank_above, strict=True):
        if blank:
            lines.append("")
        lines.append(_line(row, margin, cell))
    return lines


def _rows(runs: list[Run]) -> list[list[Run]]:
    """Group runs whose centre lines agree, from the top of the page to its bottom."""
    rows: list[list[Run]] = []
    middle = height = 0.0
    for run in sorted(runs, key=lambda run: -run.middle):
        if rows and abs(run.middle - middle) < ROW_TOLERANCE * min(height, run.height):
            rows[-1].append(run)
        else:
            rows.append([run])
            middle, height = run.middle, run.height
    for row in rows:
        row.sort(key=lambda run: run.left)
    return rows


def _cell_width(runs: list[Run]) -> float:
    """Return the usual width of a character, in points."""
    widths = [
        (run.right - run.left) / len(run.text)
        for run in runs
        for _ in run.text
        if len(run.text) > 2  # noqa: PLR2004 - one or two characters say little of a font
    ]
    return max(median(widths), 0.5) if widths else 5.0


def _blank_above(rows: list[list[Run]]) -> list[bool]:
    """Tell for each row whether a wider gap than between lines of one paragraph is above it."""
    middles = [max(row, key=lambda run: len(run.text)).middle for row in rows]
    heights = [median(run.height for run in row) for row in rows]
    pitches = [above - below for above, below in itertools.pairwise(middles)]
    if not pitches:
        return [False]
    usual = sorted(pitches)[len(pitches) // 4]
    spaced = 1.4 * usual if usual < DOUBLE_SPACING * median(heights) else 0.0
    wide = [
        pitch > max(BLANK_LINE_PITCH * height, spaced)
        for pitch, height in zip(pitches, heights[1:], strict=True)
    ]
    return [False, *wide]


def _line(row: list[Run], margin: float, cell: float) -> str:
    """Write one row onto the grid."""
    line = ""
    right = -math.inf
    for run in row:
        column = min(round((run.left - margin) / cell), MAX_COLUMN)
        em = run.height * EM_PER_HEIGHT
        gap = run.left - right
        if not line:
            line = " " * column
        elif gap < WORD_GAP_EM * em:
            line += ""
        elif gap < COLUMN_GAP_EM * em:
            line += " "
        else:
            line += " " * max(2, column - len(line))
        line += run.text
        right = max(right, run.right)
    return line.rstrip()
