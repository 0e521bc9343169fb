"""Parse: one document's file into pages of text, by a parser per content type.

Reads the file it is given and nothing else; runs in a child process (`pool`).
"""

import time
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Final

from streams.parsing import csv_rows, detect, docx, image, mail, markdown, pdf, plain, web_page
from streams.parsing.bout import Bout, PageReader
from streams.parsing.errors import Code, Unparsable, UnsupportedType
from streams.parsing.limits import Limits
from streams.parsing.page import ParsedPart

PARSERS: Final = MappingProxyType[str, Callable[[Bout], ParsedPart]](
    {
        detect.PDF: pdf.parse,
        detect.PNG: image.parse,
        detect.JPEG: image.parse,
        detect.TIFF: image.parse,
        detect.WEBP: image.parse,
        detect.DOCX: docx.parse,
        detect.HTML: web_page.parse,
        detect.MARKDOWN: markdown.parse,
        detect.PLAIN: plain.parse,
        detect.CSV: csv_rows.parse,
        detect.EML: mail.parse,
    }
)


def parse_part(
    path: Path,
    content_type: str,
    *,
    first_page: int,
    budget_s: float,
    limits: Limits,
    reader: PageReader | None,
) -> ParsedPart:
    """Parse the document at `path` from `first_page` (from 1) until `budget_s` seconds are spent.

    At least one page is read, so repeated calls with the answer's `next_page` come to the end of
    any document. Attachments come with the first page only.

    Raises:
        Unparsable: the document cannot be read; its code and detail say why.
        UnsupportedType: `content_type` is none of `detect.SUPPORTED`.
    """
    parser = PARSERS.get(content_type)
    if parser is None:
        raise UnsupportedType(f"Files of type {content_type} are not read; {detect.READABLE}.")
    if path.stat().st_size == 0:
        raise Unparsable(Code.EMPTY_FILE, "The file is empty; upload one with content.")
    deadline = time.monotonic() + budget_s
    part = parser(Bout(path, first_page, deadline, limits, reader))
    if reader is None and part.notes and not any(page.text for page in part.pages):
        raise Unparsable(
            Code.NO_OCR,
            "The document is made of pictures and no OCR engine is installed to read them;"
            " install the optional group `ocr`, or upload a document with text.",
        )
    return part
