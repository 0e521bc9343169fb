"""Turns a highlighted text into passages with offsets.

The whole text comes back with a marker around each match; markers are random, so that no document
can hold them.
"""

import re
from collections.abc import Sequence
from typing import Final

from schemas.api.search import Highlight, Match

PASSAGE_CHARS: Final = 240
PASSAGES: Final = 3
_LEAD: Final = 60

Span = tuple[int, int]


def spans(marked: str, opening: str, closing: str) -> list[Span]:
    """Returns: where the marked words stand in the text without its markers."""
    found: list[Span] = []
    removed = 0
    start = None
    for marker in re.finditer(f"{re.escape(opening)}|{re.escape(closing)}", marked):
        place = marker.start() - removed
        removed += len(marker[0])
        if marker[0] == opening:
            start = place
        elif start is not None:
            found.append((start, place))
            start = None
    return found


def passages(text: str, matches: Sequence[Span], page: int, offset: int) -> list[Highlight]:
    """Returns: at most three passages of about 240 characters, those with most matches, in order.

    Args:
        text: the chunk's text.
        matches: where words matched, in order; none gives the chunk's beginning.
        page: the chunk's page.
        offset: where the chunk begins in the page's text.
    """
    windows = _windows(text, matches) or [(_trimmed(text, 0, PASSAGE_CHARS), [])]
    best = sorted(windows, key=lambda window: -len(window[1]))[:PASSAGES]
    return [
        Highlight(
            page=page,
            start=offset + start,
            end=offset + end,
            text=text[start:end],
            matches=[Match(start=offset + a, end=offset + b) for a, b in inside],
        )
        for (start, end), inside in sorted(best)
    ]


def _windows(text: str, matches: Sequence[Span]) -> list[tuple[Span, list[Span]]]:
    windows: list[tuple[Span, list[Span]]] = []
    reached = 0
    for match in matches:
        if windows and match[1] <= windows[-1][0][1]:
            windows[-1][1].append(match)
            continue
        if match[0] < reached:
            continue
        start = max(reached, match[0] - _LEAD)
        window = _trimmed(text, start, max(start + PASSAGE_CHARS, match[1]), match)
        windows.append((window, [match]))
        reached = window[1]
    return windows


def _trimmed(text: str, start: int, end: int, keep: Span | None = None) -> Span:
    """Returns: the window without broken words at its ends, where that keeps the match."""
    end = min(end, len(text))
    first, last = keep or (end, start)
    if start > 0 and not text[start - 1].isspace():
        gap = re.search(r"\s", text[start:first])
        start = start + gap.end() if gap else start
    if end < len(text) and not text[end].isspace():
        gap = re.search(r"\s\S*$", text[max(start, last) : end])
        end = max(start, last) + gap.start() if gap else end
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end
