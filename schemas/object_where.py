"""Conditions on the objects of a collection: paths of their bodies, and names of their own.

`{"mood": "good", "address.city": {"in": ["Bonn", "Köln"]}, "$created_at": {"gte": "2026-11-01"}}`.
A path is written with dots, or as a JSON Pointer where a key has dots itself: `/address/city`.
Names that begin with `$` are those of `OWN`.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from schemas.json_values import UNSTORABLE
from schemas.where import (
    MAX_DEPTH,
    RANGES,
    Condition,
    Op,
    Scalar,
    compared,
    moment,
    operator_of,
    parsed,
)

MAX_KEY_CHARS: Final = 256
_SAME: Final = frozenset({Op.EQ, Op.NE, Op.IN})
_TIMES: Final = frozenset({"$created_at", "$updated_at"})

OWN: Final[Mapping[str, frozenset[Op]]] = MappingProxyType(
    {
        "$id": _SAME,
        "$key": _SAME | {Op.PREFIX, Op.EXISTS, Op.CONTAINS},
        "$created_at": RANGES,
        "$updated_at": RANGES,
    }
)
"""The object's own names, and how each may be compared."""


def parse(where: str | Mapping[str, Any] | None) -> tuple[Condition, ...]:
    """Returns: the conditions; `name` is the first key of a path or a name of `OWN`.

    Raises:
        InvalidWhere: not a JSON object, unknown name or operator, or a value that does not fit; its
            pointers start at the object.
    """
    return parsed(where, _condition)


def path_of(name: str) -> tuple[str, ...]:
    """Returns: the keys of a path that is written with dots, or as a JSON Pointer.

    Raises:
        ValueError: it has no key, an empty one, or more than 8.
    """
    if name.startswith("/"):
        parts = [part.replace("~1", "/").replace("~0", "~") for part in name[1:].split("/")]
    else:
        parts = name.split(".")
    if len(parts) > MAX_DEPTH or not all(1 <= len(part) <= MAX_KEY_CHARS for part in parts):
        raise ValueError(f"write 1 to {MAX_DEPTH} keys with dots between them, or a JSON Pointer")
    if UNSTORABLE.search(name):
        raise ValueError("a key has no NUL character and no unpaired surrogate")
    return tuple(parts)


def _condition(name: str, operator: str, value: object) -> Condition:
    if name.startswith("$"):
        return _own(name, operator, value)
    head, *path = path_of(name)
    if head in OWN:
        raise ValueError(f"{head} names the object's own; a body's key of that name has no filter")
    return compared(head, tuple(path), operator_of(name, operator, frozenset(Op)), value)


def _own(name: str, operator: str, value: object) -> Condition:
    if name not in OWN:
        raise ValueError(f"unknown name; known are {', '.join(OWN)} and paths of the body")
    found = compared(name, (), operator_of(name, operator, OWN[name]), value)
    values: tuple[Scalar, ...] = found.value if isinstance(found.value, tuple) else (found.value,)
    if name in _TIMES:
        if not isinstance(found.value, str):
            raise ValueError(f"{name} is compared with a date such as 2026-11-01 or a UTC time")
        return replace(found, value=moment(found.value))
    if found.op is not Op.EXISTS and not all(isinstance(one, str) for one in values):
        raise ValueError(f"{name} is a text")
    return found
