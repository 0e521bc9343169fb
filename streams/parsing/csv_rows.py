"""CSV: rows as aligned columns; the delimiter is found by looking at the first lines."""

import csv
import io

from streams.parsing.bout import Bout
from streams.parsing.columns import align
from streams.parsing.errors import Code, Unparsable
from streams.parsing.page import ParsedPart
from streams.parsing.plain_pages import decode

DELIMITERS = ",;\t|"
SAMPLE_LINES = 50


def parse(bout: Bout) -> ParsedPart:
    """Return the rows of a CSV file as lines, split into pages between rows.

    Raises:
        Unparsable: empty_file, text_too_long, or corrupt where a quoted cell never ends.
    """
    text, notes = decode(bout.read_bytes())
    csv.field_size_limit(bout.limits.max_text_bytes)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter(text))
    try:
        rows = [[cell.strip() for cell in row] for row in reader]
    except csv.Error as error:
        raise Unparsable(
            Code.CORRUPT, f"Line {reader.line_num} is no valid CSV ({error}); export it again."
        ) from None
    return bout.text_part(["\n".join(align(rows))], notes=notes)


def delimiter(text: str) -> str:
    """Return the delimiter that splits most of the first lines alike, else a comma."""
    lines = [line for line in text[:65_536].splitlines() if line.strip()][:SAMPLE_LINES]
    return max(DELIMITERS, key=lambda mark: _agreement(lines, mark))


def _agreement(lines: list[str], mark: str) -> tuple[float, int]:
    """Return the share of lines with the usual number of cells (if above one), and that number."""
    counts = [len(row) for row in csv.reader(lines, delimiter=mark)]
    if not counts:
        return 0.0, 0
    usual = max(set(counts), key=lambda count: (counts.count(count), count))
    return (counts.count(usual) / len(counts), usual) if usual > 1 else (0.0, 0)
