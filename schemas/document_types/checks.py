"""Checks between the fields of one document: sums, products and the order of dates.

A path names a field (`total`) or a column of an array field (`lines.amount`, all rows of it).
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Path = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}(\.[a-z][a-z0-9_]{0,62})?$")]
Column = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class _Check(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SumCheck(_Check):
    """The parts add up to the total, within 0.01 for each part."""

    kind: Literal["sum"]
    parts: Path | Annotated[list[Path], Field(min_length=1, max_length=16)]
    total: Path

    def part_paths(self) -> tuple[str, ...]:
        """The paths of the parts, one or many; a column's path stands for all its rows."""
        return (self.parts,) if isinstance(self.parts, str) else tuple(self.parts)


class ProductCheck(_Check):
    """In each row, the quantity times the unit price is the amount; all are columns of `rows`."""

    kind: Literal["product"]
    rows: Column
    quantity: Column
    unit_price: Column
    amount: Column


class OrderCheck(_Check):
    """One date is not after another; the same day is in order."""

    kind: Literal["order"]
    before: Path
    after: Path


Check = Annotated[SumCheck | ProductCheck | OrderCheck, Field(discriminator="kind")]


def unknown_paths(
    check: SumCheck | ProductCheck | OrderCheck, kinds: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Finds what a check names that the type does not have.

    Args:
        check: one check of a type.
        kinds: the kind of every value of the type by its path.

    Returns: (path, kind it should be) for each path that is missing or is of another kind.
    """
    for path, wanted in _named(check):
        if kinds.get(path) != wanted:
            yield path, wanted


def _named(check: SumCheck | ProductCheck | OrderCheck) -> tuple[tuple[str, str], ...]:
    match check:
        case SumCheck():
            return tuple((path, "amount") for path in (*check.part_paths(), check.total))
        case OrderCheck():
            return (check.before, "date"), (check.after, "date")
        case ProductCheck():
            return (
                (f"{check.rows}.{check.quantity}", "quantity"),
                (f"{check.rows}.{check.unit_price}", "amount"),
                (f"{check.rows}.{check.amount}", "amount"),
            )
