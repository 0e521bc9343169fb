"""Cut a document into the sentences and rows that may be quoted."""

import re
from collections.abc import Iterator, Sequence

_ABBREVIATION = re.compile(
    r"(?:\b(?:[A-Za-z]|Mr|Mrs|Ms|Dr|Prof|St|No|Nr|Art|Sec|Fig|Inc|Ltd|Co|Corp|approx|vs|etc|ca"
    r"|bzw|Str|Hr|Fr|Mme|Mlle|Tel|Abs|Ziff|inkl|zzgl)|(?<![\d.,])\d{1,2})\.$"
)
_LONGEST_ABBREVIATION = 12
_END = re.compile(r"[.!?…](?:[\"'”’»)\]]*)(?=\s)")  # noqa: RUF001 - a closing quote
_GAP = re.compile(r"\n\s*\n|\f")
_COLUMNS = re.compile(r"\S {3,}\S")
_ITEM = re.compile(r"(?:[-*•–]|\(?\d{1,3}[.)]|\w[^.:]{0,40}:)\s")  # noqa: RUF001 - a dash as bullet

_NARROWEST_PROSE = 36
_FULL_LINE = 0.7

MAX_SENTENCE = 600
"""Characters of one sentence; a longer stretch without an end is a table or a broken scan."""


def split(text: str) -> list[str]:
    """Return the sentences of `text` in order, white space within them made one space.

    Prose is cut at full stops; a row of columns, a heading and an item of a list stand alone. All
    but white space is verbatim.
    """
    found = (
        sentence
        for block in _GAP.split(text)
        for stretch in _stretches(block.splitlines())
        for sentence in (_prose(stretch) if not _COLUMNS.search(stretch) else [stretch])
    )
    flat = (" ".join(sentence.split()) for sentence in found)
    return [sentence for sentence in flat if any(map(str.isalnum, sentence))]


def _stretches(lines: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a block, those that run on into each other joined by one space."""
    width = max((len(line.strip()) for line in lines), default=0)
    stretch: list[str] = []
    for line in map(str.strip, lines):
        before = stretch[-1] if stretch else ""
        alone = _COLUMNS.search(line) or _COLUMNS.search(before) or _ITEM.match(line)
        if alone or not _runs_on(before, line, width):
            yield " ".join(stretch)
            stretch = []
        stretch.append(line)
    yield " ".join(stretch)


def _runs_on(line: str, following: str, width: int) -> bool:
    """Say whether a sentence may go on from a line to the next, in a block as wide as `width`.

    Lines of an address or a heading are short and the next begins with a capital or a number.
    """
    if following[:1].islower() or line.endswith((",", "-")):
        return True
    return width >= _NARROWEST_PROSE and len(line) >= _FULL_LINE * width


def _prose(text: str) -> list[str]:
    """Return the sentences of running text."""
    text = " ".join(text.split())
    sentences: list[str] = []
    start = 0
    for end in _END.finditer(text):
        if not _ABBREVIATION.search(
            text[max(start, end.end() - _LONGEST_ABBREVIATION) : end.end()]
        ):
            sentences.append(text[start : end.end()].strip())
            start = end.end()
    sentences.append(text[start:].strip())
    return [
        piece
        for sentence in sentences
        if sentence
        for piece in ([sentence] if len(sentence) <= MAX_SENTENCE else _wrapped(sentence))
    ]


def _wrapped(text: str) -> list[str]:
    """Return an overlong stretch in parts that end between words."""
    parts: list[str] = []
    while len(text) > MAX_SENTENCE:
        at = text.rfind(" ", 0, MAX_SENTENCE)
        at = at if at > 0 else MAX_SENTENCE
        parts.append(text[:at].strip())
        text = text[at:].strip()
    return [*parts, text]
