"""What all HTTP bodies share: strict inputs, whole outputs."""

import math
import re
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    model_validator,
)

from schemas.json_values import UNSTORABLE

MAX_JSON_DEPTH: Final = 16
SUBJECT: Final = "subject"
"""The parameter that names the end user whom a call is for."""


class Input(BaseModel):
    """A request body; unknown fields are refused, so that a misspelt one is not ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Parameters(Input):
    """The parameters of one call, without the one that all calls take (see SUBJECT)."""

    @model_validator(mode="before")
    @classmethod
    def _own(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in given.items() if name != SUBJECT}


class Output(BaseModel):
    """A response body; every field is always there."""

    model_config = ConfigDict(frozen=True)


def storable(value: Any) -> Any:  # noqa: ANN401 - any JSON value, returned as it came
    """Returns: the same JSON value.

    Raises:
        ValueError: a text in it has a NUL or half a surrogate pair, a number is none or too large
            for a double, or it nests too deep.
    """
    _check(value, MAX_JSON_DEPTH)
    return value


def _check(value: object, depth: int) -> None:
    if isinstance(value, str):
        if UNSTORABLE.search(value):
            raise ValueError("remove the NUL character or unpaired surrogate; it cannot be stored")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("send a number that a double can hold, or null; this is none in JSON")
    elif isinstance(value, dict | list | tuple):
        if depth == 0:
            raise ValueError(f"nests deeper than {MAX_JSON_DEPTH} levels")
        for inner in (*value, *value.values()) if isinstance(value, dict) else value:
            _check(inner, depth - 1)


def _fits(value: Any) -> Any:  # noqa: ANN401
    storable(value)
    if len(repr(value)) > MAX_METADATA_CHARS:
        raise ValueError(f"larger than {MAX_METADATA_CHARS} characters of JSON")
    return value


MAX_METADATA_CHARS: Final = 64 * 1024


def _written(value: Any) -> Any:  # noqa: ANN401
    # Pydantic takes numbers for seconds since 1970, which nobody means who sends one here.
    if isinstance(value, int | float) or (isinstance(value, str) and not _DATE.match(value)):
        raise ValueError("must be a time with its offset, such as 2026-11-01T09:30:00Z")
    return value


def _in_calendar(value: datetime) -> datetime:
    # In UTC it must still be in a year that Python knows, or nobody could read it again.
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise ValueError(f"must be in a year from {FIRST_YEAR} to {LAST_YEAR}")
    return value


FIRST_YEAR: Final = 2
LAST_YEAR: Final = 9998
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:", re.ASCII)

Text = Annotated[
    str, AfterValidator(storable), Field(json_schema_extra={"pattern": r"^[^\u0000]*$"})
]
Moment = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_in_calendar)]
Metadata = Annotated[dict[str, JsonValue], Field(max_length=64), AfterValidator(_fits)]
