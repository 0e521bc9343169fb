"""Index terms for the values of any JSON: equality, ranges and existence in one keyword field.

The mapping never grows, whatever a document type or a client's metadata holds. Per value:
`{path}={text}`, `{path}#b{0 or 1}`, `{path}#n{number}`, `{path}#d{ISO date}`, and `{path}?` for
each path that has a value. Numbers are written so that their terms sort as they do.
"""

import math
import re
import struct
from collections.abc import Iterator, Mapping
from typing import Any, Final

SEGMENT: Final = re.compile(r"[^.=#?\x00]{1,64}")
"""A key that a path can name; values under other keys are kept but cannot be filtered by."""

MAX_VALUE_CHARS: Final = 500
MAX_TERMS: Final = 4096
"""Terms of one document; what lies beyond is not filtered by."""

_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}(T[0-9:.]{4,}(Z|[+-]\d{2}:?\d{2})?)?", re.ASCII)
_DECIMAL: Final = re.compile(r"[+-]?\d{1,64}(\.\d{1,64})?", re.ASCII)
_SIGN: Final = 1 << 63
_ALL: Final = (1 << 64) - 1


def attributes(
    metadata: Mapping[str, Any], fields: Mapping[str, Any], confidence: float | None = None
) -> list[str]:
    """Returns: the sorted, distinct terms of a document's metadata, fields and confidence.

    An object with an `amount` counts as that number too; texts are cut behind 501 characters, one
    more than a condition may have, so that a cut text equals none.
    """
    return _distinct({"metadata": metadata, "fields": fields, "confidence": confidence})


def body_attributes(body: Mapping[str, Any]) -> list[str]:
    """Returns: the terms of an object's body, whose paths begin with its own keys.

    What is said of `attributes` holds here too.
    """
    return _distinct({key: value for key, value in body.items() if SEGMENT.fullmatch(key)})


def _distinct(values: Mapping[str, Any]) -> list[str]:
    found: dict[str, None] = {}
    for head, value in values.items():
        for term in _terms(head, value):
            if len(found) >= MAX_TERMS:
                return sorted(found)
            found[term] = None
    return sorted(found)


def text_term(path: str, text: str) -> str:
    """Returns: the term of a text at a path; texts that begin with it have terms that do."""
    return f"{path}={text[: MAX_VALUE_CHARS + 1]}"


def flag_term(path: str, flag: object) -> str:
    """Returns: the term of true or false at a path."""
    return f"{path}#b{1 if flag else 0}"


def number_term(path: str, number: float) -> str:
    """Returns: the term of a number: the bits of its double, turned so that they sort as it does.

    Source: IEEE 754-2019, section 3.4; positive ones get the sign bit, negative ones are inverted.
    """
    [bits] = struct.unpack(">Q", struct.pack(">d", number + 0.0))
    ordered = bits ^ _ALL if bits & _SIGN else bits | _SIGN
    return f"{path}#n{ordered:016x}"


def date_term(path: str, moment: str) -> str:
    """Returns: the term of an ISO date or time at a path; they sort as texts."""
    return f"{path}#d{moment}"


def presence_term(path: str) -> str:
    """Returns: the term of a path that has a value."""
    return f"{path}?"


def _terms(path: str, value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from _object_terms(path, value)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _terms(path, one)
    elif value is not None:
        yield presence_term(path)
        yield from _scalar_terms(path, value)


def _object_terms(path: str, value: Mapping[str, Any]) -> Iterator[str]:
    for key, inner in value.items():
        if not SEGMENT.fullmatch(key):
            continue
        for term in _terms(f"{path}.{key}", inner):
            yield presence_term(path)
            yield term
    amount = value.get("amount")
    if isinstance(amount, str) and _DECIMAL.fullmatch(amount):
        amount = float(amount)
    if isinstance(amount, int | float) and not isinstance(amount, bool):
        yield from _scalar_terms(path, amount)


def _scalar_terms(path: str, value: object) -> Iterator[str]:
    if isinstance(value, bool):
        yield flag_term(path, value)
    elif isinstance(value, int | float):
        try:
            number = float(value)
        except OverflowError:
            return
        if math.isfinite(number):
            yield number_term(path, number)
    elif isinstance(value, str):
        yield text_term(path, value)
        if _DATE.fullmatch(value):
            yield date_term(path, value)
