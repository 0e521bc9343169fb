"""What is derived from a body so that indexes can serve it: slots, text, fragments."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from schemas import pointers
from schemas.writes import Indexes, TextIndex

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
        words = "\n".join(_named(indexes.text, value))
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


def size_of_words(index: TextIndex, value: dict[str, Any]) -> int:
    """Returns: the bytes of a body's texts that are indexed by their words."""
    return sum(len(text) if text.isascii() else len(text.encode()) for text in _named(index, value))


def _named(index: TextIndex, value: dict[str, Any]) -> list[str]:
    """Returns: the texts of a body that an index of words names, in their order."""
    found = (pointers.find(value, pointer) for pointer in _apart(index.fields))
    return [text for each in found for text in _texts(each)]


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
    texts: list[str] = []
    _gather((value,), texts)
    return texts


def _gather(values: Iterable[Any], texts: list[str]) -> None:
    # No list is made for each value: it is done twice for each object that is written.
    for each in values:
        if isinstance(each, str):
            texts.append(each)
        elif isinstance(each, dict):
            _gather(each.values(), texts)
        elif isinstance(each, list):
            _gather(each, texts)
