"""What is derived from a body so that indexes can serve it: slots, text, fragments."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from schemas import pointers
from schemas.writes import Indexes

MAX_FRAGMENT_BYTES: Final = 64 * 1024
MAX_SLOT_BYTES: Final = 2000
"""A longer text is in no ordered index: a page of Postgres' B-trees takes 2,704 bytes a row."""


@dataclass(frozen=True, slots=True)
class Derived:
    """The derived columns of a row; `words` is text that Postgres makes a `tsvector` of."""

    slots: list[Any] | None
    filterable: bool
    words: str | None
    language: str | None
    fragments: str | None

    def columns(self) -> dict[str, Any]:
        """Returns: them by their names."""
        return {name: getattr(self, name) for name in self.__slots__}


def of(indexes: Indexes, body: str) -> Derived:
    """Returns: the derived columns of a body, given as JSON text."""
    if not indexes.ordered and indexes.text is None:
        return Derived(None, indexes.equality, None, None, None)
    value = json.loads(body)
    slots = [_slot(pointers.find(value, pointer)) for pointer in indexes.ordered]
    words, fragments = None, None
    if indexes.text is not None:
        found = (pointers.find(value, pointer) for pointer in _apart(indexes.text.fields))
        words = "\n".join(text for each in found for text in _texts(each))
        if indexes.text.fragments:
            lowered = words.lower().encode()[:MAX_FRAGMENT_BYTES]
            fragments = lowered.decode(errors="ignore")
    return Derived(
        slots or None,
        indexes.equality,
        words,
        None if indexes.text is None else indexes.text.language,
        fragments,
    )


@lru_cache(maxsize=256)
def _apart(fields: Sequence[str]) -> tuple[str, ...]:
    """Returns: these pointers without those that would have the same text indexed twice.

    Collections that were defined before they were refused may have some.
    """
    twice = {place for place, _ in pointers.covered(fields)}
    return tuple(each for place, each in enumerate(fields) if place not in twice)


def _slot(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return value if len(value.encode()) <= MAX_SLOT_BYTES else None
    return value if isinstance(value, bool | int | float) else None


def _texts(value: Any) -> list[str]:  # noqa: ANN401 - any JSON value
    """Returns: the texts in a value, in their order; of numbers and names none."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for inner in value.values() for text in _texts(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in _texts(inner)]
    return []
