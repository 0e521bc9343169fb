"""What an OCR engine reads: lines of text with their places, and the seam that every engine fills.

Reads and writes nothing.
"""

from dataclasses import dataclass
from typing import Protocol

from PIL import Image

Point = tuple[float, float]
"""Pixels from the left and from the top of the image."""

Quad = tuple[Point, Point, Point, Point]
"""The corners of a line in reading order: its start at the top, its end at the top, then the end
and the start at the bottom; so the way from the first to the second is the direction of reading."""


@dataclass(frozen=True, slots=True)
class Line:
    """One stretch of text that was read at once.

    Attributes:
        text: the characters; single spaces between words, none at either end.
        quad: its corners in pixels of the image that was read.
        positions: for each character where its middle lies, as a share 0..1 of the way along the
            line.
        confidences: for each character how sure the engine is of it, 0..1.
    """

    text: str
    quad: Quad
    positions: tuple[float, ...]
    confidences: tuple[float, ...]

    @property
    def confidence(self) -> float:
        """The mean of the characters' confidences; 0 for a line without text."""
        return sum(self.confidences) / len(self.confidences) if self.confidences else 0.0


class Engine(Protocol):
    """Something that reads the text of an image."""

    @property
    def name(self) -> str:
        """The name of the engine in the settings."""
        ...

    def read_lines(self, image: Image.Image) -> list[Line]:
        """Return the lines of `image` (any mode, any size) in no particular order."""
        ...
