"""Results of batches as files: JSON Lines, and CSV that spreadsheets may open.

A cell of CSV that begins as a formula does would be run by a spreadsheet, so an apostrophe is put
before it, as OWASP advises ("CSV Injection"). Numbers are left as they are. Quoting is that of RFC
4180; a field of several parts, such as an amount, has a column for each, and lists are JSON.
"""

import csv
import io
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, Final

from gateway.public import named
from gateway.queries.batch_results import Row
from schemas.api.batches import BatchResult

MOST_COLUMNS: Final = 1000
"""Columns of fields; what has none is kept in the last column, `other_fields`."""

_NAMES: Final = tuple(BatchResult.model_fields)
_HEAD: Final = (
    "ordinal",
    "path",
    "document_id",
    "state",
    "filename",
    "title",
    "metadata",
    "type",
    "confidence",
    "needs_review",
    "problem",
    "problem_detail",
)
_FORMULA: Final = re.compile(r"\s*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")
_NUMBER: Final = re.compile(r"[+-]?\d+(?:\.\d+)?", re.ASCII)


async def json_lines(pages: AsyncIterator[Sequence[Row]]) -> AsyncIterator[bytes]:
    """Yields: the lines of each page of results."""
    async for page in pages:
        yield "".join(_json(_shown(row)) + "\n" for row in page).encode()


async def csv_lines(
    pages: AsyncIterator[Sequence[Row]], columns: Sequence[str]
) -> AsyncIterator[bytes]:
    """Yields: the header, then the lines of each page; `columns` are the names of the fields."""
    yield _written([[*_HEAD, *(f"fields.{name}" for name in columns), "other_fields"]])
    async for page in pages:
        yield _written(_cells(dict(zip(_NAMES, row, strict=True)), columns) for row in page)


def _shown(row: Row) -> dict[str, Any]:
    result = dict(zip(_NAMES, row, strict=True))
    if result["problem"] is not None:
        result["problem"] = named(result["problem"])
    return result


def _cells(result: Mapping[str, Any], columns: Sequence[str]) -> list[Any]:
    problem = result["problem"] or {}
    fields = dict(_flat(result["fields"]))
    given = {
        **result,
        "metadata": result["metadata"] or None,
        "problem": problem.get("code"),
        "problem_detail": problem.get("detail"),
    }
    known = [fields.pop(name, None) for name in columns]
    return [*(given[name] for name in _HEAD), *known, fields or None]


def _flat(fields: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in fields.items():
        if isinstance(value, dict):
            for part, inner in value.items():
                yield f"{name}.{part}", inner
        else:
            yield name, value


def _written(rows: Any) -> bytes:  # noqa: ANN401 - rows of any JSON values
    text = io.StringIO()
    csv.writer(text).writerows([cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def cell(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Returns: a JSON value as the text of a cell that no spreadsheet runs as a formula."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return _json(value)
    if _FORMULA.match(value) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def _json(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
