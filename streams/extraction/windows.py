"""Splits a document that is longer than a model's context into windows, at pages and then at lines.

Pure. Every line of the document is in at least one window; a page that has to be split repeats the
last lines of one window at the head of the next, so that no row is lost at the cut.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from streams.parsing.page import Page

OVERLAP_LINES = 3
"""Lines that the windows of one page share; a printed row seldom has more."""

_PIECE = re.compile(r" ?[A-Za-z]{1,4}|[^\S\n]{1,8}|[\x21-\x7e\n]")
_MOST_OVERLAP = 0.25
_LEAST_TOKENS = 16
_OVERLAP_ROOM = 8


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a document that a model is shown at once.

    `texts` are its pages or parts of pages in order; `pages` the indexes of these pages from 0;
    `overlaps` whether it begins with the last lines of the window before it.
    """

    texts: tuple[str, ...]
    pages: range
    overlaps: bool = False


def estimate_tokens(text: str) -> int:
    """A number of tokens that no common tokenizer exceeds on ordinary text.

    Four letters, one digit, one mark, or eight spaces make a token; other scripts count two bytes
    of UTF-8 each, because byte-level vocabularies split rare characters.
    """
    ascii_only = text.encode("ascii", "ignore").decode()
    rest = len(text.encode("utf-8", "replace")) - len(ascii_only)
    return _PIECE.subn("", ascii_only)[1] + (rest + 1) // 2


def split(
    pages: Sequence[Page], budget_tokens: int, *, overlap_lines: int = OVERLAP_LINES
) -> list[Window]:
    """Splits a document into windows of at most `budget_tokens` estimated tokens each.

    Args:
        pages: all pages of the document, in order.
        budget_tokens: what the model's context leaves for the document, at least 16.
        overlap_lines: lines repeated where a page is cut.

    Returns: the windows in order, one where all fits, none where there are no pages.

    Raises:
        ValueError: the budget is below 16 tokens; prompt and schema leave no room.
    """
    if budget_tokens < _LEAST_TOKENS:
        raise ValueError(f"{budget_tokens} tokens leave no room for a document")
    windows: list[Window] = []
    texts: list[str] = []
    first, used, overlaps = 0, 0, False
    for index, page in enumerate(pages):
        for part, (text, cost) in enumerate(_parts(page.text, budget_tokens, overlap_lines)):
            if texts and (part or used + cost > budget_tokens):
                windows.append(Window(tuple(texts), range(first, index + bool(part)), overlaps))
                texts, used = [], 0
            if not texts:
                first, overlaps = index, bool(part) and overlap_lines > 0
            texts.append(text)
            used += cost + 1
    if texts:
        windows.append(Window(tuple(texts), range(first, len(pages)), overlaps))
    return windows


def halve(window: Window, *, overlap_lines: int = OVERLAP_LINES) -> list[Window]:
    """Splits a window whose answer did not fit the model's context into smaller ones.

    Returns: two windows or a few more that together hold all of it, by pages where it has several,
        else by lines; none where it is too short to be split.
    """
    if len(window.texts) > 1:
        middle = len(window.texts) // 2
        cut = window.pages.start + middle
        return [
            Window(window.texts[:middle], range(window.pages.start, cut), window.overlaps),
            Window(window.texts[middle:], range(cut, window.pages.stop)),
        ]
    [text] = window.texts
    budget = (estimate_tokens(text) + 1) // 2 + _OVERLAP_ROOM
    if budget < _LEAST_TOKENS or text.count("\n") <= 2 * overlap_lines:
        return []
    parts = [part for part, _ in _parts(text, budget, overlap_lines)]
    return [
        Window((part,), window.pages, window.overlaps if at == 0 else overlap_lines > 0)
        for at, part in enumerate(parts)
    ]


def _parts(text: str, budget: int, overlap: int) -> Iterator[tuple[str, int]]:
    """The page whole, or runs of its lines that fit, each with its cost in tokens."""
    whole = estimate_tokens(text)
    if whole <= budget:
        yield text, whole
        return
    kept: list[str] = []
    used = 0
    for line in _short_lines(text, budget):
        cost = estimate_tokens(line) + 1
        if kept and used + cost > budget:
            yield "\n".join(kept), used
            kept = _tail(kept, overlap, min(budget * _MOST_OVERLAP, budget - cost))
            used = sum(estimate_tokens(one) + 1 for one in kept)
        kept.append(line)
        used += cost
    yield "\n".join(kept), used


def _tail(lines: list[str], count: int, room: float) -> list[str]:
    """The last lines that fit the room, at most `count`."""
    tail: list[str] = []
    for line in reversed(lines[-count:] if count else []):
        room -= estimate_tokens(line) + 1
        if room < 0:
            break
        tail.insert(0, line)
    return tail


def _short_lines(text: str, budget: int) -> Iterator[str]:
    """The lines of a page; one that does not fit the budget is cut into pieces that surely do."""
    # A character of UTF-8 has at most four bytes and so counts at most two tokens.
    most = max(1, (budget - 1) // 2)
    for line in text.split("\n"):
        if estimate_tokens(line) < budget:
            yield line
        else:
            yield from (line[start : start + most] for start in range(0, len(line), most))
