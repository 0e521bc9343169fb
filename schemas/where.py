"""The one query language: conditions as JSON, and the index terms that answer them.

`{"type": "invoice", "fields.total": {"gte": 100}, "metadata.tags": "urgent"}`: all must hold. Of
documents the names are those of `NAMES`, `metadata.<path>` and `fields.<path>`; of the objects of
collections they are paths into the body. A list matches where one element does; a number is
compared with numbers and amounts, a text with texts.
"""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, TypeGuard

from schemas.attributes import MAX_VALUE_CHARS, SEGMENT
from schemas.json_values import UNSTORABLE
from schemas.problems import FieldError
from schemas.states import Status

Scalar = str | float | bool | None

MAX_TEXT: Final = 8192
MAX_CONDITIONS: Final = 32
MAX_CHOICES: Final = 100
MAX_DEPTH: Final = 8


class Op(StrEnum):
    """How a value is compared."""

    EQ = "eq"
    NE = "ne"
    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    IN = "in"
    PREFIX = "prefix"
    EXISTS = "exists"
    CONTAINS = "contains"


RANGES: Final = frozenset({Op.GT, Op.GTE, Op.LT, Op.LTE})
_EQUAL: Final = frozenset({Op.EQ, Op.NE, Op.IN})
_TEXT: Final = _EQUAL | {Op.PREFIX, Op.CONTAINS, Op.EXISTS}

NAMES: Final[Mapping[str, frozenset[Op]]] = MappingProxyType(
    {
        "status": _EQUAL,
        "batch_id": _EQUAL | {Op.EXISTS},
        "sha256": _EQUAL,
        "type": _TEXT,
        "needs_review": _EQUAL,
        "content_type": _TEXT,
        "filename": _TEXT,
        "created_at": RANGES,
        "confidence": RANGES | {Op.EXISTS},
    }
)
"""The document's own names, and how each may be compared."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison. `path` leads below `metadata`, `fields` or a body's key; else it is empty.

    `value` is a tuple for `in`, a boolean for `exists`. A null in `eq` means that there is none.
    Whole days are resolved: `lte` a date has become `lt` the day after it.
    """

    name: str
    path: tuple[str, ...]
    op: Op
    value: Scalar | tuple[Scalar, ...]

    @property
    def dotted(self) -> str:
        """Returns: the name as it is written, such as `fields.total`."""
        return ".".join((self.name, *self.path))


class InvalidWhere(ValueError):
    """A `where` that cannot be used; `errors` says where, why and what would be right."""

    def __init__(self, *errors: FieldError) -> None:
        super().__init__("; ".join(f"{error.pointer or '/'}: {error.detail}" for error in errors))
        self.errors = errors


def parse(where: str | Mapping[str, Any] | None) -> tuple[Condition, ...]:
    """Reads conditions on documents.

    Args:
        where: the JSON object or its text of at most 8 KiB; none and empty text mean no condition.

    Returns: at most 32 conditions, all of which must hold.

    Raises:
        InvalidWhere: not a JSON object, unknown name or operator, or a value that does not fit; its
            pointers start at the object.
    """
    return parsed(where, _condition)


def parsed(
    where: str | Mapping[str, Any] | None, read: Callable[[str, str, object], Condition]
) -> tuple[Condition, ...]:
    """Reads conditions as `parse` does, each with `read`: of a name, an operator and a value."""
    conditions: list[Condition] = []
    errors: list[FieldError] = []
    for name, wanted in _decoded(where).items():
        for op, value, pointer in _comparisons(name, wanted):
            if UNSTORABLE.search(pointer):
                # Nor could an answer name it.
                detail = "remove the NUL character or unpaired surrogate from the name"
                errors.append(FieldError(pointer="", detail=detail))
                continue
            try:
                conditions.append(read(name, op, value))
            except ValueError as error:
                errors.append(FieldError(pointer=pointer, detail=str(error)))
    if len(conditions) > MAX_CONDITIONS:
        errors.append(FieldError(pointer="", detail=f"at most {MAX_CONDITIONS} conditions"))
    if errors:
        raise InvalidWhere(*errors)
    return tuple(conditions)


def _decoded(where: str | Mapping[str, Any] | None) -> Mapping[str, Any]:
    if where is None or (isinstance(where, str) and not where.strip()):
        return {}
    decoded: object = where
    if isinstance(where, str):
        if len(where) > MAX_TEXT:
            raise InvalidWhere(FieldError(pointer="", detail=f"at most {MAX_TEXT} characters"))
        try:
            decoded = json.loads(where)
        except (ValueError, RecursionError):
            detail = 'not JSON; write an object such as {"type": "invoice"}'
            raise InvalidWhere(FieldError(pointer="", detail=detail)) from None
    if not isinstance(decoded, Mapping):
        detail = 'must be a JSON object such as {"type": "invoice"}'
        raise InvalidWhere(FieldError(pointer="", detail=detail))
    return decoded


def _comparisons(name: str, wanted: object) -> list[tuple[str, Any, str]]:
    pointer = "/" + name.replace("~", "~0").replace("/", "~1")
    if not isinstance(wanted, Mapping):
        return [("eq", wanted, pointer)]
    if not wanted:
        return [("", None, pointer)]
    return [(op, value, f"{pointer}/{op}") for op, value in wanted.items()]


def _condition(name: str, operator: str, value: object) -> Condition:
    head, *path = name.split(".")
    op = operator_of(name, operator, _allowed(head, path))
    read = compared(head, tuple(path), op, value)
    for one in read.value if isinstance(read.value, tuple) else (read.value,):
        _fits_name(head, op, one)
    return replace(read, value=moment(read.value)) if head == "created_at" else read


def operator_of(name: str, operator: str, allowed: frozenset[Op]) -> Op:
    """Returns: the operator of this name. Raises: ValueError: `name` does not have it."""
    if operator not in allowed:
        known = ", ".join(op for op in Op if op in allowed)
        raise ValueError(f"{name} knows no operator {operator!r}; it has {known}")
    return Op(operator)


def compared(head: str, path: tuple[str, ...], op: Op, value: object) -> Condition:
    """Returns: the condition. Raises: ValueError: the value does not fit the operator."""
    if op is Op.IN:
        checked: Any = tuple(_scalar(Op.EQ, one) for one in _choices(value))
    else:
        checked = _scalar(op, value)
    if op in {Op.GT, Op.LTE} and _is_day(checked):
        # A day is all of its moments: after it begins with the next one, up to it ends before that.
        following = date.fromisoformat(checked) + timedelta(days=1)
        op, checked = (Op.GTE if op is Op.GT else Op.LT), following.isoformat()
    return Condition(head, path, op, checked)


def _allowed(head: str, path: Sequence[str]) -> frozenset[Op]:
    if head in {"metadata", "fields"}:
        if not path:
            raise ValueError(f"name a key of {head}, such as {head}.customer")
        if len(path) > MAX_DEPTH or not all(SEGMENT.fullmatch(part) for part in path):
            raise ValueError(f"at most {MAX_DEPTH} keys of 1 to 64 characters without = # ?")
        return frozenset(Op)
    if head not in NAMES or path:
        known = ", ".join(NAMES)
        raise ValueError(f"unknown name; known are {known}, metadata.<key> and fields.<name>")
    return NAMES[head]


def _choices(value: object) -> Sequence[object]:
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= MAX_CHOICES:
        raise ValueError(f"in needs a list of 1 to {MAX_CHOICES} values")
    return value


def _scalar(op: Op, value: object) -> Scalar:
    if isinstance(value, str):
        if len(value) > MAX_VALUE_CHARS or UNSTORABLE.search(value):
            raise ValueError(f"a text of at most {MAX_VALUE_CHARS} characters without NUL")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _check_number(value)
    elif value is not None and not isinstance(value, bool):
        raise ValueError("needs a text, a number, true, false or null, not a list or an object")
    _fits_operator(op, value)
    return value


def _check_number(value: float) -> None:
    # Integers stay what they are: as doubles, two of them could be one.
    try:
        finite = math.isfinite(float(value))
    except OverflowError:
        finite = False
    if not finite:
        raise ValueError("the number is out of range")


def _fits_operator(op: Op, value: Scalar) -> None:
    if op is Op.EXISTS and not isinstance(value, bool):
        raise ValueError("exists needs true or false")
    if op in {Op.PREFIX, Op.CONTAINS} and not (isinstance(value, str) and value):
        raise ValueError(f"{op} needs a text that is not empty")
    if op in RANGES and not is_number(value) and not _is_date(value):
        raise ValueError(f"{op} needs a number or an ISO date such as 2026-11-01")


def _fits_name(head: str, op: Op, value: object) -> None:
    if head == "status" and value not in set(Status):
        raise ValueError(f"status is one of {', '.join(Status)}")
    if head == "needs_review" and not isinstance(value, bool):
        raise ValueError("needs_review is true or false")
    if head == "confidence" and op in RANGES and not is_number(value):
        raise ValueError("confidence is a number from 0 to 1")
    if head == "created_at" and not _is_date(value):
        raise ValueError("created_at is compared with a date such as 2026-11-01 or a UTC time")
    if head in {"type", "content_type", "filename"} and is_number(value):
        raise ValueError(f"{head} is a text")


def is_number(value: object) -> TypeGuard[float]:
    """Returns: whether a condition's value is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _is_day(value: object) -> bool:
    return isinstance(value, str) and _DAY.fullmatch(value) is not None


def _is_date(value: object) -> bool:
    if not isinstance(value, str) or _DAY.match(value) is None:
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    # The first and the last year would leave the calendar when they are turned into UTC.
    return "0002" <= value[:4] <= "9998"


def moment(value: object) -> str:
    """Returns: an ISO date or time as a time in UTC."""
    read = datetime.fromisoformat(str(value))
    if read.tzinfo is None:
        read = read.replace(tzinfo=UTC)
    return read.astimezone(UTC).isoformat()
