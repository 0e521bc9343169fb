"""Results as files: quoting, columns, and cells that no spreadsheet runs."""

import csv
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.result_files import cell, csv_lines, json_lines


def row(ordinal: int, fields: dict[str, Any], **values: Any) -> tuple[Any, ...]:
    """Returns: a row of results."""
    given = {
        "path": "a.txt",
        "document_id": "doc_1",
        "state": "completed",
        "filename": "a.txt",
        "title": None,
        "metadata": {},
        "type": "invoice",
        "confidence": 0.5,
        "needs_review": False,
        "problem": None,
        **values,
    }
    return (ordinal, *given.values(), fields)


async def paged(*rows: tuple[Any, ...]) -> AsyncIterator[list[tuple[Any, ...]]]:
    """Yields: each row as a page of its own."""
    for one in rows:
        yield [one]


async def as_csv(columns: list[str], *rows: tuple[Any, ...]) -> list[dict[str, str]]:
    """Returns: the lines of the file, as a reader of CSV understands them."""
    text = b"".join([piece async for piece in csv_lines(paged(*rows), columns)]).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (-3, "-3"),
        ("-12.50", "-12.50"),
        ("=1+1", "'=1+1"),
        ("+44 20 7946", "'+44 20 7946"),
        ("-cmd|' /C calc'!A0", "'-cmd|' /C calc'!A0"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\n=1", "'\n=1"),
        ("  =1", "'  =1"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("a=1", "a=1"),
        (["=1"], '["=1"]'),
    ],
)
def test_no_cell_is_a_formula(value: Any, text: str) -> None:
    """What a spreadsheet would run is text; numbers stay numbers."""
    assert cell(value) == text


async def test_columns_are_those_of_all_documents() -> None:
    """An amount has two columns, lists are JSON, and what has no column is kept in the last."""
    lines = await as_csv(
        ["total.amount", "total.currency", "tags"],
        row(1, {"total": {"amount": "1.00", "currency": "EUR"}}),
        row(2, {"tags": ["a", "b"], "later": "x"}, metadata={"k": 1}),
    )
    assert lines[0]["fields.total.amount"] == "1.00"
    assert (lines[0]["fields.tags"], lines[0]["other_fields"]) == ("", "")
    assert json.loads(lines[1]["fields.tags"]) == ["a", "b"]
    assert json.loads(lines[1]["other_fields"]) == {"later": "x"}
    assert json.loads(lines[1]["metadata"]) == {"k": 1}


async def test_quotes_commas_and_lines_survive() -> None:
    """Whatever a document holds comes back out of the file as it was."""
    nasty = 'a "quoted", \r\n line; with \u00fcml\u00e4uts'
    [line] = await as_csv(["note"], row(1, {"note": nasty}, path="a,b.txt"))
    assert (line["fields.note"], line["path"]) == (nasty, "a,b.txt")


async def test_a_failure_says_why() -> None:
    """Code and sentence of the problem have columns."""
    problem = {"code": "encrypted", "detail": "It needs a password."}
    [line] = await as_csv([], row(1, {}, state="failed", problem=problem))
    assert (line["problem"], line["problem_detail"]) == ("encrypted", "It needs a password.")


async def test_json_lines_hold_everything() -> None:
    """One object a line, fields as they are."""
    pieces = [piece async for piece in json_lines(paged(row(1, {"a": [1]}), row(2, {})))]
    first, second = map(json.loads, b"".join(pieces).decode().splitlines())
    assert (first["fields"], first["ordinal"], second["ordinal"]) == ({"a": [1]}, 1, 2)
