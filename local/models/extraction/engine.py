"""Extraction: the fields of a JSON Schema read out of a text by rules.

Knows no document type: a field is read by its `x-kind`, `x-labels`, name and description. Pure.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local.models.extraction.dating import read_date
from local.models.extraction.fields import Field, read_fields
from local.models.extraction.lists import read_list
from local.models.extraction.money import read_amount, read_percentage
from local.models.extraction.naming import read_address, read_party, read_person
from local.models.extraction.prose import read_text
from local.models.extraction.reading import Document, Reading, agree
from local.models.extraction.sheet import read_sheet
from local.models.extraction.tables import read_table
from local.models.extraction.values import Found, find_tax_numbers, find_values, has_shape

_DEEPEST = 4
_TELLING: Mapping[str, float] = {"email": 0.9, "iban": 0.98, "phone": 0.9, "url": 0.9}
"""Kinds that need no label, and the certainty of shape that they then must have."""

_UNLABELLED = 0.75
_ABSENT = 0.5
"""Score of a null: the field was not found, which says little about whether it is there."""


@dataclass(frozen=True, slots=True)
class Extraction:
    """Values in the shape of the schema, and for each leaf how sure the rule is, 0..1.

    A leaf's value is a span of the text (runs of white space may be joined by one space) or None.
    """

    values: dict[str, Any]
    scores: dict[str, Any]


def _read_shaped(document: Document, wanted: Field) -> Reading | None:
    """A value by its label; one whose shape alone tells what it is, also without."""
    readings = document.shaped(wanted)
    if readings:
        return agree(readings)
    taxed = wanted.kind == "identifier" and wanted.named("tax", "vat")
    for line in document.sheet.lines:
        found = find_tax_numbers(line.text) if taxed else _telling(wanted.kind, line.text)
        if found:
            return Reading(line.text[found[0].start : found[0].end], _UNLABELLED, line.number)
    return None


def _telling(kind: str, text: str) -> list[Found]:
    """The values of a kind whose shape alone tells what they are; none for other kinds."""
    least = _TELLING.get(kind)
    return [f for f in find_values(kind, text) if f.certainty >= least] if least else []


_READERS: Mapping[str, Callable[[Document, Field], Reading | None]] = {
    "date": read_date,
    "amount": read_amount,
    "percentage": read_percentage,
    "party": read_party,
    "person": read_person,
    "address": read_address,
    "text": read_text,
}


def extract(text: str, schema: Mapping[str, Any]) -> Extraction:
    """The fields of `schema` (a JSON Schema object) as they are printed in `text`.

    `text` may hold several pages parted by form feeds. Arrays hold one object a printed row, or
    strings. Raises nothing: what is not found is None, with a score that says so.
    """
    return _extract(text, schema, 0)


def _extract(text: str, schema: Mapping[str, Any], depth: int) -> Extraction:
    fields = read_fields(schema.get("properties"))
    document = Document(read_sheet(text), fields)
    values: dict[str, Any] = {}
    scores: dict[str, Any] = {}
    for wanted in fields:
        if isinstance(wanted.spec.get("properties"), Mapping) and depth < _DEEPEST:
            inner = _extract(text, wanted.spec, depth + 1)
            values[wanted.name], scores[wanted.name] = inner.values, inner.scores
        elif wanted.spec.get("type") == "array" or "items" in wanted.spec:
            values[wanted.name], scores[wanted.name] = _read_array(document, wanted)
        else:
            reader = _READERS.get(
                wanted.kind, _read_shaped if has_shape(wanted.kind) else read_text
            )
            reading = reader(document, wanted)
            values[wanted.name] = reading.value if reading and reading.value else None
            scores[wanted.name] = round(reading.score, 3) if reading and reading.value else _ABSENT
    return Extraction(values, scores)


def _read_array(document: Document, wanted: Field) -> tuple[list[Any], list[Any]]:
    """The rows of an array field: objects from a table, strings from a list."""
    items = wanted.spec.get("items")
    if isinstance(items, Mapping) and isinstance(items.get("properties"), Mapping):
        rows = read_table(document, wanted, read_fields(items["properties"]))
        return (
            [{n: (r.value if r else None) for n, r in row.items()} for row in rows],
            [{n: (round(r.score, 3) if r else _ABSENT) for n, r in row.items()} for row in rows],
        )
    entries = read_list(document, wanted)
    return [r.value for r in entries], [round(r.score, 3) for r in entries]
