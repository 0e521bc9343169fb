"""The documents that extraction is measured on, each with its true type and the true values.

Reads three forms of truth: the sample documents' (`NAME.EXT` beside `NAME.json`), receipts' (four
printed fields) and invoices' (numbers and ISO dates that a template tool reads from PDFs).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.document_types import builtin

Truths = dict[str, Any]
"""Field to a `Truth`, None where the document has none, a list of them, or rows of them."""


@dataclass(frozen=True, slots=True)
class Truth:
    """A true value: as printed, and its normal form where the truth states one."""

    value: str
    normalised: Any = None


@dataclass(frozen=True, slots=True)
class Case:
    """A document: its group, file, true type, and the fields whose truth is known."""

    group: str
    path: Path
    type: str
    truths: Truths

    @property
    def name(self) -> str:
        """Group and file, as a report prints them."""
        return f"{self.group}/{self.path.stem}"


def samples(folder: Path) -> Iterator[Case]:
    """The sample documents in `folder`, in the order of their names."""
    for path in sorted(folder.glob("*.json")):
        documents = [one for one in folder.glob(f"{path.stem}.*") if one.suffix != ".json"]
        if not documents:
            continue
        truth = json.loads(path.read_text(encoding="utf-8"))
        fields = {name: _sample(value) for name, value in truth["fields"].items()}
        yield Case("samples", documents[0], truth["type"], fields)


def _sample(stated: Any) -> Any:  # noqa: ANN401 - decoded JSON
    if stated is None:
        return None
    if isinstance(stated, list):
        return [_sample(one) for one in stated]
    if "value" in stated and isinstance(stated["value"], str):
        return Truth(stated["value"], stated.get("normalised"))
    return {column: _sample(cell) for column, cell in stated.items()}


def receipts(folder: Path) -> Iterator[Case]:
    """Scanned receipts with their true company, date, address and total."""
    known = builtin()["receipt"].fields.properties
    for path in sorted(folder.glob("*.json")):
        stated = json.loads(path.read_text(encoding="utf-8"))
        truths = {name: Truth(value) for name, value in stated.items() if name in known and value}
        yield Case("receipts", path.with_suffix(".jpg"), "receipt", truths)


_INVOICE_FIELDS = {
    "issuer": "supplier",
    "invoice_number": "invoice_number",
    "date": "invoice_date",
    "date_due": "due_date",
    "amount": "total",
    "amount_tax": "tax",
    "amount_untaxed": "subtotal",
}


def invoices(folder: Path) -> Iterator[Case]:
    """Digital invoices with the few fields that a template reads and that mean the same here."""
    for path in sorted(folder.glob("*.json")):
        [stated] = json.loads(path.read_text(encoding="utf-8"))
        truths = {
            name: _template(stated[theirs], theirs)
            for theirs, name in _INVOICE_FIELDS.items()
            if stated.get(theirs) not in {None, ""}
        }
        yield Case("invoices", path.with_suffix(".pdf"), "invoice", truths)


def _template(stated: Any, name: str) -> Truth:  # noqa: ANN401 - decoded JSON
    if isinstance(stated, int | float):
        text = f"{stated:.2f}"
        return Truth(text, {"amount": text, "currency": None})
    return Truth(stated, stated if name.startswith("date") else None)


def load(sample_folder: Path | None, data: Path | None) -> list[Case]:
    """All cases of the folders that are there."""
    found: list[Case] = []
    if sample_folder is not None and sample_folder.is_dir():
        found += samples(sample_folder)
    for read, name in ((receipts, "receipts"), (invoices, "invoices")):
        if data is not None and (data / name).is_dir():
            found += read(data / name)
    return found


def halves(cases: list[Case]) -> tuple[list[Case], list[Case]]:
    """The half to fit on and the half to report on: every other document of each group."""
    parts: tuple[list[Case], list[Case]] = [], []
    for group in sorted({case.group for case in cases}):
        mine = [case for case in cases if case.group == group]
        for number, case in enumerate(sorted(mine, key=lambda one: (one.type, one.path.name))):
            parts[number % 2].append(case)
    return parts
