"""Two engines together: where the first doubts a line, the second is heard on the same place.

Reads nothing of its own. On 35 scanned receipts tesseract's vote on PP-OCRv6's doubtful lines
changed 29 of 1,900 lines and no field, so `auto` does without.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PIL import Image

from streams.parsing.ocr.line import Engine, Line, Point, Quad

_DOUBTFUL = 0.95
_TRUSTED = 0.85
_MOST_APART = 0.2
_SIGNS_APART = 2


@dataclass(frozen=True, slots=True)
class _Heard:
    """A word of the second engine, its middle in pixels, and the confidence of its characters."""

    text: str
    middle: Point
    confidence: float


class VotingEngine:
    """Reads with `first`, and with `second` for a second opinion on what `first` is not sure of."""

    name = "vote"

    def __init__(self, first: Engine, second: Engine) -> None:
        self._first = first
        self._second = second

    def read_lines(self, image: Image.Image) -> list[Line]:
        """Return the lines of `first`, some of them with the text of `second`.

        Raises whatever either engine raises.
        """
        lines = self._first.read_lines(image)
        if all(line.confidence >= _DOUBTFUL for line in lines):
            return lines
        heard = [word for line in self._second.read_lines(image) for word in _words(line)]
        return [line if line.confidence >= _DOUBTFUL else _vote(line, heard) for line in lines]


def _vote(line: Line, heard: Sequence[_Heard]) -> Line:
    start = line.quad[0]
    inside = sorted(
        (word for word in heard if _contains(line.quad, word.middle)),
        key=lambda word: (word.middle[0] - start[0]) ** 2 + (word.middle[1] - start[1]) ** 2,
    )
    text = " ".join(word.text for word in inside)
    signs = sum(len(word.text) for word in inside)
    sureness = sum(word.confidence * len(word.text) for word in inside) / max(signs, 1)
    # A second reading of another length is mostly part of the line, or of two lines.
    apart = abs(len(text) - len(line.text))
    if sureness < _TRUSTED or apart > max(_SIGNS_APART, _MOST_APART * len(line.text)):
        return line
    places = tuple((number + 0.5) / len(text) for number in range(len(text)))
    return Line(text, line.quad, places, (sureness,) * len(text))


def _words(line: Line) -> Iterator[_Heard]:
    (top_start, top_end, _, low_start) = line.quad
    start = 0
    for text in line.text.split(" "):
        end = start + len(text)
        if text:
            share = (line.positions[start] + line.positions[end - 1]) / 2
            x = (top_start[0] + low_start[0]) / 2 + (top_end[0] - top_start[0]) * share
            y = (top_start[1] + low_start[1]) / 2 + (top_end[1] - top_start[1]) * share
            yield _Heard(text, (x, y), sum(line.confidences[start:end]) / len(text))
        start = end + 1


def _contains(quad: Quad, point: Point) -> bool:
    corners = zip(quad, (*quad[1:], quad[0]), strict=True)
    sides = [
        (x1 - x0) * (point[1] - y0) - (y1 - y0) * (point[0] - x0) for (x0, y0), (x1, y1) in corners
    ]
    return all(side >= 0 for side in sides) or all(side <= 0 for side in sides)
