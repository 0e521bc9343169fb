"""A field of a schema as the rules see it.

Pure; knows no document type, only kinds, labels, names and descriptions.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from local.models.extraction.sheet import blur, fold

_SYNONYMS = {
    "amount": (
        *("soll", "haben", "belastung", "gutschrift", "lastschrift", "débit", "crédit"),
        *("paid out", "paid in", "withdrawals", "deposits"),
    ),
    "end": ("ending on", "endend am"),
    "effective": (
        "takes effect",
        "beginning on",
        "commencing on",
        "in force from",
        "tritt in kraft",
        "entre en vigueur",
    ),
    "term": ("runs for", "for a period of", "läuft", "pour une durée"),
    "notice": ("notice of", "frist von", "préavis de"),
}
"""Verbs of clauses that say what a field's name says; a schema's labels are nouns mostly."""


@dataclass(frozen=True)
class Field:
    """One property of a schema: its name, kind, labels in print, description and own properties."""

    name: str
    kind: str
    labels: tuple[str, ...]
    description: str
    spec: Mapping[str, Any] = field(repr=False, compare=False, default_factory=dict)

    @cached_property
    def tokens(self) -> frozenset[str]:
        """The words of the field's name, lower case."""
        return frozenset(
            re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", self.name).lower())
        )

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The labels folded and blurred, the field's own name last, each once."""
        printed = [*self.labels, self.name.replace("_", " ")]
        for token, more in _SYNONYMS.items():
            printed += more if token in self.tokens else ()
        return tuple(dict.fromkeys(k for k in (blur(fold(label)) for label in printed) if k))

    def named(self, *words: str) -> bool:
        """Whether the field's name holds one of the words."""
        return not self.tokens.isdisjoint(words)

    def says(self, pattern: re.Pattern[str]) -> bool:
        """Whether the field's name, labels or description match a pattern."""
        return bool(pattern.search(" ".join((self.name, *self.labels, self.description))))


def read_fields(properties: object) -> tuple[Field, ...]:
    """The fields of a schema's `properties`; what is not a mapping is left out."""
    if not isinstance(properties, Mapping):
        return ()
    fields = []
    for name, spec in properties.items():
        if not isinstance(spec, Mapping):
            continue
        labels = spec.get("x-labels")
        printed = labels if isinstance(labels, Sequence) and not isinstance(labels, str) else ()
        fields.append(
            Field(
                name=str(name),
                kind=str(spec.get("x-kind") or "text"),
                labels=tuple(str(label).strip().lower() for label in printed),
                description=str(spec.get("description") or ""),
                spec=spec,
            )
        )
    return tuple(fields)
