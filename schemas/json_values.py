"""What a JSON value must be to be stored exactly as it came.

Integers of any size and all of Unicode are kept. Numbers with a fraction or an exponent are IEEE
doubles, as RFC 8259 (section 6) expects of most software.
"""

import math
import re
from typing import Any, Final

MAX_DEPTH: Final = 64
MAX_DIGITS: Final = 1000
UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
"""What Postgres stores neither in texts nor in JSON: NUL, and half of a surrogate pair."""
_LARGEST: Final = 10**MAX_DIGITS


class NotStorable(ValueError):
    """A value that would not come back as it was; `pointer` (RFC 6901) says where it stands."""

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(f"{pointer or '/'}: {detail}")
        self.pointer = pointer
        self.detail = detail


def check(value: Any, *, depth: int = MAX_DEPTH, pointer: str = "") -> None:  # noqa: ANN401 - any JSON value
    """Check a value and all that is in it; `pointer` is where it stands.

    Raises:
        NotStorable: a NUL character or half of a surrogate pair, a number that is not finite or has
            more than 1000 digits, or more than `depth` levels of lists and objects.
    """
    try:
        _check(value, depth)
    except NotStorable as error:
        raise NotStorable(pointer + error.pointer, error.detail) from None


def _check(value: Any, depth: int) -> None:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, int | float):
        _check_number(value)
    elif isinstance(value, dict):
        _check_depth(depth)
        for name, inner in value.items():
            _check_text(name)
            _check_below(name, inner, depth)
    elif isinstance(value, list | tuple):
        _check_depth(depth)
        for place, inner in enumerate(value):
            _check_below(place, inner, depth)


def _check_below(name: str | int, value: Any, depth: int) -> None:  # noqa: ANN401 - any JSON value
    # Places are put together only of what is refused: a long name stands above thousands of values.
    try:
        _check(value, depth - 1)
    except NotStorable as error:
        raise NotStorable(f"/{escaped(str(name))}{error.pointer}", error.detail) from None


def holds_unstorable(value: object) -> bool:
    """Returns: whether a text in nested data, or a name in it, is `UNSTORABLE`."""
    match value:
        case str():
            return UNSTORABLE.search(value) is not None
        case dict():
            return any(map(holds_unstorable, (*value, *value.values())))
        case list() | tuple():
            return any(map(holds_unstorable, value))
        case _:
            return False


def escaped(name: str) -> str:
    """Returns: a name as it stands in a JSON Pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def _check_text(value: str) -> None:
    if UNSTORABLE.search(value):
        detail = "remove the NUL character or unpaired surrogate; it cannot be stored"
        raise NotStorable("", detail)


def _check_number(value: float) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise NotStorable("", "a number outside the range of a double; send a text")
    if isinstance(value, int) and not -_LARGEST < value < _LARGEST:
        raise NotStorable("", f"a number of more than {MAX_DIGITS} digits; send a text")


def _check_depth(depth: int) -> None:
    if depth == 0:
        raise NotStorable("", f"nests deeper than {MAX_DEPTH} levels")
