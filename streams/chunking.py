"""Chunks: stretches of a page's text that are embedded and found, each with its place.

Cut along the structure of the text: blank lines first, then line ends, then sentences, then words.
A chunk never crosses a page, holds about 200 tokens, and begins with the end of the one before.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from streams.parsing.page import Page

TARGET_TOKENS: Final = 200
OVERLAP_TOKENS: Final = 30
_TOKEN: Final = re.compile(r"\w+|[^\w\s]")
_BREAKS: Final = (
    re.compile(r"\n\s*\n"),
    re.compile(r"\n"),
    re.compile(r"(?<=[.!?;:])\s+"),
    re.compile(r"\s+"),
)
_LONGEST_CHARS: Final = 4000


@dataclass(frozen=True, slots=True)
class Chunk:
    """`text` is what the page's text has from `start` to `end`, its ordinal counted from 0."""

    ordinal: int
    page: int
    start: int
    end: int
    text: str


def tokens(text: str) -> int:
    """Returns: an estimate of a text's tokens; long words count as several."""
    return sum(1 + len(match[0]) // 8 for match in _TOKEN.finditer(text))


def chunk(pages: Sequence[Page]) -> list[Chunk]:
    """Returns: the chunks of all pages in reading order; pages without text have none."""
    found: list[Chunk] = []
    for page in pages:
        for start, end in _spans(page.text):
            found.append(Chunk(len(found), page.number, start, end, page.text[start:end]))
    return found


def _spans(text: str) -> Iterator[tuple[int, int]]:
    pieces = [span for span in _cut(text, 0, len(text), 0) if text[span[0] : span[1]].strip()]
    first = 0
    while first < len(pieces):
        last, size = first, 0
        while last < len(pieces) and (
            size == 0 or size + _size(text, pieces[last]) <= TARGET_TOKENS
        ):
            size += _size(text, pieces[last])
            last += 1
        yield _trimmed(text, pieces[first][0], pieces[last - 1][1])
        if last == len(pieces):
            return
        first = _overlap(text, pieces, first, last)


def _overlap(text: str, pieces: Sequence[tuple[int, int]], first: int, last: int) -> int:
    """Returns: where the next chunk begins: a little before `last`, but behind `first`."""
    size, begin = 0, last
    while begin - 1 > first and size + _size(text, pieces[begin - 1]) <= OVERLAP_TOKENS:
        begin -= 1
        size += _size(text, pieces[begin])
    return begin


def _size(text: str, span: tuple[int, int]) -> int:
    return tokens(text[span[0] : span[1]])


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    stretch = text[start:end]
    return start + len(stretch) - len(stretch.lstrip()), start + len(stretch.rstrip())


def _cut(text: str, start: int, end: int, level: int) -> Iterator[tuple[int, int]]:
    """Yield spans of at most the target size, cut at the coarsest breaks that allow it."""
    if tokens(text[start:end]) <= TARGET_TOKENS // 2 and end - start <= _LONGEST_CHARS:
        yield start, end
        return
    if level == len(_BREAKS):
        for begin in range(start, end, TARGET_TOKENS * 4):
            yield begin, min(begin + TARGET_TOKENS * 4, end)
        return
    begin = start
    for match in _BREAKS[level].finditer(text, start, end):
        if match.end() > begin:
            yield from _cut(text, begin, match.end(), level + 1)
            begin = match.end()
    if begin < end:
        yield from _cut(text, begin, end, level + 1)
