"""JSON Pointers (RFC 6901): reading what stands at one."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

MISSING: Final = object()
"""What stands where a pointer leads to nothing."""

_INDEX: Final = re.compile(r"0|[1-9]\d{0,9}", re.ASCII)


def find(value: Any, pointer: str) -> Any:  # noqa: ANN401 - any JSON value
    """Returns: the JSON value at a pointer, the whole for the empty one, or `MISSING`."""
    for part in _parts(pointer):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and _INDEX.fullmatch(part) and int(part) < len(value):
            value = value[int(part)]
        else:
            return MISSING
    return value


def covered(pointers: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield the places of pointers that add nothing, each with one that it repeats or lies within.

    Of the same one twice the second adds nothing.
    """
    for place, pointer in enumerate(pointers):
        for other_place, other in enumerate(pointers):
            if pointer.startswith(f"{other}/") or (pointer == other and other_place < place):
                yield place, other
                break


def _parts(pointer: str) -> list[str]:
    parts = pointer.split("/")[1:]
    return [part.replace("~1", "/").replace("~0", "~") for part in parts]
