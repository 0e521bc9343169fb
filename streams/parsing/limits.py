"""How large a document may be, so that no file can take the memory or the time of all."""

from dataclasses import dataclass

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one document; each default is far above what honest documents need.

    Attributes:
        max_pages: pages of a PDF or a TIFF, and pages that long text is split into.
        page_chars: characters of a page of a format that has no pages of its own.
        min_page_chars: a PDF page with fewer characters of text is read by OCR.
        max_text_bytes: size of a text file, and of the HTML or CSV that is read into memory.
        max_image_pixels: pixels of an image, checked before it is decoded.
        min_image_side: pixels of an image's shorter side below which nothing can be read.
        render_dpi: resolution at which a PDF page is drawn for OCR.
        max_render_pixels: pixels of a page image handed to OCR; larger ones are scaled down.
        max_archive_members: files inside a DOCX.
        max_archive_bytes: sum of the unpacked sizes inside a DOCX.
        max_member_bytes: unpacked size of one XML part of a DOCX, which becomes a tree in memory.
        max_archive_ratio: unpacked by packed size of a member above 1 MiB; XML packs to about 1:30.
        max_attachments: files attached to a mail.
        max_attachment_bytes: sum of the sizes of a mail's attachments.
    """

    max_pages: int = 2_000
    page_chars: int = 6_000
    min_page_chars: int = 20
    max_text_bytes: int = 16 * MEBIBYTE
    max_image_pixels: int = 100_000_000
    min_image_side: int = 8
    render_dpi: int = 250
    max_render_pixels: int = 12_000_000
    max_archive_members: int = 5_000
    max_archive_bytes: int = 512 * MEBIBYTE
    max_member_bytes: int = 64 * MEBIBYTE
    max_archive_ratio: int = 200
    max_attachments: int = 50
    max_attachment_bytes: int = 100 * MEBIBYTE
