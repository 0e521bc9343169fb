"""What parsing a document yields: pages of text, with the places of the words that OCR read.

Reads and writes nothing; every value can be pickled, because pages cross a process boundary.
"""

from dataclasses import dataclass, field
from enum import StrEnum

Box = tuple[float, float, float, float]
"""Left, top, right, bottom as shares of the page's width and height, each 0..1."""


class TextSource(StrEnum):
    """Where a page's text came from."""

    TEXT = "text"
    OCR = "ocr"


@dataclass(frozen=True, slots=True)
class Word:
    """One word that OCR read: `page.text[start:end] == text`, its box, and a confidence 0..1."""

    text: str
    start: int
    end: int
    box: Box
    confidence: float


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its number from 1, its text with the layout kept, and what is known of its origin.

    `words` is empty unless `source` is `OCR`; `confidence` is the mean of the words' confidences,
    weighted by their length, or None where nothing was recognised or OCR was not used.
    """

    number: int
    text: str
    source: TextSource = TextSource.TEXT
    words: tuple[Word, ...] = ()
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file found inside a document (a mail's attachment), to become a document of its own."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class ParsedPart:
    """What one bout of parsing yields.

    `next_page` is the number of the first page not yet read, or None when the document is done;
    `page_count` counts all its pages; `title` is the document's own title, if it has one.
    `notes` are sentences on what was mended or could not be read: nothing is lost in silence.
    """

    pages: tuple[Page, ...]
    page_count: int
    next_page: int | None = None
    title: str | None = None
    attachments: tuple[Attachment, ...] = field(default=())
    notes: tuple[str, ...] = ()
