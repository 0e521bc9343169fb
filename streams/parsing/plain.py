"""Plain text: form feeds end pages, as printers have it, and long pages are split."""

from streams.parsing.bout import Bout
from streams.parsing.page import ParsedPart
from streams.parsing.plain_pages import decode


def parse(bout: Bout) -> ParsedPart:
    """Return the pages of a text file in UTF-8, UTF-16 or Windows-1252.

    Raises:
        Unparsable: empty_file or text_too_long.
    """
    text, notes = decode(bout.read_bytes())
    return bout.text_part(text.split("\f"), notes=notes)
