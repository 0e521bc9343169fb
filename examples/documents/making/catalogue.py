"""All samples in one list, their true fields completed from the document types."""

import json
from collections.abc import Sequence
from typing import Any

from making import (
    contracts,
    contracts_abroad,
    forms,
    invoices,
    invoices_abroad,
    invoices_as_text,
    letters,
    others,
    receipts,
    receipts_as_text,
    reports,
    resumes,
    statements,
)
from making.sample import Sample, Truth
from schemas.document_types import DocumentType, builtin

_SECTIONS = (
    invoices,
    invoices_abroad,
    invoices_as_text,
    receipts,
    receipts_as_text,
    contracts,
    contracts_abroad,
    letters,
    resumes,
    reports,
    forms,
    statements,
    others,
)


class UnknownField(ValueError):
    """A sample states a field or column that its type does not have."""


def samples() -> list[Sample]:
    """Every sample, in the order of the README."""
    return [sample for section in _SECTIONS for sample in section.samples()]


def truth(sample: Sample) -> bytes:
    """The JSON text that stands beside a sample.

    Raises:
        UnknownField: a field is stated that the type does not have.
    """
    stated: dict[str, Any] = _statement(sample.type, sample.fields)
    if sample.attachments:
        stated["attachments"] = {
            name: _statement(*attachment) for name, attachment in sample.attachments.items()
        }
    return (json.dumps(stated, ensure_ascii=False, indent=1) + "\n").encode()


def _statement(type_name: str, fields: Truth) -> dict[str, Any]:
    return {"type": type_name, "fields": _complete(builtin()[type_name], fields)}


def _complete(document_type: DocumentType, fields: Truth) -> Truth:
    known = document_type.fields.properties
    _refuse_unknown(fields, known)
    completed: Truth = {}
    for name, schema in known.items():
        value = fields.get(name)
        if value is not None and schema.columns:
            for row in value:
                _refuse_unknown(row, schema.columns)
            value = [{column: row.get(column) for column in schema.columns} for row in value]
        completed[name] = value
    return completed


def _refuse_unknown(stated: Truth, known: Sequence[str] | dict[str, Any]) -> None:
    for name in stated:
        if name not in known:
            raise UnknownField(f"{name} is not one of {', '.join(known)}")


def readme(made: Sequence[Sample]) -> str:
    """The README of the folder: what the files are, and a table of them."""
    rows = "\n".join(f"| `{one.name}` | {one.type} | {one.hard} |" for one in made)
    return _README.format(count=len(made), rows=rows)


_README = """\
# Sample documents

{count} documents of nine types in all formats that the pipeline reads. People, companies, accounts
and places are invented; web and mail addresses are reserved ones. `make.py` writes this folder from
the texts in `making/`:

```
python examples/documents/make.py             # all of them, and this file
python examples/documents/make.py poem.txt    # only the named ones
python examples/documents/make.py --to DIR    # somewhere else
```

The same script writes the same bytes each time, while the libraries that draw are the same.

Beside each document `NAME.EXT` stands `NAME.json` with its true type and fields:

```json
{{"type": "invoice",
 "fields": {{
  "total": {{"value": "6.985,44 €", "normalised": {{"amount": "6985.44", "currency": "EUR"}}}},
  "invoice_date": {{"value": "3. März 2026", "normalised": "2026-03-03"}},
  "lines": [{{"description": {{"value": "Montage vor Ort"}}, "unit_price": null}}]}}}}
```

- `value` is what is printed, letter for letter; a line break within it is one newline.
- `normalised` is what a date (ISO), an amount (decimal number and currency), a quantity, a
  percentage or an IBAN (without spaces) means. Other values have none.
- A field or a cell that the document does not have is null.
- `attachments` states the same of the files within a mail, by their names.

| File | Type | What is hard about it |
|---|---|---|
{rows}
"""
