"""Finds where a value stands in a document's pages, with its box where the page was read by OCR.

Pure. Of several occurrences the one is taken that a reader would point at: beside the field's
label, in the row of the table, on the pages that the model was shown.
"""

import bisect
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.fields import Place, Unavailable
from streams.extraction.wording import Grounding, Spot, Wording
from streams.parsing.page import Box, Page

_CONSIDERED = 300
_FAR = 2_000


@dataclass(frozen=True, slots=True)
class Found:
    """Where a value stands: how it was found, its place, how often, and its OCR confidence."""

    grounding: Grounding
    place: Place | None = None
    occurrences: int = 0
    ocr_confidence: float | Unavailable = "unavailable"
    spot: Spot | None = None


class Ground:
    """A document's pages, made ready for finding values in them."""

    def __init__(self, pages: Sequence[Page]) -> None:
        self._pages = pages
        self._wording = Wording([page.text for page in pages])
        self._found: dict[str, tuple[Grounding, list[Spot]]] = {}
        self._label_ends: dict[str, list[int]] = {}

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
        if value not in self._found:
            self._found[value] = self._wording.find(value)
        grounding, spots = self._found[value]
        if not spots:
            return Found("absent")
        wanted = self._candidates(spots, after, pages)
        if taken:
            wanted = [spot for spot in wanted if not _overlaps(spot, taken)] or wanted
        spot = self._best(wanted, labels, near)
        index = self._wording.page(spot.start)
        page, first = self._pages[index], self._wording.page_start(index)
        start, end = spot.start - first, spot.end - first
        box, confidence = _words(page, start, end)
        place = Place(page=page.number, start=start, end=end, box=box)
        return Found(grounding, place, len(spots), confidence, spot)

    def mentions(self, labels: Sequence[str]) -> bool:
        """Whether any of the labels stands in the text as words of its own."""
        return any(self._ends(label) for label in labels)

    def _candidates(self, spots: list[Spot], after: Spot | None, pages: range | None) -> list[Spot]:
        """The first occurrences on the pages and behind the place, as far as there are any."""
        first, last = 0, len(spots)
        if pages is not None:
            low = bisect.bisect_left(spots, (self._wording.page_start(pages.start), 0))
            high = bisect.bisect_left(spots, (self._wording.page_start(pages.stop), 0))
            first, last = (low, high) if low < high else (first, last)
        if after is not None:
            behind = bisect.bisect_left(spots, (after.end, 0), first, last)
            first = behind if behind < last else first
        return spots[first : min(last, first + _CONSIDERED)]

    def _best(self, spots: list[Spot], labels: Sequence[str], near: Spot | None) -> Spot:
        if len(spots) == 1:
            return spots[0]
        if near is not None:
            return min(spots, key=lambda spot: max(spot.start - near.end, near.start - spot.end))
        ends = sorted(end for label in labels for end in self._ends(label))
        return min(spots, key=lambda spot: self._reach(spot, ends))

    def _ends(self, label: str) -> list[int]:
        if label not in self._label_ends:
            spots = self._wording.find_words(label)
            self._label_ends[label] = [spot.end for spot in spots[:_CONSIDERED]]
        return self._label_ends[label]

    def _reach(self, spot: Spot, ends: list[int]) -> int:
        """How far behind the nearest label a value stands; a row costs as much as ten words."""
        index = bisect.bisect_right(ends, spot.start) - 1
        if index < 0 or spot.start - ends[index] > _FAR:
            return _FAR
        between = self._wording.text[ends[index] : spot.start]
        if "\f" in between:
            return _FAR
        return between.count("\n") * 10 + len(between.split())


def _overlaps(spot: Spot, taken: Sequence[Spot]) -> bool:
    return any(spot.start < one.end and one.start < spot.end for one in taken)


def _words(page: Page, start: int, end: int) -> tuple[Box | None, float | Unavailable]:
    """The box around the OCR words that a range covers, and the least of their confidences."""
    words = [word for word in page.words if word.start < end and start < word.end]
    if not words:
        return None, "unavailable"
    left, top = min(word.box[0] for word in words), min(word.box[1] for word in words)
    right, bottom = max(word.box[2] for word in words), max(word.box[3] for word in words)
    return (left, top, right, bottom), min(word.confidence for word in words)
