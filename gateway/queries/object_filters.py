"""Compiles `where` and `q` to SQL on the objects `o`, so that the declared indexes serve them.

Whatever a client sends is a value of the statement, never part of its text.

A path with an ordered index has one value to a body: what stands there, if it is no list and no
object. On other paths a list matches where one of its elements does.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from gateway.queries.collections import Shape
from schemas.object_where import OWN
from schemas.where import RANGES, Condition, Op, Scalar, is_number

Served = Literal["order", "set"]

_SIGNS: Final = {Op.EQ: "==", Op.GT: ">", Op.GTE: ">=", Op.LT: "<", Op.LTE: "<="}
_COLUMNS: Final = {
    "$id": "o.object_id",
    "$key": "o.key",
    "$created_at": "o.created_at",
    "$updated_at": "o.updated_at",
}
_DAY: Final = r"^\d{4}-\d{2}-\d{2}"
# In the order of jsonb a text is less than any number, and a number less than true and false.
_LEAST_NUMBER: Final = "-1" + "0" * 1001
_LEAST_TEXT: Final = '""'
_LEAST_FLAG: Final = "false"
_SHORTEST_FRAGMENT: Final = 3


@dataclass(slots=True)
class Filter:
    """Conditions in SQL, and the values in them.

    `served` says what an index makes of them: objects already in their order, a set of objects
    whose order is found afterwards, or nothing; `unserved` are the names of those that none serves.
    """

    conditions: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    served: Served | None = None
    unserved: list[str] = field(default_factory=list)

    def value(self, value: object) -> str:
        """Returns: the name under which a value stands in the statement."""
        name = f"w{len(self.values)}"
        self.values[name] = value
        return name

    def serve(self, how: Served) -> None:
        """Note that an index serves one more condition."""
        self.served = "order" if "order" in {how, self.served} else how


def compiled(conditions: Sequence[Condition], shape: Shape, words: str | None) -> Filter:
    """Returns: the filter of a query on a collection whose indexes are of this shape."""
    found = Filter()
    if words is not None:
        _words(found, shape, words)
    for condition in conditions:
        if condition.name in OWN:
            _own(found, condition)
        elif (slot := shape.slot((condition.name, *condition.path))) is not None:
            _slot(found, condition, shape, slot)
        else:
            _body(found, condition, shape)
    return found


def _words(found: Filter, shape: Shape, words: str) -> None:
    text = shape.indexes["text"]
    language, query = found.value(text["language"]), found.value(words)
    clauses = [f"o.words @@ websearch_to_tsquery(%({language})s::text::regconfig, %({query})s)"]
    if text["fragments"] and len(words) >= _SHORTEST_FRAGMENT:
        clauses.append(f"o.fragments LIKE %({found.value(_within(words.lower()))})s")
    found.conditions.append(f"({' OR '.join(clauses)})")
    found.serve("set")


def _own(found: Filter, condition: Condition) -> None:
    column, op, value = _COLUMNS[condition.name], condition.op, condition.value
    if op is Op.EXISTS:
        found.conditions.append(f"{column} IS {'NOT ' if value else ''}NULL")
    elif op in RANGES:
        found.conditions.append(f"{column} {_SIGNS[op]} %({found.value(value)})s::timestamptz")
    elif op is Op.IN:
        found.conditions.append(f"{column} = ANY(%({found.value(list(value))})s)")  # type: ignore[arg-type]
    elif op is Op.EQ:
        found.conditions.append(f"{column} = %({found.value(value)})s")
    elif op is Op.NE:
        found.conditions.append(f"{column} IS DISTINCT FROM %({found.value(value)})s")
    elif op is Op.PREFIX:
        found.conditions.append(f"starts_with({column}, %({found.value(value)})s)")
    else:
        found.conditions.append(f"{column} ILIKE %({found.value(_within(str(value)))})s")
    if condition.name == "$id" and op in {Op.EQ, Op.IN}:
        found.serve("set")
    elif condition.name != "$created_at":
        found.unserved.append(condition.name)


def _slot(found: Filter, condition: Condition, shape: Shape, slot: int) -> None:
    """The one value at a path that has an ordered index, which may still be on its way."""
    op, value = condition.op, condition.value
    path = [condition.name, *condition.path]
    column = (
        f"(o.slots -> {slot})" if shape.ready else f"(o.body #> %({found.value(path)})s::text[])"
    )
    values = value if isinstance(value, tuple) else (value,)
    if op not in {Op.EQ, Op.NE, Op.IN} | RANGES or None in values:
        _body(found, condition, shape)
        return
    names = [f"%({found.value(json.dumps(one))})s::jsonb" for one in values]
    if op is Op.NE:
        found.conditions.append(f"{column} IS DISTINCT FROM {names[0]}")
        found.unserved.append(condition.dotted)
        return
    if op is Op.EQ:
        found.conditions.append(f"{column} = {names[0]}")
    elif op is Op.IN:
        found.conditions.append(f"{column} IN ({', '.join(names)})")
    else:
        found.conditions.extend(_between(found, column, op, names[0], value))
    if shape.ready:
        found.serve("order" if op is Op.EQ else "set")
    else:
        found.unserved.append(condition.dotted)


def _between(found: Filter, column: str, op: Op, name: str, value: object) -> list[str]:
    """Returns: the conditions of a range among values of the same kind."""
    least, beyond = (
        (_LEAST_NUMBER, _LEAST_FLAG) if is_number(value) else (_LEAST_TEXT, _LEAST_NUMBER)
    )
    conditions = [f"{column} {_SIGNS[op]} {name}"]
    if op in {Op.GT, Op.GTE}:
        conditions.append(f"{column} < %({found.value(beyond)})s::jsonb")
    else:
        conditions.append(f"{column} >= %({found.value(least)})s::jsonb")
    if not is_number(value):
        # Texts that are no dates must not count as later than all dates.
        conditions.append(f"({column} #>> '{{}}') ~ %({found.value(_DAY)})s")
    return conditions


def _body(found: Filter, condition: Condition, shape: Shape) -> None:
    op, value = condition.op, condition.value
    if op is Op.NE:
        predicate, negated = _equal(value)
        negated = not negated
    elif op is Op.EQ:
        predicate, negated = _equal(value)
    elif op is Op.IN:
        _any(found, condition, shape)
        return
    elif op is Op.EXISTS:
        predicate, negated = _PRESENT, not value
    else:
        predicate, negated = _compared(op, value), False
    path = f"o.body @? %({found.value(_path(condition, predicate))})s::jsonpath"
    found.conditions.append(f"NOT coalesce({path}, false)" if negated else path)
    _serve_equality(found, condition, shape, served=op is Op.EQ and not negated)


def _any(found: Filter, condition: Condition, shape: Shape) -> None:
    values: Any = condition.value
    alternatives = " || ".join(_equal(one)[0] for one in values if one is not None)
    clauses = []
    if alternatives:
        clauses.append((_path(condition, alternatives), "o.body @? %({})s::jsonpath"))
    if None in values:
        absent = "NOT coalesce(o.body @? %({})s::jsonpath, false)"
        clauses.append((_path(condition, _PRESENT), absent))
    parts = [clause.format(found.value(path)) for path, clause in clauses]
    found.conditions.append(f"({' OR '.join(parts)})")
    _serve_equality(found, condition, shape, served=None not in values)


def _serve_equality(found: Filter, condition: Condition, shape: Shape, *, served: bool) -> None:
    if served and shape.ready and shape.indexes.get("equality"):
        if "o.filterable" not in found.conditions:
            found.conditions.append("o.filterable")
        found.serve("set")
    else:
        found.unserved.append(condition.dotted)


_PRESENT: Final = '@.type() != "null"'


def _equal(value: object) -> tuple[str, bool]:
    """Returns: a predicate of JSON Path, and whether its opposite is meant."""
    return (_PRESENT, True) if value is None else (f"@ == {json.dumps(value)}", False)


def _compared(op: Op, value: Scalar | tuple[Scalar, ...]) -> str:
    if op is Op.PREFIX:
        return f"@ starts with {json.dumps(value)}"
    if op is Op.CONTAINS:
        return f'@ like_regex {json.dumps(value)} flag "iq"'
    if is_number(value):
        return f"@ {_SIGNS[op]} {json.dumps(value)}"
    return f"@ like_regex {json.dumps(_DAY)} && @ {_SIGNS[op]} {json.dumps(value)}"


def _path(condition: Condition, predicate: str) -> str:
    steps = "".join(f".{json.dumps(part)}" for part in (condition.name, *condition.path))
    return f"lax ${steps} ? ({predicate})"


def _within(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
