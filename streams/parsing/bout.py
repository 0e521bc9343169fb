"""One bout of parsing: what every format's parser is given, and when it has to stop."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from PIL import Image

from streams.parsing.errors import Code, Unparsable
from streams.parsing.limits import Limits
from streams.parsing.page import Attachment, Page, ParsedPart
from streams.parsing.plain_pages import clean, split_pages


class PageReader(Protocol):
    """Reads the text of a page image; `streams.parsing.ocr` holds the real ones."""

    def __call__(self, image: Image.Image, number: int) -> Page:
        """Return page `number` with the text of `image` (upright, RGB) and its words' boxes."""
        ...


@dataclass(frozen=True, slots=True)
class Bout:
    """The document's file, the first page to read (from 1), a monotonic deadline, the bounds.

    `reader` is None where no OCR engine is installed; `notes` collects what has to be told.
    """

    path: Path
    first_page: int
    deadline: float
    limits: Limits
    reader: PageReader | None
    notes: list[str] = field(default_factory=list)

    def read_image(self, image: Image.Image, number: int) -> Page:
        """Read page `number` from its image; without an OCR engine it is empty, and noted."""
        if self.reader is None:
            self.notes.append(f"Page {number} is a picture and no OCR engine is installed.")
            return Page(number, "")
        return self.reader(image, number)

    def pages(self, count: int, read: Callable[[int], Page]) -> tuple[tuple[Page, ...], int | None]:
        """Read pages of a document of `count` pages until the budget is spent, but one at least.

        Returns: the pages, and the number of the first page not read (None when all are).
        """
        done: list[Page] = []
        for number in range(self.first_page, count + 1):
            if done and time.monotonic() >= self.deadline:
                return tuple(done), number
            done.append(read(number))
        return tuple(done), None

    def check_page_count(self, count: int) -> None:
        """Refuse a document without pages, and one with more than the limit."""
        if count <= 0:
            raise Unparsable(Code.ZERO_PAGES, "The document has no pages; upload one that has.")
        if count > self.limits.max_pages:
            raise Unparsable(
                Code.TOO_MANY_PAGES,
                f"The document has {count:,} pages and {self.limits.max_pages:,} are allowed;"
                " split it into smaller files.",
            )

    def read_bytes(self) -> bytes:
        """Return the whole file, whose size must be within the limit for text."""
        size = self.path.stat().st_size
        if size > self.limits.max_text_bytes:
            raise Unparsable(
                Code.TEXT_TOO_LONG,
                f"The text file has {size:,} bytes and {self.limits.max_text_bytes:,} are allowed;"
                " split it into smaller files.",
            )
        return self.path.read_bytes()

    def text_part(
        self,
        sections: Iterable[str],
        *,
        title: str | None = None,
        attachments: tuple[Attachment, ...] = (),
        notes: tuple[str, ...] = (),
    ) -> ParsedPart:
        """Return pages made of `sections` (the document's own pages), split where too long.

        Raises:
            Unparsable: empty_file when there is no text at all, text_too_long above the page limit.
        """
        texts = [
            page
            for section in sections
            for page in split_pages(clean(section), self.limits.page_chars)
        ]
        if not texts:
            raise Unparsable(Code.EMPTY_FILE, "The document holds no text; upload one that does.")
        if len(texts) > self.limits.max_pages:
            raise Unparsable(
                Code.TEXT_TOO_LONG,
                f"The text fills {len(texts):,} pages of {self.limits.page_chars:,} characters and"
                f" {self.limits.max_pages:,} are allowed; split it into smaller files.",
            )
        pages, next_page = self.pages(len(texts), lambda number: Page(number, texts[number - 1]))
        return ParsedPart(
            pages=pages,
            page_count=len(texts),
            next_page=next_page,
            title=title,
            attachments=attachments if self.first_page == 1 else (),
            notes=(*notes, *self.notes),
        )
