"""Lines with places to text that keeps the layout: rows, gaps as runs of spaces, columns.

Pure functions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from streams.parsing.ocr.line import Line
from streams.parsing.ocr.rows import Piece, pieces, rows
from streams.parsing.page import Box, Word

_WIDEST_ROW = 240
_WIDE_GAP = 1.8
_BLANK_LINE = 1.7
_CLEAR = 1.2
_SIGN_BY_HEIGHT = 0.4


@dataclass(frozen=True, slots=True)
class _Token:
    """A word with its sides along the row and its line's character pitch, in pixels."""

    text: str
    left: float
    right: float
    pitch: float
    box: Box
    confidence: float


@dataclass(frozen=True, slots=True)
class _Grid:
    """Where the columns of characters lie: the left margin and the pitch of the page, in pixels."""

    margin: float
    pitch: float

    def column(self, place: float) -> int:
        return round((place - self.margin) / self.pitch)


def lay_out(lines: Sequence[Line], size: tuple[int, int]) -> tuple[str, tuple[Word, ...]]:
    """Return the text of a page of `size` pixels (width, height), and its words in it.

    A row of the page is a line of the text; a gap wider than a space is two spaces, or as many as
    bring the next word to its column; a vertical gap is one blank line.
    """
    found = rows(pieces([line for line in lines if line.text.strip()]))
    if not found:
        return "", ()
    tokens = [
        sorted((token for piece in row for token in _tokens(piece, size)), key=lambda t: t.left)
        for row in found
    ]
    grid = _grid(tokens)
    texts: list[str] = []
    words: list[Word] = []
    offset = 0
    for row, apart in zip(tokens, _gaps_above(found), strict=True):
        if apart:
            texts.append("")
            offset += 1
        text, placed = _write(row, grid, offset)
        texts.append(text)
        words += placed
        offset += len(text) + 1
    return "\n".join(texts), tuple(words)


def _write(row: Sequence[_Token], grid: _Grid, offset: int) -> tuple[str, list[Word]]:
    text = ""
    words = []
    before: _Token | None = None
    for token in row:
        column = grid.column(token.left)
        if before is None:
            text = " " * max(0, column)
        elif token.left - before.right < _WIDE_GAP * min(before.pitch, token.pitch):
            text += " "
        else:
            text += " " * max(2, column - len(text))
        start = offset + len(text)
        words.append(Word(token.text, start, start + len(token.text), token.box, token.confidence))
        text += token.text
        before = token
    return text, words


def _gaps_above(found: Sequence[Sequence[Piece]]) -> list[bool]:
    middles = [sum(piece.middle for piece in row) / len(row) for row in found]
    heights = [max(piece.height for piece in row) for row in found]
    steps = [low - high for high, low in pairwise(middles)]
    usual = median(steps) if steps else 0.0
    return [False] + [
        step > _BLANK_LINE * usual and step > _CLEAR * (above + below) / 2
        for step, (above, below) in zip(steps, pairwise(heights), strict=True)
    ]


def _grid(tokens: Sequence[Sequence[_Token]]) -> _Grid:
    flat = [token for row in tokens for token in row]
    left = min(token.left for token in flat)
    right = max(token.right for token in flat)
    return _Grid(left, max(median(token.pitch for token in flat), (right - left) / _WIDEST_ROW))


def _tokens(piece: Piece, size: tuple[int, int]) -> Iterator[_Token]:
    line, length = piece.line, max(piece.right - piece.left, 1.0)
    signs, places = len(line.text), line.positions
    pitch = piece.height * _SIGN_BY_HEIGHT
    if signs > 1 and places[-1] > places[0]:
        pitch = (places[-1] - places[0]) * length / (signs - 1)
    pitch = max(pitch, 1e-3)
    start = 0
    for text in line.text.split(" "):
        end = start + len(text)
        if text:
            first = places[start] - pitch / length / 2
            last = places[end - 1] + pitch / length / 2
            confidence = sum(line.confidences[start:end]) / len(text)
            yield _Token(
                text,
                piece.left + first * length,
                piece.left + last * length,
                pitch,
                _box(line, max(0.0, first), min(1.0, last), size),
                min(1.0, max(0.0, confidence)),
            )
        start = end + 1


def _box(line: Line, first: float, last: float, size: tuple[int, int]) -> Box:
    (top_start, top_end, low_end, low_start) = line.quad
    across, down = [], []
    for share in (first, last):
        for begin, finish in ((top_start, top_end), (low_start, low_end)):
            across.append((begin[0] + (finish[0] - begin[0]) * share) / size[0])
            down.append((begin[1] + (finish[1] - begin[1]) * share) / size[1])
    inside = [
        min(1.0, max(0.0, value)) for value in (min(across), min(down), max(across), max(down))
    ]
    return inside[0], inside[1], inside[2], inside[3]
