"""Finds where a value stands in a document's pages, with its box where the page was read by OCR.

Pure. A value is sought as it is, then ignoring case, white space and punctuation, which also finds
one that runs over several lines. Linear in the text; each page is squeezed once, when needed.
"""

import bisect
import functools
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from schemas.fields import Place, Unavailable
from streams.parsing.page import Box, Page

Grounding = Literal["exact", "loose", "absent"]

MOST_OCCURRENCES = 500
"""Occurrences of one value that are looked at; more are counted as this many."""

_FAR = 2_000
_RUN = re.compile(r"[^\W_]+")
_DIGIT_BEFORE = re.compile(r"\d[.,]?$")
_DIGIT_AFTER = re.compile(r"[.,]?\d")


class Spot(NamedTuple):
    """A range of characters: the page's index from 0, and offsets into its text."""

    page: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Found:
    """Where a value stands: how it was found, its place, how often, and its OCR confidence."""

    grounding: Grounding
    place: Place | None = None
    occurrences: int = 0
    ocr_confidence: float | Unavailable = "unavailable"
    spot: Spot | None = None


@dataclass(frozen=True)
class _Sheet:
    """A page's text, and its letters and digits alone with the way back to their offsets."""

    text: str

    @functools.cached_property
    def _squeezed(self) -> tuple[str, list[int], list[int]]:
        """The squeezed text, and where runs of characters begin in it and in the page's text."""
        parts: list[str] = []
        here: list[int] = []
        there: list[int] = []
        length = 0
        for start, letters in _runs(self.text):
            parts.append(letters)
            here.append(length)
            there.append(start)
            length += len(letters)
        return "".join(parts), here, there

    @property
    def squeezed(self) -> str:
        return self._squeezed[0]

    def offset(self, index: int) -> int:
        """The offset in the page's text of a character of the squeezed one."""
        _, here, there = self._squeezed
        run = bisect.bisect_right(here, index) - 1
        width = (here[run + 1] if run + 1 < len(here) else len(self.squeezed)) - here[run]
        # A run of several characters stands letter for letter; see `_runs`.
        return there[run] + (index - here[run] if width > 1 else 0)


def _runs(text: str) -> Iterator[tuple[int, str]]:
    """Runs of folded letters and digits with the offset at which each begins.

    Plain runs keep their length when folded and stay whole; others are given one source character
    at a time, and those that fold into several letters (`ß`, `ﬁ`) one letter at a time.
    """
    for match in _RUN.finditer(text):
        if match[0].isascii():
            yield match.start(), match[0].lower()
            continue
        for shift, character in enumerate(match[0]):
            for letter in _fold(character):
                yield match.start() + shift, letter


@functools.lru_cache(maxsize=8192)
def _fold(character: str) -> str:
    plain = unicodedata.normalize("NFKD", character.casefold())
    return "".join(letter for letter in plain if letter.isalnum())


def squeeze(text: str) -> str:
    """The letters and digits of `text`, folded: the form in which values are compared loosely."""
    return "".join(letters for _, letters in _runs(text))


@dataclass
class Ground:
    """A document's pages, made ready for finding values in them."""

    pages: Sequence[Page]
    _sheets: list[_Sheet] = field(init=False)
    _found: dict[str, tuple[Grounding, list[Spot]]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._sheets = [_Sheet(page.text) for page in self.pages]

    def locate(
        self,
        value: str,
        *,
        labels: Sequence[str] = (),
        near: Spot | None = None,
        after: Spot | None = None,
        taken: Sequence[Spot] = (),
        pages: range | None = None,
    ) -> Found:
        """Where `value` stands best.

        Args:
            value: what a model gave as printed.
            labels: words that label the field; the occurrence nearest behind one is taken.
            near: a place beside which the value should stand; goes before `labels`.
            after: a place that the value should follow, if any occurrence does.
            taken: places of other values, which are not given again while there are others.
            pages: indexes of the pages to prefer, those that the model was shown.
        """
        grounding, spots = self._occurrences(value)
        if not spots:
            return Found("absent")
        wanted = [spot for spot in spots if pages is None or spot.page in pages] or spots
        if after is not None:
            wanted = [spot for spot in wanted if spot[:2] >= (after.page, after.end)] or wanted
        if taken:
            wanted = [spot for spot in wanted if not _overlaps(spot, taken)] or wanted
        spot = self._best(wanted, labels, near)
        box, confidence = _words(self.pages[spot.page], spot)
        page = self.pages[spot.page].number
        place = Place(page=page, start=spot.start, end=spot.end, box=box)
        return Found(grounding, place, len(spots), confidence, spot)

    def mentions(self, words: Sequence[str]) -> bool:
        """Whether any of the labels in `words` stands in the text as words of its own."""
        return any(self._label(word) for word in words)

    def _occurrences(self, value: str) -> tuple[Grounding, list[Spot]]:
        if value not in self._found:
            self._found[value] = self._search(value)
        return self._found[value]

    def _search(self, value: str) -> tuple[Grounding, list[Spot]]:
        """Whole occurrences; else those of the letters and digits; else parts of longer words."""
        exact = list(self._exact(value))
        whole = [spot for spot in exact if self._stands_alone(spot)]
        if whole:
            return "exact", whole
        loose = list(self._loose(value))
        whole = [spot for spot in loose if self._stands_alone(spot)]
        return "loose", whole or exact or loose

    def _exact(self, value: str) -> Iterator[Spot]:
        count = 0
        for page, sheet in enumerate(self._sheets):
            start = sheet.text.find(value) if value.strip() else -1
            while start >= 0 and count < MOST_OCCURRENCES:
                yield Spot(page, start, _cluster_end(sheet.text, start + len(value)))
                count += 1
                start = sheet.text.find(value, start + len(value))

    def _loose(self, value: str) -> Iterator[Spot]:
        wanted = squeeze(value)
        count = 0
        for page, sheet in enumerate(self._sheets):
            index = sheet.squeezed.find(wanted) if wanted else -1
            while index >= 0 and count < MOST_OCCURRENCES:
                end = sheet.offset(index + len(wanted) - 1) + 1
                yield Spot(page, sheet.offset(index), _cluster_end(sheet.text, end))
                count += 1
                index = sheet.squeezed.find(wanted, index + len(wanted))

    def _stands_alone(self, spot: Spot) -> bool:
        """Whether no longer word or number goes on at either end: `9.00` is not in `19.00`."""
        text = self._sheets[spot.page].text
        before, after = text[max(0, spot.start - 2) : spot.start], text[spot.end : spot.end + 2]
        first, last = text[spot.start], text[spot.end - 1]
        if first.isdigit() and _DIGIT_BEFORE.search(before):
            return False
        if last.isdigit() and _DIGIT_AFTER.match(after):
            return False
        return not (
            (first.isalnum() and before[-1:].isalnum()) or (last.isalnum() and after[:1].isalnum())
        )

    def _best(self, spots: list[Spot], labels: Sequence[str], near: Spot | None) -> Spot:
        if len(spots) == 1:
            return spots[0]
        if near is not None:
            return min(spots, key=lambda spot: (spot.page != near.page, _gap(spot, near)))
        ends = sorted((mark.page, mark.end) for label in labels for mark in self._label(label))
        return min(spots, key=lambda spot: self._reach(spot, ends))

    def _label(self, label: str) -> list[Spot]:
        key = f"\0{label}"
        if key not in self._found:
            spots = [spot for spot in self._loose(label) if self._stands_alone(spot)]
            self._found[key] = "loose", spots
        return self._found[key][1]

    def _reach(self, spot: Spot, ends: list[tuple[int, int]]) -> int:
        """How far behind the nearest label a value stands; a row costs as much as ten words."""
        index = bisect.bisect_right(ends, (spot.page, spot.start)) - 1
        if index < 0 or ends[index][0] != spot.page or spot.start - ends[index][1] > _FAR:
            return _FAR
        between = self._sheets[spot.page].text[ends[index][1] : spot.start]
        return between.count("\n") * 10 + len(between.split())


def _overlaps(spot: Spot, taken: Sequence[Spot]) -> bool:
    return any(
        spot.page == one.page and spot.start < one.end and one.start < spot.end for one in taken
    )


def _gap(spot: Spot, near: Spot) -> int:
    return max(spot.start - near.end, near.start - spot.end, 0)


def _cluster_end(text: str, end: int) -> int:
    """Moves an end behind the combining marks that belong to the character before it."""
    while end < len(text) and unicodedata.combining(text[end]):
        end += 1
    return end


def _words(page: Page, spot: Spot) -> tuple[Box | None, float | Unavailable]:
    """The box around the OCR words that a range covers, and the least of their confidences."""
    words = [word for word in page.words if word.start < spot.end and spot.start < word.end]
    if not words:
        return None, "unavailable"
    left, top = min(word.box[0] for word in words), min(word.box[1] for word in words)
    right, bottom = max(word.box[2] for word in words), max(word.box[3] for word in words)
    return (left, top, right, bottom), min(word.confidence for word in words)
