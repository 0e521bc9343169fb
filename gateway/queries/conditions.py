"""Compiles `where` to Postgres: indexable paths for equality, JSON paths for the rest."""

import json
from typing import Any, Final

from sqlalchemy import Boolean, ColumnElement, cast, false, func, not_, or_
from sqlalchemy.dialects.postgresql import JSONPATH

from schemas.tables import DOCUMENTS
from schemas.where import Condition, Op, Scalar, is_number

_SIGNS: Final = {Op.EQ: "==", Op.GT: ">", Op.GTE: ">=", Op.LT: "<", Op.LTE: "<="}
_DAY: Final = r"^\\d{4}-\\d{2}-\\d{2}"


def compiled(conditions: tuple[Condition, ...]) -> list[ColumnElement[bool]]:
    """Returns: one SQL condition on `documents` for each of the query language."""
    return [_json(one) if one.path else _column(one) for one in conditions]


def _column(condition: Condition) -> ColumnElement[bool]:
    column: ColumnElement[Any] = DOCUMENTS.c[condition.name]
    value: Any = condition.value
    found: ColumnElement[bool]
    match condition.op:
        case Op.EQ:
            found = column.is_not_distinct_from(value)
        case Op.NE:
            found = column.is_distinct_from(value)
        case Op.IN:
            found = or_(*(column.is_not_distinct_from(one) for one in value))
        case Op.EXISTS:
            found = column.is_not(None) if value else column.is_(None)
        case Op.PREFIX:
            found = column.startswith(value, autoescape=True)
        case Op.CONTAINS:
            found = column.icontains(value, autoescape=True)
        case _:
            found = column.op(_SIGNS[condition.op])(cast(value, column.type))
    return found


def _json(condition: Condition) -> ColumnElement[bool]:
    value: Any = condition.value
    match condition.op:
        case Op.NE:
            found = not_(_equal(condition, value))
        case Op.EQ:
            found = _equal(condition, value)
        case Op.IN:
            found = or_(*(_equal(condition, one) for one in value))
        case Op.EXISTS:
            found = _present(condition) if value else not_(_present(condition))
        case Op.PREFIX:
            found = _found(condition, f"@ starts with {json.dumps(value)}")
        case Op.CONTAINS:
            found = _found(condition, f'@ like_regex {json.dumps(value)} flag "iq"')
        case _:
            found = _found(condition, _ranged(condition.op, value))
    return found


def _equal(condition: Condition, value: Scalar) -> ColumnElement[bool]:
    if value is None:
        return not_(_present(condition))
    if is_number(value):
        return _found(condition, _numeric("==", value))
    return _found(condition, f"@ == {json.dumps(value)}")


def _present(condition: Condition) -> ColumnElement[bool]:
    return _found(condition, '@.type() != "null"')


def _ranged(op: Op, value: Scalar) -> str:
    if is_number(value):
        return _numeric(_SIGNS[op], value)
    # Texts that are no dates must not count as later than all dates.
    return f'@ like_regex "{_DAY}" && @ {_SIGNS[op]} {json.dumps(value)}'


def _numeric(sign: str, value: float) -> str:
    return f"@ {sign} {value!r} || @.amount.double() {sign} {value!r}"


def _found(condition: Condition, predicate: str) -> ColumnElement[bool]:
    # Lax paths look into lists by themselves. The whole path is one bound value: nothing of the
    # client's is ever part of the statement.
    steps = "".join(f".{json.dumps(part)}" for part in condition.path)
    path = f"lax ${steps} ? ({predicate})"
    column = DOCUMENTS.c[condition.name]
    exists = column.op("@?", is_comparison=True, return_type=Boolean())
    found: ColumnElement[bool] = func.coalesce(exists(cast(path, JSONPATH)), false())
    return found
