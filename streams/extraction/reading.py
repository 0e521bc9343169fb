"""Reads a model's answer: checks it against the type's shape and gives each value its model score.

Pure. The answer comes from outside: it is never trusted to have the shape that was asked for.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.document_types import DocumentType, FieldSchema
from schemas.fields import Unavailable
from streams.extraction.tokens import LeafPath, scores
from streams.extraction.windows import Window

MOST_CHARACTERS = 20_000
"""The longest value; a longer one is a model that copies the document."""

MOST_ROWS = 20_000
"""The most rows or entries of one field."""

_NOTHING = frozenset({"", "null", "none", "n/a", "nil", "-", "not found", "not available"})


class AnswerMismatch(ValueError):
    """A model's answer that is not of the type's shape; names the place, never the content."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value of an answer: its text or None, its model score, and the pages the model saw."""

    text: str | None
    score: float | Unavailable = "unavailable"
    pages: range | None = None


Row = dict[str, Value]
FieldValues = Value | list[Value] | list[Row]


@dataclass(frozen=True, slots=True)
class Reading:
    """A whole answer, field by field; `overlaps` as in the window that it was given for."""

    fields: dict[str, FieldValues]
    overlaps: bool = False


def read_answer(
    document_type: DocumentType,
    content: str,
    logprobs: Sequence[Mapping[str, Any]] | None = None,
    window: Window | None = None,
) -> Reading:
    """Checks and reads one answer of a model.

    Args:
        document_type: the type whose fields were asked for.
        content: the model's message, JSON.
        logprobs: the model's log probabilities of its tokens, if it gives them.
        window: what the model was shown, where that was not the whole document.

    Returns: every field of the type; blank texts and words for nothing are absent values, rows
        without any value are left out.

    Raises:
        AnswerMismatch: not JSON, cut off, or not of the shape asked for; the caller may ask again.
    """
    answer = _decode(content)
    fields = document_type.fields.properties
    _check_keys(answer, fields, "$")
    scored = scores(content, logprobs)
    pages = None if window is None else window.pages
    values = {
        name: _read_field(answer[name], field, (name,), scored, pages)
        for name, field in fields.items()
    }
    return Reading(values, overlaps=window is not None and window.overlaps)


def _decode(content: str) -> dict[str, Any]:
    try:
        answer = json.loads(content)
    except json.JSONDecodeError as error:
        ended = error.pos >= len(content.rstrip()) or error.msg.startswith("Unterminated")
        cut = "is cut off" if ended else "is not JSON"
        raise AnswerMismatch(f"the answer {cut} at character {error.pos}") from None
    except (ValueError, RecursionError):
        raise AnswerMismatch("the answer is not JSON that can be read") from None
    if not isinstance(answer, dict):
        raise AnswerMismatch("$ is not an object")
    return answer


def _check_keys(found: Any, wanted: Mapping[str, object], place: str) -> None:  # noqa: ANN401 - decoded JSON
    if not isinstance(found, dict):
        raise AnswerMismatch(f"{place} is not an object")
    for name in wanted:
        if name not in found:
            raise AnswerMismatch(f"{place}.{name} is missing")
    if len(found) > len(wanted):
        raise AnswerMismatch(f"{place} has {len(found) - len(wanted)} keys that were not asked for")


def _read_field(
    found: Any,  # noqa: ANN401 - decoded JSON
    field: FieldSchema,
    path: LeafPath,
    scored: Mapping[LeafPath, float | Unavailable],
    pages: range | None,
) -> FieldValues:
    if field.items is None:
        return _read_value(found, path, scored, pages)
    place = _place(path)
    if not isinstance(found, list):
        raise AnswerMismatch(f"{place} is not an array")
    if len(found) > MOST_ROWS:
        raise AnswerMismatch(f"{place} has more than {MOST_ROWS} entries")
    if not field.columns:
        entries = [_read_value(one, (*path, at), scored, pages) for at, one in enumerate(found)]
        return [entry for entry in entries if entry.text is not None]
    rows: list[Row] = []
    for at, row in enumerate(found):
        _check_keys(row, field.columns, f"{place}[{at}]")
        rows.append(
            {
                name: _read_value(row[name], (*path, at, name), scored, pages)
                for name in field.columns
            }
        )
    return [row for row in rows if any(value.text is not None for value in row.values())]


def _read_value(
    found: Any,  # noqa: ANN401 - decoded JSON
    path: LeafPath,
    scored: Mapping[LeafPath, float | Unavailable],
    pages: range | None,
) -> Value:
    if found is not None and not isinstance(found, str):
        raise AnswerMismatch(f"{_place(path)} is neither a string nor null")
    if found is not None and len(found) > MOST_CHARACTERS:
        raise AnswerMismatch(f"{_place(path)} has more than {MOST_CHARACTERS} characters")
    text = None if found is None or found.strip().lower() in _NOTHING else found.strip()
    return Value(text, scored.get(path, "unavailable"), pages)


def _place(path: LeafPath) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "$" + "".join(steps)


def rows_of(values: list[Value] | list[Row]) -> list[Row]:
    """Rows as they are, and plain entries as rows of one column whose name is empty."""
    return [{"": one} if isinstance(one, Value) else one for one in values]


def leaf_path(name: str, at: int, column: str) -> LeafPath:
    """The path of a cell of `rows_of`."""
    return (name, at, column) if column else (name, at)


def leaves_of(name: str, values: FieldValues) -> Iterator[tuple[LeafPath, Value]]:
    """The values of one field, each with its path."""
    if isinstance(values, Value):
        yield (name,), values
        return
    for at, row in enumerate(rows_of(values)):
        yield from ((leaf_path(name, at, column), value) for column, value in row.items())
