"""An index of a document's words, by which values are found in it without reading it each time.

Pure. Letters and digits are compared folded: case, accents, white space and punctuation are
ignored. The index is built once, when first needed, in time linear in the text; a value is then
looked up by its rarest word, so that a table of thousands of cells is found in a long document.
"""

import bisect
import functools
import re
import unicodedata
from array import array
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

Grounding = Literal["exact", "loose", "absent"]

MOST_SCANNED = 1_000_000_000
"""Characters that are read, over all values of a document, in search of those that are glued to
other words; about two seconds. Later ones count as absent unless they stand as words."""

_MARKS = "\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u064b-\u065f\u0670"
_WORD = re.compile(rf"(?:[^\W\d_][{_MARKS}]*)+|\d+")
_NUMBER_BEFORE = re.compile(r"\d[.,]$")
_NUMBER_AFTER = re.compile(r"[.,]\d")
_MOST_SYMBOLS = 500


class Spot(NamedTuple):
    """A range of characters, as offsets into the document's pages joined by form feeds."""

    start: int
    end: int


def _words(text: str) -> Iterator[tuple[int, int, str]]:
    """Runs of letters and runs of digits: start, end, folded form."""
    for match in _WORD.finditer(text):
        folded = match[0].lower() if match[0].isascii() else "".join(map(_fold, match[0]))
        if folded:
            yield match.start(), match.end(), folded


@functools.lru_cache(maxsize=8192)
def _fold(character: str) -> str:
    plain = unicodedata.normalize("NFKD", character.casefold())
    return "".join(letter for letter in plain if letter.isalnum())


def squeeze(text: str) -> str:
    """The letters and digits of `text`, folded: the form in which values are compared loosely."""
    return "".join(folded for _, _, folded in _words(text))


class Wording:
    """The words of a document with their places."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.text = "\f".join(texts)
        self._page_starts = [0]
        for text in texts:
            self._page_starts.append(self._page_starts[-1] + len(text) + 1)
        self._numbers: dict[str, int] = {}
        self._postings: list[array[int]] = []
        self._starts, self._ends, self._words = array("L"), array("L"), array("L")
        self._scanned = 0
        self._built = False

    def page(self, offset: int) -> int:
        """The index of the page that an offset lies in."""
        return bisect.bisect_right(self._page_starts, offset) - 1

    def page_start(self, page: int) -> int:
        """The offset at which a page begins; that of the end for the page behind the last."""
        return self._page_starts[page]

    def find(self, value: str) -> tuple[Grounding, list[Spot]]:
        """Where a value stands, in order, and how it was found.

        Exact: as it is, as words of its own. Loose: ignoring case, accents, white space and
        punctuation, or as a part of longer words; never over the end of a page.
        """
        aligned = self._aligned(value)
        exact = [spot for spot in aligned if self.text.startswith(value, spot.start)]
        if exact:
            return "exact", exact
        spots = aligned or self._glued(value)
        return ("loose", spots) if spots else ("absent", [])

    def find_words(self, words: str) -> list[Spot]:
        """Where words stand as words of their own, folded."""
        return self._aligned(words)

    def _build(self) -> None:
        for start, end, folded in _words(self.text):
            number = self._numbers.setdefault(folded, len(self._postings))
            if number == len(self._postings):
                self._postings.append(array("L"))
            self._postings[number].append(len(self._words))
            self._words.append(number)
            self._starts.append(start)
            self._ends.append(end)
        self._built = True

    def _aligned(self, value: str) -> list[Spot]:
        """Occurrences that begin and end with whole words, found by the rarest of them."""
        if not self._built:
            self._build()
        words = list(_words(value))
        numbers = array("L")
        for _, _, folded in words:
            number = self._numbers.get(folded)
            if number is None:
                return []
            numbers.append(number)
        if not numbers:
            return []
        rarest = min(range(len(numbers)), key=lambda at: len(self._postings[numbers[at]]))
        firsts = (at - rarest for at in self._postings[numbers[rarest]] if at >= rarest)
        spots = (
            self._spot(value, words[0][0], first, first + len(numbers) - 1)
            for first in firsts
            if self._words[first : first + len(numbers)] == numbers
        )
        return [spot for spot in spots if spot is not None]

    def _spot(self, value: str, lead: int, first: int, last: int) -> Spot | None:
        """The range from one word to another; with its signs where the value stands as it is."""
        start, end = self._starts[first], self._ends[last]
        if self.page(start) != self.page(end - 1) or self._goes_on(start, end):
            return None
        if start >= lead and self.text.startswith(value, start - lead):
            return Spot(start - lead, self._whole(start - lead + len(value)))
        return Spot(start, self._whole(end))

    def _goes_on(self, start: int, end: int) -> bool:
        """Whether a number goes on at either end: `239.00` is not in `1,239.00`."""
        before, after = self.text[max(0, start - 2) : start], self.text[end : end + 2]
        return bool(
            (self.text[start].isdigit() and _NUMBER_BEFORE.search(before))
            or (self.text[end - 1].isdigit() and _NUMBER_AFTER.match(after))
        )

    def _whole(self, end: int) -> int:
        """Moves an end behind the combining marks that belong to the character before it."""
        while end < len(self.text) and unicodedata.combining(self.text[end]):
            end += 1
        return end

    @functools.cached_property
    def _squeezed(self) -> tuple[str, "array[int]"]:
        """The folded words without gaps, a form feed between pages, and where each word begins."""
        names = list(self._numbers)
        parts: list[str] = []
        begins = array("L")
        length, page = 0, 0
        for start, number in zip(self._starts, self._words, strict=True):
            while start >= self._page_starts[page + 1]:
                page += 1
                parts.append("\f")
                length += 1
            begins.append(length)
            parts.append(names[number])
            length += len(names[number])
        return "".join(parts), begins

    def _glued(self, value: str) -> list[Spot]:
        """Occurrences inside longer words; a value without any letter or digit as it is."""
        wanted = squeeze(value)
        text, begins = self._squeezed if wanted else (self.text, array("L"))
        wanted = wanted or value.strip()
        spots: list[Spot] = []
        at = 0
        while wanted and len(spots) < _MOST_SYMBOLS and self._scanned < MOST_SCANNED:
            found = text.find(wanted, at)
            self._scanned += (len(text) if found < 0 else found) - at
            if found < 0:
                break
            at = found + len(wanted)
            start, end = found, at
            if begins:
                start = self._source(begins, found)
                end = self._source(begins, at - 1) + 1
            spots.append(Spot(start, self._whole(end)))
        return spots

    def _source(self, begins: "array[int]", index: int) -> int:
        """The offset in the text of a character of the squeezed text."""
        word = bisect.bisect_right(begins, index) - 1
        shift, start = index - begins[word], self._starts[word]
        for offset in range(start, self._ends[word]):
            shift -= len(_fold(self.text[offset]))
            if shift < 0:
                return offset
        return self._ends[word] - 1
