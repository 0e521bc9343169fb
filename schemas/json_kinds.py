"""Numbers and booleans of JSON bodies: Pydantic alone would also make them from each other."""

from typing import Annotated, Final

from pydantic import BeforeValidator, Strict


def _number(value: object) -> object:
    # A quota of false would be one of 0.
    if isinstance(value, bool | str):
        raise ValueError("must be a number, without quotation marks")  # noqa: TRY004 - for Pydantic
    return value


NUMBER: Final = BeforeValidator(_number)
"""Stands behind the limits of a number, which it would hide from the JSON Schema before them."""
Truth = Annotated[bool, Strict()]
