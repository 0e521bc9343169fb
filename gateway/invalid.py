"""Turns validation errors of Pydantic and FastAPI into field errors: pointer and remedy.

Inputs are never echoed: they may be anyone's documents.
"""

from collections.abc import Sequence
from typing import Any, Final

from gateway.errors import InvalidInput
from schemas.problems import FieldError

_MOST: Final = 20
_REMEDIES: Final = {
    "extra_forbidden": "unknown field; remove it or correct its spelling",
    "missing": "is required; add it",
}


def field_errors(errors: Sequence[Any]) -> list[FieldError]:
    """Returns: at most 20 field errors; those of the body point into it, others name the part."""
    return [FieldError(pointer=_pointer(one["loc"]), detail=_detail(one)) for one in errors[:_MOST]]


def invalid_input(errors: Sequence[Any]) -> InvalidInput:
    """Returns: the error for what Pydantic or FastAPI found."""
    fields = field_errors(errors)
    detail = "; ".join(f"{one.pointer or 'body'}: {one.detail}" for one in fields[:3])
    return InvalidInput(detail, errors=fields)


def _pointer(location: Sequence[object]) -> str:
    parts = list(location)
    if parts and parts[0] == "body":
        parts = parts[1:]
    escaped = (str(part).replace("~", "~0").replace("/", "~1")[:128] for part in parts)
    return "".join(f"/{part}" for part in escaped)


def _detail(error: Any) -> str:  # noqa: ANN401 - Pydantic's error details
    known = _REMEDIES.get(error["type"])
    return known or str(error["msg"]).removeprefix("Value error, ")[:500]
