"""One sample document, and the words in which its true fields are stated.

Values are as printed; a line break within a value is one newline. Beside a date, an amount, a
number or an IBAN stands what it means, stated by the author and never guessed from the print.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Truth = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sample:
    """A file to be written, its type, its true fields and what makes it hard.

    `attachments` states the same of each file within, by its name: {"type": …, "fields": {…}}.
    """

    name: str
    type: str
    hard: str
    content: Callable[[], bytes]
    fields: Truth = field(default_factory=dict)
    attachments: Mapping[str, tuple[str, Truth]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Money:
    """How amounts and numbers are printed in one document: its decimal mark and its currency."""

    decimal_mark: str
    currency: str

    def amount(self, value: str) -> Truth:
        """The truth of an amount: its print, and its decimal number and currency."""
        normalised = {"amount": self._plain(value), "currency": self.currency}
        return {"value": value, "normalised": normalised}

    def number(self, value: str) -> Truth:
        """The truth of a quantity or a percentage: its print and its decimal number."""
        return {"value": value, "normalised": self._plain(value)}

    def rows(self, columns: str, *rows: Sequence[str]) -> list[Truth]:
        """The truth of rows of goods: `columns` names the cells, an empty cell is absent."""
        return [
            {
                name: self._cell(name, value)
                for name, value in zip(columns.split(), row, strict=True)
            }
            for row in rows
        ]

    def _cell(self, column: str, value: str) -> Truth | None:
        if not value:
            return None
        if column == "description":
            return text(value)
        return self.number(value) if column == "quantity" else self.amount(value)

    def _plain(self, value: str) -> str:
        sign = "-" if "-" in value else ""
        digits = "".join(mark for mark in value if mark.isdigit() or mark == self.decimal_mark)
        return sign + digits.strip(self.decimal_mark).replace(",", ".")


def text(value: str) -> Truth:
    """The truth of a value that means what it says."""
    return {"value": value}


def texts(*values: str) -> list[Truth]:
    """The truth of a list of such values."""
    return [text(value) for value in values]


def date(value: str, iso: str) -> Truth:
    """The truth of a date: its print and its ISO form."""
    return {"value": value, "normalised": iso}


def iban(value: str) -> Truth:
    """The truth of an IBAN: its print and the same without spaces."""
    return {"value": value, "normalised": value.replace(" ", "")}


def table(columns: str, *rows: Sequence[str]) -> list[Truth]:
    """The truth of rows of plain texts; an empty cell is absent."""
    return [
        {
            name: text(value) if value else None
            for name, value in zip(columns.split(), row, strict=True)
        }
        for row in rows
    ]
