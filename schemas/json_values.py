"""What a JSON value must be to be stored exactly as it came.

Integers of any size and all of Unicode are kept. Numbers with a fraction or an exponent are IEEE
doubles, as RFC 8259 (section 6) expects of most software.
"""

import math
import re
from typing import Any, Final

MAX_DEPTH: Final = 64
MAX_DIGITS: Final = 1000
# Postgres stores neither NUL nor half of a surrogate pair, in texts as in JSON.
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_LARGEST: Final = 10**MAX_DIGITS


class NotStorable(ValueError):
    """A value that would not come back as it was; `pointer` (RFC 6901) says where it stands."""

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(f"{pointer or '/'}: {detail}")
        self.pointer = pointer
        self.detail = detail


def check(value: Any, *, depth: int = MAX_DEPTH, pointer: str = "") -> None:  # noqa: ANN401 - any JSON value
    """Check a value and all that is in it.

    Raises:
        NotStorable: a NUL character or half of a surrogate pair, a number that is not finite or has
            more than 1000 digits, or more than `depth` levels of lists and objects.
    """
    if isinstance(value, str):
        _check_text(value, pointer)
    elif isinstance(value, int | float):
        _check_number(value, pointer)
    elif isinstance(value, dict):
        _check_depth(depth, pointer)
        for name, inner in value.items():
            _check_text(name, pointer)
            check(inner, depth=depth - 1, pointer=f"{pointer}/{escaped(name)}")
    elif isinstance(value, list | tuple):
        _check_depth(depth, pointer)
        for place, inner in enumerate(value):
            check(inner, depth=depth - 1, pointer=f"{pointer}/{place}")


def escaped(name: str) -> str:
    """Returns: a name as it stands in a JSON Pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def _check_text(value: str, pointer: str) -> None:
    if _UNSTORABLE.search(value):
        detail = "remove the NUL character or unpaired surrogate; it cannot be stored"
        raise NotStorable(pointer, detail)


def _check_number(value: float, pointer: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise NotStorable(pointer, "a number outside the range of a double; send a text")
    if isinstance(value, int) and not -_LARGEST < value < _LARGEST:
        raise NotStorable(pointer, f"a number of more than {MAX_DIGITS} digits; send a text")


def _check_depth(depth: int, pointer: str) -> None:
    if depth == 0:
        raise NotStorable(pointer, f"nests deeper than {MAX_DEPTH} levels")
