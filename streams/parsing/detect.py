"""Content types by content: the name of a file only helps to tell one kind of text from another."""

import codecs
import csv
import re
import zipfile
from pathlib import Path, PurePath
from typing import Final

import puremagic

from streams.parsing.csv_rows import DELIMITERS
from streams.parsing.errors import Code, Unparsable, UnsupportedType
from streams.parsing.plain_pages import decode, utf16_without_mark

PDF: Final = "application/pdf"
PNG: Final = "image/png"
JPEG: Final = "image/jpeg"
TIFF: Final = "image/tiff"
WEBP: Final = "image/webp"
DOCX: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
HTML: Final = "text/html"
MARKDOWN: Final = "text/markdown"
PLAIN: Final = "text/plain"
CSV: Final = "text/csv"
EML: Final = "message/rfc822"
SUPPORTED: Final = (PDF, PNG, JPEG, TIFF, WEBP, DOCX, HTML, MARKDOWN, PLAIN, CSV, EML)

HEAD_BYTES = 65_536
PDF_HEADER_WINDOW = 1024
"""PDF 1.7, implementation note 13: readers accept the header within the first 1,024 bytes."""
MAX_CONTROL_SHARE = 0.02
"""Compressed or encrypted bytes are control characters one time in nine; text hardly ever."""
MAX_NUL_SHARE = 0.3
READABLE = "PDF, DOCX, PNG, JPEG, TIFF, WebP, HTML, Markdown, plain text, CSV and EML are supported"

_IMAGES = (
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8\xff", JPEG),
    (b"II*\0", TIFF),
    (b"MM\0*", TIFF),
    (b"II+\0", TIFF),
    (b"MM\0+", TIFF),
)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_OFFICE = "EncryptedPackage".encode("utf-16-le")
_TEXTUAL_BUT_NO_TEXT = ((b"{\\rtf", "an RTF document"), (b"%!PS", "a PostScript file"))
_MEMBERS = (
    ("xl/", "an Excel workbook"),
    ("ppt/", "a PowerPoint presentation"),
    ("META-INF/container.xml", "an EPUB book"),
    ("content.xml", "an OpenDocument file"),
)
_CONTROLS = bytes(set(range(1, 32)) - set(b"\t\n\f\r\x1b"))
_HTML_START = re.compile(
    r"\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*<(?:!doctype\s+html|html|head|body)\b",
    re.IGNORECASE | re.DOTALL,
)
_HTML_TAG = re.compile(
    r"</?(?:p|div|table|tr|td|span|h[1-6]|ul|li|a|br)\b[^>]{0,500}>", re.IGNORECASE
)
_HEADER_LINE = re.compile(r"([A-Za-z][A-Za-z0-9-]*):[ \t]?|[ \t]+\S")
_MAIL_HEADERS = frozenset({"from", "to", "subject", "date"})
_MAIL_MARKS = frozenset({"message-id", "mime-version", "received", "return-path", "delivered-to"})
_MARKDOWN_MARKS = (
    re.compile(r"^#{1,6} \S", re.MULTILINE),
    re.compile(r"^(?:```|~~~)", re.MULTILINE),
    re.compile(r"\[[^\]\n]{1,200}\]\([^)\s]{1,500}\)"),
    re.compile(r"(?<!\w)\*\*[^*\n]{1,200}\*\*(?!\w)"),
    re.compile(r"^\|?[ \t]*:?-{3,}:?[ \t]*\|", re.MULTILINE),
    re.compile(r"^(?:[-*+]|\d{1,3}\.) \S", re.MULTILINE),
)
_BY_NAME = {
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".csv": CSV,
    ".tsv": CSV,
    ".txt": PLAIN,
    ".text": PLAIN,
    ".log": PLAIN,
    ".eml": EML,
    ".htm": HTML,
    ".html": HTML,
    ".xhtml": HTML,
}


def detect(path: Path, name: str | None = None) -> str:
    """Return one of `SUPPORTED` for the file at `path`; `name` is what its sender called it.

    Raises:
        UnsupportedType: the content is of another type; the detail says which, if that is seen.
        Unparsable: empty_file, encrypted (an Office file with a password), corrupt (a cut-off ZIP).
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        raise Unparsable(Code.EMPTY_FILE, "The file is empty; upload one with content.")
    binary = _binary(head, path)
    if binary is not None:
        return binary
    if not _is_text(head):
        raise _unsupported(_named(head))
    return _text_type(head, PurePath(name).suffix.lower() if name else "")


def _unsupported(what: str | None) -> UnsupportedType:
    return UnsupportedType(f"This is {what or 'a file of unknown type'}; {READABLE}.")


def _binary(head: bytes, path: Path) -> str | None:
    """Return the type of a file that begins as a known binary one does."""
    if b"%PDF-" in head[:PDF_HEADER_WINDOW]:
        return PDF
    for start, kind in _IMAGES:
        if head.startswith(start):
            return kind
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return WEBP
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_type(path)
    if head.startswith(_OLE):
        if _holds(path, _ENCRYPTED_OFFICE):
            raise Unparsable(
                Code.ENCRYPTED,
                "The document is protected by a password; upload a copy without one.",
            )
        raise _unsupported("a file of an old Office format (DOC, XLS, PPT or MSG)")
    for start, what in _TEXTUAL_BUT_NO_TEXT:
        if head.startswith(start):
            raise _unsupported(what)
    return None


def _holds(path: Path, needle: bytes) -> bool:
    """Tell whether `needle` is in the first or last mebibyte, where OLE keeps its directory."""
    with path.open("rb") as file:
        if needle in file.read(1 << 20):
            return True
        file.seek(max(0, path.stat().st_size - (1 << 20)))
        return needle in file.read(1 << 20)


def _zip_type(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError):
        raise Unparsable(
            Code.CORRUPT,
            "The file is a damaged or cut-off ZIP container; upload an undamaged copy.",
        ) from None
    if "[Content_Types].xml" in names and any(name.startswith("word/") for name in names):
        return DOCX
    for member, what in _MEMBERS:
        if any(name.startswith(member) for name in names):
            raise _unsupported(what)
    raise _unsupported("a ZIP archive")


def _named(head: bytes) -> str | None:
    """Return what an unsupported file appears to be, in words."""
    try:
        match = puremagic.magic_string(head[:4096])
    except (puremagic.PureError, ValueError):
        return None
    return f"a file of the type “{match[0].name}”" if match and match[0].name else None


def _is_text(head: bytes) -> bool:
    """Tell whether bytes are text: hardly any control characters, NUL bytes only here and there."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF8)):
        return True
    if utf16_without_mark(head):
        return True
    controls = len(head) - len(head.translate(None, _CONTROLS))
    return controls <= MAX_CONTROL_SHARE * len(head) and head.count(0) <= MAX_NUL_SHARE * len(head)


def _text_type(head: bytes, suffix: str) -> str:
    text, _ = decode(head)
    named = _BY_NAME.get(suffix)
    if _HTML_START.match(text):
        return HTML
    if _is_mail(text, named):
        return EML
    if named == HTML and _HTML_TAG.search(text):
        return HTML
    if named in {MARKDOWN, PLAIN, CSV}:
        return named
    if sum(1 for mark in _MARKDOWN_MARKS if mark.search(text)) >= 2:  # noqa: PLR2004 - one may be chance
        return MARKDOWN
    return CSV if _is_csv(text) else PLAIN


def _is_mail(text: str, named: str | None) -> bool:
    """Tell whether text begins with mail headers; a typed letter has some, but no mail server's."""
    lines = text.lstrip("\r\n").splitlines()
    if lines and lines[0].startswith("From "):
        lines = lines[1:]
    found = set()
    for line in lines:
        match = _HEADER_LINE.match(line)
        if match is None:
            break
        if match[1]:
            found.add(match[1].lower())
    if named == EML:
        return bool(found & (_MAIL_HEADERS | _MAIL_MARKS))
    return len(found & _MAIL_HEADERS) > 1 and bool(found & _MAIL_MARKS)


def _is_csv(text: str) -> bool:
    """Tell whether at least three lines all have the same number of short cells, more than one."""
    lines = [line for line in text.splitlines() if line.strip()][:20]
    if len(lines) < 3:  # noqa: PLR2004 - two lines agree by chance
        return False
    for mark in DELIMITERS:
        rows = list(csv.reader(lines, delimiter=mark))
        counts = {len(row) for row in rows}
        cells = [cell for row in rows for cell in row]
        if len(counts) == 1 and counts != {1} and max(map(len, cells)) < 40:  # noqa: PLR2004
            return True
    return False
