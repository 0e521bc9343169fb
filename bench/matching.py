"""Compares answers with the truth, value by value, in three ways that are kept apart.

strict: equal after trimming and collapsing white space. loose: equal ignoring case, white space and
punctuation. meant: dates, amounts and other numbers equal by normal form, other values loosely.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from pydantic import JsonValue

from bench.cases import Truth, Truths
from schemas.document_types import DocumentType, Kind
from schemas.fields import Answer, FieldAnswer
from streams.extraction.normalise import Hints, normalise

_BY_NORMAL_FORM = frozenset({Kind.DATE, Kind.AMOUNT, Kind.QUANTITY, Kind.PERCENTAGE, Kind.IBAN})


@dataclass(frozen=True, slots=True)
class Match:
    """One value compared: what is true, what was answered, and how they agree."""

    path: str
    kind: str
    table: bool
    truth: str | None
    answer: FieldAnswer | None
    strict: bool
    loose: bool
    meant: bool
    weight: float = 1.0

    @property
    def given(self) -> bool:
        """Whether a value was answered."""
        return self.answer is not None and self.answer.value is not None


def collapse(text: str) -> str:
    """White space trimmed and collapsed."""
    return " ".join(text.split())


def bare(text: str) -> str:
    """Letters and digits alone, case folded; accents count."""
    return "".join(one for one in text.casefold() if one.isalnum())


def compare(
    document_type: DocumentType, truths: Truths, fields: dict[str, Answer], hint: Hints
) -> Iterator[Match]:
    """Compares every field whose truth is known; one that was not answered is absent."""
    kinds = document_type.kinds()
    for name, truth in truths.items():
        answer = fields.get(name)
        if document_type.fields.properties[name].items is not None:
            yield from _compare_rows(name, truth or [], answer, kinds, hint)
        else:
            given = answer if isinstance(answer, FieldAnswer) else None
            yield _match(name, kinds[name], truth, given, hint)


def _compare_rows(
    name: str, truths: list[Any], answer: Answer | None, kinds: dict[str, str], hint: Hints
) -> Iterator[Match]:
    """Rows are aligned in order so that most cells agree; a whole table weighs as one row."""
    true_rows = [{"": one} if isinstance(one, Truth) else one for one in truths]
    rows = answer if isinstance(answer, list) else []
    given = [{"": one} if isinstance(one, FieldAnswer) else one for one in rows]
    weight = 1.0 / max(1, len(true_rows), len(given))
    for true_row, row in _align(true_rows, given):
        for column in true_row or row or {}:
            path = f"{name}.{column}" if column else name
            truth = None if true_row is None else true_row.get(column)
            cell = None if row is None else row.get(column)
            yield _match(path, kinds[path], truth, cell, hint, table=True, weight=weight)


def _align(
    truths: Sequence[dict[str, Any]], rows: Sequence[dict[str, FieldAnswer]]
) -> list[tuple[dict[str, Any] | None, dict[str, FieldAnswer] | None]]:
    """The pairing of two sequences, order kept, with the most equal cells."""
    best = [[0.0] * (len(rows) + 1) for _ in range(len(truths) + 1)]
    for i in range(len(truths) - 1, -1, -1):
        for j in range(len(rows) - 1, -1, -1):
            pair = best[i + 1][j + 1] + _alike(truths[i], rows[j])
            best[i][j] = max(pair, best[i + 1][j], best[i][j + 1])
    pairs: list[tuple[dict[str, Any] | None, dict[str, FieldAnswer] | None]] = []
    i = j = 0
    while i < len(truths) and j < len(rows):
        if best[i][j] == best[i + 1][j + 1] + _alike(truths[i], rows[j]):
            pairs.append((truths[i], rows[j]))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            pairs.append((truths[i], None))
            i += 1
        else:
            pairs.append((None, rows[j]))
            j += 1
    return [*pairs, *((one, None) for one in truths[i:]), *((None, one) for one in rows[j:])]


def _alike(truth: dict[str, Any], row: dict[str, FieldAnswer]) -> float:
    pairs = ((truth.get(column), row[column].value) for column in row)
    return sum(bool(one and value and bare(one.value) == bare(value)) for one, value in pairs)


def _match(
    path: str,
    kind: str,
    truth: Truth | None,
    answer: FieldAnswer | None,
    hint: Hints,
    *,
    table: bool = False,
    weight: float = 1.0,
) -> Match:
    given = None if answer is None else answer.value
    stated = None if truth is None else truth.value
    if truth is None or answer is None or given is None:
        agree = given is None and truth is None
        return Match(path, kind, table, stated, answer, agree, agree, agree, weight)
    loose = bool(bare(given)) and bare(given) == bare(truth.value)
    meant = loose or collapse(given) == collapse(truth.value)
    if kind in _BY_NORMAL_FORM:
        true_form = truth.normalised or normalise(kind, truth.value, hint)
        meant = _same_form(true_form, answer.normalised)
    strict = collapse(given) == collapse(truth.value)
    return Match(path, kind, table, stated, answer, strict, loose, meant, weight)


def _same_form(one: JsonValue, other: JsonValue) -> bool:
    """Amounts agree by number, because a currency is often printed once for all of them."""
    if isinstance(one, dict) and isinstance(other, dict):
        one, other = one.get("amount"), other.get("amount")
    if one is None or other is None:
        return False
    if str(one) == str(other):
        return True
    try:
        return Decimal(str(one)) == Decimal(str(other))
    except InvalidOperation:
        return False
