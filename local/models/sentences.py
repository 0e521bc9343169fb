"""Cut a document into the sentences and rows that may be quoted."""

import re

_ABBREVIATION = re.compile(
    r"(?:\b(?:[A-Za-z]|Mr|Mrs|Ms|Dr|Prof|St|No|Nr|Art|Sec|Fig|Inc|Ltd|Co|Corp|approx|vs|etc|ca"
    r"|bzw|Str|Hr|Fr|Mme|Mlle|Tel|Abs|Ziff|inkl|zzgl)|\d)\.$"
)
_END = re.compile(r"[.!?…](?:[\"'”’»)\]]*)(?=\s)")  # noqa: RUF001 - a closing quote
_GAP = re.compile(r"\n\s*\n|\f")
_COLUMNS = re.compile(r"\S {3,}\S")

MAX_SENTENCE = 600
"""Characters of one sentence; a longer stretch without an end is a table or a broken scan."""


def split(text: str) -> list[str]:
    """Return the sentences of `text` in order, white space within them made one space.

    Prose is cut at full stops; a row of columns, a heading and an item of a list stand alone. All
    but white space is verbatim.
    """
    found: list[str] = []
    for block in _GAP.split(text):
        prose: list[str] = []
        for line in block.splitlines():
            if _COLUMNS.search(line.strip()) or _is_item(line):
                found += _prose(" ".join(prose))
                prose = []
            if _COLUMNS.search(line.strip()):
                found.append(" ".join(line.split()))
            else:
                prose.append(line)
        found += _prose(" ".join(prose))
    return [sentence for sentence in found if any(map(str.isalnum, sentence))]


def _is_item(line: str) -> bool:
    """Say whether a line begins a list's item or carries a label and its value."""
    return bool(re.match(r"\s*(?:[-*•–]|\(?\d{1,3}[.)]|\w[^.:]{0,40}:)\s", line))  # noqa: RUF001


def _prose(text: str) -> list[str]:
    """Return the sentences of running text."""
    text = " ".join(text.split())
    sentences: list[str] = []
    start = 0
    for end in _END.finditer(text):
        candidate = text[start : end.end()]
        if not _ABBREVIATION.search(candidate):
            sentences.append(candidate.strip())
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
