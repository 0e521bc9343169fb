"""Cross-checks between the values of one document: sums, products and the order of dates.

Pure. A check with a part that is missing or not understood says nothing and is not counted.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from pydantic import JsonValue

from schemas.document_types import DocumentType, OrderCheck, ProductCheck, SumCheck
from streams.extraction.tokens import LeafPath

_CENT = Decimal("0.01")
_HALF_A_CENT = Decimal("0.005")


@dataclass(frozen=True, slots=True)
class Verdict:
    """One check that could be made: what it is, whether it holds, and the values it speaks of."""

    name: str
    holds: bool
    paths: tuple[LeafPath, ...]


def run(document_type: DocumentType, normalised: Mapping[LeafPath, JsonValue]) -> list[Verdict]:
    """Makes every check of a type that can be made.

    Args:
        document_type: its checks are made.
        normalised: the normal form of every value by its path, null where there is none.

    Returns: a verdict for each check made, one a row for products.
    """
    verdicts: list[Verdict] = []
    for check in document_type.checks:
        match check:
            case SumCheck():
                verdicts += _sum(check, normalised)
            case ProductCheck():
                verdicts += _products(check, normalised)
            case OrderCheck():
                verdicts += _order(check, normalised)
    return verdicts


def tally(verdicts: Iterable[Verdict]) -> dict[LeafPath, tuple[int, int]]:
    """How many checks each value passed and failed; values that no check spoke of are left out."""
    counts: dict[LeafPath, tuple[int, int]] = {}
    for verdict in verdicts:
        for path in verdict.paths:
            passed, failed = counts.get(path, (0, 0))
            counts[path] = (passed + verdict.holds, failed + (not verdict.holds))
    return counts


def _sum(check: SumCheck, normalised: Mapping[LeafPath, JsonValue]) -> Iterator[Verdict]:
    """The parts make the total within a cent for each, which is what rounding them can cost."""
    groups = [_under(path, normalised) for path in check.part_paths()]
    total = _number(normalised.get((check.total,)))
    parts = [path for group in groups for path in group]
    numbers = _numbers(normalised.get(path) for path in parts)
    if total is None or numbers is None or not all(groups):
        return
    holds = abs(sum(numbers, Decimal()) - total) <= _CENT * len(parts)
    name = f"sum of {', '.join(check.part_paths())} is {check.total}"
    yield Verdict(name, holds, (*parts, (check.total,)))


def _products(check: ProductCheck, normalised: Mapping[LeafPath, JsonValue]) -> Iterator[Verdict]:
    """A printed unit price is rounded, so each unit may cost half a cent more or less than it."""
    name = f"{check.quantity} times {check.unit_price} is {check.amount} in {check.rows}"
    for row in sorted({path[1] for path in normalised if _is_row(path, check.rows)}, key=int):
        columns = (check.quantity, check.unit_price, check.amount)
        paths = tuple((check.rows, row, column) for column in columns)
        numbers = _numbers(normalised.get(path) for path in paths)
        if numbers is None:
            continue
        quantity, unit_price, amount = numbers
        slack = _HALF_A_CENT * (abs(quantity) + 1)
        yield Verdict(name, abs(quantity * unit_price - amount) <= slack, paths)


def _order(check: OrderCheck, normalised: Mapping[LeafPath, JsonValue]) -> Iterator[Verdict]:
    before, after = normalised.get((check.before,)), normalised.get((check.after,))
    if isinstance(before, str) and isinstance(after, str):
        name = f"{check.before} is not after {check.after}"
        yield Verdict(name, before <= after, ((check.before,), (check.after,)))


def _under(path: str, normalised: Mapping[LeafPath, JsonValue]) -> list[LeafPath]:
    """The values that a check's path names: one field, or a column in every row."""
    field, _, column = path.partition(".")
    if not column:
        return [(field,)]
    return [one for one in normalised if _is_row(one, field) and one[2] == column]


def _is_row(path: LeafPath, rows: str) -> bool:
    return len(path) == len(("rows", 0, "column")) and path[0] == rows


def _numbers(values: Iterable[JsonValue]) -> Sequence[Decimal] | None:
    numbers = [_number(value) for value in values]
    known = [number for number in numbers if number is not None]
    return known if len(known) == len(numbers) else None


def _number(value: JsonValue) -> Decimal | None:
    if isinstance(value, Mapping):
        value = value.get("amount")
    if value is None or isinstance(value, bool | list | dict):
        return None
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None
