"""A document's text as lines and cells, and the folded form of a line that labels are sought in.

Pure; reads and writes nothing.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from local.models.extraction.columns import unroll

LONGEST_LINE = 2_000
"""Characters of a line that are looked at: printed lines are under 300, longer ones are data."""

MOST_LINES, MOST_CHARACTERS = 20_000, 1_000_000
"""Lines and characters of a document that are looked at, about 300 pages."""

_CELL = re.compile(r"\S+(?: \S+)*")
_CONFUSED = str.maketrans("015678i|", "olsgtbll")


@lru_cache(maxsize=4096)
def _fold_character(character: str) -> str:
    """The lower-case letters or digits that a character stands for, without accents; may be ""."""
    plain = unicodedata.normalize("NFKD", character.casefold())
    return "".join(c for c in plain if c.isalnum())


def fold(text: str) -> str:
    """Letters and digits only, lower case, without accents: the form that is compared."""
    return "".join(map(_fold_character, text))


def blur(folded: str) -> str:
    """A folded text with the characters that OCR confuses (0 o, 1 l i, 5 s, 8 b) made equal."""
    return folded.translate(_CONFUSED)


_TOKEN = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-zà-ÿ])(?=[A-ZÀ-Ý])")


def worded(text: str) -> str:
    """The words of a text folded, with single spaces; digits amid mostly letters are blurred.

    `TotalSales` becomes two words, `T0TAL` one; a number stays a number.
    """
    words = []
    for token in _TOKEN.findall(_CAMEL.sub(" ", text)):
        folded = fold(token)
        digits = sum(c.isdigit() for c in folded)
        words.append(blur(folded) if digits * 2 < len(folded) else folded)
    return " ".join(words)


@dataclass(frozen=True, slots=True)
class Cell:
    """A run of words on a line that no gap of two spaces parts: `line.text[start:end] == text`."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Line:
    """One printed row: its number in the document, its page from 0, whether a gap precedes it."""

    number: int
    page: int
    text: str
    gap: bool

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """The line's cells from left to right."""
        return tuple(Cell(m[0], m.start(), m.end()) for m in _CELL.finditer(self.text))

    @cached_property
    def _folded(self) -> tuple[str, tuple[int, ...]]:
        letters: list[str] = []
        places: list[int] = []
        for place, character in enumerate(self.text):
            for letter in _fold_character(character):
                letters.append(letter)
                places.append(place)
        return blur("".join(letters)), tuple(places)

    @property
    def key(self) -> str:
        """The line folded and blurred."""
        return self._folded[0]

    @property
    def places(self) -> tuple[int, ...]:
        """For each character of `key`, its place in `text`."""
        return self._folded[1]

    @cached_property
    def worded(self) -> str:
        """The line as `worded` gives it."""
        return worded(self.text)

    @cached_property
    def words(self) -> str:
        """The line with single spaces."""
        return " ".join(self.text.split())


@dataclass(frozen=True)
class Sheet:
    """A document: its lines that are not blank, in reading order."""

    lines: tuple[Line, ...]

    @cached_property
    def width(self) -> int:
        """The end of the longest line, in characters."""
        return max((len(line.text) for line in self.lines), default=0)

    def after(self, line: Line, count: int) -> Iterator[Line]:
        """Up to `count` lines below `line` on the same page."""
        for following in self.lines[line.number + 1 : line.number + 1 + count]:
            if following.page != line.page:
                return
            yield following


def read_sheet(text: str) -> Sheet:
    """The lines of a text whose pages are parted by form feeds; blank lines become `gap`.

    Running text in two columns is read column by column.
    """
    lines: list[Line] = []
    for page, body in enumerate(text[:MOST_CHARACTERS].split("\f")):
        gap = False
        rows = [raw[:LONGEST_LINE].expandtabs(4).rstrip() for raw in body.splitlines()]
        for row in unroll(rows):
            if not row.strip():
                gap = True
                continue
            lines.append(Line(len(lines), page, row, gap))
            gap = False
            if len(lines) == MOST_LINES:
                return Sheet(tuple(lines))
    return Sheet(tuple(lines))
