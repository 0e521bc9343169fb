"""The few forms of Markdown that the generated documents use."""

from collections.abc import Iterable, Sequence

NOTE = "This page is generated from the code by `make docs`; change it there.\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns: a table, its cells kept to one line each."""
    lines = [_row(head), _row(["---"] * len(head)), *map(_row, rows)]
    return "\n".join(lines) + "\n"


def code(text: str) -> str:
    """Returns: the text as inline code; nothing for nothing."""
    return f"`{text}`" if text else ""


def _row(cells: Sequence[str]) -> str:
    tidy = (" ".join(cell.split()).replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(tidy)} |"
