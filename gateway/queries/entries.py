"""Compiles `where` to OpenSearch filters on the entries of the index."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from gateway.errors import InvalidInput
from schemas.attributes import (
    SEGMENT,
    date_term,
    flag_term,
    number_term,
    presence_term,
    text_term,
)
from schemas.where import Condition, Op, Scalar, is_number

Clause = dict[str, Any]

_FIELD: Final = "attributes"
_NATIVE: Final = frozenset({"type", "needs_review", "content_type", "filename", "created_at"})
_LISTS_ONLY: Final = frozenset({"status", "batch_id", "sha256"})
_OF_OBJECT: Final = {
    "$id": "document_id",
    "$key": "key",
    "$created_at": "created_at",
    "$updated_at": "updated_at",
}


def filters(conditions: tuple[Condition, ...]) -> list[Clause]:
    """Returns: one filter clause for each condition.

    Raises:
        InvalidInput: on a name that the index does not hold.
    """
    return [_clause(one, _of_document) for one in conditions]


def body_filters(conditions: tuple[Condition, ...]) -> list[Clause]:
    """Returns: one filter clause for each condition on an object.

    Raises:
        InvalidInput: on a key that the index has no terms of.
    """
    return [_clause(one, _of_object) for one in conditions]


def _clause(condition: Condition, compared: Callable[[Condition], Clause]) -> Clause:
    negated = _positive(condition)
    if negated is not None:
        return {"bool": {"must_not": [_clause(negated, compared)]}}
    if condition.op is Op.IN:
        choices: Any = condition.value
        each = [Condition(condition.name, condition.path, Op.EQ, one) for one in choices]
        alternatives = [_clause(one, compared) for one in each]
        return {"bool": {"should": alternatives, "minimum_should_match": 1}}
    return compared(condition)


def _of_document(condition: Condition) -> Clause:
    if condition.name in _LISTS_ONLY:
        raise InvalidInput.at(
            f"/where/{condition.name}",
            f"search knows no {condition.name}; list documents by it instead",
        )
    return _native(condition) if condition.name in _NATIVE else _attribute(condition)


def _of_object(condition: Condition) -> Clause:
    if condition.name in _OF_OBJECT:
        return _native(replace(condition, name=_OF_OBJECT[condition.name]))
    if not all(SEGMENT.fullmatch(key) for key in (condition.name, *condition.path)):
        raise InvalidInput.at("/where", "search has keys of 1 to 64 characters without . = # ?")
    return _attribute(condition)


def _positive(condition: Condition) -> Condition | None:
    """Returns: the condition whose opposite this one is, if it is one."""
    name, path, value = condition.name, condition.path, condition.value
    if condition.op is Op.NE:
        return Condition(name, path, Op.EQ, value)
    if (condition.op is Op.EXISTS and value is False) or (condition.op is Op.EQ and value is None):
        return Condition(name, path, Op.EXISTS, value=True)
    return None


def _native(condition: Condition) -> Clause:
    field, value = condition.name, condition.value
    match condition.op:
        case Op.EXISTS:
            return {"exists": {"field": field}}
        case Op.PREFIX:
            return {"prefix": {field: {"value": value}}}
        case Op.CONTAINS:
            return _contains(field, "", str(value))
        case Op.EQ:
            return {"term": {field: value}}
        case _:
            return {"range": {field: {condition.op.value: value}}}


def _attribute(condition: Condition) -> Clause:
    path, value = condition.dotted, condition.value
    match condition.op:
        case Op.EXISTS:
            return {"term": {_FIELD: presence_term(path)}}
        case Op.PREFIX:
            return {"prefix": {_FIELD: {"value": text_term(path, str(value))}}}
        case Op.CONTAINS:
            return _contains(_FIELD, text_term(path, ""), str(value))
        case Op.EQ:
            return {"term": {_FIELD: _term(path, value)}}
        case _:
            return _ranged(path, condition.op, value)


def _term(path: str, value: object) -> str:
    if isinstance(value, bool):
        return flag_term(path, value)
    if is_number(value):
        return number_term(path, value)
    return text_term(path, str(value))


def _ranged(path: str, op: Op, value: Scalar | tuple[Scalar, ...]) -> Clause:
    term = number_term(path, value) if is_number(value) else date_term(path, str(value))
    # The other end is that of this path's terms of this sort: one character on is the next sort.
    lowest = term[: len(path) + 2]
    highest = lowest[:-1] + chr(ord(lowest[-1]) + 1)
    if op in {Op.GT, Op.GTE}:
        return {"range": {_FIELD: {op.value: term, "lt": highest}}}
    return {"range": {_FIELD: {"gte": lowest, op.value: term}}}


def _contains(field: str, prefix: str, text: str) -> Clause:
    pattern = "".join(f"\\{c}" if c in "*?\\" else c for c in text)
    escaped = "".join(f"\\{c}" if c in "*?\\" else c for c in prefix)
    value = f"{escaped}*{pattern}*"
    return {"wildcard": {field: {"value": value, "case_insensitive": True}}}
