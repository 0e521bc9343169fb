"""PDF files by PDFium: the text layer with its layout kept, OCR for pages that have none.

PDFium is not thread-safe and can crash on hostile files, so this runs in a child process,
one file at a time.
"""

import contextlib
import ctypes
import itertools
import math
from collections.abc import Iterator
from pathlib import Path

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from streams.parsing.bout import Bout
from streams.parsing.errors import Code, Unparsable
from streams.parsing.limits import Limits
from streams.parsing.page import Page, ParsedPart
from streams.parsing.pdf_rows import Glyph, layout
from streams.parsing.plain_pages import clean

POINTS_PER_INCH = 72
END_MARKER = b"%%EOF"
END_WINDOW_BYTES = 1024
"""PDF 1.7, implementation note 18: readers look for the end marker in the last 1,024 bytes."""
STAMP_CHARS = 200
"""A scan may carry a stamped line of text (the scanner's name, a page number) of this length."""
SCAN_SHARE = 0.5
UNMAPPED_SHARE = 0.3
MAX_IMAGES_LOOKED_AT = 100
HYPHENS = frozenset({0x02, 0xAD, 0xFFFE})
DRAWN_ANNOTATIONS = frozenset({pdfium_c.FPDF_ANNOT_WIDGET, pdfium_c.FPDF_ANNOT_FREETEXT})


def parse(bout: Bout) -> ParsedPart:
    """Return the pages of a PDF, as many as fit the budget.

    Raises:
        Unparsable: encrypted, corrupt, zero_pages or too_many_pages.
    """
    _check_end(bout.path)
    with contextlib.closing(_open(bout.path)) as document:
        count = len(document)
        bout.check_page_count(count)
        pages, next_page = bout.pages(count, lambda number: _page(document, number, bout))
        title = clean(document.get_metadata_value("Title")).strip() or None
    return ParsedPart(pages, count, next_page, title, notes=tuple(bout.notes))


def draw(path: Path, number: int, limits: Limits) -> "pdfium.PIL.Image.Image":
    """Return the picture of page `number`, drawn as for OCR.

    Raises:
        Unparsable: encrypted or corrupt.
    """
    with contextlib.closing(_open(path)) as document:
        try:
            page = _load(document, number - 1)
        except pdfium.PdfiumError:
            raise _corrupt("The page is damaged") from None
        with contextlib.closing(page):
            return _render(page, limits)


def _corrupt(what: str) -> Unparsable:
    return Unparsable(Code.CORRUPT, f"{what}; save it again or upload an undamaged copy.")


def _check_end(path: Path) -> None:
    """Refuse a file that was cut off: PDFium would mend it, and lose pages in silence."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - 16 * END_WINDOW_BYTES))
        tail = file.read().rstrip(b"\0 \t\r\n")
    if END_MARKER not in tail[-END_WINDOW_BYTES:]:
        raise _corrupt("The PDF is cut off before its end")


def _open(path: Path) -> pdfium.PdfDocument:
    try:
        document = pdfium.PdfDocument(path)
    except pdfium.PdfiumError as error:
        if error.err_code in {pdfium_c.FPDF_ERR_PASSWORD, pdfium_c.FPDF_ERR_SECURITY}:
            raise Unparsable(
                Code.ENCRYPTED,
                "The PDF is protected by a password; upload a copy without one.",
            ) from None
        raise _corrupt("The PDF is damaged") from None
    if document.get_formtype() != pdfium_c.FORMTYPE_NONE:
        # Some writers leave it to the reader to draw what was filled in; now PDFium does. Where a
        # form is damaged, the pages are still worth having.
        with contextlib.suppress(pdfium.PdfiumError):
            document.init_forms()
    return document


def _page(document: pdfium.PdfDocument, number: int, bout: Bout) -> Page:
    """Read page `number`; one that PDFium cannot load is empty and noted, for the others' sake."""
    try:
        page = _load(document, number - 1)
    except pdfium.PdfiumError:
        bout.notes.append(f"Page {number} is damaged and was left out.")
        return Page(number, "")
    with contextlib.closing(page):
        glyphs = list(_glyphs(page))
        text = clean(layout(glyphs))
        if not _needs_reading(page, glyphs, text, bout.limits.min_page_chars):
            return Page(number, text)
        scan = bout.read_image(_render(page, bout.limits), number)
        return (
            scan if _weight(scan.text) > _weight(text) or _unmapped(glyphs) else Page(number, text)
        )


def _load(document: pdfium.PdfDocument, index: int) -> pdfium.PdfPage:
    """Load a page with the values of its form fields and its text notes as part of its content."""
    page = document[index]
    if not any(
        pdfium_c.FPDFAnnot_GetSubtype(annotation) in DRAWN_ANNOTATIONS
        for annotation in _annotations(page)
    ):
        return page
    pdfium_c.FPDFPage_Flatten(page, pdfium_c.FLAT_NORMALDISPLAY)
    page.close()
    return document[index]


def _annotations(page: pdfium.PdfPage) -> Iterator[pdfium_c.FPDF_ANNOTATION]:
    for index in range(pdfium_c.FPDFPage_GetAnnotCount(page)):
        annotation = pdfium_c.FPDFPage_GetAnnot(page, index)
        if annotation:
            try:
                yield annotation
            finally:
                pdfium_c.FPDFPage_CloseAnnot(annotation)


def _glyphs(page: pdfium.PdfPage) -> Iterator[Glyph]:
    """Yield the page's characters in PDFium's order; white space has no box."""
    with contextlib.closing(page.get_textpage()) as text_page:
        handle = text_page.raw
        box = pdfium_c.FS_RECTF()
        pointer = ctypes.byref(box)
        high = 0
        turn = 0
        for index in range(pdfium_c.FPDFText_CountChars(handle)):
            code = pdfium_c.FPDFText_GetUnicode(handle, index)
            if high and 0xDC00 <= code < 0xE000:  # noqa: PLR2004 - the second half of a pair
                code = 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00)
            high = 0
            if 0xD800 <= code < 0xDC00:  # noqa: PLR2004 - the first half of a pair
                high = code
                continue
            character = _character(code)
            if character.isspace():
                yield character, 0.0, 0.0, 0.0, 0.0, turn
                continue
            pdfium_c.FPDFText_GetLooseCharBox(handle, index, pointer)
            turn = round(pdfium_c.FPDFText_GetCharAngle(handle, index) / (math.pi / 2)) % 4
            yield character, box.left, box.bottom, box.right, box.top, turn


def _character(code: int) -> str:
    if code in HYPHENS:
        return "-"
    if code == 0 or 0xD800 <= code < 0xE000:  # noqa: PLR2004 - surrogates
        return "\ufffd"
    return chr(code)


def _needs_reading(page: pdfium.PdfPage, glyphs: list[Glyph], text: str, min_chars: int) -> bool:
    """Tell whether the text layer is missing, a mere stamp on a scan, or unusable."""
    if pdfium_c.FPDFPage_CountObjects(page) == 0:
        return False
    weight = _weight(text)
    if weight < min_chars or _unmapped(glyphs):
        return True
    return weight < STAMP_CHARS and _image_share(page) > SCAN_SHARE


def _weight(text: str) -> int:
    """Return the number of characters that are not white space."""
    return len("".join(text.split()))


def _unmapped(glyphs: list[Glyph]) -> bool:
    """Tell whether many characters come from a font that does not name its letters."""
    visible = [glyph[0] for glyph in glyphs if not glyph[0].isspace()]
    unknown = sum(
        1
        for character in visible
        if character < " " or "\ue000" <= character <= "\uf8ff" or character == "\ufffd"
    )
    return unknown > UNMAPPED_SHARE * len(visible)


def _image_share(page: pdfium.PdfPage) -> float:
    """Return the share of the page that its largest image covers, 0..1."""
    width, height = page.get_size()
    images: Iterator[pdfium.PdfObject] = page.get_objects(
        filter=[pdfium_c.FPDF_PAGEOBJ_IMAGE], max_depth=3
    )
    areas = (
        (right - left) * (top - bottom)
        for left, bottom, right, top in (
            image.get_bounds() for image in itertools.islice(images, MAX_IMAGES_LOOKED_AT)
        )
    )
    largest: float = max(areas, default=0.0)
    return min(1.0, largest / float(max(width * height, 1.0)))


def _render(page: pdfium.PdfPage, limits: Limits) -> "pdfium.PIL.Image.Image":
    """Draw the page at the resolution for OCR, or at less where it would have too many pixels."""
    width, height = page.get_size()
    scale = limits.render_dpi / POINTS_PER_INCH
    bound = math.sqrt(limits.max_render_pixels / max(width * height, 1.0))
    bitmap = page.render(scale=min(scale, bound), may_draw_forms=False)
    return bitmap.to_pil().convert("RGB")
