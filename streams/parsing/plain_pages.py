"""Text on its way to a page: bytes become characters, controls go, long text is split."""

import re
import unicodedata

NUL_NOTE = "NUL bytes were removed."
INVALID_NOTE = "Bytes that are no valid UTF-8 were read as Windows-1252."

_BOMS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_UNWANTED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff\ufffe\uffff\ud800-\udfff]")
_NEWLINES = re.compile(r"\r\n?|\u2028|\u2029|\x85")
_BLANK_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")


def decode(content: bytes, declared: str | None = None) -> tuple[str, tuple[str, ...]]:
    """Return the text of `content` and notes on what had to be mended.

    In this order: a byte order mark, UTF-16 seen by its zero bytes, UTF-8, the `declared` charset
    (of a mail or an HTML page), UTF-8 with some invalid bytes, Windows-1252. Never fails.
    """
    for mark, charset in _BOMS:
        if content.startswith(mark):
            return _without_nul(content[len(mark) :].decode(charset, errors="replace"))
    wide = utf16_without_mark(content)
    if wide is not None:
        return _without_nul(content.decode(wide, errors="replace"))
    for named in ("utf-8", declared):
        text = _try(content, named)
        if text is not None:
            return _without_nul(text)
    return _mended(content)


def utf16_without_mark(content: bytes) -> str | None:
    """Return the UTF-16 variant that `content` appears to be in, or None.

    Text in Latin letters has a zero in almost every second byte; stray NUL bytes do not alternate.
    """
    sample = content[:4096]
    pairs = len(sample) // 2
    if pairs < 4:  # noqa: PLR2004 - fewer pairs say nothing
        return None
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if odd > 0.7 * pairs and even < 0.1 * pairs:
        return "utf-16-le"
    if even > 0.7 * pairs and odd < 0.1 * pairs:
        return "utf-16-be"
    return None


def _try(content: bytes, charset: str | None) -> str | None:
    if charset is None:
        return None
    try:
        return content.decode(charset)
    except (UnicodeDecodeError, LookupError, ValueError):
        return None


def _mended(content: bytes) -> tuple[str, tuple[str, ...]]:
    """Decode invalid UTF-8: where most of it is valid it stays UTF-8, else it is Windows-1252."""
    tolerant = content.decode("utf-8", errors="replace")
    broken = tolerant.count("\ufffd")
    multibyte = sum(1 for character in tolerant if character > "\x7f") - broken
    if multibyte > broken:
        text, notes = _without_nul(tolerant)
        return text, (*notes, "Bytes that are no valid UTF-8 were replaced.")
    text, notes = _without_nul(content.decode("cp1252", errors="replace"))
    return text, (*notes, INVALID_NOTE)


def _without_nul(text: str) -> tuple[str, tuple[str, ...]]:
    if "\x00" not in text:
        return text, ()
    return text.replace("\x00", ""), (NUL_NOTE,)


def clean(text: str) -> str:
    """Return `text` with one kind of line end, no tabs, trailing spaces or control characters.

    Lone surrogates go too, as no store accepts them. Composed and combining characters, and marks
    of direction, stay as they are.
    """
    text = _UNWANTED.sub("", _NEWLINES.sub("\n", text)).replace("\xa0", " ")
    lines = [line.expandtabs(8).rstrip() for line in text.split("\n")]
    return "\n".join(lines).strip("\n")


def split_pages(text: str, size: int) -> list[str]:
    """Split `text` into pages of at most `size` characters, at a blank line, a line or a space.

    Returns: pages that are never empty; nothing but the white space at a split is lost.
    """
    pages = []
    start = 0
    while len(text) - start > size:
        end = _best_end(text, start, start + size)
        pages.append(text[start:end].strip("\n"))
        start = end
    pages.append(text[start:].strip("\n"))
    return [page for page in pages if page.strip()]


def _best_end(text: str, start: int, limit: int) -> int:
    """Return where the page that begins at `start` ends: as late as possible, by `limit`."""
    earliest = start + (limit - start) // 2
    window = text[earliest:limit]
    blank = None
    for match in _BLANK_LINES.finditer(window):
        blank = match
    if blank is not None:
        return earliest + blank.end()
    for separator in ("\n", " "):
        found = window.rfind(separator)
        if found >= 0:
            return earliest + found + 1
    end = limit
    while end > earliest and unicodedata.combining(text[end]):
        end -= 1
    return end
